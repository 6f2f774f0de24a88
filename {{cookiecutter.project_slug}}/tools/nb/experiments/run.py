"""A run of an experiment: all variants in one schedule, each in its own copy of the project."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from nb import pipeline
from nb.declaration.papermill_command import papermill_command
from nb.declaration.reader import read_stages
from nb.declaration.tasks import RAN, Outcome
from nb.exit_codes import ExitCode
from nb.grouping import grouped
from nb.pipeline import storage
from nb.processes.garbage import no_collection
from nb.project import NbError
from nb.run.lock import exclusive_lock, is_locked
from nb.run.page_process import RunPrograms
from nb.run.pipeline_run import interrupted_early, started_warm_process
from nb.run.record import Options, StageRecord
from nb.run.runner import Runner, stage_environment
from nb.run.stage import StageReproducer
from nb.run.view import View
from nb.run.what_if import Setting
from nb.runtime.warm_client import Warm
from nb.runtime.warm_start import expect_imports
from nb.runtime.worker import Order

from . import store
from .definition import Experiment
from .journal import VariantJournal
from .planning import (
    COPYING,
    PlannedVariant,
    check_variations,
    plan_variants,
    variant_records,
    variant_tasks,
)
from .snapshot import (
    HASH,
    Snapshot,
    copy_snapshot,
    remove_unused_snapshots,
    source_hash,
    take_snapshot,
)
from .space import canonical
from .store import VariantRecord, identity_of

# Most variants take the same results. Files are copied in a third of the time that DVC needs to
# bring them, but their hashes are computed anew, which takes longer for more bytes.
MOST_COPIED_BYTES = 10_000_000
# The results that a variant takes from others: names of stages, with the position of the owner.
Results = tuple[tuple[str, int], ...]


class ExperimentView(View):
    """The lines of an experiment; many variants would print the same lines over and over.

    Executed copies hold the output of notebooks, records the cause of a failure.
    """

    def line(self, name: str, text: str) -> None:
        """Show nothing of a line that a stage printed."""


@dataclass(frozen=True, kw_only=True)
class FinishedExperiment:
    """An experiment that has run.

    Attributes:
        records: the variants, those that were there before included.
        exit_code: as of `nb run`.
        reused: how many variants were there already.
    """

    records: list[VariantRecord]
    exit_code: int
    reused: int


@interrupted_early()
def run_experiment(
    root: Path, definition: Experiment, options: Options, view: View, programs: RunPrograms
) -> FinishedExperiment:
    """Run the variants of an experiment that are missing.

    Args:
        root: the project's root; nothing in it changes but `.nb/experiments`.
        definition: the experiment.
        options: jobs, limits of time, and whether to fetch results that others computed.
        programs: the programs of a run.

    Raises:
        NbError: with exit code 2, if a parameter or a value is not right; all are named at once.
    """
    ready = _finished_before(root, definition)
    if ready:
        return FinishedExperiment(records=ready, exit_code=ExitCode.DONE, reused=len(ready))
    place = root / store.EXPERIMENTS
    if is_locked(place):  # mistakes are named at once, not when the other run has ended
        check_variations(root, definition.variations)
    place.mkdir(parents=True, exist_ok=True)
    with (
        exclusive_lock(place, view) as lock,
        started_warm_process(root, options, programs, lock) as warm,
    ):
        if warm:
            count = min(options.jobs, len(definition.variations))
            expect_imports(warm, _varied_notebooks(root, definition), stage_environment(count))
        with no_collection():  # DVC is imported; the warm process imports libraries meanwhile
            settings = check_variations(root, definition.variations)
        if options.pull:
            storage.fetch_run_cache(root, view.note)
        return _run(root, definition, settings, options, view, programs, warm, lock)


def _varied_notebooks(root: Path, definition: Experiment) -> set[Path]:
    """Return the notebooks of the stages whose parameters vary."""
    parameters = {name for variation in definition.variations for name in variation.settings}
    varied = {parameter.rpartition(".")[0] for parameter in parameters}
    calls = (
        papermill_command(stage.command, stage.folder)
        for stage in read_stages(root)
        if varied & {stage.name, stage.group}
    )
    return {root / call.notebook for call in calls if call.notebook}


def _finished_before(root: Path, definition: Experiment) -> list[VariantRecord]:
    """Return the variants if all of them have run on the project as it is now; else none."""
    known = store.read_variants(root)
    finished = {record.identity: record for record in known if record.state == store.FINISHED}
    asked = {canonical(record.settings) for record in finished.values()}
    if not all(canonical(each.settings) in asked for each in definition.variations):
        return []
    source = source_hash(root)
    wanted = [identity_of(each.settings, source) for each in definition.variations]
    return [finished[each] for each in wanted] if finished.keys() >= set(wanted) else []


def _run(
    root: Path,
    definition: Experiment,
    settings: list[list[Setting]],
    options: Options,
    view: View,
    programs: RunPrograms,
    warm: Warm | None,
    lock: int,
) -> FinishedExperiment:
    store.remove_partial_folders(root)
    remove_unused_snapshots(root)
    snapshot = take_snapshot(root)
    records = variant_records(root, definition, snapshot)
    planned = plan_variants(snapshot, records, settings)
    missing = [each for each in planned if each.record.state != store.FINISHED]
    reused = len(planned) - len(missing)
    for each in missing:
        each.record.save(root)
    tasks = list(variant_tasks(root, snapshot, planned))
    runner = Runner(
        root,
        replace(options, keep_going=True),
        tasks,
        view,
        {},
        programs.make_pages,
        _VariantWork(root, snapshot, planned).reproduce,
        warm,
        journal=VariantJournal(root, snapshot, planned, view.note),
        cold={task.name for task in tasks if task.stage.startswith(COPYING)},
        lock=lock,
    )
    done = runner.run()
    remove_unused_snapshots(root)  # those of results that variants took
    return FinishedExperiment(records=records, exit_code=done.exit_code or 0, reused=reused)


@dataclass(frozen=True)
class _VariantWork:
    """The work of workers: stages, and copies of the project that variants run in.

    Attributes:
        root: the project's root.
        snapshot: the project as it was when the experiment began.
        planned: the variants, finished variants included.
        reproducer: brings the stages up to date.
    """

    root: Path
    snapshot: Snapshot
    planned: Sequence[PlannedVariant]
    reproducer: StageReproducer = field(default_factory=StageReproducer)
    _bases: dict[Results, Path | None] = field(default_factory=dict)

    @cached_property
    def _by_number(self) -> dict[int, PlannedVariant]:
        return {each.record.number: each for each in self.planned}

    def reproduce(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome:
        """Make the copy for a variant, or bring a stage in a copy up to date."""
        if not order.stage.startswith(COPYING):
            return self.reproducer(order, tell=tell, stopped=stopped)
        number = int(order.stage.removeprefix(COPYING))
        try:
            self._make_copy(self._by_number[number], tell)
        except NbError as error:
            return Outcome(error=str(error))
        return Outcome(RAN)

    def _make_copy(self, variant: PlannedVariant, tell: Callable[[str], None]) -> None:
        """Make the copy for a variant, with the results that others have computed.

        A copy that an earlier run of the experiment has made stays, with what it has computed.
        """
        copy = store.variant_copy(self.root, variant.record.number)
        whole = copy.with_name(store.WHOLE)
        if whole.exists():
            self._take(variant, copy, tell)
            return
        base = self._base(variant, tell)
        shutil.rmtree(copy, ignore_errors=True)
        copy_snapshot(self.snapshot, copy, variant.settings, base)
        # They show the project's results: a stage that is restored would keep that of another.
        store.remove_executed(self._stages(variant, variant.share.computes), copy)
        if base is None:
            self._take(variant, copy, tell)
        whole.touch()

    def _base(self, variant: PlannedVariant, tell: Callable[[str], None]) -> Path | None:
        """Return a copy of the snapshot with the results that a variant takes; None without.

        No stage ever runs in it, and could harm the results.
        """
        takes = _results(variant)
        if takes not in self._bases:
            is_wanted = takes and self._takers[takes] > 1 and self._size(takes) <= MOST_COPIED_BYTES
            self._bases[takes] = self._make_base(variant, tell) if is_wanted else None
        return self._bases[takes]

    def _make_base(self, variant: PlannedVariant, tell: Callable[[str], None]) -> Path:
        place = self.snapshot.root.with_name(f"results-{variant.record.number}")
        shutil.rmtree(place, ignore_errors=True)
        copy_snapshot(self.snapshot, place, [])
        (place / HASH).unlink()  # another experiment begins with the project's results
        self._take(variant, place, tell)
        return place

    @cached_property
    def _takers(self) -> Counter[Results]:
        return Counter(map(_results, self.planned))

    def _size(self, results: Results) -> int:
        """Return the size of results that others have computed, in bytes."""
        names = grouped((owner, name) for name, owner in results)
        return sum(
            output.size or 0
            for owner in names
            for stage in read_stages(store.variant_copy(self.root, self._number(owner)))
            if stage.name in names[owner]
            for output in stage.writes
        )

    def _number(self, owner: int) -> int:
        return self.planned[owner].record.number

    def _stages(self, variant: PlannedVariant, names: Container[str]) -> list[StageRecord]:
        return [stage for stage in variant.record.stages if stage.name in names]

    def _take(self, variant: PlannedVariant, copy: Path, tell: Callable[[str], None]) -> None:
        takes = grouped((owner, name) for name, owner in variant.share.takes.items())
        for owner, names in takes.items():
            theirs = store.variant_copy(self.root, self._number(owner))
            pipeline.take_results(theirs, copy, names, tell)
            taken = self._stages(variant, names)
            store.remove_executed(taken, copy)
            store.copy_executed(taken, theirs, copy)


def _results(variant: PlannedVariant) -> Results:
    return tuple(sorted(variant.share.takes.items()))
