"""The journal of an experiment: records of variants follow the states of tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.declaration.reader import Stage
from nb.declaration.tasks import FAILED, KILLED, NOT_RUN, RAN, RUNNING, Task
from nb.experiments import store
from nb.experiments.definition import Experiment, Variation
from nb.experiments.journal import VariantJournal
from nb.experiments.planning import plan_variants, variant_records, variant_tasks
from nb.experiments.snapshot import Snapshot
from nb.run.record import RunRecord, StageRecord
from nb.run.stage import stage_record
from nb.run.what_if import Setting


class Run:
    """An experiment of two variants that share their first stage; no process is started."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[str] = []
        tasks = [Task("first", changed=True), Task("second", after=frozenset({"first"}))]
        read = {"first": frozenset[str](), "second": frozenset({"config/second.yaml"})}
        place = root / ".nb/experiments/snapshots/a"
        made = Snapshot(
            root=place,
            hash="h",
            tasks=tasks,
            order=["first", "second"],
            inputs=read,
            stages=[Stage(name, "", metrics=(f"{name}.json",)) for name in ("first", "second")],
        )
        variations = [Variation(settings={"second.value": value}) for value in (1, 2)]
        settings = [[Setting(["second"], "value", v, "config/second.yaml", [])] for v in (1, 2)]
        records = variant_records(root, Experiment(name="e", variations=variations), made)
        planned = plan_variants(made, records, settings)
        self.tasks = {task.name: task for task in variant_tasks(root, made, planned)}
        self.stages = {name: stage_record(task) for name, task in self.tasks.items()}
        self.record = RunRecord(id="r", arguments={}, jobs=1, started="2026-11-27T00:00:00+00:00")
        self.record.stages = [self.stages[n] for n, task in self.tasks.items() if not task.hidden]
        self.journal = VariantJournal(root, made, planned, self.said.append)
        self.journal.save(self.record, self.stages.keys())

    def note(self, **states: str) -> None:
        """Note states of the stages of a variant: `first_1` is the first stage of variant 1."""
        names = {name.replace("_", " #"): state for name, state in states.items()}
        for name, state in names.items():
            self.stages[name].state = state
        self.journal.save(self.record, names.keys())

    def states(self) -> list[tuple[str, list[str]]]:
        """Return the state of each variant on disk, and those of its stages."""
        found = store.read_variants(self.root)
        return [(record.state, [stage.state for stage in record.stages]) for record in found]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_the_second_variant_waits_for_the_stage_that_the_first_computes(run: Run) -> None:
    assert [task for task in run.tasks if task.startswith("first")] == ["first #1"]
    assert run.tasks["copy #2"].after == {"first #1"}
    run.note(first_1=RUNNING)
    assert run.states() == [
        ("running", ["running", "waiting"]),
        ("waiting", ["waiting", "waiting"]),
    ]


def test_a_finished_variant_is_told_once(run: Run) -> None:
    run.note(first_1=RAN)
    run.note(second_1=RAN)
    run.note(second_2=RUNNING)
    assert run.states() == [("done", ["ran", "ran"]), ("running", ["restored", "running"])]
    run.note(second_2=RAN)
    assert [line.rpartition(",")[0] for line in run.said] == [
        "1 of 2: variant 1 done",
        "2 of 2: variant 2 done",
    ]


def test_metrics_are_those_of_the_stages_that_a_variant_has_brought_to_an_end(run: Run) -> None:
    for number in (1, 2):
        copy = store.variant_copy(run.root, number)
        copy.mkdir(parents=True)
        for name in ("first", "second"):
            (copy / f"{name}.json").write_text('{"of": 7}')
    run.note(first_1=RAN)
    run.note(second_1=FAILED, second_2=RAN)
    failed, done = store.read_variants(run.root)
    assert failed.metrics == {"first.json": {"of": 7}}
    assert done.metrics == {"first.json": {"of": 7}, "second.json": {"of": 7}}


def test_after_an_interrupt_nothing_is_left_waiting(run: Run) -> None:
    run.note(first_1=KILLED, second_1=NOT_RUN, second_2=NOT_RUN)
    assert run.states() == [("killed", ["killed", "not run"]), ("not run", ["not run", "not run"])]


def test_a_copy_that_cannot_be_made_is_named_with_the_reason(run: Run) -> None:
    run.note(first_1=NOT_RUN, second_1=NOT_RUN, second_2=NOT_RUN)
    broken = StageRecord("copy #1", state=FAILED, cause="No space left on device")
    run.record.stages.insert(0, broken)
    run.journal.finish(run.record, 1, 2.0)
    assert run.said[-1] == "copy #1: No space left on device"


def test_records_have_the_values_of_the_variant_in_every_stage_that_reads_them(
    tmp_path: Path,
) -> None:
    """Stages that share a config file all get the value; others keep that of the project."""
    shared, own = "config/shared.yaml", "config/own.yaml"
    values = {"value": 1, "size": 7}
    names = ("a", "b", "script", "other")
    tasks = [Task(name, parameters=values, changed=False) for name in names]
    read = {name: frozenset({shared}) for name in ("a", "b", "script")} | {
        "other": frozenset({own})
    }
    snapshot = Snapshot(
        root=tmp_path / "s", hash="h", tasks=tasks, order=list("ab"), inputs=read, stages=[]
    )
    variation = Variation(settings={"a.value": 2})
    records = variant_records(tmp_path, Experiment(name="e", variations=[variation]), snapshot)
    planned = plan_variants(snapshot, records, [[Setting(["a"], "value", 2, shared, ["b"])]])
    planned_tasks = {task.stage: task for task in variant_tasks(tmp_path, snapshot, planned)}
    assert planned_tasks["b"].parameters == {"value": 2, "size": 7}
    assert {stage.name: stage.parameters["value"] for stage in records[0].stages} == {
        "a": 2,
        "b": 2,
        "script": 2,
    }
    assert records[0].parameters == {
        **{"a.value": 2, "b.value": 2, "script.value": 2},
        **{"a.size": 7, "b.size": 7, "script.size": 7},
    }
