"""Cause of a failed stage in a line, from the executed copy or else from the printed lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.tasks import BROKEN_CONTRACT, FAILED, KILLED, OUT_OF_MEMORY, TIMED_OUT, Outcome
from nb.exit_codes import FIRST_SIGNAL, LAST_SIGNAL, ExitCode
from nb.project import FINGERPRINTS, PRODUCTION

from .copies.failure import first_line_of, read_failure, without_colors

MEMORY_WORDS = ("MemoryError", "Cannot allocate memory")
# The prefix of lines that describe a broken contract.
CONTRACT_ERROR = "ContractError: "
# The prefix of papermill's refusals and other problems (`problems`).
REFUSAL = "nb: "
# In DVC's error for a missing notebook, whose fingerprint is missing, too.
_FINGERPRINT = re.compile(rf"'(?:.*/)?{FINGERPRINTS.as_posix()}/(.+)\.txt'")
_ERROR_LINE = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)\b.*")


@dataclass(frozen=True)
class Cause:
    """The cause of a failed stage.

    Attributes:
        state: failed, timed out, killed, out of memory or broken contract.
        cause: one line, `NameError: …` for a cell.
        cell: the number of the failed code cell, from 1; None if no cell was at fault.
        is_usage: papermill refused the command before a kernel started.
    """

    state: str
    cause: str
    cell: int | None = None
    is_usage: bool = False


def find_cause(
    outcome: Outcome, executed: Path | None, since: float, oom_before: int, lines: Iterable[str]
) -> Cause:
    """Return the cause of a failed stage.

    Args:
        outcome: the outcome as DVC reports.
        executed: the executed copy of the command, if the command runs a notebook.
        since: the start of the stage; an older copy is that of an earlier run.
        oom_before: the value of `oom_kills` at the start.
        lines: the last printed lines.
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
    """Return the number of processes killed by the system for lack of memory; 0 if unknown."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _broken_contract(lines: Iterable[str]) -> str:
    """Return the breach of contract that a command printed, in one line; empty if there is none."""
    errors = [
        line.removeprefix(CONTRACT_ERROR) for line in lines if line.startswith(CONTRACT_ERROR)
    ]
    more = f" (and {len(errors) - 1} more, above)" if len(errors) > 1 else ""
    return f"{errors[0]}{more}" if errors else ""


def _tells_of_memory(error: str) -> bool:
    return any(word in error for word in MEMORY_WORDS)


def failed_cell(copy: Path, since: float) -> tuple[str, int] | None:
    """Return the error and the code cell in an executed copy; None without error or if older."""
    if not _is_since(copy, since):
        return None
    failure = read_failure(copy)
    return (failure.error, failure.cell) if failure else None


def _is_since(copy: Path, since: float) -> bool:
    try:
        return copy.stat().st_mtime >= since
    except OSError:
        return False


def _last_words(lines: list[str], outcome: Outcome) -> str:
    """Return the last error that a command printed; without an error, the exit status."""
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
