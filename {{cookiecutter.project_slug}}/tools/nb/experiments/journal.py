"""Journal of an experiment: states of tasks, written into the records of variants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nb import pipeline
from nb.declaration.metrics import read_metrics
from nb.declaration.tasks import BROKEN, DONE, NOT_RUN, RESTORED, RUNNING, WAITING
from nb.run.record import RunRecord, StageRecord, now
from nb.run.view import duration

from . import store
from .planning import COPYING, Planned, task_name
from .snapshot import Snapshot
from .store import VariantRecord


class VariantJournal:
    """The journal of an experiment: states of tasks become states of stages in records of variants.

    Args:
        root: the project's root.
        snapshot: the project as it was when the experiment began.
        planned: the variants, finished variants included.
        tell: called with a line for each variant that has ended.
    """

    def __init__(
        self,
        root: Path,
        snapshot: Snapshot,
        planned: Sequence[Planned],
        tell: Callable[[str], None],
    ) -> None:
        self.root = root
        self.snapshot = snapshot
        self.tell = tell
        self.count = len(planned)
        self._open = [each for each in planned if each.record.state != store.FINISHED]
        self._stages: dict[int, list[StageRecord]] = {}
        self._written: dict[int, list[str]] = {}

    def save(self, record: RunRecord) -> None:
        """Write the records of the variants whose stages have changed their states."""
        if not self._stages:
            stages = {stage.name: stage for stage in record.stages}
            for each in self._open:
                names = each.share.computes or [COPYING.strip()]
                own = [stages[task_name(name, each.record)] for name in names]
                self._stages[each.record.number] = own
        for each in list(self._open):
            own = self._stages[each.record.number]
            states = [stage.state for stage in own]
            if states != self._written.get(each.record.number):
                self._written[each.record.number] = states
                self._write(each, own)

    def finish(self, record: RunRecord, exit_code: int, seconds: float) -> None:
        """Write the records, end that of the run, and name the copies that could not be made."""
        self.save(record)
        for stage in record.stages:
            if stage.name.startswith(COPYING) and stage.state in BROKEN:
                self.tell(f"{stage.name}: {stage.cause}")
        record.exit_code, record.seconds, record.ended = exit_code, round(seconds, 3), now()

    def _write(self, variant: Planned, own: Sequence[StageRecord]) -> None:
        record = variant.record
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
        if is_ended:
            self._open.remove(variant)
            if computed or is_copied:
                self._end(record)
        record.save(self.root)

    def _end(self, record: VariantRecord) -> None:
        """Note the results of a variant whose stages have ended."""
        copy = store.copy_of(self.root, record.number)
        pipeline.sort_private_locks(copy, self.snapshot.order)
        record.ended = now()
        record.metrics = read_metrics(copy, self.snapshot.stages)
        record.parameters = store.parameters_of(record.stages)
        done = f"{self.count - len(self._open)} of {self.count}"
        self.tell(f"{done}: variant {record.number} {record.state}, {duration(record.seconds)}")
