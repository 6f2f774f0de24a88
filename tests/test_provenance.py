"""The record of the template in a generated project: the same by every road, without secrets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, Bake

IGNORED = shutil.ignore_patterns(".git", ".venv", ".cache", "build", "__pycache__")


def execute(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(c) for c in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work tree of the template without Git."""
    folder = tmp_path_factory.mktemp("templates") / "a template"
    shutil.copytree(TEMPLATE, folder, ignore=IGNORED)
    return folder


@pytest.fixture(scope="module")
def clone(copy: Path) -> Path:
    """The work tree of the template as a repository of its own."""
    folder = copy.parent / "clone"
    shutil.copytree(copy, folder)
    execute("git", "init", "--quiet", cwd=folder)
    execute("git", "add", "--all", cwd=folder)
    execute("git", "commit", "--quiet", "--message", "all", cwd=folder)
    return folder


def head(folder: Path) -> str:
    return execute("git", "rev-parse", "HEAD", cwd=folder).strip()


def generated(template: str | Path, folder: Path, *options: str) -> dict[str, Any]:
    """Generate from a template; return the record."""
    settings = folder / "settings.yaml"
    settings.write_text(f"cookiecutters_dir: {folder}/c\nreplay_dir: {folder}/r\n")
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--config-file", settings]
    execute(*command, *options, template, cwd=folder)
    record: dict[str, Any] = json.loads((folder / "my-data-project/.cruft.json").read_text())
    return record


def test_a_repository_is_recorded_with_commit_and_answers(clone: Path, tmp_path: Path) -> None:
    record = generated(clone, tmp_path)
    assert (record["template"], record["commit"]) == (str(clone), head(clone))
    assert (record["checkout"], record["directory"]) == (None, None)
    answers = record["context"]["cookiecutter"]
    assert answers["project_slug"] == "my-data-project"
    assert answers["cloud"] is False
    assert answers["_template"] == str(clone)
    assert str(tmp_path) not in json.dumps(answers | {"_template": ""})


def test_an_address_is_recorded_as_it_was_cloned(clone: Path, tmp_path: Path) -> None:
    address = f"file://{clone}"
    # cookiecutter knows by the prefix that the address is one of Git.
    record = generated(f"git+{address}", tmp_path, "--checkout", head(clone)[:10])
    assert (record["template"], record["commit"]) == (address, head(clone))
    assert record["checkout"] == head(clone)[:10]


@pytest.mark.parametrize(
    ("origin", "recorded"),
    [
        ("https://example.org/org/t.git", "https://example.org/org/t.git"),
        ("https://me:secret@example.org/t.git?token=x", "https://example.org/t.git"),
        ("ssh://git:secret@example.org/t.git", "ssh://git@example.org/t.git"),
        ("git@example.org:org/t.git", "git@example.org:org/t.git"),
    ],
)
def test_a_clone_with_an_origin_is_recorded_by_its_address(
    clone: Path, tmp_path: Path, origin: str, recorded: str
) -> None:
    mine = tmp_path / "mine"
    execute("git", "clone", "--quiet", clone, mine, cwd=tmp_path)
    execute("git", "remote", "set-url", "origin", origin, cwd=mine)
    assert generated(mine, tmp_path)["template"] == recorded
    shutil.rmtree(tmp_path / "my-data-project")
    execute("git", "commit", "--quiet", "--allow-empty", "--message", "mine", cwd=mine)
    assert generated(mine, tmp_path)["template"] == str(mine)  # the origin has no such commit


def test_a_template_without_git_is_recorded_by_its_name(copy: Path, tmp_path: Path) -> None:
    execute("git", "init", "--quiet", cwd=tmp_path)  # somebody's repository around it
    shutil.copytree(copy, tmp_path / "a template")
    record = generated("a template", tmp_path)
    assert (record["template"], record["commit"]) == ("a template", None)
    shutil.make_archive(str(tmp_path / "zipped"), "zip", copy.parent, "a template")
    shutil.rmtree(tmp_path / "my-data-project")
    record = generated(tmp_path / "zipped.zip", tmp_path)
    assert (record["template"], record["commit"]) == ("zipped.zip", None)


def test_a_record_that_is_there_is_not_touched_with_skip(bake: Bake, tmp_path: Path) -> None:
    project = bake()
    project.write(".cruft.json", "{}")
    command = [sys.executable, "-m", "cookiecutter", "-f", "-s", "--no-input", TEMPLATE]
    execute(*command, cwd=tmp_path)
    assert project.read(".cruft.json") == "{}"


@pytest.mark.slow
def test_a_released_cruft_works_on_a_generated_project(clone: Path, tmp_path: Path) -> None:
    mine = tmp_path / "template"
    execute("git", "clone", "--quiet", clone, mine, cwd=tmp_path)
    plain = generated(mine, tmp_path)
    uv = Path(sys.prefix) / "bin" / "uv"
    cruft = (uv, "tool", "run", "cruft")
    execute(
        *cruft,
        "create",
        "--no-input",
        "--default-config",
        "--output-dir",
        tmp_path / "by",
        mine,
        cwd=mine,
    )
    project, other = tmp_path / "my-data-project", tmp_path / "by" / "my-data-project"
    assert json.loads((other / ".cruft.json").read_text()) == plain
    # cruft writes its own record, in another order.
    execute("diff", "--recursive", "--exclude=.cruft.json", project, other, cwd=tmp_path)
    execute("git", "init", "--quiet", cwd=project)
    execute("git", "add", "--all", cwd=project)
    execute("git", "commit", "--quiet", "--message", "generated", cwd=project)
    assert "SUCCESS" in execute(*cruft, "check", cwd=project)
    execute(*cruft, "diff", "--exit-code", cwd=project)
    makefile = mine / "{{cookiecutter.project_slug}}" / "Makefile"
    makefile.write_text(makefile.read_text().replace("# The tasks", "# All the tasks"))
    execute("git", "commit", "--quiet", "--all", "--message", "new", cwd=mine)
    execute(*cruft, "update", "--skip-apply-ask", cwd=project)
    assert (project / "Makefile").read_text().startswith("# All the tasks")
    assert json.loads((project / ".cruft.json").read_text())["commit"] == head(mine)
