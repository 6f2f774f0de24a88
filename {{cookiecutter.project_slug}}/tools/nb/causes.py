"""Why a stage failed, in one line: from its executed copy, else from what it printed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .pipeline import Outcome
from .schedule import CONTRACT_BROKEN, FAILED, KILLED, OUT_OF_MEMORY

LONGEST = 200
MEMORY_WORDS = ("MemoryError", "Cannot allocate memory")
# Exit codes: of a command line that is refused; of papermill, when its kernel dies; and of shells,
# for a command that a signal ended.
USAGE, DEAD_KERNEL = 2, 138
# What a command ends with that broke its contract, and how the lines begin that say how.
BROKEN_CONTRACT, CONTRACT_ERROR = 3, "ContractError: "
FIRST_SIGNAL, LAST_SIGNAL = 128, 159
_ERROR_LINE = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt|Warning)\b.*")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Cause:
    """Why a stage failed.

    Attributes:
        state: failed, killed, out of memory or contract broken.
        cause: one line, `NameError: …` for a cell.
        cell: which code cell of the notebook, counted from 1; None if no cell was at fault.
        is_usage: a notebook's command was refused before a kernel started.
    """

    state: str
    cause: str
    cell: int | None = None
    is_usage: bool = False


def find(
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
    errors = [
        line.removeprefix(CONTRACT_ERROR) for line in lines if line.startswith(CONTRACT_ERROR)
    ]
    if status == BROKEN_CONTRACT and errors:
        more = f" (and {len(errors) - 1} more, above)" if len(errors) > 1 else ""
        return Cause(CONTRACT_BROKEN, f"{errors[0]}{more}")
    in_cell = failed_cell(executed, since) if executed else None
    if in_cell:
        error, cell = in_cell
        return Cause(OUT_OF_MEMORY if _tells_of_memory(error) else FAILED, error, cell)
    if status < 0 or FIRST_SIGNAL < status <= LAST_SIGNAL:
        if oom_kills() > oom_before:
            return Cause(OUT_OF_MEMORY, "killed by the system, which had no memory left")
        what = "its kernel died" if executed and status == DEAD_KERNEL else "it was killed"
        return Cause(KILLED, what)
    cause = _last_words(lines, outcome)
    state = OUT_OF_MEMORY if _tells_of_memory(cause) else FAILED
    return Cause(state, cause, is_usage=executed is not None and status == USAGE)


def oom_kills() -> int:
    """Return how many processes this system has killed for lack of memory; 0 if it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _tells_of_memory(error: str) -> bool:
    return any(word in error for word in MEMORY_WORDS)


def notebook_of(command: str) -> tuple[str, str]:
    """Return the notebook that a stage's command runs and its executed copy; empty if none."""
    try:
        words = shlex.split(command)
    except ValueError:
        return "", ""
    if not words or Path(words[0]).stem != "papermill":
        return "", ""
    names = [word for word in words if word.endswith(".ipynb")]
    return (names[0], names[1]) if len(names) > 1 else ("", "")


def failed_cell(copy: Path, since: float) -> tuple[str, int] | None:
    """Return the error in an executed copy and its code cell; None if it has none or is older."""
    try:
        if copy.stat().st_mtime < since:
            return None
        cells = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    number = 0
    for cell in cells:
        if cell.get("cell_type") != "code":
            continue
        # papermill adds this cell: the notebook as people know it does not have it.
        number += "injected-parameters" not in cell.get("metadata", {}).get("tags", [])
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error":
                return one_line(f"{output.get('ename')}: {output.get('evalue')}"), number
    return None


def _last_words(lines: list[str], outcome: Outcome) -> str:
    """Return the error that a command printed last; without one, its exit status."""
    if outcome.status is None:
        return one_line(outcome.error)
    for line in reversed(lines[-5:]):
        if _ERROR_LINE.fullmatch(_ANSI.sub("", line).strip()):
            return one_line(line)
    return f"its command exited with {outcome.status}"


def one_line(text: str) -> str:
    """Return the first line of a text, without colors, cut where it is very long."""
    line = next(iter(_ANSI.sub("", text).strip().splitlines()), "").strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
