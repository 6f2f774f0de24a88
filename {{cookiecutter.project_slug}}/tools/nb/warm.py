"""The warm process: what the notebooks of a run import is imported once, and forked for each.

It starts beside the planning of a run, imports papermill, Jupyter and DVC, then the third-party
modules that the notebooks to be run import, and forks the workers of the stages (`worker`), each
with a fork server for papermill and kernels (`forkserver`). Modules of the project are left out:
they change between runs. Linux only: on other systems common frameworks break in forks.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import forkserver, worker
from .notebook import Sources, read_notebook
from .pipeline import MODULES as DVC_MODULES
from .project import NbError, program_environment
from .worker import Order

# What every stage needs: its command, with what looks for credentials, and its kernel, with the
# debugger that every kernel loads. tqdm comes before IPython, which it would ask for a notebook.
PROGRAMS = (
    "tqdm.auto",
    "papermill.cli",
    "papermill.execute",
    "nb.execute",
    "detect_secrets.core.scan",
    "psutil",
    "ipykernel.kernelapp",
    "ipykernel.kernelspec",
    "ipykernel.debugger",
    "tornado.platform.asyncio",
    "IPython.core.completerlib",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
)
# Their state on a GPU does not survive a fork.
GPU_LIBRARIES = {"cudf", "cupy", "jax", "mxnet", "paddle", "tensorflow", "torch"}
# Threads of a memory allocator that minds forks: jemalloc, in pyarrow.
HARMLESS_THREADS = {"jemalloc_bg_thd"}
# What ipykernel sets before a notebook can import matplotlib, which reads it then.
INLINE_BACKEND = "matplotlib_inline.backend_inline"
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
        self.workers: set[int] = set()
        self.ends: dict[int, tuple[int, float]] = {}
        self._start()

    def _start(self) -> None:
        self.socket, other = socket.socketpair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nb.warm", *map(str, (other.fileno(), *self.kept))],
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

    def preload(self, environment: Mapping[str, str], modules: Iterable[str]) -> bool:
        """Have modules imported; return whether there is a warm process to fork from.

        A module with which forks are not safe is left out, see `excluded`.

        Args:
            environment: the environment variables of the stages.
            modules: dotted names; what is no module is passed over.
        """
        while True:
            wanted = [name for name in modules if name.partition(".")[0] not in self.excluded]
            self._send({"environment": dict(environment), "modules": wanted})
            answer = self._receive()
            if "unsafe" not in answer:
                return bool(answer)
            self.close()
            self.excluded[answer["unsafe"].partition(".")[0]] = answer["why"]
            self._start()

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


def main(connection: socket.socket, kept: Iterable[int]) -> None:
    """Be the warm process: import what is asked for, then fork workers until the runner is gone.

    Args:
        connection: to the runner.
        kept: files that the workers are to keep open, and what they start is not.
    """
    sys.path[:] = [path for path in sys.path if path not in ("", str(Path.cwd()))]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the kernels' debugger warns otherwise
    before = dict(os.environ)
    for name in (*DVC_MODULES, *PROGRAMS):
        importlib.import_module(name)
    forkserver.set_by_imports.update(os.environ.items() - before.items())
    request, _ = forkserver.receive(connection)
    if not request:
        return
    problem = _preload(request["environment"], request["modules"])
    connection.sendall(forkserver.line(problem or {"ready": True}))
    if not problem:
        gc.collect()
        gc.freeze()  # no pass of the collector touches, and so copies, pages that forks share
        _serve(connection, kept)


def _preload(environment: dict[str, str], modules: Iterable[str]) -> dict[str, str]:
    """Import modules; return which one makes forks unsafe, and why, if one does."""
    before = {"MPLBACKEND": f"module://{INLINE_BACKEND}", **environment}
    os.environ.clear()
    os.environ.update(before)
    for name in modules:
        if name.partition(".")[0] in GPU_LIBRARIES:
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        except Exception as error:
            return {"unsafe": name, "why": f"importing it fails: {type(error).__name__}: {error}"}
        if why := _what_forks_would_break():
            return {"unsafe": name, "why": why}
    forkserver.set_by_imports.update(os.environ.items() - before.items())
    return {}


def _what_forks_would_break() -> str:
    gpu = sorted(GPU_LIBRARIES & sys.modules.keys())
    if gpu:
        return f"it imports {gpu[0]}, which uses the GPU"
    if INLINE_BACKEND in sys.modules:
        return "it looks for a running IPython, to show its figures"
    if threading.active_count() > 1:
        return "it starts threads"
    if _threads() > 1:
        # A library that minds forks (OpenBLAS) ends its threads before one.
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        if _threads() > 1:
            return "it starts threads that do not mind forks"
    return ""


def _threads() -> int:
    """Return how many threads this process has, native ones included."""
    names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    return sum(name not in HARMLESS_THREADS for name in names)


def _serve(connection: socket.socket, kept: Iterable[int]) -> None:
    """Fork workers and tell when they end."""
    wakeup = socket.socketpair()
    for end in wakeup:
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakeup[1].fileno(), warn_on_full_buffer=False)
    workers: set[int] = set()
    with selectors.DefaultSelector() as events:
        for source in (connection, wakeup[0]):
            events.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in events.select()}
            if wakeup[0] in ready:
                wakeup[0].recv(65_536)
                for pid, status, cpu in _ended(workers):
                    workers.remove(pid)
                    connection.sendall(
                        forkserver.line({"ended": pid, "status": status, "cpu": cpu})
                    )
            if connection in ready:
                order, files = forkserver.receive(connection)
                if not order:
                    return
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    events.close()
                    for source in (connection, *wakeup):
                        source.close()
                    worker.work(Order(**order), files, kept)
                for file in files:
                    os.close(file)
                workers.add(pid)
                connection.sendall(forkserver.line({"pid": pid}))


def _ended(workers: set[int]) -> Iterator[tuple[int, int, float]]:
    for pid in list(workers):
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            yield pid, status, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), list(map(int, sys.argv[2:])))
