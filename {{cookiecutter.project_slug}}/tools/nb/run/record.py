"""Record of a run, `reports/runs/<id>.json`: made, kept up to date by a journal, and read.

A record holds no secrets. The journal writes the record at each change of a state, so the record is
true even after `kill -9`. The schema is documented by `nb help run`; a change of meaning raises
`RECORD_SCHEMA`.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nb.declaration.tasks import BROKEN, FAILED, FAILURES, RUNNING, WAITING
from nb.exit_codes import ENDED_FROM_OUTSIDE
from nb.git.command import git
from nb.project import EXECUTED, LOCK_FILES, write_whole
from nb.surroundings import find_repository
from nb.typed_json import read_versioned

if TYPE_CHECKING:
    from nb.secrets.mask import Mask

from .machine import machine_of_run

RECORD_SCHEMA = 1
RUNS = Path("reports/runs")
KEPT = 50
# Fields of a stage with text that a person or a program has written.
TEXT_FIELDS = ("name", "cause", "notebook", "executed", "parameters")

_T = TypeVar("_T")
_encode = json.JSONEncoder(default=str).encode


@dataclass(frozen=True)
class Options:
    """The options of `nb run`; the command line explains each."""

    stages: tuple[str, ...] = ()
    jobs: int = 1
    keep_going: bool = False
    force: bool = False
    downstream: bool = False
    pull: bool = False
    timeout: float | None = None
    cold: bool = False
    settings: tuple[str, ...] = ()
    verify: bool = False


@dataclass
class StageRecord:
    """The record of a stage; times are UTC, memory is in bytes."""

    name: str
    state: str = WAITING
    cause: str = ""
    notebook: str = ""
    cell: int | None = None
    executed: str = ""
    started: str | None = None
    ended: str | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    parameters: dict[str, object] = field(default_factory=dict)

    def texts(self) -> dict[str, object]:
        """Return the values that a person or a program has written, which may hold a secret.

        The other values are states, times and numbers, ten times as long.
        """
        return {name: value for name in TEXT_FIELDS if (value := vars(self)[name])}


class RecordLines:
    """Lines of the JSON of a record, made anew only where a value or a stage has changed.

    A run of n stages writes its record some 2 n times, each time with the lines of all stages.

    Args:
        is_clean: no value of the record can hold a secret.
    """

    def __init__(self, *, is_clean: bool = False) -> None:
        self._is_clean = is_clean
        self._known: dict[str, tuple[dict[str, object], str]] = {}
        self._head: tuple[dict[str, object], str] = {}, ""

    def json(self, record: RunRecord) -> str:
        """Return a record as JSON with a line per stage, without secrets."""
        head = self._values(record.values() | {"stages": None})
        self._renew([s for s in record.stages if self._known.get(s.name, ({},))[0] != vars(s)])
        stages = ",\n".join(self._known[stage.name][1] for stage in record.stages)
        return head.replace('\n  "stages": null', f'\n  "stages": [\n{stages}\n  ]') + "\n"

    def _values(self, values: dict[str, object]) -> str:
        """Return the lines of the other values of a record, without secrets."""
        if self._head[0] != values:
            shown = values if self._is_clean else data_without_secrets(values)
            self._head = deepcopy(values), json.dumps(shown, indent=2, default=str)
        return self._head[1]

    def _renew(self, stages: Sequence[StageRecord]) -> None:
        """Make the lines of stages anew, without secrets."""
        shown = map(vars, stages) if self._is_clean else stages_without_secrets(stages)
        for stage, values in zip(stages, shown, strict=True):
            self._known[stage.name] = dict(vars(stage)), f"    {_encode(values)}"


@dataclass
class RunRecord:
    """The record of a run: options, state of the project, and outcome."""

    id: str
    arguments: dict[str, object]
    jobs: int
    started: str
    commit: str | None = None
    dirty: bool | None = None
    environment: str | None = None
    machine: dict[str, str] | None = None
    pid: int = field(default_factory=os.getpid)
    engine: str = "nb"
    state: str = RUNNING
    ended: str | None = None
    seconds: float | None = None
    exit_code: int | None = None
    stages: list[StageRecord] = field(default_factory=list)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    schema: int = RECORD_SCHEMA

    def values(self) -> dict[str, object]:
        """Return the fields; those of the machine only if they were asked for.

        A record without them stays readable for older tooling.
        """
        values = vars(self) | {"stages": [vars(stage) for stage in self.stages]}
        return {k: v for k, v in values.items() if k != "machine" or v is not None}

    def save(self, root: Path, lines: RecordLines | None = None) -> None:
        """Write the record; a reader sees the old or the new record, never a part."""
        write_whole(root / RUNS / f"{self.id}.json", (lines or RecordLines()).json(self))

    def end(self, exit_code: int, seconds: float) -> None:
        """Note that the run has ended."""
        self.state = FAILED if exit_code else "done"
        if exit_code in ENDED_FROM_OUTSIDE:
            self.state = "interrupted"
        self.exit_code = exit_code
        self.ended = now()
        self.seconds = round(seconds, 3)

    def problem(self, where: Path = Path()) -> str:
        """Return the failure in one sentence, and where to look.

        Args:
            where: the project that was run, as the user sees it.
        """
        if self.state == "interrupted":
            return "the run was interrupted; nb run goes on with what is missing."
        broken = self.broken()
        states = {stage.state for stage in broken}
        what = FAILURES[states.pop()] if len(states) == 1 else "failed"
        who = "a stage"
        if len(broken) > 1:
            who, what = (
                f"{len(broken)} stages",
                what.replace("was ", "were ").replace("its", "their"),
            )
        copies = any(stage.notebook for stage in broken)
        executed = (where / EXECUTED).as_posix()
        seen = f"executed copies are in {executed}" if copies else "its output is above"
        return f"{who} {what}; {seen}, the record is {(where / RUNS / self.id).as_posix()}.json."

    def broken(self) -> list[StageRecord]:
        """Return the stages that failed, were killed or timed out."""
        return [stage for stage in self.stages if stage.state in BROKEN]


class Journal(Protocol):
    """The keeper of a run's record, while the run goes on and at the end."""

    def save(self, record: RunRecord, changed: Set[str]) -> None: ...
    def finish(self, record: RunRecord, exit_code: int, seconds: float) -> None: ...


