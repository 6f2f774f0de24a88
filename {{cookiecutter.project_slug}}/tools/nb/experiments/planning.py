"""Plan of an experiment: variants, the stages each computes or takes from others, and the tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from nb.declaration.tasks import Task, group_of, with_downstream
from nb.project import NbError, UsageError
from nb.run.record import Options, new_record
from nb.run.stage import stage_record
from nb.run.what_if import Setting, SettingReader, require_one_value

from . import store
from .definition import Experiment, Variation
from .sharing import Share, shares_of_variants
from .snapshot import Snapshot
from .store import FINISHED, VariantRecord

# The stage of a task that copies the project: a name that no stage can have.
COPYING = "copy "


@dataclass(frozen=True, kw_only=True)
class PlannedVariant:
    """A variant that is to run.

    Attributes:
        record: the record.
        settings: the values by config file.
        share: the stages to compute, and those to take.
    """

    record: VariantRecord
    settings: list[Setting]
    share: Share


def check_variations(root: Path, variations: Sequence[Variation]) -> list[list[Setting]]:
    """Return the settings of each variation, checked against stages and notebooks.

    Raises:
        NbError: with exit code 2 and a line for each parameter or value that is not right.
    """
    reader = SettingReader(root)
    found: list[list[Setting]] = []
    problems: dict[str, None] = {}
    for variation in variations:
        settings: list[Setting] = []
        for parameter, value in variation.settings.items():
            try:
                settings += reader.resolve(parameter, value, parameter)
            except NbError as error:
                problems |= dict.fromkeys(str(error).splitlines())
        try:
            require_one_value(settings, variation.name or "variant")
        except NbError as error:
            problems[str(error)] = None
        found.append(settings)
    if problems:
        raise UsageError("\n".join(problems))
    return found


def variant_records(root: Path, definition: Experiment, snapshot: Snapshot) -> list[VariantRecord]:
    """Return the record of each variation: the known record, or a new record."""
    known = {record.identity: record for record in store.read_variants(root)}
    head = new_record(root, Options(), jobs=1)
    number = store.next_number(root)
    records: list[VariantRecord] = []
    for variation in definition.variations:
        new = VariantRecord(
            number=number,
            experiment=definition.name,
            name=variation.name,
            settings=variation.settings,
            source=snapshot.hash,
            commit=head.commit,
            dirty=head.dirty,
            started=head.started,
        )
        record = known.get(new.identity, new)
        number += record is new
        records.append(record)
    return records


def plan_variants(
    snapshot: Snapshot, records: list[VariantRecord], settings: list[list[Setting]]
) -> list[PlannedVariant]:
    """Return the variants with their stages; finished variants first, for others to use."""
    order = sorted(
        range(len(records)), key=lambda i: (records[i].state != FINISHED, records[i].number)
    )
    readers = _readers(snapshot, settings)
    shares = shares_of_variants(snapshot.tasks, [records[i].settings for i in order], readers)
    stale = with_downstream(snapshot.tasks, attrgetter("changed"))
    planned: list[PlannedVariant] = []
    for index, share in zip(order, shares, strict=True):
        record = records[index]
        reached = stale | _reached(snapshot, record, readers)
        share = Share(
            computes=[name for name in share.computes if name in reached],
            takes={name: owner for name, owner in share.takes.items() if name in reached},
        )
        planned.append(PlannedVariant(record=record, settings=settings[index], share=share))
        if record.state != FINISHED:
            record.stages = [
                stage_record(_with_values(snapshot, task, settings[index]))
                for task in snapshot.tasks
                if task.name in reached
            ]
            record.parameters = store.parameters_of(record.stages)
    return planned


def _with_values(snapshot: Snapshot, task: Task, settings: Sequence[Setting]) -> Task:
    """Return a stage of the pipeline with the parameters that it has in a variant."""
    parameters = dict(task.parameters)
    for setting in settings:
        reads = setting.config in snapshot.inputs[task.name] and setting.name in parameters
        if reads or task.name in (*setting.stages, *setting.others):
            parameters[setting.name] = setting.value
    return replace(task, parameters=parameters)


def _readers(
    snapshot: Snapshot, settings: Sequence[Sequence[Setting]]
) -> dict[str, frozenset[str]]:
    """Return the stages that get the value of a parameter, by `stage.parameter` as it was asked."""
    readers: dict[str, set[str]] = {}
    for setting in (each for variant in settings for each in variant):
        reading = {name for name, read in snapshot.inputs.items() if setting.config in read}
        reading |= {*setting.stages, *setting.others}
        for stage in {group_of(name) for name in setting.stages} | set(setting.stages):
            readers.setdefault(f"{stage}.{setting.name}", set()).update(reading)
    return {parameter: frozenset(names) for parameter, names in readers.items()}


def _reached(
    snapshot: Snapshot, record: VariantRecord, readers: Mapping[str, frozenset[str]]
) -> set[str]:
    """Return the stages that get a value of a variant, and all that depend on them."""
    return with_downstream(
        snapshot.tasks, lambda task: any(task.name in readers[name] for name in record.settings)
    )


def task_name(stage: str, record: VariantRecord) -> str:
    """Return the name of the task for a stage of a variant."""
    return f"{stage} #{record.number}"


def variant_tasks(
    root: Path, snapshot: Snapshot, planned: Sequence[PlannedVariant]
) -> Iterator[Task]:
    """Yield the tasks of all variants that are to run, each after those it needs."""
    by_name = {task.name: task for task in snapshot.tasks}
    for each in planned:
        if each.record.state == FINISHED:
            continue
        copy = store.variant_copy(root, each.record.number)
        copying = _copying_task(snapshot, planned, each)
        yield copying
        for name in each.share.computes:
            task = by_name[name]
            above = task.after & set(each.share.computes)
            yield replace(
                _with_values(snapshot, task, each.settings),
                name=task_name(name, each.record),
                stage=name,
                project=str(copy),
                changed=True,
                after=frozenset({copying.name, *(task_name(n, each.record) for n in above)}),
                persisted=tuple(
                    str(copy / Path(path).relative_to(snapshot.root)) for path in task.persisted
                ),
            )


def _copying_task(
    snapshot: Snapshot, planned: Sequence[PlannedVariant], variant: PlannedVariant
) -> Task:
    """Return the task that makes the copy for a variant; it is shown if no stage follows."""
    owners = {name: planned[owner].record for name, owner in variant.share.takes.items()}
    return Task(
        name=task_name(COPYING.strip(), variant.record),
        stage=f"{COPYING}{variant.record.number}",
        project=str(snapshot.root),
        hidden=bool(variant.share.computes),
        after=frozenset(
            task_name(name, owner) for name, owner in owners.items() if owner.state != FINISHED
        ),
    )
