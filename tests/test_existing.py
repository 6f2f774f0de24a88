"""Generating over a folder that exists: nothing is lost that belongs to whoever was there first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import LEFTOVERS, PYTHON_VERSION, TEMPLATE
from cookiecutter.main import cookiecutter
from test_generation import DEFAULT, OPTIONS, ORCHESTRATION, STREAMLIT, VOILA

NAME = "my-data-project"
SMOKE = {
    f"tests/smoke/config/{name}.yaml"
    for name in ("10-ingest", "20-features", "30-train", "40-evaluate", "warehouse")
}
# Every file that some answers generate.
KNOWN = {"environment.yml", ".gitlab-ci.yml"}.union(SMOKE, *(tree for _, tree in OPTIONS.values()))
FOLDERS = {Path(name).parent.as_posix() for name in KNOWN}
OPTIONAL_FOLDERS = {
    *(".binder", ".devcontainer", ".dvc/plots", ".github", ".streamlit", "app", "config", "docs"),
    *("notebooks/dashboard", "orchestration", "tests/smoke"),
}
# Not UTF-8, lines end as on Windows, and with the word that the template's notebooks are filled at.
THEIRS = b'{"cells": "project_package \xff"}\r\n'


def generate(folder: Path, skip: bool = False, hooks: bool = True, **answers: Any) -> None:
    cookiecutter(
        *(str(TEMPLATE),),
        no_input=True,
        extra_context={"python_version": PYTHON_VERSION, **answers},
        output_dir=str(folder),
        overwrite_if_exists=True,
        skip_if_file_exists=skip,
        accept_hooks=hooks,
    )


def lay(folder: Path, *names: str) -> None:
    """Write files of somebody's."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(THEIRS)


def tree(folder: Path) -> set[str]:
    """Return all files, and empty folders with a slash."""
    found = (path for path in folder.rglob("*") if path.is_file() or not any(path.iterdir()))
    return {p.relative_to(folder).as_posix() + "/" * p.is_dir() for p in found}


def changed(folder: Path) -> set[str]:
    return {name for name in tree(folder) if (folder / name).read_bytes() != THEIRS}


def neighbours() -> set[str]:
    names = {"own.txt", "own.py", "own.ipynb", "own.yml", "__pycache__/own.pyc", "own/own.txt"}
    inside = {f"{folder}/{name}" for folder in FOLDERS for name in names}
    return inside | {".venv/lib/__pycache__/a.pyc", "data/__pycache__/a.pyc", ".not-chosen-a/own"}


def smoke(answers: dict[str, Any]) -> set[str]:
    """Return the files of parameters for tests that the answers give."""
    example, warehouse = answers.get("example", True), answers.get("warehouse", "none") != "none"
    return {name for name in SMOKE if (warehouse if "warehouse" in name else example)}


@pytest.mark.parametrize(("answers", "files"), OPTIONS.values(), ids=OPTIONS)
def test_only_what_was_chosen_is_overwritten(
    tmp_path: Path, answers: dict[str, Any], files: set[str]
) -> None:
    theirs = KNOWN | neighbours()
    lay(tmp_path / NAME, *theirs)
    generate(tmp_path, **answers)
    assert tree(tmp_path / NAME) == {Path(name).as_posix() for name in theirs}
    assert changed(tmp_path / NAME) == files | smoke(answers)


@pytest.mark.parametrize("option", ["the default", "no example", "Voila", "cloud files", "Dagster"])
def test_nothing_is_overwritten_when_files_are_skipped(tmp_path: Path, option: str) -> None:
    theirs = KNOWN | neighbours()
    lay(tmp_path / NAME, *theirs)
    generate(tmp_path, skip=True, **OPTIONS[option][0])
    assert tree(tmp_path / NAME) == {Path(name).as_posix() for name in theirs}
    assert changed(tmp_path / NAME) == set()


