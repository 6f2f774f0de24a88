"""Every example of every help page works in a project, or ends as the page says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import browsing
import pytest
from cells import notebook
from conftest import PYTHON_VERSION, Bake, Project
from help_pages import every_command, examples

# Tests that execute the examples which take more than a project: a server, an editor, a template.
ELSEWHERE = {
    "nb edit ": "tests/authoring/test_editing.py",
    'EDITOR="code --wait" nb edit ': "tests/authoring/test_editing.py",
    "nb lab": "tests/commands/test_lab.py",
    "nb experiments export ": "tests/test_mlflow.py",
    "nb update": "tests/test_template_update.py",
}
# Examples that do not end with 0 in the project below.
LOOK = "notebooks/exploratory/01-dm-first-look.ipynb"
CODES = {
    "nb resolve": 1,  # no dvc.lock is in conflict
    "nb workflows": 1,  # the project is at the top of its repository
    "nb duplicates --check": 1,
    f"nb export {LOOK} --to slides -o talk.html": 1,  # it has no outputs yet
}
# What is typed in answer to questions.
ANSWERS = {"nb promote ": r"\n\ny\n"}
# Options added to examples that would take many minutes.
SHORTENED = {"nb experiment --sample 40": "--dry-run"}
# Examples whose results others name come first, those that take things away last.
FIRST, LAST = "nb experiment ", ("nb adopt", "nb experiments remove", "nb clean")

CLEAN = "def clean(table):\n    kept = table.dropna()\n    return kept[kept['n'] > 0]"
PRICES = """import pandas as pd
prices = pd.DataFrame({"n": [1, 2, 3]})
prices.to_csv("../../data/processed/prices.csv", index=False)"""
NOTEBOOKS = {
    "notebooks/exploratory/02-am-prices.ipynb": PRICES,
    "notebooks/exploratory/02-dm-second-look.ipynb": CLEAN,
    "notebooks/exploratory/03-dm-third-look.ipynb": CLEAN,
    "../old-repository/sales.ipynb": PRICES.replace("../../data/processed/", ""),
}


def every_example() -> list[str]:
    """Return the examples to execute; those that change most come last."""
    found = [line for _, command in every_command() for line in examples(command)]
    here = [line for line in dict.fromkeys(found) if not line.startswith(tuple(ELSEWHERE))]

    def place(line: str) -> int:
        found = next((n for n, begin in enumerate(LAST, 1) if line.startswith(begin)), 0)
        return found - line.startswith(FIRST)

    return sorted(here, key=place)


def prepare(project: Project) -> None:
    """Give a set-up project what the examples name: notebooks, commits, a remote, variants."""
    project.edit("src/helped/models.py", "n_estimators=100", "n_estimators=5")
    for name, source in NOTEBOOKS.items():
        (project.path / name).parent.mkdir(parents=True, exist_ok=True)
        project.write(name, notebook(source))
    (project.path / "experiments").mkdir()
    project.write("experiments/threshold.yaml", "grid:\n  evaluate.min_recall: [0.97, 0.99]\n")
    project.run("nb", "run")
    for name in ("base", "ours", "theirs"):
        shutil.copy(project.path / "dvc.lock", project.path / f"{name}.lock")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--no-verify", "--message", "Prepared")
    for number in range(3):
        project.git("commit", "--quiet", "--allow-empty", "--message", f"{number}")
    project.git("init", "--quiet", "--bare", "../remote")
    project.git("remote", "add", "origin", "../remote")
    project.run("nb", "push")
    project.git("push", "--quiet", "--set-upstream", "origin", "main")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_example_does_what_its_page_says(bake: Bake, tmp_path: Path) -> None:
    project = bake(project_slug="helped", python_version=PYTHON_VERSION)
    project.make("run-notebooks")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    prepare(project)
    said = tmp_path / "editor"
    said.write_text('#!/bin/sh\necho "A message" > "$1"\n', encoding="utf-8")
    said.chmod(0o755)
    surroundings = {"GIT_EDITOR": str(said), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    wrong = {}
    for line in every_example():
        if "--to pdf" in line and browsing.find_chromium() is None:
            continue
        if line.startswith("SKIP="):
            project.write("notes.md", "staged\n")
            project.git("add", "notes.md")
        more = next((o for begin, o in SHORTENED.items() if line.startswith(begin)), "")
        typed = next((a for begin, a in ANSWERS.items() if line.startswith(begin)), "")
        command = f"printf '{typed}' | {line} {more}"
        try:
            project.run("sh", "-c", command, code=CODES.get(line, 0), **surroundings)
        except AssertionError as error:
            wrong[line] = str(error)
        project.git("reset", "--quiet", "--hard")
        if not line.startswith("nb adopt"):
            project.git("clean", "--quiet", "--force", "-d")
    assert wrong == {}, json.dumps(wrong, indent=1)
