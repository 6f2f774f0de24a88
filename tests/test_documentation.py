"""The documentation site: strictly built, complete, and whole without the network."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, recipe
from nb.check.registry import RULES
from nb.cli import WHERE

from documentation import commands, diagrams, facts, messages, questions

QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))


def build(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the recipe of `make docs`, into a folder."""
    command = recipe("docs").partition("  #")[0].strip()
    programs = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"{command} {shlex.join(['--site-dir', str(folder), *options])}"],
        cwd=TEMPLATE,
        env={**os.environ, "PATH": programs, "NO_MKDOCS_2_WARNING": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built."""
    folder = tmp_path_factory.mktemp("docs")
    done = build(folder)
    assert done.returncode == 0, done.stdout
    return folder


def test_orphans_and_dead_links_fail(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("# Start\n\n[a](nowhere.md) [b](#nope)\n")
    (tmp_path / "docs/orphan.md").write_text("# Orphan\n")
    settings = tmp_path / "mkdocs.yml"
    inherited = f"INHERIT: {TEMPLATE / 'mkdocs.yml'}\n"
    settings.write_text(f"{inherited}docs_dir: docs\nhooks: []\nnav: [index.md]\n")
    done = build(tmp_path / "site", "--config-file", str(settings))
    assert done.returncode == 1
    assert "Aborted with 3 warnings in strict mode" in done.stdout


def test_every_command_has_a_section_with_its_options() -> None:
    page = commands.commands_page()
    for command in WHERE:
        assert f"\n### nb {command}\n" in page
    assert "| `-n, --dry-run` | List the stages that would run, and why. |" in page
    assert "\b" not in page


def test_text_of_help_pages_stays_text() -> None:
    assert commands.in_text("a*b `c*d` <e>") == r"a\*b `c*d` \<e>"
    assert commands.in_cell("a | b\n c") == r"a \| b c"


def test_every_rule_has_a_section() -> None:
    page = facts.rules_page()
    for code in RULES:
        assert f"\n## {code}: " in page
    assert "allowlist" not in page


def test_every_environment_variable_is_on_the_page() -> None:
    named = facts.named_variables()
    assert {"NB_COLD", "NB_TIMEOUT", "NB_TASK_OPTIONS"} <= named
    assert named - facts.INTERNAL == {v for v in facts.VARIABLES if v.startswith("NB_")}


def test_every_setting_is_on_the_page() -> None:
    page = facts.settings_page()
    assert "| `max-cell-lines` | `60` | lines of a code cell that can be reviewed. |" in page
    assert '| `select` | `["ALL"]` |' in page


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ('raise NbError(f"{path} is not in {root / name}; try it", 2)', "PATH is not in …; try it"),
        ('raise NbError("no " f"{\', \'.join(names)} here")', "no NAMES here"),
        ('raise CellError("line {}: x".format(1))', "line …: x"),
        ('warn(f"{one.first_name()} goes on")', "ONE goes on"),
        ("raise KeyError('word')", None),
    ],
)
def test_messages_are_read_from_code(tmp_path: Path, code: str, message: str | None) -> None:
    path = tmp_path / "module.py"
    path.write_text(code, encoding="utf-8")
    assert list(messages.messages(path)) == ([message] if message else [])


def test_every_message_of_an_error_is_on_the_page() -> None:
    page = messages.messages_page()
    errors_of_users = {"NbError", "UsageError"}
    errors = 0
    for path in (facts.TOOLS / "nb").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in errors_of_users:
                texts = [n.value for n in ast.walk(node.args[0]) if isinstance(n, ast.Constant)]
                plain = [" ".join(str(t).split()) for t in texts if len(str(t).split()) > 3]
                errors += bool(plain)
                if isinstance(node.args[0], ast.JoinedStr | ast.Constant):
                    assert all(text in page for text in plain[:1]), plain
    assert errors > 100


def test_a_flowchart_is_drawn_with_all_nodes_and_arrows() -> None:
    text = (
        'flowchart TD\n    a["An <a>"]\n    a --> b\n    a -. asks .-> c\n    b -- is --> c["C"]\n'
    )
    drawn = diagrams.flowchart(text)
    assert drawn.count("<rect") == 3 and drawn.count('class="dotted"') == 1
    assert "An &lt;a&gt;" in drawn and ">asks<" in drawn and ">is<" in drawn and ">C<" in drawn
    with pytest.raises(ValueError, match="subgraph"):
        diagrams.flowchart("flowchart TD\n    subgraph x\n")


def test_packages_are_those_that_are_installed() -> None:
    text = (
        '[project]\ndependencies = [\n    "a",  # x\n    "b[c]>=1",\n]\n[build-system]\n    "d"\n'
    )
    assert questions.packages({"pyproject.toml": text}) == {"a", "b[c]"}


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    for name in ("index", "start/first-hour", "reference/commands", "help/messages"):
        assert (site / f"{name}.html").is_file()


def test_each_answer_is_on_the_page_with_what_it_adds(site: Path) -> None:
    page = (site / "reference/questions.html").read_text(encoding="utf-8")
    for question in QUESTIONS["__prompts__"]:
        assert f'<h2 id="{question}">' in page
    for answer in ("Streamlit", "Voila", "Dagster", "Airflow", "conda", "GitLab", "Athena"):
        assert f"<code>{answer}</code>" in page
    assert "<code>app/dashboard.py</code>" in page
    assert "<code>dvc[s3]</code>" in page


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]+)"', page)
        loaded += re.findall(r'<link[^>]* rel="(?:stylesheet|preload)"[^>]* href="([^"]+)"', page)
        assert not [name for name in loaded if "//" in name], path
        assert 'class="mermaid"' not in page, path


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The address of a server of the site."""
    handler = partial(_Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_in_a_browser(address: str, browser: Any, look: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    for name in ("index", "start/first-hour", "reference/questions", "why/architecture"):
        page.goto(f"{address}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        folder = TEMPLATE / "build/screenshots"
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"docs-{name.replace('/', '-')}-{width}-{look}.png")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (lightness > 200) == (look == "light")
    assert not problems
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    context.close()


def test_the_search_finds_rules(address: str, browser: Any) -> None:
    page = browser.new_page()
    page.goto(f"{address}/index.html?q=NB301")
    page.locator(".md-search-result__item").first.wait_for()
    assert "NB301" in page.locator(".md-search-result__list").inner_text()
    page.close()
