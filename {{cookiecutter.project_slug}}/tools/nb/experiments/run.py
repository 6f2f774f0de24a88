"""A run of an experiment: all variants in one schedule, each in its own copy of the project."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nb import pipeline
from nb.declaration.metrics import read_metrics
from nb.declaration.tasks import NOT_RUN, RAN, RESTORED, RUNNING, WAITING, Outcome, Task
from nb.exit_codes import ExitCode
from nb.notebook import fingerprints
from nb.pipeline import FINGERPRINT_STAGE, storage
from nb.project import NbError
from nb.run.page_process import RunPrograms
from nb.run.pipeline_run import only_run, warmth
from nb.run.record import Options, RunRecord, StageRecord, begin, now
from nb.run.runner import Runner, stage_record
from nb.run.stage import reproduce_stage
from nb.run.view import View
from nb.run.what_if import Setting, SettingReader, copy_with_settings, require_one_value
from nb.runtime.warm_client import Warm
from nb.runtime.worker import Order
from nb.workcopy.copying import copy_file

from . import store
from .definition import Experiment, Variation
from .sharing import Share, share_out
from .snapshot import Snapshot, remove_unused, take_snapshot
from .store import VariantRecord

# The stage of a task that copies the project: a name that no stage can have.
COPYING = "copy "


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A variant that is to run.

    Attributes:
        record: the record.
        settings: the values by config file.
        share: the stages to compute, and those to take.
    """

    record: VariantRecord
    settings: list[Setting]
    share: Share


@dataclass(frozen=True, kw_only=True)
class Finished:
    """An experiment that has run.

    Attributes:
        records: its variants, those that were there before included.
        exit_code: as of `nb run`.
        reused: how many variants were there already.
    """

    records: list[VariantRecord]
    exit_code: int
    reused: int


def run_experiment(
    root: Path, definition: Experiment, options: Options, view: View, programs: RunPrograms
) -> Finished:
    """Run the variants of an experiment that are missing.

    Args:
        root: the project's root; nothing in it changes but `.nb/experiments`.
        definition: the experiment.
        options: jobs, limits of time, and whether to fetch what others computed.
        view: the view of the run.
        programs: the programs of a run.

    Raises:
        NbError: with exit code 2, if a parameter or a value is not right; all are named at once.
    """
    settings = check_variations(root, definition.variations)
    place = root / store.EXPERIMENTS
    place.mkdir(parents=True, exist_ok=True)
    try:
        with only_run(place, view) as lock, warmth(root, options, programs, lock) as warm:
            if options.pull:
                storage.fetch_runs(root, view.note)
            return _run(root, definition, settings, options, view, programs, warm, lock)
    except KeyboardInterrupt:
        raise NbError("interrupted before anything was started", ExitCode.INTERRUPTED) from None


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
        raise NbError("\n".join(problems), ExitCode.USAGE)
    return found


def _run(
    root: Path,
    definition: Experiment,
    settings: list[list[Setting]],
    options: Options,
    view: View,
    programs: RunPrograms,
    warm: Warm | None,
    lock: int,
) -> Finished:
    store.remove_remains(root)
    remove_unused(root, store.read_variants(root))
    snapshot = take_snapshot(root)
    records = _records(root, definition, snapshot)
    planned = _plan_variants(snapshot, records, settings)
    missing = [each for each in planned if each.record.state != store.FINISHED]
    reused = len(planned) - len(missing)
    if not missing:
        return Finished(records=records, exit_code=ExitCode.DONE, reused=reused)
    for each in missing:
        each.record.save(root)
    tasks = list(_tasks(root, snapshot, planned))
    copying = _Copying(root, snapshot, planned)
    runner = Runner(
        root,
        replace(options, keep_going=True),
        tasks,
        view,
        {},
        programs.make_pages,
        copying.reproduce,
        warm,
        journal=_VariantJournal(root, snapshot, planned),
        cold={task.name for task in tasks if task.stage.startswith(COPYING)},
        lock=lock,
    )
    done = runner.run()
    return Finished(records=records, exit_code=done.exit_code or 0, reused=reused)


