"""Generating over a folder that exists: nothing is lost that belongs to whoever was there first."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import LEFTOVERS, PYTHON_VERSION, TEMPLATE, Project
from cookiecutter.main import cookiecutter
from nb.check.doctor import portable_command, typed_setup
from ruamel.yaml import YAML
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


# Files that a repository may have in the places that hurt.
TEAMS = {
    ".gitattributes": "*.png binary\n",
    ".github/workflows/deploy.yml": "name: Deploy\non: push\njobs: {}\n",
    ".gitignore": "# ours\n*.log\n/.venv/\n",
    ".pre-commit-config.yaml": """\
repos:
- repo: local
  hooks:
  - {id: own, name: own, language: fail, entry: never, files: ^never$}
""",
    "Dockerfile": "FROM scratch\n",
    "LICENSE": "All rights reserved.\n",
    "README.md": "# Sales\n",
    "config/x.yaml": "a: 1\n",
    "docs/index.md": "# Sales\n",
    "pyproject.toml": """\
[project]
name = "sales"
version = "3.0"
requires-python = ">=3.10"
dependencies = ["pandas>=2"]

[dependency-groups]
docs = ["mkdocs"]

[tool.ruff]
line-length = 79
""",
    "src/sales/old.py": "OLD = 1\n",
    "tools/own.py": "print(1)\n",
}


@pytest.fixture
def teams(tmp_path: Path) -> Project:
    """A repository that was made first."""
    folder = tmp_path / "sales"
    for name, text in TEAMS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    return Project(folder)


def adopt(project: Project, **answers: str) -> str:
    """Generate over the repository as its team would; return the output."""
    given = {"project_slug": project.path.name, "python_version": PYTHON_VERSION, **answers}
    words = [f"{question}={answer}" for question, answer in given.items()]
    options = ["-f", "-s", "--no-input", str(TEMPLATE), *words]
    command = [sys.executable, "-m", "cookiecutter", *options]
    return project.run(*command, cwd=project.path.parent)


def add_lines(project: Project) -> str:
    return project.run(sys.executable, "-I", "tools/bootstrap.py", "--add-lines")


def test_skipped_files_are_named_and_keep_every_byte(teams: Project) -> None:
    said = adopt(teams).split("These files were here before")[1]
    for name, text in TEAMS.items():
        assert teams.read(name) == text
        is_ours = (teams.path / ".nb/skipped" / name).exists()
        assert (f"\n    {name}\n" in said) == is_ours
        assert is_ours == (name in DEFAULT)
    assert teams.has("dvc.yaml") and not teams.has(".nb/draft")


def test_added_lines_are_those_that_the_project_needs(teams: Project) -> None:
    adopt(teams)
    named = {".gitattributes", ".gitignore", ".pre-commit-config.yaml", "pyproject.toml"}
    assert {line.split()[-1] for line in add_lines(teams).splitlines()} == named
    for name, text in TEAMS.items():
        assert set(text.splitlines()) <= set(teams.read(name).splitlines())
        assert (teams.read(name) == text) == (name not in named)
    for name in (".nb/x", ".venv/x", "data/raw/a.csv", "models/a", "reports/site/x", "a.log"):
        teams.git("check-ignore", name)
    teams.git("check-ignore", "data/raw/a.csv.dvc", code=1)
    assert "filter: nbstripout" in teams.git("check-attr", "filter", "a.ipynb")
    hooks = YAML(typ="safe").load(teams.read(".pre-commit-config.yaml"))["repos"]
    assert hooks[0]["hooks"][0]["id"] == "own" and len(hooks) == 2
    assert add_lines(teams) == ""


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
def test_added_tables_leave_the_teams_as_they_are(teams: Project) -> None:
    import tomllib

    adopt(teams)
    add_lines(teams)
    made = tomllib.loads(teams.read("pyproject.toml"))
    theirs = tomllib.loads(TEAMS["pyproject.toml"])
    assert made["project"] == theirs["project"] and made["tool"]["ruff"] == theirs["tool"]["ruff"]
    groups = made["dependency-groups"]
    assert groups["docs"] == ["mkdocs"] and {"include-group": "pipeline"} in groups["dev"]
    names = [re.split("[<>=]", str(requirement))[0] for requirement in groups["pipeline"]]
    assert {"nb-tools", "papermill", "pyarrow", "scikit-learn"} <= set(names)
    assert "pandas" not in names
    assert made["tool"]["uv"]["sources"]["nb-tools"]["path"] == "tools"
    assert made["build-system"]["build-backend"] == "hatchling.build"


def test_without_our_makefile_the_steps_are_lines_to_type(teams: Project) -> None:
    teams.write("Makefile", "setup:\n\tpip install -r requirements.txt\n")
    said = adopt(teams, environment="pip").split("ready.")[1]
    command = "python3 -I tools/bootstrap.py pip"
    assert command in said and "\n    make" not in said
    assert typed_setup(teams.path) == command
    assert portable_command(teams.path, command)[1:] == command.split()[1:]
    teams.write("Makefile", teams.read(".nb/skipped/Makefile"))
    assert typed_setup(teams.path) == "make setup"


def test_a_package_of_poetry_is_moved_first(teams: Project) -> None:
    """A second description in [project] would make their build fail, or another package of it."""
    poetry = '[tool.poetry]\nname = "fore"\n\n[tool.poetry.dependencies]\npython = "^3.10"\n'
    teams.write("pyproject.toml", poetry)
    adopt(teams)
    command = (sys.executable, "-I", "tools/bootstrap.py", "uv")
    for said in (add_lines(teams), teams.run(*command, code=1)):
        assert "uvx migrate-to-uv" in said
    assert teams.read("pyproject.toml") == poetry


def test_a_set_up_before_the_lines_names_them(teams: Project) -> None:
    teams.edit("pyproject.toml", 'requires-python = ">=3.10"\n', "")
    adopt(teams)
    said = teams.run(sys.executable, "-I", "tools/bootstrap.py", "uv", code=1)
    assert "lacks lines: python3 -I tools/bootstrap.py --add-lines" in said


def test_a_project_of_its_own_skips_nothing(teams: Project) -> None:
    fresh = Project(teams.path / "fresh")
    fresh.path.mkdir()
    assert "These files were here before" not in adopt(fresh)
    assert fresh.has("Makefile") and not fresh.has(".nb")


OBSTACLES = {
    "a file": ("notebooks", "is a file; the project needs a folder"),
    "a folder": ("Makefile/own.mk", "is a folder; the project needs a file"),
    "a link to a folder": ("tools", "is a link, and Git does not look beyond links"),
    "a dead link": ("dvc.yaml", "is a link that leads nowhere"),
}


@pytest.mark.parametrize(("name", "reason"), OBSTACLES.values(), ids=OBSTACLES)
@pytest.mark.parametrize("options", [["-f", "-s"], ["-f"]], ids=["skip", "overwrite"])
def test_a_file_in_the_way_is_refused_before_anything_is_written(
    tmp_path: Path, name: str, reason: str, options: list[str]
) -> None:
    folder, elsewhere = tmp_path / NAME, tmp_path / "elsewhere"
    folder.mkdir()
    if "link" in reason:
        (folder / name).symlink_to(elsewhere)
        if "nowhere" not in reason:
            elsewhere.mkdir()
    else:
        lay(folder, name)
    before = set(tmp_path.rglob("*"))
    command = [sys.executable, "-m", "cookiecutter", "--no-input", *options, str(TEMPLATE)]
    said = Project(tmp_path).run(*command, code=1, cwd=tmp_path)
    assert said.startswith(f"{name.split('/')[0]} {reason}") and said.count("\n") == 1, said
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_the_project_works_after_the_lines_were_added(teams: Project) -> None:
    adopt(teams)
    add_lines(teams)
    teams.run(sys.executable, "-I", "tools/bootstrap.py", "uv")
    teams.run("nb", "run")
    teams.run("ruff", "format")  # their lines are shorter
    teams.git("add", "--all")
    teams.git("commit", "--quiet", "--message", "the template", SKIP="lint")
    assert "tools" not in teams.run("ruff", "check", "--output-format", "concise", code=None)
    teams.run("nb", "run")
    said = teams.run("nb", "doctor", "--fix", code=None)
    assert "All is well." in said, said
    assert "README.md" in said
