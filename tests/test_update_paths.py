"""Updates of real projects: from each released version and from older commits to the work tree."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Project, signal_after
from nb.update.template import NEWEST, Template, clone_template

VERSIONS = re.findall(r"^## (\d\S*)", (TEMPLATE / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
# 0.1.0 is commit c3270ac, the first that generates a project.
STARTS = (*VERSIONS, "fa17575")
UNRECORDED = ("0.1.0", "fa17575")
NEVER_COPIED = shutil.ignore_patterns(".git", ".venv", ".cache", "build", "__pycache__")

# Lines that a team adds, by file; at the end, or before a text of the file.
OWN_STAGE = """  lines:
    cmd: mkdir -p data/processed && wc -l pyproject.toml > data/processed/lines.txt
    deps:
      - pyproject.toml
    outs:
      - data/processed/lines.txt
"""
EDITS = {
    "Makefile": ("", "\n.PHONY: greet\ngreet: ## Say hello\n\techo hello\n"),
    "dvc.yaml": ("  train:\n", OWN_STAGE),
    "README.md": ("## Start", "A paragraph of the team's own.\n\n"),
    "pyproject.toml": ('    "pandas",', '    "tabulate",      # the team\'s tables\n'),
    "src/biopsies/data.py": ("", "\n\ndef doubled(number: int) -> int:\n    return 2 * number\n"),
    "tests/test_own.py": (None, "def test_own() -> None:\n    assert True\n"),
    "config/50-own.yaml": (None, "seed: 7\n"),
    ".gitignore": ("# This machine's state.", "/scratch/\n"),
    "notebooks/exploratory/README.md": ("", "\nOurs begin with the initials of the team.\n"),
    "tools/nb/project.py": ("", "\n# An edit of the tooling.\n"),
}
FOLDER = "services/first one"
# The team's package stands beside a line that has changed since.
CONFLICTS = {"0.1.0": ["pyproject.toml"]}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A clone of the template whose newest commit is the work tree."""
    folder = tmp_path_factory.mktemp("updates") / "template"
    known = subprocess.run(["git", "cat-file", "-e", "c3270ac^{commit}"], cwd=TEMPLATE)
    if known.returncode:
        pytest.skip("needs the whole history of the template")
    subprocess.run(["git", "clone", "--quiet", TEMPLATE, folder], check=True)
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(TEMPLATE, folder, ignore=NEVER_COPIED, dirs_exist_ok=True)
    git = ["git", "-C", folder]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "work tree"], check=True)
    return clone_template(folder, str(folder), "", folder.with_name("clone"))


def start_project(template: Template, name: str, folder: Path, place: str = "") -> Project:
    """Generate a project from a commit of the template, and edit it in ten ways.

    Args:
        template: the template.
        name: the version or commit.
        folder: the folder for the project or its repository.
        place: the folder of the project in a larger repository.
    """
    source = folder / "template-then"
    subprocess.run(["git", "clone", "--quiet", template.address, source], check=True)
    commit = template.find(name).commit
    if commit == template.find(NEWEST).commit:
        pytest.skip(f"{name} is the newest commit")
    subprocess.run(["git", "-C", source, "checkout", "--quiet", commit], check=True)
    target = folder / "repository" / place if place else folder
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", target, source]
    answers = ["project_name=Team", "package_name=biopsies", f"python_version={PYTHON_VERSION}"]
    # Elsewhere: from here, cookiecutter would import the extension of the newest version.
    subprocess.run([*command, *answers], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    project = Project(target / "team")
    project.git("init", "--quiet", str(folder / "repository" if place else project.path))
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "generated")
    for name, (before, text) in EDITS.items():
        if before is None:
            project.write(name, text)
        elif before:
            project.edit(name, before, text + before)
        else:
            project.write(name, project.read(name) + text)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "edited")
    return project


def tools(template: Template) -> str:
    """Return the PYTHONPATH of the newest tooling."""
    return f"{template.address}/{{{{cookiecutter.project_slug}}}}/tools"


