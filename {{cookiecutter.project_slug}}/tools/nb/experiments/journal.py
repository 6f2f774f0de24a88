"""Journal of an experiment: states and results of tasks, and executed copies, go to variants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from pathlib import Path

from nb import pipeline
from nb.declaration.metrics import read_metrics
from nb.declaration.tasks import BROKEN, DONE, NOT_RUN, RAN, RESTORED, RUNNING, WAITING
from nb.run.copy_notes import locked_copies, valid_note
from nb.run.record import RunRecord, StageRecord, now
from nb.uptodate import LOCK_NAME
from nb.wording import duration

from . import store
from .planning import COPYING, PlannedVariant, task_name
from .snapshot import Snapshot
from .store import VariantRecord


class VariantJournal:
    """The journal of an experiment: states of tasks become states of stages in records of variants.

    Args:
        snapshot: the project as it was when the experiment began.
        planned: the variants, finished variants included.
        tell: called with a line for each variant that has ended.
    """

    def __init__(
        self,
        root: Path,
        snapshot: Snapshot,
        planned: Sequence[PlannedVariant],
        tell: Callable[[str], None],
    ) -> None:
        self.root = root
        self.snapshot = snapshot
        self.tell = tell
        self.count = len(planned)
        self._planned = planned
        missing = [each for each in planned if each.record.state != store.FINISHED]
        self._open = {each.record.number: each for each in missing}
        self._owners = {name: each for each in missing for name in _task_names(each)}
        self._stages: dict[str, StageRecord] = {}

    def save(self, record: RunRecord, changed: Set[str]) -> None:
        """Write the records of the variants whose stages have changed their states."""
        if not self._stages:
            self._stages = {stage.name: stage for stage in record.stages}
        known = (self._owners[name] for name in changed if name in self._owners)
        self._write_open(each.record.number for each in known)

    def finish(self, record: RunRecord, exit_code: int, seconds: float) -> None:
        """Write the records, end that of the run, and name the copies that could not be made."""
        self._write_open(list(self._open))
        for stage in record.stages:
            if stage.name.startswith(COPYING) and stage.state in BROKEN:
                self.tell(f"{stage.name}: {stage.cause}")
        record.exit_code, record.seconds, record.ended = exit_code, round(seconds, 3), now()

    def _write_open(self, numbers: Iterable[int]) -> None:
        for number in sorted(set(numbers)):
            if number in self._open:
                self._write(self._open[number])

    def _write(self, variant: PlannedVariant) -> None:
        record = variant.record
        own = [self._stages[name] for name in _task_names(variant)]
        computed = dict(zip(variant.share.computes, own, strict=False))
        is_ended = all(stage.state not in (WAITING, RUNNING) for stage in own)
        # The copy is made before the first stage starts; it is all there is without a stage to run.
        begun = (*DONE, *BROKEN, RUNNING) if computed else DONE
        is_copied = any(stage.state in begun for stage in own)
        taken = RESTORED if is_copied else NOT_RUN if is_ended else WAITING
        record.stages = [
            replace(computed[stage.name], name=stage.name)
            if stage.name in computed
            else replace(stage, state=taken)
            for stage in record.stages
        ]
        has_results = is_ended and bool(computed or is_copied)
        if has_results:
            self._note_results(record)
        record.save(self.root)
        if is_ended:  # and only now: where the disk is full, the end of the run tries again
            del self._open[record.number]
        if has_results:
            done = f"{self.count - len(self._open)} of {self.count}"
            self.tell(f"{done}: variant {record.number} {record.state}, {duration(record.seconds)}")

    def _note_results(self, record: VariantRecord) -> None:
        copy = store.variant_copy(self.root, record.number)
        pipeline.sort_private_locks(copy, self.snapshot.order)
        record.ended = now()
        # The copy has the project's metrics of stages that this variant has not brought so far.
        lacking = {stage.name for stage in record.stages if stage.state not in DONE}
        done = [stage for stage in self.snapshot.stages if stage.name not in lacking]
        record.metrics = read_metrics(copy, done)
        self._take_executed(record, copy)

    def _take_executed(self, record: VariantRecord, copy: Path) -> None:
        """Take the executed copies of stages that DVC's run cache has restored: it has none."""
        for stage in record.stages:
            if stage.state in DONE and stage.executed and not (copy / stage.executed).exists():
                source = self._project_with_copy(stage, _result_keys(copy).get(stage.name, ""))
                if source:
                    store.copy_executed([stage], source, copy)

    def _project_with_copy(self, stage: StageRecord, key: str) -> Path | None:
        """Return the project, or the copy of a variant, in which a stage computed a result."""
        if valid_note(self.root, stage.executed, key):
            return self.root
        ran = (each.record for each in self._planned if self._has_run(each.record, stage.name))
        copies = (store.variant_copy(self.root, record.number) for record in ran)
        return next((copy for copy in copies if _result_keys(copy).get(stage.name) == key), None)

    def _has_run(self, record: VariantRecord, name: str) -> bool:
        live = self._stages.get(task_name(name, record))
        stages = [live] if live else [stage for stage in record.stages if stage.name == name]
        return any(stage.state == RAN for stage in stages)


def _result_keys(copy: Path) -> Mapping[str, str]:
    """Return the key of each result in the `dvc.lock` of a variant, by stage."""
    lock = copy / LOCK_NAME
    return _keys_of(copy, lock.stat().st_mtime_ns) if lock.exists() else {}


@cache
def _keys_of(copy: Path, _modified: int) -> Mapping[str, str]:
    return {name: key for name, _, key in locked_copies(copy)}


def _task_names(variant: PlannedVariant) -> list[str]:
    """Return the tasks that tell how far a variant is: its own stages, or else its copy."""
    names = variant.share.computes or [COPYING.strip()]
    return [task_name(name, variant.record) for name in names]