def _records(root: Path, definition: Experiment, snapshot: Snapshot) -> list[VariantRecord]:
    """Return the record of each variation: one that is there already, or a new one."""
    known = {record.identity: record for record in store.read_variants(root)}
    head = begin(root, {}, 1)
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


def _plan_variants(
    snapshot: Snapshot, records: list[VariantRecord], settings: list[list[Setting]]
) -> list[Planned]:
    """Return the variants with their stages; finished ones come first, for others to take from."""
    order = sorted(
        range(len(records)), key=lambda i: (records[i].state != store.FINISHED, records[i].number)
    )
    readers = _readers(snapshot, settings)
    shares = share_out(snapshot.tasks, [records[i].settings for i in order], readers)
    stale = _stale(snapshot)
    planned: list[Planned] = []
    for index, share in zip(order, shares, strict=True):
        record = records[index]
        reached = stale | _reached(snapshot, record, readers)
        share = Share(
            computes=[name for name in share.computes if name in reached],
            takes={name: owner for name, owner in share.takes.items() if name in reached},
        )
        planned.append(Planned(record=record, settings=settings[index], share=share))
        if record.state != store.FINISHED:
            record.stages = [stage_record(t) for t in snapshot.tasks if t.name in reached]
    return planned


def _readers(
    snapshot: Snapshot, settings: Sequence[Sequence[Setting]]
) -> dict[str, frozenset[str]]:
    """Return the stages that get the value of a parameter, by `stage.parameter` as it was asked."""
    configs: dict[str, set[str]] = {}
    for setting in (each for variant in settings for each in variant):
        group = {name.partition("@")[0] for name in setting.stages} | set(setting.stages)
        for stage in group:
            configs.setdefault(f"{stage}.{setting.name}", set()).add(setting.config)
            readers = {name for name, read in snapshot.inputs.items() if setting.config in read}
            configs[f"{stage}.{setting.name}"] |= readers | {*setting.stages, *setting.others}
    return {parameter: frozenset(names) for parameter, names in configs.items()}


def _stale(snapshot: Snapshot) -> set[str]:
    """Return the stages that are stale without any setting, and all that depend on them."""
    stale: set[str] = set()
    for task in snapshot.tasks:
        if task.changed or stale & task.after:
            stale.add(task.name)
    return stale


def _reached(
    snapshot: Snapshot, record: VariantRecord, readers: Mapping[str, frozenset[str]]
) -> set[str]:
    """Return the stages that get a value of a variant, and all that depend on them."""
    reached: set[str] = set()
    for task in snapshot.tasks:
        reads = any(task.name in readers[parameter] for parameter in record.settings)
        if reads or reached & task.after:
            reached.add(task.name)
    return reached


def _tasks(root: Path, snapshot: Snapshot, planned: Sequence[Planned]) -> Iterator[Task]:
    """Yield the tasks of all variants that are to run, each after those it needs."""
    by_name = {task.name: task for task in snapshot.tasks}
    for each in planned:
        if each.record.state == store.FINISHED:
            continue
        number, copy = each.record.number, store.copy_of(root, each.record.number)
        owners = {name: planned[owner].record for name, owner in each.share.takes.items()}
        copying = Task(
            name=f"copy #{number}",
            stage=f"{COPYING}{number}",
            project=str(snapshot.root),
            hidden=True,
            after=frozenset(
                f"{name} #{owner.number}"
                for name, owner in owners.items()
                if owner.state != store.FINISHED
            ),
        )
        yield copying
        for name in each.share.computes:
            task = by_name[name]
            above = task.after & set(each.share.computes)
            yield replace(
                task,
                name=f"{name} #{number}",
                stage=name,
                project=str(copy),
                changed=True,
                after=frozenset({copying.name, *(f"{other} #{number}" for other in above)}),
                persisted=tuple(
                    str(copy / Path(path).relative_to(snapshot.root)) for path in task.persisted
                ),
            )