class RunJournal:
    """The journal of ordinary runs: the record is a file in `reports/runs`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lines = RecordLines()

    def save(self, record: RunRecord, changed: Set[str]) -> None:
        """Write the record, as a whole, however few stages have changed their states."""
        record.save(self.root, self._lines)

    def finish(self, record: RunRecord, exit_code: int, seconds: float) -> None:
        """Write the record of a run that has ended, with the metrics as they are then."""
        from nb.declaration.metrics import read_metrics  # late: a run may find nothing to do
        from nb.declaration.reader import read_stages

        record.metrics = read_metrics(self.root, read_stages(self.root))
        record.end(exit_code, seconds)
        record.save(self.root, self._lines)


@cache
def _mask() -> Mask:
    from nb.secrets.environment import environment_mask

    return environment_mask()


def lines_without_secrets(lines: list[str]) -> list[str]:
    """Return lines of output without credentials and values of secret environment variables.

    Lines that came together are searched together: most have no secret, and hundreds of searches in
    each line would cost more than a command that prints much.
    """
    return _mask().lines(lines)


def data_without_secrets(values: _T) -> _T:
    """Return JSON data without credentials and values of secret environment variables."""
    return _mask().tree(values)


def stages_without_secrets(stages: Sequence[StageRecord]) -> list[dict[str, Any]]:
    """Return the values of stages without secrets; the texts of all are searched at once."""
    values = [vars(stage) for stage in stages]
    if _mask().is_clean(stage.texts() for stage in stages):
        return values
    return [data_without_secrets(json.loads(_encode(each))) for each in values]


def now() -> str:
    """Return the time, UTC, in the format of records."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def time_id(moment: datetime) -> str:
    """Return a name for a moment, UTC, by which files sort in the order of time."""
    return moment.strftime("%Y%m%dT%H%M%S.%fZ")


def new_record(root: Path, options: Options, jobs: int) -> RunRecord:
    """Return the record of a run that begins, not written yet."""
    moment = datetime.now(timezone.utc)
    commit, is_dirty = _state_of_git(root)
    return RunRecord(
        id=time_id(moment),
        arguments=asdict(options),
        jobs=jobs,
        started=moment.isoformat(timespec="milliseconds"),
        commit=commit,
        dirty=is_dirty,
        environment=_environment_hash(root),
        machine=machine_of_run(root),
    )


def record_unchanged(root: Path, options: Options, known: Mapping[str, Any]) -> RunRecord:
    """Write and return the record of a run that had nothing to do.

    Args:
        known: stages and metrics, as the run before left them, without secrets.
    """
    began = time.monotonic()
    report = new_record(root, options, options.jobs)
    report.stages = [StageRecord(**stage) for stage in known["stages"]]
    report.metrics = known["metrics"]
    report.end(0, time.monotonic() - began)
    # Names that a person gives are not searched yet; searching takes longer than all the rest.
    has_names = report.machine or options.stages or options.settings
    report.save(root, RecordLines(is_clean=not has_names))
    keep_newest(root)
    return report


def _state_of_git(root: Path) -> tuple[str | None, bool | None]:
    """Return the commit, and whether files of the project differ; None without a commit."""
    if not find_repository(root):
        return None, None
    options = ("--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=no")
    lines = git(root, "status", *options, "--", ".", check=False).splitlines()
    facts = [line.split() for line in lines if line.startswith("# branch.oid")]
    commit = facts[0][-1] if facts else "(initial)"
    if commit == "(initial)":
        return None, None
    return commit, any(not line.startswith("#") for line in lines)


def _environment_hash(root: Path) -> str | None:
    for name in LOCK_FILES:
        if (root / name).exists():
            return f"{name} sha256:{hashlib.sha256((root / name).read_bytes()).hexdigest()}"
    return None


def keep_newest(root: Path, count: int = KEPT) -> list[Path]:
    """Remove older records and return the paths of those that stay."""
    paths = sorted((root / RUNS).glob("*.json"))
    for path in paths[:-count]:
        path.unlink(missing_ok=True)
    return paths[-count:]


def seconds_of(moment: str) -> float:
    """Return a time of a record in seconds since the epoch, to compare with times of files."""
    return datetime.fromisoformat(moment).timestamp()


def read_record(text: str | bytes) -> RunRecord | None:
    """Return the record in a text; None if the text is none of this version, or is damaged."""
    record = read_versioned(RunRecord, text, RECORD_SCHEMA)
    with suppress(ValueError):
        return record if record and _has_times(record) else None
    return None


def _has_times(record: RunRecord) -> bool:
    """Return whether all times are such, with a time zone: records also come from the storage."""
    marked: list[RunRecord | StageRecord] = [record, *record.stages]
    times = [time for each in marked for time in (each.started, each.ended) if time]
    return all(datetime.fromisoformat(time).tzinfo for time in times)
