"""The start method of workers: forks of this process, or fresh processes (spawn).

Forks share the imports of their parent. They are the default on Linux only: Windows has none, and
on macOS a fork of a process that has used the system's frameworks (proxies, Objective-C) may crash.
"""

from __future__ import annotations

import os
import sys

from nb.project import UsageError

FORK, SPAWN = "fork", "spawn"
START_METHOD = "NB_START_METHOD"


def start_method() -> str:
    """Return the start method: as the environment variable says, else the system's default.

    Raises:
        NbError: if the variable has another value than `fork` or `spawn`.
    """
    default = FORK if sys.platform == "linux" else SPAWN
    chosen = os.environ.get(START_METHOD) or default
    if chosen not in (FORK, SPAWN):
        raise UsageError(f"{START_METHOD} is {chosen}: set it to fork or spawn")
    return chosen if hasattr(os, "fork") else SPAWN
