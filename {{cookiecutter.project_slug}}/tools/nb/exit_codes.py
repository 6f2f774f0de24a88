"""Exit codes of `nb run`, `nb task` and papermill with the engine `nb`; ends of processes.

`nb help run` shows the codes.

Standard library only.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from enum import IntEnum

# Shells, and all that follow their custom, add the number of the signal that ended a process.
FIRST_SIGNAL, LAST_SIGNAL = 128, 159


class ExitCode(IntEnum):
    """Exit codes, each with a sentence for people.

    Attributes:
        meaning: the sentence, as in the table of `nb help run`.
    """

    meaning: str

    DONE = 0, "done: everything asked for is up to date"
    FAILED = 1, "a stage failed"
    USAGE = (
        2,
        "wrong usage: an unknown stage, a pipeline that cannot be read, "
        "parameters that a notebook's command refuses before a kernel starts",
    )
    BROKEN_CONTRACT = (
        3,
        "a stage broke its contract: it did not write an output that `dvc.yaml` declares or, "
        "with `--verify`, used a file that `dvc.yaml` does not",
    )
    # That of `timeout`.
    TIMED_OUT = 124, "a stage, a notebook or a cell ran longer than it may"
    HUNG_UP = 129, "the terminal was closed"
    INTERRUPTED = 130, "interrupted: Ctrl-C"
    KILLED = 137, "a stage was killed, or the memory ran out"
    # That of papermill.
    DEAD_KERNEL = 138, "the kernel died (papermill by itself and `dvc repro`; `nb run`: 137)"
    TERMINATED = 143, "terminated: SIGTERM"

    def __new__(cls, code: int, meaning: str) -> ExitCode:
        """Make a member from a code and a sentence."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


# Codes of a run that a person or a system ended.
ENDED_FROM_OUTSIDE = (ExitCode.HUNG_UP, ExitCode.INTERRUPTED, ExitCode.TERMINATED)


def after_signal(number: int) -> int:
    """Return the exit code that tells of a signal."""
    if sys.platform == "win32" and number == signal.SIGBREAK:  # the window was closed, too
        return ExitCode.INTERRUPTED
    return FIRST_SIGNAL + number


def as_exit_code(returncode: int) -> int:
    """Return the exit code for a return code of `subprocess`, which is negative after a signal."""
    return returncode if returncode >= 0 else after_signal(-returncode)


def leave(code: int) -> None:
    """End this process with a code as the interpreter does, without taking all modules apart.

    Returns only if printed text cannot be written, which the interpreter's own end tells of.
    """
    # The standard library's own forked processes (multiprocessing) end with these calls.
    threading._shutdown()  # type: ignore[attr-defined]  # undocumented
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return
    os._exit(code)
