"""The runner's handle on the warm process (`preload`), from which stages are forked. Linux only."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import forkserver
from .notebook import Sources, read_notebook
from .project import NbError, program_environment

# With this variable set every kernel starts in the ordinary way, as with `nb run --cold`.
COLD = "NB_COLD"


class Warm:
    """The runner's handle on the warm process.

    Args:
        root: the project's root.
        kept: files that it and what it forks keep open: the lock of the run.

    Attributes:
        excluded: the libraries that each notebook imports by itself, and why.
        workers: the processes that it forked.
        ends: the exit status and the CPU seconds of those that ended.
        is_alive: it has not ended, as far as is known.
    """

    def __init__(self, root: Path, kept: Iterable[int] = ()) -> None:
        self.root = root
        self.kept = tuple(kept)
        self.excluded: dict[str, str] = {}
        self._wanted: tuple[dict[str, str], list[str]] = {}, []
        self.workers: set[int] = set()
        self.ends: dict[int, tuple[int, float]] = {}
        self._start()

    def _start(self) -> None:
        self.socket, other = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nb.preload", *map(str, (other.fileno(), *self.kept))],
            cwd=self.root,
            env=program_environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the runner's to pass on
            pass_fds=(other.fileno(), *self.kept),
        )
        other.close()
        self.pid = self.process.pid
        self.is_alive = True
        self._rest = b""
        self._answers: deque[dict[str, Any]] = deque()

    def preload(self, environment: Mapping[str, str], modules: Iterable[str]) -> None:
        """Begin to have modules imported; `is_ready` says when they are.

        A module with which forks are not safe is left out, see `excluded`.

        Args:
            environment: the environment variables of the stages.
            modules: dotted names; what is no module is passed over.
        """
        self._wanted = dict(environment), list(modules)
        self._ask()

    def is_ready(self) -> bool:
        """Return whether stages can be forked, as far as was listened.

        If forks would not be safe, the process starts again without the module; its file is
        another one then.
        """
        if not self._answers:
            return False
        answer = self._answers.popleft()
        if "unsafe" not in answer:
            return True
        self.close()
        self.excluded[answer["unsafe"].partition(".")[0]] = answer["why"]
        self._start()
        self._ask()
        return False

    def _ask(self) -> None:
        environment, modules = self._wanted
        wanted = [name for name in modules if name.partition(".")[0] not in self.excluded]
        self._send({"environment": environment, "modules": wanted})

    def fork(self, order: Mapping[str, Any], files: Iterable[int]) -> int | None:
        """Fork a worker; return its process, or None if the warm process is gone.

        Args:
            order: what the worker is to do.
            files: its pipes.
        """
        self._send(order, files)
        answer = self._receive()
        if answer:
            self.workers.add(answer["pid"])
        return answer.get("pid")

    def fileno(self) -> int:
        """Return what becomes readable when a worker ended, for `listen`."""
        return self.socket.fileno()

    def listen(self) -> bool:
        """Note what the warm process says; return whether it is still there."""
        try:
            content = self.socket.recv(65_536)
        except OSError:
            content = b""
        *lines, self._rest = (self._rest + content).split(b"\n")
        for answer in map(json.loads, lines):
            if "ended" in answer:
                self.ends[answer["ended"]] = (answer["status"], answer["cpu"])
            else:
                self._answers.append(answer)
        self.is_alive = bool(content)
        return self.is_alive

    def close(self) -> None:
        """End it, without the workers."""
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def _send(self, content: Mapping[str, Any], files: Iterable[int] = ()) -> None:
        with suppress(OSError):
            socket.send_fds(self.socket, [forkserver.line(content)], list(files))

    def _receive(self) -> dict[str, Any]:
        """Wait for an answer; return an empty one if there will be none."""
        while not self._answers:
            if not self.listen():
                return {}
        return self._answers.popleft()


def third_party_modules(root: Path, notebooks: Iterable[Path]) -> list[str]:
    """Return the dotted names outside the project that notebooks import, also through `src/`.

    A name that follows `from module import` may be no module.

    Args:
        root: the project's root.
        notebooks: their paths.
    """
    sources = Sources(root / "src")
    own = {name.partition(".")[0] for name in sources.modules} | sys.stdlib_module_names
    names: set[str] = set()
    for path in notebooks:
        with suppress(NbError):  # what is wrong with it comes up when it is run
            names |= sources.imported_by(read_notebook(path))
    return sorted(name for name in names if name.partition(".")[0] not in own)
