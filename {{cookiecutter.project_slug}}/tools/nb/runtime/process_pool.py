"""Work on many items in several processes, which end with the process that started them."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, TypeVar

from nb.exit_codes import ExitCode
from nb.project import NbError

WorkItem = TypeVar("WorkItem")
WorkResult = TypeVar("WorkResult")
_work: Callable[[Any], Any]


def map_in_processes(
    work: Callable[[WorkItem], WorkResult], items: Sequence[WorkItem], processes: int, chunk: int
) -> list[WorkResult]:
    """Return the results of a function for all items, in order.

    Args:
        work: the function; each process keeps a copy, which may hold what items have in common.
        items: the arguments.
        processes: the number of processes; with fewer than two, this process does the work.
        chunk: the items that a process takes at once.

    Raises:
        NbError: if a process was killed.
    """
    if processes < 2:
        return list(map(work, items))
    pool = ProcessPoolExecutor(processes, initializer=_begin, initargs=(work,))
    try:
        return list(pool.map(_call, items, chunksize=chunk))
    except BrokenProcessPool:
        sentence = "a process that read notebooks was killed; is there enough memory?"
        raise NbError(sentence, ExitCode.KILLED) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _begin(work: Callable[[Any], Any]) -> None:
    """Prepare a process: it ends with the command that started it, which alone obeys Ctrl-C.

    Syntax trees have no cycles and are many: looking for cycles would take a third of the time.
    """
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    gc.disable()


def _call(item: Any) -> Any:
    return _work(item)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(ExitCode.FAILED)
