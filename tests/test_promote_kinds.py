"""Kinds and styles of notebooks, each promoted and committed through the hooks of the project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.corpus import CORPUS
from tests.exploratory import PREPARE, write_notebook
from tests.promotion_kinds import KINDS

EXPLORATORY = "notebooks/exploratory"
NOTEBOOKS = {**KINDS, **CORPUS}
NAMED_BY_PROGRAM = ("3d", "class")


@pytest.fixture(scope="module")
def with_data(ready: Project) -> Iterator[Project]:
    """The project with raw data under DVC; all is put back at the end."""
    start = ready.git("rev-parse", "HEAD").strip()
    ready.run("python", "-c", PREPARE)
    data = [f"data/raw/{name}" for name in ("prices.csv", "sales.parquet", "people.db")]
    ready.run("dvc", "add", "--quiet", *data)
    commit(ready, "Raw data")
    ready.git("tag", "raw-data")
    yield ready
    ready.git("tag", "--delete", "raw-data")
    ready.git("reset", "--quiet", "--hard", start)
    ready.restore()


def commit(project: Project, message: str, *options: str) -> None:
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", message, *options)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_promoted_and_committed_or_refused_for_a_reason_in_it(
    with_data: Project, name: str
) -> None:
    kind, project = NOTEBOOKS[name], with_data
    project.git("reset", "--quiet", "--hard", "raw-data")
    project.git("clean", "--quiet", "--force", "-d")  # a test that failed leaves files behind
    notebook = f"{EXPLORATORY}/{name if name in NAMED_BY_PROGRAM else f'07-am-{name}'}.ipynb"
    write_notebook(project.path / notebook, kind.cells, project.path)
    for file, text in kind.beside.items():
        (project.path / EXPLORATORY / file).parent.mkdir(exist_ok=True)
        project.write(f"{EXPLORATORY}/{file}", text)
    declared = "".join(f'    "{package}",\n' for package in kind.dependencies)
    project.edit("pyproject.toml", '    "matplotlib",', f'{declared}    "matplotlib",')
    commit(project, f"Explore {name}", "--no-verify")
    named = () if name in NAMED_BY_PROGRAM else ("--as", f"61-{name}")
    command = ["nb", "promote", "--yes", *kind.options, *named, notebook]
    output = project.run(*command, code=bool(kind.refused))
    if kind.refused:
        assert kind.refused in output
        assert project.git("status", "--porcelain") == ""
        return
    before_the_end = output.partition("Nothing is committed yet")[0]
    assert [text for text in kind.listed if text not in before_the_end] == []
    commit(project, f"Promote {name}")
    change = project.git("show", "HEAD")
    assert [text for text in kind.contains if text not in change] == []
    assert project.run("dvc", "status").strip() == "Data and pipelines are up to date."