def update_command(template: Template, start: str, *options: str) -> tuple[str, ...]:
    """Return the newest `nb update`, as its page says for a project that has none."""
    where = ("--template", template.address) if start else ()
    adopting = ("--from", start) if start in UNRECORDED else ()
    return (sys.executable, "-P", "-m", "nb.cli", "update", *where, *adopting, *options)


def update(project: Project, template: Template, start: str, *options: str) -> str:
    command = update_command(template, start, *options)
    return project.run(*command, code=None, PYTHONPATH=tools(template))


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
def test_an_edited_project_is_updated_with_the_expected_conflicts(
    template: Template, start: str, tmp_path: Path
) -> None:
    project = start_project(template, start, tmp_path)
    before = project.git("rev-parse", "HEAD")
    said = update(project, template, start, "--no-checks")
    conflicts = project.git("diff", "--name-only", "--diff-filter=U").split()
    assert conflicts == CONFLICTS.get(start, []), said
    for name, (_, text) in EDITS.items():
        lost = [line for line in text.splitlines() if line not in project.read(name).splitlines()]
        assert (name.startswith("tools/")) == bool(lost), (name, lost)
    (patch,) = (project.path / ".nb" / "edits-of-tools").iterdir()
    assert "+# An edit of the tooling." in patch.read_text()
    if not conflicts:
        assert project.git("rev-parse", "HEAD^") == before
        assert project.git("status", "--porcelain") == ""
    record = json.loads(project.read(".cruft.json"))
    assert record["commit"] == template.find(NEWEST).commit
    assert record["context"]["cookiecutter"]["package_name"] == "biopsies"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("start", "place"), [*((start, "") for start in STARTS), ("0.2.0", FOLDER)]
)
def test_an_updated_project_works(
    template: Template, start: str, place: str, tmp_path: Path
) -> None:
    project = start_project(template, start, tmp_path, place)
    said = update(project, template, start)
    if start in CONFLICTS:
        project.git("checkout", "--theirs", *CONFLICTS[start])
        for name in CONFLICTS[start]:
            before, text = EDITS[name]
            project.edit(name, str(before), text + str(before))
        project.git("add", *CONFLICTS[start])
        said = update(project, template, "", "--continue")
    assert "Updated: " in said and "✓ template" in said, said
    project.make("run-notebooks")
    project.make("check")
    project.make("test")
    assert project.has("data/processed/lines.txt")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "after the update")
    assert project.git("status", "--porcelain") == ""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_kill_at_any_moment_of_a_real_update_leaves_a_whole_project(
    template: Template, tmp_path: Path
) -> None:
    project = start_project(template, "0.2.0", tmp_path)
    project.make("setup")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "set up")
    before = project.git("rev-parse", "HEAD").strip()
    began = time.monotonic()
    assert "Updated: " in update(project, template, "0.2.0")
    whole = time.monotonic() - began
    chance = random.Random(0)
    ends = set()
    for moment in sorted(chance.uniform(0, whole) for _ in range(12)):
        project.git("reset", "--quiet", "--hard", before)
        kill_update(project, template, moment)
        ends.add(is_before := project.git("rev-parse", "HEAD").strip() == before)
        # The locked versions are committed after the set-up, which the kill may have ended.
        assert project.git("status", "--porcelain") in ("", " M uv.lock\n"), moment
        old, new = template.find("0.2.0").commit, template.find(NEWEST).commit
        assert json.loads(project.read(".cruft.json"))["commit"] == (old if is_before else new)
        for name in EDITS.keys() - {"tools/nb/project.py"}:
            assert set(EDITS[name][1].splitlines()) <= set(project.read(name).splitlines())
    assert ends == {True, False}
    project.git("reset", "--quiet", "--hard", before)
    assert "Updated: " in update(project, template, "0.2.0")
    project.make("check")


def kill_update(project: Project, template: Template, after: float) -> None:
    """Start an update, kill it some seconds later, and wait for the Git that it started."""
    command = update_command(template, "0.2.0")
    signal_after(after, signal.SIGKILL, command, cwd=project.path, PYTHONPATH=tools(template))
    held = project.path / ".git" / "nb-update.busy"
    if held.exists():
        subprocess.run(["flock", held, "true"], check=True)
