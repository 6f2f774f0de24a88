"""Lines that files lack which were there before the project: only added, and only once."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE
from hypothesis import given
from hypothesis import strategies as st
from nb.check.health.skipped import skipped_files
from nb.skipped import LINE_FILES, add_missing, completed, incomplete
from ruamel.yaml import YAML

OURS = (TEMPLATE / "{{cookiecutter.project_slug}}" / ".dvcignore").read_text(encoding="utf-8")
LINES = st.lists(st.sampled_from(["# own", "*.log", ".venv/", "", "!keep", *OURS.splitlines()]))
PYPROJECT = """\
[project]
requires-python = ">=3.11"
dependencies = [
    "numpy>=2",      # arrays
    "pandas",        # tables
]

[dependency-groups]
pipeline = [
    "papermill>=2.7",
]
dev = [
    { include-group = "pipeline" },
    "pytest>=8",  # make test
]

[tool.ruff]
line-length = 100

[tool.uv.sources]
nb-tools = { path = "tools", editable = true }
"""


@given(LINES, st.booleans())
def test_lines_are_only_added_and_only_once(lines: list[str], ends: bool) -> None:
    theirs = "\n".join(lines) + "\n" * ends
    whole = completed(LINE_FILES[0], theirs, OURS)
    assert whole.startswith(theirs.rstrip())
    patterns = {line for line in OURS.splitlines() if line and not line.startswith("#")}
    assert patterns <= set(whole.splitlines())
    assert completed(LINE_FILES[0], whole, OURS) == whole


PROJECTS = (
    "",
    '[project]\nname = "a"\ndependencies = ["pandas"]\n',
    '[dependency-groups]\ndev = ["tox"]\n\n[tool.uv.sources]\nb = { path = "b" }\n',
    '[dependency-groups]\n\n[tool.ruff.lint]\nselect = ["E"]\n',
    '[dependency-groups]\ndev = [  # ours\n  "pytest-cov", "tox==4",\n  ]\nlint = ["ruff"]\n',
    '[dependency-groups]\ndev = ["Pytest<9", {include-group = "pipeline"}]\npipeline = []\n',
    "[tool]\nruff.line-length = 79\n",
    "tool.ruff.line-length = 79\n",
    "[tool]\nruff = { line-length = 79 }\nuv = { package = false }\n",
    '[ tool . "ruff" ]  # ours\nline-length = 79\n',
    '[project]\nname = "a"\n[tool.ruff]',
    'dependency-groups.dev = ["tox"]\n',
    '[tool.uv]\nsources = { b = { path = "b" } }\nconflicts = [\n    [{ group = "a" }],\n]\n',
)
COMPLETE = PROJECTS[:8]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
@pytest.mark.parametrize("theirs", PROJECTS)
def test_tables_and_keys_of_theirs_stay(theirs: str) -> None:
    """Whatever the form of the file is, the completed one is TOML, and says all that it said."""
    import tomllib

    whole = completed("pyproject.toml", theirs, PYPROJECT)
    made, before = tomllib.loads(whole), tomllib.loads(theirs)
    assert_within(before, made)
    assert ("line-length" in made["tool"].get("ruff", {})) == (
        "ruff" not in before.get("tool", {}) or "line-length" in before["tool"]["ruff"]
    )
    assert completed("pyproject.toml", whole, PYPROJECT) == whole
    if theirs in COMPLETE:
        assert made["tool"]["uv"]["sources"]["nb-tools"] == {"path": "tools", "editable": True}
        groups = made["dependency-groups"]
        assert "papermill>=2.7" in groups["pipeline"]
        assert groups["dev"].count({"include-group": "pipeline"}) == 1
        names = [re.split("[<>=]", str(member))[0].lower() for member in groups["dev"]]
        assert names.count("pytest") == 1
    assert "requires-python" in made.get("project", {})


def assert_within(part: object, whole: object) -> None:
    """Assert that a document holds another: each key, and each member of a list in its order."""
    if isinstance(part, dict):
        assert isinstance(whole, dict) and part.keys() <= whole.keys()
        for key, value in part.items():
            assert_within(value, whole[key])
    elif isinstance(part, list):
        assert isinstance(whole, list) and [v for v in whole if v in part] == part
    else:
        assert part == whole


HOOKS = (TEMPLATE / "{{cookiecutter.project_slug}}" / ".pre-commit-config.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    "theirs",
    [
        "",
        "repos: []\n",
        "repos:\n",
        "# ours\nrepos: [ ]  # none yet\nexclude: ^docs/\n",
        "repos:\n- repo: local\n  hooks: [{id: a}]\n\n# below\nexclude: ^docs/\n",
        "repos:\n    # first\n    - repo: local\n      hooks:\n        - id: a\n\n\n",
        "ci:\n  skip: [a]",
        "repos: [{repo: local, hooks: [{id: a}]}]\n",
    ],
)
def test_hooks_of_theirs_stay_before_those_of_the_project(theirs: str) -> None:
    whole = completed(".pre-commit-config.yaml", theirs, HOOKS)
    read = YAML(typ="safe")
    before, made = read.load(theirs) or {}, read.load(whole)
    assert_within({**before, "repos": before.get("repos") or []}, made)
    assert len(made["repos"]) == len(before.get("repos") or []) + ("repos: [{" not in theirs)
    assert {line for line in theirs.splitlines() if line.strip() and "[" not in line} <= set(
        whole.splitlines()
    )
    assert completed(".pre-commit-config.yaml", whole, HOOKS) == whole


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_the_mark_and_the_ends_of_lines_stay(tmp_path: Path, mark: bytes, ends: str) -> None:
    theirs = mark + f'[project]{ends}name = "a"{ends}'.encode()
    (tmp_path / "pyproject.toml").write_bytes(theirs)
    skipped = tmp_path / ".nb" / "skipped" / "pyproject.toml"
    skipped.parent.mkdir(parents=True)
    skipped.write_text(PYPROJECT, encoding="utf-8")
    assert add_missing(tmp_path) == ["pyproject.toml"] and add_missing(tmp_path) == []
    whole = (tmp_path / "pyproject.toml").read_bytes()
    assert whole.count(mark) >= 1 and whole.startswith(mark) and whole.count(b"[project]") == 1
    assert whole.count(b"\n") == whole.count(ends.encode())


def test_the_ends_of_lines_in_a_mixture_stay(tmp_path: Path) -> None:
    theirs = b"*.log\r\n/own\n"
    (tmp_path / ".gitignore").write_bytes(theirs)
    skipped = tmp_path / ".nb" / "skipped" / ".gitignore"
    skipped.parent.mkdir(parents=True)
    skipped.write_text("/data/**\n", encoding="utf-8")
    add_missing(tmp_path)
    assert (tmp_path / ".gitignore").read_bytes().startswith(theirs)


def test_a_file_that_only_a_person_can_complete_is_named(tmp_path: Path) -> None:
    name = ".pre-commit-config.yaml"
    skipped = tmp_path / ".nb" / "skipped" / name
    skipped.parent.mkdir(parents=True)
    skipped.write_text(HOOKS, encoding="utf-8")
    (tmp_path / name).write_text("repos: [{repo: local, hooks: []}]\n", encoding="utf-8")
    assert add_missing(tmp_path) == [] and [*incomplete(tmp_path)] == [name]
    assert name in skipped_files(tmp_path).problem
    (tmp_path / name).write_text("repos: []\n", encoding="utf-8")
    assert incomplete(tmp_path) == {}
