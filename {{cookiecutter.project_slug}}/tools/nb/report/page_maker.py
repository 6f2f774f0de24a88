"""The page maker: pages of executed copies, made beside the stages of a run. POSIX only."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn


def make_pages(root: Path, connection: int, leave: Callable[[], None] | None = None) -> NoReturn:
    """Be the page maker, in a new fork: make what is ordered until the runner orders no more.

    Args:
        root: the project's root.
        connection: where the orders come from.
        leave: called first, to close what is the runner's own.
    """
    try:
        if leave:
            leave()
        from nb import report

        gc.disable()  # imports are done sooner
        with suppress(OSError):
            report.warm_up()
        gc.enable()
        with os.fdopen(connection, encoding="utf-8") as orders:
            for executed in orders:
                with suppress(Exception):
                    report.page(root, root / executed.rstrip("\n"))
    finally:
        os._exit(0)
