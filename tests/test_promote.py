"""Exploratory notebooks become production notebooks that are proved to do the same."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.exploratory import BROKEN, NOTEBOOKS, PREPARE, write_notebook

EXPLORATORY = "notebooks/exploratory"
# For each notebook: the outputs of its stage, the functions that move, and those with a test.
EXPECTED = {
    "01-am-prices": (
        ["data/processed/prices.csv", "reports/figures/prices.png"],
        ["clean", "per_square_metre"],
        ["clean", "per_square_metre"],
    ),
    "02-am-absolute": (
        ["data/processed/values.npy", "reports/figures/curve.png"],
        ["scaled"],
        ["scaled"],
    ),
    "03-am-arrow": (["data/interim/large.parquet"], ["large"], []),
    "04-am-duckdb": (
        ["data/processed/one.csv", "data/processed/totals.parquet"],
        ["share"],
        ["share"],
    ),
    "05-am-model": (["data/processed/score.json", "models/price.joblib"], ["clean"], ["clean"]),
    "06-am-sqlite": (["data/processed/names.db"], ["initials"], ["initials"]),
}


@pytest.fixture
def project(project: Project) -> Project:
    """The project with data and exploratory notebooks."""
    project.run("python", "-c", PREPARE)
    for name, cells in NOTEBOOKS.items():
        write_notebook(project.path / EXPLORATORY / f"{name}.ipynb", cells, project.path)
    return project


def tree(project: Project) -> dict[str, str]:
    """Return a hash of every file but those of programs and caches."""
    left_out = {".git", ".venv", ".nb", "__pycache__", "tmp"}
    return {
        path.relative_to(project.path).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in project.path.rglob("*")
        if path.is_file() and not left_out & set(path.relative_to(project.path).parts)
    }


def promote(project: Project, name: str, *options: str, code: int = 0, libraries: str = "") -> str:
    notebook = f"{EXPLORATORY}/{name}.ipynb"
    return project.run("nb", "promote", *options, notebook, code=code, PYTHONPATH=libraries)


def check_promoted(project: Project, name: str, output: str, libraries: str = "") -> None:
    outputs, moved, tested = EXPECTED[name]
    module = name[6:]
    rows = [line.split() for line in output.splitlines() if "(by " in line]
    assert sorted(row[0] for row in rows) == outputs
    assert {row[1] for row in rows} == {"same"}
    assert project.run("dvc", "status").strip() == "Data and pipelines are up to date."
    promoted = f"notebooks/production/50-{module}.ipynb"
    if module == "duckdb":  # the project does not depend on it, and is told so
        (finding, _) = project.run("nb", "check", promoted, code=1).splitlines()
        assert "NB402" in finding and "duckdb" in finding
        project.edit("pyproject.toml", "dependencies = [", 'dependencies = [\n    "duckdb",')
    project.run("nb", "check", promoted)
    code = project.read(f"src/biopsies/{module}.py")
    source = project.read(f"notebooks/production/50-{module}.ipynb")
    for function in moved:
        assert f"def {function}(" in code
        assert f"def {function}(" not in source
    assert str(project.path) not in source
    assert "../" not in source
    if not tested:
        assert not project.has(f"tests/test_{module}.py")
        return
    command = ["python", "-m", "pytest", "-q", f"tests/test_{module}.py"]
    assert f"{len(tested)} passed" in project.run(*command, PYTHONPATH=libraries)
    for function in tested:
        nonsense = f"def {function}(*_):\n    return -1\n\ndef _{function}("
        broken = code.replace(f"def {function}(", nonsense)
        project.write(f"src/biopsies/{module}.py", broken)
        assert f"test_{function}" in project.run(*command, code=1, PYTHONPATH=libraries)
    project.write(f"src/biopsies/{module}.py", code)


def test_a_notebook_is_promoted_with_its_contract_its_module_and_a_test(project: Project) -> None:
    output = promote(project, "01-am-prices", "--yes")
    check_promoted(project, "01-am-prices", output)
    assert project.git("diff", "--numstat", "--", "dvc.yaml").split()[1] == "0"  # lines removed
    assert project.read("config/50-prices.yaml") == (
        "# rows with fewer sales than this say nothing\nMIN_SALES: 2\nTOP: 3\n"
    )
    assert "dvc add data/raw/prices.csv" in output
    assert project.has("tests/smoke/data/raw/prices.csv")
    project.run("ruff", "check", "src", "tests", "notebooks/production")
    project.run("ruff", "format", "--check", "src", "tests", "notebooks/production")


def answer(project: Project, name: str, meanwhile: Callable[[], object]) -> tuple[int, str]:
    """Promote a notebook, and do something else before its last question is answered."""
    programs = f"{project.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["nb", "promote", f"{EXPLORATORY}/{name}.ipynb"],
        cwd=project.path,
        env={**os.environ, "PATH": programs},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin and process.stdout
    process.stdin.write("\n\n")
    process.stdin.flush()
    shown = ""
    while "Change the project?" not in shown:
        character = process.stdout.read(1)
        assert character, shown
        shown += character
    meanwhile()
    rest, _ = process.communicate("y\n")
    return process.returncode, shown + rest


def test_a_stage_that_was_declared_meanwhile_stays(project: Project) -> None:
    def meanwhile() -> None:
        project.run("nb", "new", "--production", "race")
        project.edit("dvc.yaml", "stages:\n", "# mine\nstages:\n")

    code, shown = answer(project, "01-am-prices", meanwhile)
    assert code == 0, shown
    pipeline = project.read("dvc.yaml")
    assert "\n  race:\n" in pipeline
    assert "\n  prices:\n" in pipeline
    assert "\n# mine\nstages:\n" in pipeline
    assert "prices" in project.read("dvc.lock")


@pytest.mark.parametrize("path", ["config/50-prices.yaml", "data/raw/prices.csv", "dvc.yaml"])
def test_nothing_that_was_changed_meanwhile_is_replaced(project: Project, path: str) -> None:
    theirs = "mine: 1\n" if path != "dvc.yaml" else "stages:\n  prices:\n    cmd: mine\n"
    written: dict[str, str] = {}

    def meanwhile() -> None:
        project.write(path, theirs)
        written.update(tree(project))

    code, shown = answer(project, "01-am-prices", meanwhile)
    assert code != 0
    assert path in shown.splitlines()[-1]
    assert tree(project) == written


def test_a_notebook_that_does_not_run_is_refused_with_the_cell_and_the_name(
    project: Project,
) -> None:
    write_notebook(project.path / EXPLORATORY / "99-am-broken.ipynb", BROKEN, project.path)
    before = tree(project)
    output = promote(project, "99-am-broken", "--yes", code=1)
    assert "code cell 2 failed: NameError: name 'numbers' is not defined" in output
    assert "code cell 3 further down defines numbers" in output
    assert tree(project) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXPECTED)[1:])
def test_notebooks_as_people_write_them_are_promoted(
    project: Project,
    libraries: Path,
    name: str,
) -> None:
    module = name[6:]
    output = promote(project, name, "--yes", "--as", f"50-{module}", libraries=str(libraries))
    check_promoted(project, name, output, str(libraries))


@pytest.mark.slow
def test_the_notebook_of_the_example_is_promoted(project: Project) -> None:
    output = promote(project, "01-dm-first-look", "--yes")
    assert "what it shows  same" in output
    project.run("nb", "check")
    assert project.run("dvc", "status").strip() == "Data and pipelines are up to date."
    project.make("test")


@pytest.mark.slow
def test_outputs_that_differ_change_nothing_unless_kept(project: Project) -> None:
    cells = [
        "import random\nfrom pathlib import Path",
        "Path('../../data/processed/luck.json').write_text(str(random.random()))",
    ]
    write_notebook(project.path / EXPLORATORY / "98-am-luck.ipynb", cells, project.path)
    before = tree(project)
    output = promote(project, "98-am-luck", "--yes", code=1)
    assert "data/processed/luck.json  differs: it: 0." in output
    assert tree(project) == before
    promote(project, "98-am-luck", "--yes", "--keep")
    assert project.has("notebooks/production/50-luck.ipynb")


@pytest.mark.slow
def test_an_input_beside_the_notebook_is_copied_to_the_raw_data(project: Project) -> None:
    project.write(f"{EXPLORATORY}/points.csv", "v\n1\n2\n3\n")
    cells = [
        "import pandas as pd",
        "points = pd.read_csv('points.csv')",
        "points.describe().to_csv('stats.csv')",
    ]
    write_notebook(project.path / EXPLORATORY / "96-am-beside.ipynb", cells, project.path)
    promote(project, "96-am-beside", "--yes")
    assert "path: points.csv" in project.read("data/raw/points.csv.dvc")
    assert 'read_csv(\\"data/raw/points.csv\\")' in project.read(
        "notebooks/production/50-beside.ipynb"
    )
    assert "notebooks/exploratory/points.csv" not in project.read("dvc.yaml")
    project.run("ruff", "check", "notebooks/production")
    project.run("nb", "check", "notebooks/production/50-beside.ipynb")


@pytest.mark.slow
def test_a_module_beside_the_notebook_moves_to_the_package(project: Project) -> None:
    project.write(f"{EXPLORATORY}/helpers.py", "def double(x):\n    return 2 * x\n")
    cells = ["from helpers import double", "print(double(2))"]
    write_notebook(project.path / EXPLORATORY / "95-am-helped.ipynb", cells, project.path)
    output = promote(project, "95-am-helped", "--yes")
    assert f"{EXPLORATORY}/helpers.py is copied to src/biopsies/helpers.py" in output
    source = project.read("notebooks/production/50-helped.ipynb")
    assert "from biopsies.helpers import double" in source
    project.run("nb", "check", "notebooks/production/50-helped.ipynb")


@pytest.mark.slow
def test_a_dry_run_shows_the_diff_and_changes_nothing(project: Project) -> None:
    before = tree(project)
    output = promote(project, "01-am-prices", "--dry-run")
    assert "+++ b/src/biopsies/prices.py" in output
    assert "+  prices:" in output
    assert "Nothing is committed" not in output
    assert tree(project) == before


@pytest.mark.slow
def test_stages_that_a_changed_module_makes_stale_are_named(project: Project) -> None:
    output = promote(project, "01-am-prices", "--dry-run", "--to", "data")
    assert "biopsies.data changes, so these stages are stale: ingest, features; " in output
    assert "are stale" not in promote(project, "01-am-prices", "--dry-run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("open('../../data/processed/train.parquet', 'w')", "the output of the stage features"),
        ("open('../../src/biopsies/x.py', 'w')", "a stage must not change sources"),
        ("open('../../README.md', 'a').write('x')", "which Git tracks"),
    ],
)
def test_what_cannot_be_an_output_is_refused(project: Project, cell: str, message: str) -> None:
    write_notebook(project.path / EXPLORATORY / "97-am-bad.ipynb", [cell], project.path)
    before = tree(project)
    assert message in promote(project, "97-am-bad", "--yes", code=1)
    assert tree(project) == before


def test_names_that_are_taken_and_paths_that_are_wrong_are_refused(project: Project) -> None:
    assert "--as features-2" in promote(project, "01-am-prices", "--as", "20-features", code=2)
    assert "there is no notebook" in promote(project, "nothing", code=2)
    production = project.run("nb", "promote", "notebooks/production/20-features.ipynb", code=2)
    assert "is a production notebook already" in production
