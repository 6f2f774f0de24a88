"""Stages as rows of the index, with states from run records and executed copies."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nb.declaration.reader import Artifact, Stage
from nb.declaration.tasks import BROKEN, FAILED, RAN, RESTORED
from nb.run.record import RunRecord, StageRecord, seconds_of

from .files import PageFiles
from .pages import Note

UNKNOWN = "not recorded"
# A copy is written before the end of the stage; times of files are coarse on some systems.
LATER_SECONDS = 1.0


@dataclass
class Row:
    """A stage of the index.

    Attributes:
        stage: the stage of `dvc.yaml` and `dvc.lock`.
        state: the state in the newest record.
        last: the newest record of an execution or a failure; None without such a record.
        run: the run of that record.
        cause: the cause of a failure, or of a stage that did not run.
        is_restored: the results are from DVC's cache, not of the run that the page shows.
        note: the record of the page; None without a page.
        reads: the inputs, each with a link, and whether the site holds a copy.
        writes: the outputs, in the same form.
    """

    stage: Stage
    state: str = UNKNOWN
    last: StageRecord | None = None
    run: RunRecord | None = None
    cause: str = ""
    is_restored: bool = False
    note: Note | None = None
    reads: list[tuple[Artifact, str, bool]] = field(default_factory=list)
    writes: list[tuple[Artifact, str, bool]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.stage.name

    @property
    def is_broken(self) -> bool:
        return self.state in BROKEN

    @property
    def parameters(self) -> dict[str, object]:
        return dict((self.last.parameters if self.last else None) or self.stage.parameters)


def read_rows(
    root: Path, stages: list[Stage], runs: list[RunRecord], notes: dict[str, Note]
) -> list[Row]:
    """Return the stages in the order of the pipeline, after undeclared stages that failed.

    Args:
        stages: the declared stages.
        runs: the records, the oldest first.
        notes: the records of the pages, by the path of the executed copy.
    """
    files = PageFiles(root, "index.html")
    newest: dict[str, tuple[StageRecord, RunRecord]] = {}
    last: dict[str, tuple[StageRecord, RunRecord]] = {}
    restored: set[str] = set()
    for run in runs:
        for stage in run.stages:
            if stage.state == RESTORED:
                restored.add(stage.name)
            newest[stage.name] = (stage, run)
            if stage.state == RAN or stage.state in BROKEN:
                last[stage.name] = (stage, run)
                restored.discard(stage.name)
    declared = {stage.name for stage in stages}
    # Hidden stages such as the fingerprints are shown if they failed.
    others = [s for s, _ in newest.values() if s.name not in declared and s.state in BROKEN]
    rows = [Row(stage) for stage in [*(Stage(s.name, "") for s in others), *stages]]
    for row in rows:
        copy = row.stage.papermill.executed
        row.note = notes.get(copy)
        if row.name in newest:
            row.state, row.cause = newest[row.name][0].state, newest[row.name][0].cause
        if row.name in last:
            row.last, row.run = last[row.name]
        row.is_restored = row.name in restored
        _heed_copy(row, root / copy if copy else None)
        row.reads = [(a, *files.artifact(a.path)) for a in row.stage.reads]
        row.writes = [(a, *files.artifact(a.path)) for a in row.stage.writes]
    return rows


def _heed_copy(row: Row, copy: Path | None) -> None:
    """Correct the state by a newer executed copy: `dvc repro` writes no record."""
    ended = row.last.ended if row.last else None
    if copy is None or row.note is None:
        return
    if ended and copy.stat().st_mtime <= seconds_of(ended) + LATER_SECONDS:
        return
    if row.note.error:
        row.state, row.cause = FAILED, row.note.error
    elif row.is_broken or not ended:
        row.state, row.cause = RAN, ""
    row.last = row.run = None
    row.is_restored = False
