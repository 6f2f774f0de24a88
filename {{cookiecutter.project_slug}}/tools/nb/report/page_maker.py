"""Main loop of the page maker, the process that renders pages beside a run."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

# Stages come first where cores are scarce: somebody waits for them, and pages may come later.
NICENESS = 10


def make_pages(root: Path, connection: int, leave: Callable[[], None] | None = None) -> NoReturn:
    """Render the ordered pages, in a process for that, until the runner closes the connection.

    Args:
        connection: the file with the orders: paths of executed copies, a line each.
        leave: called first, to close the runner's own files.
    """
    try:
        if leave:
            leave()
        if sys.platform != "win32":
            os.nice(NICENESS)
        from nb import report

        gc.disable()  # imports are done sooner
        with suppress(OSError):
            report.warm_up()
        gc.enable()
        with os.fdopen(connection, encoding="utf-8") as orders:
            for executed in orders:
                with suppress(Exception):
                    report.make_page(root, root / executed.rstrip("\n"))
    finally:
        os._exit(0)
