"""The program of the warm process: the runtime with DVC, papermill and the page maker.

The runner starts `python -m nb.commands.warm_process CONNECTION KEPT…` with numbers of open files.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from nb.pipeline import repository
from nb.processes.forked_programs import PAPERMILL_MODULES, rehearse_papermill
from nb.run import stage
from nb.run.page_process import PAGES
from nb.runtime import warm_server, worker
from nb.runtime.channels import SocketChannel
from nb.runtime.worker_pool import STAGE


def main(arguments: list[str]) -> None:
    """Be the warm process until the runner is gone."""
    connection, *kept = map(int, arguments)
    stages = _Stages()
    work = warm_server.WarmWork(
        modules=(*repository.MODULES, *PAPERMILL_MODULES),
        rehearse=stages.rehearse,
        jobs={STAGE: stages.run, PAGES: _make_pages},
    )
    with suppress(ConnectionError):  # the runner is gone: there is nobody to work for
        warm_server.serve_forks(socket.socket(fileno=connection), kept, work)


class _Stages:
    """The pipeline, loaded before any fork, and the job of a fork that runs stages."""

    def rehearse(self) -> None:
        """Do what each stage would do first, and load the pipeline."""
        rehearse_papermill()
        self.loaded = repository.rehearse(Path.cwd())

    def run(self, _: dict[str, Any], files: list[int], kept: Iterable[int]) -> NoReturn:
        """Be a worker."""
        channel = SocketChannel(socket.socket(fileno=files[0]))
        worker.work(channel, stage.StageReproducer(self.loaded), kept)


def _make_pages(order: dict[str, Any], files: list[int], kept: Iterable[int]) -> NoReturn:
    from nb.report.page_maker import make_pages

    make_pages(Path(order["root"]), files[0])


if __name__ == "__main__":
    main(sys.argv[1:])
