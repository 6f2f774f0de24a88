"""`nb task` and `nb assemble`: single stages for schedulers, on small pipelines in one folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Project
from test_run import Pipeline, copy, diamond, meeting, step
from test_run import pipeline as pipeline  # a fixture

pytestmark = pytest.mark.skipif(os.name == "nt", reason="tasks need forks")


def together(pipeline: Pipeline, *stages: str) -> None:
    """Run tasks at the same time; each succeeds."""
    tasks = [pipeline.begin("nb", "task", stage) for stage in stages]
    said = [task.communicate()[0] for task in tasks]
    assert [task.returncode for task in tasks] == [0] * len(stages), said


@pytest.mark.slow
def test_tasks_leave_what_a_run_leaves(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    shutil.copytree(pipeline.path, tmp_path / "whole", symlinks=True)
    whole = Pipeline(tmp_path / "whole")
    whole.nb("run")
    for stage in ("top", "right", "left", "end"):
        assert pipeline.nb("task", stage).splitlines()[-1] == f"{stage}  ran"
    assert pipeline.read("dvc.lock") == whole.read("dvc.lock")
    pipeline.is_settled()
    assert pipeline.nb("task", "left") == "left  unchanged\n"
    assert pipeline.nb("task", "left", "--force").splitlines()[-1] == "left  ran"


def test_a_task_runs_nothing_but_its_stage(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    pipeline.write("in.txt", "1\n")
    said = pipeline.nb("task", "left", code=1)
    assert said == "nb: top has not been computed here for these inputs: nb task top\n"
    assert not pipeline.has("top.txt")
    pipeline.nb("run")
    pipeline.write("in.txt", "2\n")
    said = pipeline.nb("task", "left", "--json", code=1)
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert (found["state"], found["exit_code"]) == ("not run", 1)
    assert pipeline.read("top.txt") == "1\ntop.txt\n"


@pytest.mark.slow
def test_what_comes_before_is_restored(pipeline: Pipeline) -> None:
    pipeline.declare(**diamond())
    for content in ("1\n", "2\n"):
        pipeline.write("in.txt", content)
        pipeline.nb("run")
    pipeline.write("in.txt", "1\n")
    said = pipeline.nb("task", "left")
    assert "nb: restored from the run cache: top" in said
    assert said.splitlines()[-1] == "left  restored from the run cache"
    assert "right" in pipeline.run("dvc", "status")
    # Outputs that are gone come back, too.
    (pipeline.path / "top.txt").unlink()
    (pipeline.path / "left.txt").unlink()
    pipeline.nb("task", "left")
    assert pipeline.read("left.txt").startswith("1\n")


@pytest.mark.slow
def test_tasks_run_side_by_side_in_one_folder(pipeline: Pipeline) -> None:
    names = [f"s{number}" for number in range(4)]
    stages = {name: copy(f"{name}.txt", "top.txt", before=meeting(name, 4)) for name in names}
    pipeline.declare(top=copy("top.txt"), **stages)
    pipeline.nb("task", "top")
    together(pipeline, *names)
    assert pipeline.nb("assemble").count("unchanged") == 5
    pipeline.is_settled()
    records = (pipeline.path / "reports" / "runs").glob("*.json")
    assert {json.loads(path.read_text())["state"] for path in records} == {"done"}


@pytest.mark.slow
def test_the_same_task_twice_at_once_runs_once(pipeline: Pipeline) -> None:
    pipeline.declare(one=copy("one.txt", "in.txt", before="echo ran >> log && sleep 2"))
    pipeline.write("in.txt", "1\n")
    together(pipeline, "one", "one", "one")
    assert pipeline.read("log") == "ran\n"
    pipeline.is_settled()


@pytest.mark.slow
def test_a_task_and_a_run_take_turns(pipeline: Pipeline) -> None:
    pipeline.declare(
        a=copy("a", before="touch begun && sleep 3"),
        b=copy("b", before="echo b >> log && sleep 1"),
    )
    task = pipeline.begin("nb", "task", "a")
    pipeline.wait_for("begun")
    said = pipeline.nb("run")
    assert f"waiting for another nb run, process {task.pid}" in said
    assert task.wait() == 0
    states = {stage["name"]: stage["state"] for stage in pipeline.record()["stages"]}
    assert states == {"a": "unchanged", "b": "ran"}


def test_wrong_usage_is_one_line(pipeline: Pipeline) -> None:
    matrix = {"matrix": {"m": ["x", "y"]}, "cmd": "touch ${item.m}", "outs": ["${item.m}"]}
    pipeline.declare(train=matrix)
    said = pipeline.nb("task", "train", code=2)
    assert said == "nb: train stands for train@x, train@y: name one of them\n"
    assert "did you mean train@" in pipeline.nb("task", "train@z", code=2)


@pytest.mark.slow
def test_a_failure_is_told_in_the_last_line_and_as_json(pipeline: Pipeline) -> None:
    error = "echo 'ValueError: no rows' >&2 && exit 1"
    pipeline.declare(bad=copy("bad.txt", before=error))
    assert pipeline.nb("task", "bad", code=1).splitlines()[-1] == "nb: bad · ValueError: no rows"
    said = pipeline.nb("task", "bad", "--json", code=1)
    found = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert (found["state"], found["cause"]) == ("failed", "ValueError: no rows")
    pipeline.declare(late=step("sleep 60", out="late.txt"))
    said = pipeline.nb("task", "late", "--timeout", "1", code=124)
    assert said.splitlines()[-1] == "nb: late · ran longer than 1 s"


@pytest.fixture
def notebooks(ready: Project) -> Iterator[Project]:
    """The example, whose first notebook fails, and put back afterwards."""
    name = "notebooks/production/10-ingest.ipynb"
    before = (ready.path / name).read_bytes()
    content = json.loads(before)
    [cell for cell in content["cells"] if cell["cell_type"] == "code"][-1]["source"] = "1 / 0"
    ready.write(name, json.dumps(content))
    yield ready
    (ready.path / name).write_bytes(before)
    subprocess.run(["git", "checkout", "--quiet", "dvc.lock"], cwd=ready.path, check=True)
    ready.run("nb", "run")


@pytest.mark.slow
def test_a_failing_notebook_is_told_by_its_cell(notebooks: Project) -> None:
    said = notebooks.run("nb", "task", "ingest", code=1)
    last = said.splitlines()[-1]
    assert last.startswith("nb: ingest · 10-ingest · cell "), said
    assert "ZeroDivisionError: division by zero (see reports/notebooks/10-ingest.ipynb)" in last
    said = notebooks.run("nb", "task", "features", code=1)
    assert "ingest has not been computed here" in said
