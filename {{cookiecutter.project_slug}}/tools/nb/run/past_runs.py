"""Past runs, read from `reports/runs`: costs of stages; dead records closed, old records removed.

Records of other versions of the format are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

from nb.declaration.tasks import KILLED, NOT_RUN, RAN, RUNNING, WAITING
from nb.exit_codes import ExitCode

from .record import KEPT, RUNS, RunRecord, keep_newest, read_record

# As many records of runs with work are searched for the seconds of stages.
RECENT = 10
DIED = "the run was killed"


def read_past_runs(root: Path) -> list[RunRecord]:
    """Return the records that are there, the oldest first."""
    return list(_read(sorted((root / RUNS).glob("*.json"))))


def stage_costs(root: Path) -> tuple[dict[str, float], dict[str, int]]:
    """Return seconds and peak memory of each stage when it last ran, as far as records tell."""
    seconds: dict[str, float] = {}
    memory: dict[str, int] = {}
    useful = 0
    for path in sorted((root / RUNS).glob("*.json"), reverse=True):
        ran = [s for record in _read([path], RAN) for s in record.stages if s.state == RAN]
        for stage in ran:
            if stage.seconds is not None:
                seconds.setdefault(stage.name, stage.seconds)
            if stage.peak_memory is not None:
                memory.setdefault(stage.name, stage.peak_memory)
        useful += bool(ran)
        if useful == RECENT:
            break
    return seconds, memory


def close_dead_records(root: Path) -> None:
    """Close the records of runs that died, and remove all but the newest.

    To be called when no other run is at work: any record that says "running" is of a dead run.
    """
    for draft in (root / RUNS).glob("*.draft"):
        draft.unlink()
    for record in _read(keep_newest(root, KEPT - 1), RUNNING):
        if record.state == RUNNING:
            closed = deepcopy(record)
            _close(closed)
            closed.save(root)


def _close(record: RunRecord) -> None:
    record.state = KILLED
    record.exit_code = ExitCode.KILLED
    for stage in record.stages:
        if stage.state in (RUNNING, WAITING):
            stage.state = KILLED if stage.state == RUNNING else NOT_RUN
            stage.cause = DIED


def _read(paths: list[Path], state: str = "") -> Iterator[RunRecord]:
    """Yield the records that this version understands; callers leave them as they are.

    Args:
        paths: the files.
        state: only records whose text names this state: most runs have nothing to do.
    """
    for path in paths:
        with suppress(OSError, ValueError):
            text = path.read_text(encoding="utf-8")
            record = _parsed(text) if state in text else None
            if record:
                yield record


@lru_cache(maxsize=KEPT)
def _parsed(text: str) -> RunRecord | None:
    """Return the record in a text: a run reads the records at the begin and for the report."""
    return read_record(text)
