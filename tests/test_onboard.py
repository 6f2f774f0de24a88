"""A second member of the team: from `git clone` to the report; and a notebook in the debugger."""

import json
from pathlib import Path

import pytest
from conftest import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def member(project: Project, tmp_path: Path) -> Project:
    """A clone of the project, whose results were pushed, with the environment of the project."""
    project.run("dvc", "remote", "modify", "storage", "url", str(tmp_path / "storage"))
    project.git("commit", "--all", "--quiet", "--message", "A storage for everybody")
    project.run("nb", "push")
    clone = Project(tmp_path / "clone")
    project.git("clone", "--quiet", str(project.path), str(clone.path))
    (clone.path / ".venv").symlink_to(project.path / ".venv")
    return clone


def test_one_command_fetches_the_results_and_names_the_next_things(member: Project) -> None:
    shown = member.run("nb", "onboard", "--no-open", code=None)
    assert [line for line in shown.splitlines() if line[:1].isdigit()] == [
        *("1/4 the clone", "2/4 data and results", "3/4 health", "4/4 the report")
    ]
    assert "fetched " in shown
    assert "is named in dvc.lock, but not here" not in shown
    assert member.has("models/forest.joblib")
    assert member.has("reports/notebooks/30-train-forest.ipynb")
    assert "see that nothing is stale" in shown
    assert shown.index("Next:") > shown.index("4/4")
    assert "everything is here already" in member.run("nb", "onboard", "--no-open", code=None)


def test_a_storage_out_of_reach_does_not_keep_the_rest_from_running(member: Project) -> None:
    member.run("dvc", "remote", "modify", "--local", "storage", "url", "/nowhere/at/all")
    shown = member.run("nb", "onboard", "--no-open", code=1)
    assert "4/4 the report" in shown and "Next:" in shown
    assert "Traceback" not in shown


def test_magics_and_other_languages_run_as_in_a_kernel(project: Project) -> None:
    path = project.path / "notebooks/production/20-features.ipynb"
    content = json.loads(path.read_text("utf-8"))
    (parameters,) = (c for c in content["cells"] if "parameters" in c["metadata"].get("tags", ()))
    lines = ("%%capture kept\nprint('hidden')", "!echo shell", "display(1)", "%time 1")
    added = [
        {**parameters, "id": f"x{number}", "metadata": {}, "source": line}
        for number, line in enumerate(lines)
    ]
    content["cells"] = [parameters, *added]
    path.write_text(json.dumps(content), "utf-8")
    shown = project.run("nb", "debug", "20-features", PYTHONBREAKPOINT="0")
    assert "shell\n" in shown and "Wall time" in shown
    assert "hidden" not in shown