@dataclass(frozen=True)
class _Copying:
    """The work of workers: stages, and copies of the project that variants run in.

    Attributes:
        root: the project's root.
        snapshot: the project as it was when the experiment began.
        planned: the variants, finished ones included.
    """

    root: Path
    snapshot: Snapshot
    planned: Sequence[Planned]

    def reproduce(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome:
        """Make the copy for a variant, or bring a stage in a copy up to date."""
        if not order.stage.startswith(COPYING):
            return reproduce_stage(order, tell=tell, stopped=stopped)
        number = int(order.stage.removeprefix(COPYING))
        variant = next(each for each in self.planned if each.record.number == number)
        try:
            self._copy(variant, tell, stopped)
        except NbError as error:
            return Outcome(error=str(error))
        return Outcome(RAN)

    def _copy(
        self, variant: Planned, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> None:
        copy = store.copy_of(self.root, variant.record.number)
        whole = copy.with_name(store.WHOLE)
        if not whole.exists():
            shutil.rmtree(copy, ignore_errors=True)
            copy_with_settings(self.snapshot.root, copy, self.snapshot.files, variant.settings)
            fingerprints.refresh(copy)
            whole.touch()
        if FINGERPRINT_STAGE in self.snapshot.order:
            pipeline.reproduce(
                copy, FINGERPRINT_STAGE, force=False, pull=False, tell=tell, stopped=stopped
            )
        for owner, names in _by_owner(variant.share.takes).items():
            theirs = store.copy_of(self.root, self.planned[owner].record.number)
            pipeline.take_results(theirs, copy, names, tell)
            for stage in variant.record.stages:
                executed = theirs / stage.executed
                if stage.name in names and stage.executed and executed.is_file():
                    copy_file(executed, copy / stage.executed)


def _by_owner(takes: Mapping[str, int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for name, owner in takes.items():
        found.setdefault(owner, set()).add(name)
    return found


class _VariantJournal:
    """The journal of an experiment: what becomes of tasks is written into records of variants.

    Args:
        root: the project's root.
        snapshot: the project as it was when the experiment began.
        planned: the variants, finished ones included.
    """

    def __init__(self, root: Path, snapshot: Snapshot, planned: Sequence[Planned]) -> None:
        self.root = root
        self.snapshot = snapshot
        self.planned = planned
        self.missing = [each for each in planned if each.record.state != store.FINISHED]
        self._written: dict[int, list[str]] = {}

    def save(self, record: RunRecord) -> None:
        """Write the records of the variants whose stages have changed their states."""
        stages = {stage.name: stage for stage in record.stages}
        for each in self.missing:
            number = each.record.number
            own = [stages[f"{name} #{number}"] for name in each.share.computes]
            states = [stage.state for stage in own]
            if states != self._written.get(number):
                self._written[number] = states
                self._write(each, own)

    def finish(self, record: RunRecord, exit_code: int, seconds: float) -> None:
        """Write the records, and end that of the run."""
        self.save(record)
        record.exit_code, record.seconds, record.ended = exit_code, round(seconds, 3), now()

    def _write(self, variant: Planned, own: Sequence[StageRecord]) -> None:
        record = variant.record
        computed = dict(zip(variant.share.computes, own, strict=True))
        is_copied = any(stage.state not in (WAITING, NOT_RUN) for stage in own)
        record.stages = [
            replace(computed[stage.name], name=stage.name)
            if stage.name in computed
            else replace(stage, state=RESTORED if is_copied or not own else WAITING)
            for stage in record.stages
        ]
        if all(stage.state not in (WAITING, RUNNING) for stage in own):
            self._end(record)
        record.save(self.root)

    def _end(self, record: VariantRecord) -> None:
        """Note the results of a variant whose stages have ended."""
        copy = store.copy_of(self.root, record.number)
        pipeline.sort_private_locks(copy, self.snapshot.order)
        record.ended = now()
        record.metrics = read_metrics(copy, self.snapshot.stages)
        record.parameters = store.parameters_of(record.stages)
