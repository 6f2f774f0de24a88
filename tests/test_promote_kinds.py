"""Kinds of exploratory notebooks, each promoted and committed through the hooks of the project."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Project
from tests.exploratory import PREPARE, write_notebook
from tests.promotion_kinds import KINDS

EXPLORATORY = "notebooks/exploratory"


@pytest.fixture(scope="module")
def growing(ready: Project) -> Iterator[Project]:
    """The project with data under DVC; each test adds to it, and all is put back at the end."""
    start = ready.git("rev-parse", "HEAD").strip()
    ready.run("python", "-c", PREPARE)
    data = [f"data/raw/{name}" for name in ("prices.csv", "sales.parquet", "people.db")]
    ready.run("dvc", "add", "--quiet", *data)
    commit(ready, "Raw data")
    yield ready
    ready.git("reset", "--quiet", "--hard", start)
    ready.restore()


def commit(project: Project, message: str, *options: str) -> None:
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", message, *options)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_notebook_is_promoted_and_committed_or_refused_for_a_reason_in_it(
    growing: Project, name: str
) -> None:
    kind, project = KINDS[name], growing
    project.git("reset", "--quiet", "--hard")  # a test that failed leaves files behind
    project.git("clean", "--quiet", "--force", "-d")
    notebook = f"{EXPLORATORY}/{name if name in ('3d', 'class') else f'07-am-{name}'}.ipynb"
    write_notebook(project.path / notebook, kind.cells, project.path)
    for file, text in kind.beside.items():
        project.write(f"{EXPLORATORY}/{file}", text)
    commit(project, f"Explore {name}", "--no-verify")
    options = ["--yes", *kind.options]
    if name not in ("3d", "class"):  # these are named by the program; the example ends at 40
        options += ["--as", f"{61 + list(KINDS).index(name)}-{name}"]
    output = project.run("nb", "promote", *options, notebook, code=bool(kind.refused))
    if kind.refused:
        assert kind.refused in output
        assert project.git("status", "--porcelain") == ""
        return
    before_the_end = output.partition("Nothing is committed yet")[0]
    assert [rule for rule in kind.listed if f": {rule} " not in before_the_end] == []
    commit(project, f"Promote {name}")
    change = project.git("show", "HEAD")
    assert [text for text in kind.contains if text not in change] == []
    assert project.run("dvc", "status").strip() == "Data and pipelines are up to date."