@pytest.mark.parametrize("skip", [True, False])
def test_what_lies_beside_the_template_stays(tmp_path: Path, skip: bool) -> None:
    lay(tmp_path / NAME, *neighbours())
    generate(tmp_path, skip=skip)
    generated = DEFAULT | SMOKE - {"tests/smoke/config/warehouse.yaml"}
    assert tree(tmp_path / NAME) == generated | {Path(name).as_posix() for name in neighbours()}
    assert changed(tmp_path / NAME) == {name for name in generated if name not in neighbours()}


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("kind", ["link", "file"])
def test_a_link_or_file_in_the_place_of_an_unchosen_folder_stays(
    tmp_path: Path, kind: str, skip: bool
) -> None:
    outside = tmp_path / "outside"
    for name in OPTIONAL_FOLDERS:
        path = tmp_path / NAME / name
        if kind == "file":
            lay(tmp_path / NAME, name)
            continue
        lay(outside / name, "own.txt", "cloud.md", "config/warehouse.yaml", "template/conf.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(outside / name)
    before = tree(outside)
    generate(tmp_path, skip=skip, ci="none", example=False)
    assert tree(outside) == before and changed(outside) == set()
    for name in OPTIONAL_FOLDERS:
        path = tmp_path / NAME / name
        assert path.is_symlink() if kind == "link" else path.read_bytes() == THEIRS


@pytest.mark.parametrize("dashboard", ["none", "Streamlit", "Voila"])
@pytest.mark.parametrize("example", [True, False])
def test_without_the_hook_files_are_the_same(tmp_path: Path, dashboard: str, example: bool) -> None:
    """Empty folders of options that were not chosen stay, which Git does not see."""
    answers = {"dashboard": dashboard, "example": example}
    generate(tmp_path / "with", **answers)
    generate(tmp_path / "without", hooks=False, **answers)
    files, without = tree(tmp_path / "with" / NAME), tree(tmp_path / "without" / NAME)
    assert not [name for name in files if name.endswith("/")]
    assert all(".not-chosen-" in name and name.endswith("/") for name in without - files)
    for name in files:
        read = [(tmp_path / way / NAME / name).read_bytes() for way in ("with", "without")]
        assert read[0] == read[1]


def test_generating_again_changes_nothing(tmp_path: Path) -> None:
    generate(tmp_path)
    before = {name: (tmp_path / NAME / name).read_bytes() for name in tree(tmp_path / NAME)}
    generate(tmp_path)
    assert before == {name: (tmp_path / NAME / name).read_bytes() for name in tree(tmp_path / NAME)}


def test_two_versions_of_the_template_are_rendered_in_one_process(tmp_path: Path) -> None:
    """Each by its own filters and checks: what an update does."""
    ignored = shutil.ignore_patterns("build", "docs", "tests", ".*", "tools", "benchmarks")
    for version, change in (("old", "upper"), ("new", "title")):
        copy = tmp_path / version
        shutil.copytree(TEMPLATE, copy, ignore=ignored)
        answers = (copy / "template_answers.py").read_text(encoding="utf-8")
        answers += f"\n\ndef {change}_it(text: str) -> str:\n    return text.{change}()\n"
        answers = answers.replace("forms = (", f"forms = ({change}_it, ")
        answers = answers.replace("is a Python keyword", f"is a Python keyword ({version})")
        (copy / "template_answers.py").write_text(answers, encoding="utf-8")
        page = copy / "{{cookiecutter.project_slug}}" / "README.md"
        page.write_text(f"{{{{ 'some words' | {change}_it }}}}", encoding="utf-8")
    script = """
import sys
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter
for version in sys.argv[1:]:
    made = cookiecutter(version, no_input=True, output_dir=f"made-{version}")
    print(open(f"{made}/README.md").read())
    try:
        cookiecutter(version, no_input=True, extra_context={"package_name": "class"})
    except FailedHookException as error:
        print(error)
"""
    command = [sys.executable, "-c", script, "old", "new"]
    said = subprocess.run(
        command, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=True
    ).stdout
    assert "SOME WORDS" in said and "Some Words" in said
    assert "keyword (old)" in said and "keyword (new)" in said


def test_what_programs_leave_behind_is_not_in_the_template() -> None:
    """It would be in every generated project."""
    folder = TEMPLATE / "{{cookiecutter.project_slug}}"
    assert [path for path in folder.rglob("*") if path.name in LEFTOVERS] == []
    assert ORCHESTRATION | STREAMLIT | VOILA <= KNOWN
