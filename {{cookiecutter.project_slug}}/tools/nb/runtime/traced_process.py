"""The program of the warm process of a trace: forks run notebooks with papermill, nothing else.

A trace starts `python -m nb.runtime.traced_process CONNECTION` under strace.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

from nb.declaration.tasks import Outcome
from nb.processes.forked_programs import PAPERMILL_MODULES, rehearse_papermill

from .channels import SocketChannel
from .warm_server import WarmWork, serve_forks
from .worker import NOTEBOOK_JOB, Order, work


def main(arguments: list[str]) -> NoReturn:
    """Be the warm process until the client is gone."""
    jobs = {NOTEBOOK_JOB: _run_notebook}
    forks = WarmWork(modules=PAPERMILL_MODULES, rehearse=rehearse_papermill, jobs=jobs)
    with suppress(ConnectionError):  # the client is gone: there is nobody to work for
        serve_forks(socket.socket(fileno=int(arguments[0])), [], forks)
    os._exit(0)  # strace ends with the last of its processes; modules need not be taken apart


def _run_notebook(order: dict[str, Any], files: list[int], kept: Iterable[int]) -> NoReturn:
    work(SocketChannel(socket.socket(fileno=files[0])), _Papermill(order["words"]), kept)


class _Papermill:
    """Runs a notebook in a worker, in which `papermill` means a fork.

    Args:
        words: the arguments of papermill.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words

    def __call__(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome:
        """Run papermill to the end, and return the exit code in the outcome."""
        # The readline of Python 3.13 puts the size of a terminal beside the variables of Python.
        return Outcome(status=subprocess.call(["papermill", *self.words], env=dict(os.environ)))


if __name__ == "__main__":
    main(sys.argv[1:])
