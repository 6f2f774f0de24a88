"""The default project for real: set up, run, tested, edited and run again, as its user would.

All tests share one project that was set up and run once (`ready`); each restores what it changes.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Bake, Project

STAGES = ["ingest", "features", "train@logistic", "train@forest", "evaluate"]


def executed(project: Project) -> dict[str, int]:
    """Return when each executed copy was written: it is written when its notebook runs."""
    copies = (project.path / "reports" / "notebooks").glob("*.ipynb")
    return {path.stem: path.stat().st_mtime_ns for path in copies}


def run_and_list(project: Project, *command: str) -> set[str]:
    """Run a command and return the notebooks that ran, by the name of their executed copy."""
    before = executed(project)
    project.run(*command)
    return {name for name, when in executed(project).items() if before.get(name) != when}


def stale(project: Project) -> dict[str, list[str]]:
    """Return the stale stages and why they are."""
    states = json.loads(project.run("nb", "status", "--json"))
    assert [state["name"] for state in states] == STAGES
    return {state["name"]: state["reasons"] for state in states if state["reasons"]}


def edit_cell(project: Project, name: str, kind: str, add: str) -> None:
    """Add a line to the last cell of a kind, as an editor would."""
    path = f"notebooks/production/{name}.ipynb"
    content = json.loads(project.read(path))
    cell = [cell for cell in content["cells"] if cell["cell_type"] == kind][-1]
    cell["source"] = [*"".join(cell["source"]).splitlines(keepends=True), f"\n{add}"]
    project.write(path, json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


def test_the_run_left_what_was_promised(ready: Project) -> None:
    for name in ("10-ingest", "20-features", "30-train-logistic", "30-train-forest", "40-evaluate"):
        assert ready.has(f"reports/notebooks/{name}.ipynb")
        assert f'href="notebooks/{name}.html"' in ready.read("reports/site/index.html")
        assert ready.has(f"reports/site/notebooks/{name}.html")
    for name in ("models/logistic.joblib", "models/forest.joblib", "reports/figures/threshold.png"):
        assert ready.has(name)
    metrics = json.loads(ready.run("dvc", "metrics", "show", "--json"))[""]["data"]
    assert set(metrics) == {
        f"reports/metrics/{name}.json" for name in ("train-logistic", "train-forest", "evaluate")
    }
    assert "roc.csv" in ready.run("dvc", "plots", "show", "--json")


def test_git_keeps_code_and_metrics_but_no_data(ready: Project) -> None:
    assert ready.git("status", "--short") == ""
    tracked = ready.git("ls-files").splitlines()
    assert not [name for name in tracked if re.search(r"\.(parquet|csv|joblib|png|html)$", name)]
    assert "reports/metrics/evaluate.json" in tracked
    notebooks = [name for name in tracked if name.endswith(".ipynb")]
    assert len(notebooks) == 5
    for name in notebooks:
        cells = json.loads(ready.git("show", f"HEAD:{name}"))["cells"]
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_a_second_run_runs_no_notebook(project: Project) -> None:
    assert run_and_list(project, "make", "run-notebooks") == set()
    assert project.git("status", "--short") == ""
    assert "Data and pipelines are up to date" in project.run("dvc", "status")


def test_running_a_notebook_in_jupyter_makes_nothing_stale(project: Project) -> None:
    notebook = "notebooks/production/20-features.ipynb"
    project.run("jupyter", "execute", "--inplace", notebook)
    assert '"execution_count": 1' in project.read(notebook)
    assert stale(project) == {}
    assert "Nothing to run." in project.make("status")
    assert run_and_list(project, "dvc", "repro") == set()
    assert '"execution_count": 1' in project.read(notebook)
    # Git sees no difference, and what it would commit has no outputs.
    assert project.git("diff", "--stat") == ""
    project.git("add", "--all")
    assert project.git("status", "--short") == ""


def test_editing_text_makes_nothing_stale(project: Project) -> None:
    edit_cell(project, "20-features", "markdown", "One more sentence.")
    assert stale(project) == {}
    assert run_and_list(project, "dvc", "repro") == set()


@pytest.mark.parametrize("command", ["make run-notebooks", "dvc repro"])
def test_editing_a_code_cell_runs_its_stage_and_what_depends_on_it(
    project: Project, command: str
) -> None:
    edit_cell(project, "40-evaluate", "code", f"print({command!r})")
    (reason,) = stale(project).pop("evaluate")
    assert re.fullmatch(r"code cell \d+ changed", reason)
    assert run_and_list(project, *command.split()) == {"40-evaluate"}
    assert stale(project) == {}


def test_after_any_run_the_next_one_need_not_ask_dvc(project: Project) -> None:
    edit_cell(project, "40-evaluate", "code", "print('once more')")
    assert run_and_list(project, "nb", "run") == {"40-evaluate"}
    assert project.has(".nb/stamp.json")
    for name in ("fingerprints", "stamp.json"):  # as in a new clone
        path = project.path / ".nb" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    project.write("notebooks/dvc.lock", "schema: '2.0'\n")
    assert run_and_list(project, "nb", "run") == set()
    assert project.has(".nb/stamp.json")


@pytest.mark.slow
def test_the_first_run_and_the_first_commit_leave_nothing_to_ask_dvc(bake: Bake) -> None:
    project = bake(project_name="Fresh")
    project.make("run-notebooks")
    assert "dvc.repo" not in project.run("nb", "status", PYTHONPROFILEIMPORTTIME="1")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The project")
    assert "dvc.repo" not in project.run("nb", "status", PYTHONPROFILEIMPORTTIME="1")


def test_a_change_upstream_reaches_only_what_its_results_reach(project: Project) -> None:
    edit_cell(project, "20-features", "code", "print('the same results')")
    assert list(stale(project)) == ["features"]
    assert "runs if the results of features change" in project.make("status")
    assert run_and_list(project, "nb", "run") == {"20-features"}


def test_editing_a_function_runs_the_notebooks_that_import_it(project: Project) -> None:
    with (project.path / "src" / "biopsies" / "models.py").open("a", encoding="utf-8") as file:
        file.write("\n\n# A remark that changes nothing.\n")
    users = {"train@logistic", "train@forest", "evaluate"}
    assert stale(project) == {name: ["src/biopsies/models.py changed"] for name in users}
    assert run_and_list(project, "dvc", "repro") == {
        "30-train-logistic",
        "30-train-forest",
        "40-evaluate",
    }


def test_changing_a_parameter_runs_its_stage_and_what_depends_on_it(project: Project) -> None:
    project.write(
        "config/20-features.yaml",
        re.sub(r"seed: \d+", "seed: 99", project.read("config/20-features.yaml")),
    )
    assert stale(project) == {"features": ["seed in config/20-features.yaml changed"]}
    ran = run_and_list(project, "make", "run-notebooks")
    assert ran == {"20-features", "30-train-logistic", "30-train-forest", "40-evaluate"}


def test_a_missing_result_is_named_and_restored_without_a_run(project: Project) -> None:
    (project.path / "models" / "forest.joblib").unlink()
    assert stale(project) == {"train@forest": ["models/forest.joblib is missing"]}
    assert run_and_list(project, "make", "run-notebooks") == set()
    assert project.has("models/forest.joblib")


def test_a_failing_notebook_fails_the_run_and_is_shown(project: Project) -> None:
    edit_cell(project, "40-evaluate", "code", "raise ValueError('on purpose')")
    output = project.make("run-notebooks", code=2)
    assert "ValueError: on purpose" in output
    assert "nb: a stage failed" in output
    assert "Traceback (most recent call last)" not in output.split("nb: a stage failed")[1]
    assert "1 stage failed" in project.read("reports/site/index.html")
    assert "on purpose" in project.read("reports/notebooks/40-evaluate.ipynb")


def test_a_credential_in_an_output_is_masked_before_it_is_written(project: Project) -> None:
    # In pieces, so that only the output holds it.
    edit_cell(project, "40-evaluate", "code", "print('key', 'AKIA' + 'IOSFODNN7' + 'EXAMPLA')")
    assert "nb: masked credentials in 1 of the outputs" in project.run("dvc", "repro")
    copy = project.read("reports/notebooks/40-evaluate.ipynb")
    assert "key [credential removed]" in copy
    assert "AKIAIOSF" not in copy


def test_a_broken_notebook_is_named_in_one_line(project: Project) -> None:
    project.write("notebooks/production/20-features.ipynb", "<<<<<<< ours\n")
    first, *rest = project.run("nb", "status").splitlines()
    assert re.fullmatch(r"nb: notebooks/production/20-features\.ipynb is not valid JSON .*", first)
    assert any(
        re.match(r"features +stale  .*20-features\.ipynb is not valid", line) for line in rest
    )
    assert any(re.match(r"ingest +fresh", line) for line in rest)


def test_the_project_passes_its_own_tests_and_checks(project: Project) -> None:
    assert re.search(r"\d+ passed", project.make("test"))
    project.make("lint")
    project.run("pre-commit", "run", "--all-files")
    assert project.git("status", "--short") == ""


def test_its_smoke_test_fails_when_a_notebook_fails(project: Project) -> None:
    edit_cell(project, "30-train", "code", "raise ValueError('on purpose')")
    assert "on purpose" in project.run("pytest", "-q", "tests/test_notebooks.py", code=1)


def test_setup_is_safe_to_repeat(project: Project) -> None:
    assert "nothing to do, the clone is wired" in project.make("setup")
    assert project.git("status", "--short") == ""


def test_commands_work_from_any_folder_and_know_when_they_are_lost(
    project: Project, tmp_path: Path
) -> None:
    assert "Nothing to run." in project.run("nb", "status", cwd=project.path / "src")
    lost = project.run(f"{project.path}/.venv/bin/nb", "status", code=2, cwd=tmp_path)
    assert "is not inside a project" in lost
    assert len(lost.splitlines()) == 1


def test_every_command_explains_itself(ready: Project) -> None:
    listed = ready.run("nb", "--help").partition("Every day:")[2]
    commands = re.findall(r"^  ([\w-]+)  ", listed, re.M)
    assert {"run", "doctor", "update"} <= set(commands)
    assert set(re.findall(r"`nb ([\w-]+)", ready.read("README.md"))) <= set(commands)
    for command in commands:
        assert "Usage: nb" in ready.run("nb", command, "--help")


def test_push_clone_pull_and_there_is_nothing_to_run(ready: Project, tmp_path: Path) -> None:
    ready.make("push")
    clone = Project(tmp_path / ready.path.name)
    ready.git("clone", "--quiet", str(ready.path), str(clone.path))
    storage = ready.path.parent / f"{ready.path.name}-storage"
    shutil.copytree(storage, tmp_path / storage.name)
    clone.make("setup")
    clone.make("pull")
    assert "All is well." in clone.make("doctor")
    assert clone.make("run-notebooks").count("papermill notebooks/") == 0
    assert clone.read("dvc.lock") == ready.read("dvc.lock")
    assert clone.git("status", "--short") == ""


def test_a_moved_project_makes_its_environment_again(ready: Project) -> None:
    moved = Project(ready.path.parent / "moved")
    ready.path.rename(moved.path)
    try:
        assert "Nothing to run." in moved.make("status")
    finally:
        moved.path.rename(ready.path)
    assert "Nothing to run." in ready.make("status")


def test_a_run_that_has_nothing_to_show_says_how_to_get_it(project: Project) -> None:
    project.make("clean")
    assert "Report: reports/site/index.html" in project.make("run-notebooks")
    assert "<code>nb run -f</code> makes all copies anew" in project.read("reports/site/index.html")
    project.run("nb", "run", "--force")
    assert project.has("reports/site/index.html")


def test_a_production_notebook_may_lie_in_a_folder(project: Project) -> None:
    copy = project.path / "notebooks" / "production" / "more" / "50-more.ipynb"
    copy.parent.mkdir()
    shutil.copy(project.path / "notebooks/production/10-ingest.ipynb", copy)
    project.run(
        *("papermill", str(copy), "reports/notebooks/more/50-more.ipynb"),
        *("--engine", "nb", "-k", "python3"),
    )
    assert project.has("reports/notebooks/more/50-more.ipynb")


def test_a_deleted_environment_is_made_again(ready: Project) -> None:
    shutil.rmtree(ready.path / ".venv")
    assert "Report: reports/site/index.html" in ready.make("run-notebooks")


def test_without_the_example_everything_works_too(bake: Bake) -> None:
    project = bake(example=False, project_name="Ärzte & Söhne", environment="pip")
    assert "There is no production notebook yet" in project.make("run-notebooks")
    assert "There is no production notebook yet" in project.make("status")
    assert json.loads(project.run("nb", "run", "--json"))["stages"] == []
    project.make("test")
    project.make("lint")
    project.git("add", "--all")
    project.run("pre-commit", "run", "--all-files")
    project.git("commit", "--quiet", "--message", "Start")
    assert project.git("status", "--short") == ""
    assert "pandas==" in project.read("requirements.lock")
