"""Why a stage failed, in one line: from its executed copy, else from what it printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.tasks import BROKEN_CONTRACT, FAILED, KILLED, OUT_OF_MEMORY, TIMED_OUT, Outcome
from nb.exit_codes import FIRST_SIGNAL, LAST_SIGNAL, ExitCode
from nb.project import FINGERPRINTS, PRODUCTION, parse_json

from . import executed_copy
from .executed_copy import first_line_of, without_colors

MEMORY_WORDS = ("MemoryError", "Cannot allocate memory")
# How the lines begin that say how a contract was broken.
CONTRACT_ERROR = "ContractError: "
# How the lines begin in which papermill says here what it refuses, or could not do.
REFUSAL = "nb: "
# In what DVC says if a stage's notebook is gone: so is the fingerprint, on which the stage depends.
_FINGERPRINT = re.compile(rf"'(?:.*/)?{FINGERPRINTS.as_posix()}/(.+)\.txt'")
_ERROR_LINE = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)\b.*")


@dataclass(frozen=True)
class Cause:
    """Why a stage failed.

    Attributes:
        state: failed, timed out, killed, out of memory or broken contract.
        cause: one line, `NameError: …` for a cell.
        cell: which code cell of the notebook, counted from 1; None if no cell was at fault.
        is_usage: a notebook's command was refused before a kernel started.
    """

    state: str
    cause: str
    cell: int | None = None
    is_usage: bool = False


def find_cause(
    outcome: Outcome, executed: Path | None, since: float, oom_before: int, lines: Iterable[str]
) -> Cause:
    """Return why a stage failed.

    Args:
        outcome: what DVC reports.
        executed: the executed copy that its command writes, if it runs a notebook.
        since: when the stage began; an older copy tells of an earlier run.
        oom_before: what `oom_kills` returned then.
        lines: the last lines that it printed.
    """
    status = outcome.status or 0
    lines = list(lines)
    if status == ExitCode.BROKEN_CONTRACT and (broken := _broken_contract(lines)):
        return Cause(BROKEN_CONTRACT, broken)
    error, cell = (failed_cell(executed, since) if executed else None) or ("", None)
    if status == ExitCode.TIMED_OUT:
        return Cause(TIMED_OUT, error or f"its command exited with {ExitCode.TIMED_OUT:d}", cell)
    if status < 0 or FIRST_SIGNAL < status <= LAST_SIGNAL:
        if oom_kills() > oom_before:
            return Cause(OUT_OF_MEMORY, "killed by the system, which had no memory left", cell)
        what = "its kernel died" if executed and status == ExitCode.DEAD_KERNEL else "it was killed"
        return Cause(KILLED, what, cell)
    if error:
        return Cause(OUT_OF_MEMORY if _tells_of_memory(error) else FAILED, error, cell)
    if executed and status == ExitCode.USAGE and not _is_since(executed, since):
        return Cause(FAILED, _last_words(lines, outcome), is_usage=True)
    cause = _last_words(lines, outcome)
    return Cause(OUT_OF_MEMORY if _tells_of_memory(cause) else FAILED, cause)


def oom_kills() -> int:
    """Return how many processes this system has killed for lack of memory; 0 if it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _broken_contract(lines: Iterable[str]) -> str:
    """Return how a command broke its contract, in one line; empty if it does not say."""
    errors = [
        line.removeprefix(CONTRACT_ERROR) for line in lines if line.startswith(CONTRACT_ERROR)
    ]
    more = f" (and {len(errors) - 1} more, above)" if len(errors) > 1 else ""
    return f"{errors[0]}{more}" if errors else ""


def _tells_of_memory(error: str) -> bool:
    return any(word in error for word in MEMORY_WORDS)


def failed_cell(copy: Path, since: float) -> tuple[str, int] | None:
    """Return the error in an executed copy and its code cell; None if it has none or is older."""
    if not _is_since(copy, since):
        return None
    try:
        failure = executed_copy.find_failure(parse_json(copy.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (failure.error, failure.cell) if failure else None


def _is_since(copy: Path, since: float) -> bool:
    try:
        return copy.stat().st_mtime >= since
    except OSError:
        return False


def _last_words(lines: list[str], outcome: Outcome) -> str:
    """Return the error that a command printed last; without one, its exit status."""
    if outcome.status is None:
        if missing := _FINGERPRINT.search(outcome.error):
            return f"{PRODUCTION.as_posix()}/{missing[1]}.ipynb is missing"
        return first_line_of(outcome.error)
    if lines and lines[-1].startswith(REFUSAL):
        return first_line_of(lines[-1].removeprefix(REFUSAL))
    for line in reversed(lines[-5:]):
        if _ERROR_LINE.fullmatch(without_colors(line).strip()):
            return first_line_of(line)
    return f"its command exited with {outcome.status}"
