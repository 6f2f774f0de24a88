"""The warm process: modules that the notebooks of a run import are imported once, then forked.

The process starts beside the planning, imports Jupyter and the modules of `WarmWork`, then the
third-party modules of the notebooks to be run, and forks a process for each job that the runner
orders: the worker of a stage, with a fork server for papermill and kernels, or the page maker.
Modules of the project are left out: they change between runs. Linux only: on other systems common
frameworks break in forks.
"""

from __future__ import annotations

import builtins
import gc
import importlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import IPython

from nb.execution import deferred_imports
from nb.processes import forked_programs
from nb.processes.events import EventLoop
from nb.processes.interpreter import (
    ImportRecord,
    InterpreterState,
    ProgramImports,
    continue_thread_names,
    named_thread_count,
    put_filters_first,
)
from nb.processes.kernel_forks import KERNEL
from nb.processes.messages import line, receive, receive_waiting

# Modules that every kernel imports, with the debugger.
KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.kernelspec",
    "ipykernel.debugger",
    "tornado.platform.asyncio",
    "IPython.core.completerlib",
    "IPython.core.oinspect",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.pylabtools",
    "IPython.extensions.storemagic",
)
KERNEL_SHELL = "ipykernel.zmqshell"
# Their state on a GPU does not survive a fork.
GPU_LIBRARIES = {"cudf", "cupy", "jax", "mxnet", "paddle", "tensorflow", "torch"}
# Threads of a memory allocator that minds forks: jemalloc, in pyarrow.
HARMLESS_THREADS = {"jemalloc_bg_thd"}
# Set by ipykernel before a notebook can import matplotlib, which reads the setting.
INLINE_BACKEND = "matplotlib_inline.backend_inline"


@dataclass(frozen=True, kw_only=True)
class WarmWork:
    """The work that forks of the warm process are for.

    Attributes:
        modules: the modules that this work needs, besides those of kernels and notebooks.
        rehearse: does once, before any fork, the part of the work that is the same for each.
        jobs: by name, the functions that do the work in a fork: they get the order, the files that
            came with the order, and the files that workers keep open, and never return.
    """

    modules: Iterable[str]
    rehearse: Callable[[], None]
    jobs: Mapping[str, Callable[[dict[str, Any], list[int], Iterable[int]], NoReturn]]


def serve_forks(connection: socket.socket, kept: Iterable[int], work: WarmWork) -> None:
    """Be the warm process: import the ordered modules, then fork workers until the runner is gone.

    Args:
        connection: to the runner.
        kept: files that workers keep open, and the processes of stages do not.
        work: the work of the forks.
    """
    if sys.platform == "win32":
        raise NotImplementedError
    sys.path[:] = [path for path in sys.path if path not in ("", str(Path.cwd()))]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the kernels' debugger warns otherwise
    gc.disable()  # imports are done sooner
    before = dict(os.environ)
    with deferred_imports.defer_slow_imports():
        _import(KERNEL_MODULES)
        forked_programs.set_by_imports.update(os.environ.items() - before.items())
        ordinary, imports = InterpreterState(), ImportRecord()
        with imports:
            _import_progress_bars()
            _import(work.modules)
            work.rehearse()
    programs = ProgramImports(ordinary, imports)
    threads = named_thread_count()
    with imports:
        modules = _preload_all(connection)
    threads = named_thread_count() - threads
    if modules is not None:
        filters = programs.keep_for(modules)
        forked_programs.preparations[forked_programs.PAPERMILL] = programs.call_at_exit
        forked_programs.preparations[KERNEL] = partial(
            _prepare_kernel, InterpreterState(), programs
        )
        forked_programs.preparations[forked_programs.STARTED] = partial(
            _follow_libraries, filters, threads
        )
        gc.freeze()  # no pass of the collector touches, and so copies, pages that forks share
        gc.enable()
        _Server(connection, kept, programs, work).serve()


def _import(modules: Iterable[str]) -> None:
    for name in modules:
        with suppress(ModuleNotFoundError):  # of another version: stages import their modules
            importlib.import_module(name)


def _import_progress_bars() -> None:
    """Import tqdm for programs: with the shell of kernels imported, it takes them for notebooks."""
    shell = sys.modules.pop(KERNEL_SHELL, None)
    _import(["tqdm.auto"])
    if shell:
        sys.modules[KERNEL_SHELL] = shell


def _prepare_kernel(state: InterpreterState, programs: ProgramImports) -> None:
    """Have a fork begin as if only kernels and the libraries of notebooks had been imported."""
    state.put_back()
    programs.hide()
    continue_thread_names()


def _follow_libraries(filters: list[Any], threads: int) -> None:
    """Have a kernel that has started go on as after the imports of a notebook's libraries."""
    put_filters_first(filters)
    continue_thread_names(after=named_thread_count() + threads)


def _preload_all(connection: socket.socket) -> list[str] | None:
    """Import what the runner asks for, until it says that this was all, and answer.

    Returns:
        The modules of the last request; None if no fork will be wanted from this process.
    """
    while True:
        requests, _ = receive_waiting(connection)
        if not requests:
            return None
        request = requests[-1]  # that has the modules of those before it
        problem = _preload(request["environment"], request["modules"])
        if problem:
            connection.sendall(line(problem))
            return None
        if request["all"]:
            connection.sendall(line({"ready": True}))
            return list(request["modules"])


def _preload(environment: dict[str, str], modules: Iterable[str]) -> dict[str, str]:
    """Import modules; return which one makes forks unsafe, and why, if one does."""
    before = {"MPLBACKEND": f"module://{INLINE_BACKEND}", **environment}
    os.environ.clear()
    os.environ.update(before)
    with _StandIn() as shell:
        for name in modules:
            if name.partition(".")[0] in GPU_LIBRARIES:
                continue
            try:
                importlib.import_module(name)
            except ModuleNotFoundError:
                continue
            except Exception as error:
                why = f"importing it fails: {type(error).__name__}: {error}"
                return {"unsafe": name, "why": why}
            if why := shell.why or _what_forks_would_break():
                return {"unsafe": name, "why": why}
    forked_programs.set_by_imports.update(os.environ.items() - before.items())
    return {}


class _Stream:
    """Stands for a stream of a kernel while modules are imported, and passes on to that later.

    A module may keep the stream, for a log, or note whether the stream is a terminal.

    Args:
        name: that of the stream in `sys`.
    """

    encoding = "UTF-8"

    def __init__(self, name: str) -> None:
        self._name = name
        self._real = getattr(sys, name)

    def isatty(self) -> bool:
        """Return False: the streams of kernels are no terminals."""
        return False

    def __getattr__(self, name: str) -> Any:
        stream = getattr(sys, self._name)
        return getattr(self._real if stream is self else stream, name)


class _StandIn:
    """Stands for IPython's shell while modules are imported: none is running yet.

    A module that asks for the shell as it is imported would conclude that it is in no notebook.
    """

    kernel = None  # pandas only asks whether there is a shell

    def __enter__(self) -> _StandIn:
        self.why = ""
        self._is_on = True
        self._ask = IPython.get_ipython
        for module in (IPython, builtins):
            vars(module)["get_ipython"] = self._get_ipython
        self._streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}
        vars(sys).update({name: _Stream(name) for name in self._streams})
        return self

    def __exit__(self, *_: object) -> None:
        self._is_on = False
        IPython.get_ipython = self._ask
        del vars(builtins)["get_ipython"]
        vars(sys).update(self._streams)

    def _get_ipython(self) -> Any:
        if not self._is_on:  # a module has kept this function
            return self._ask()
        asker = sys._getframe(1).f_globals.get("__name__", "")
        if not asker.startswith("pandas."):
            self.why = "it looks for a running IPython"
        return self


def _what_forks_would_break() -> str:
    if sys.platform == "win32":
        raise NotImplementedError
    gpu = sorted(GPU_LIBRARIES & sys.modules.keys())
    if gpu:
        return f"it imports {gpu[0]}, which uses the GPU"
    if INLINE_BACKEND in sys.modules:
        return "it looks for a running IPython"
    if threading.active_count() > 1:
        return "it starts threads"
    if _threads() > 1:
        # A library that minds forks (OpenBLAS) ends its threads before a fork.
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


class _Server:
    """The loop in which the warm process forks workers and tells the runner of their ends.

    Args:
        connection: the connection to the runner.
        kept: the files that workers keep open.
        programs: the state of the interpreter in which forks run the programs.
        work: the jobs that can be ordered.
    """

    def __init__(
        self,
        connection: socket.socket,
        kept: Iterable[int],
        programs: ProgramImports,
        work: WarmWork,
    ) -> None:
        self.connection = connection
        self.kept = kept
        self.programs = programs
        self.work = work
        self.workers: set[int] = set()
        self.is_wanted = True
        self.events = EventLoop(on_signal=self._reap)

    def serve(self) -> None:
        """Serve until the runner closes the connection."""
        self.events.catch({})
        self.events.watch(self.connection, self._obey)
        while self.is_wanted:
            self.events.wait()

    def _obey(self) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        order, files = receive(self.connection)
        if not order:
            self.is_wanted = False
            return
        pid = os.fork()
        if pid == 0:
            self.events.close()
            self.connection.close()
            self.programs.resume()
            self.work.jobs[order.pop("job")](order, files, self.kept)
        for file in files:
            os.close(file)
        self.workers.add(pid)
        self.connection.sendall(line({"pid": pid}))

    def _reap(self) -> None:
        if sys.platform == "win32":
            raise NotImplementedError
        for pid in list(self.workers):
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                self.workers.remove(pid)
                cpu = usage.ru_utime + usage.ru_stime
                ended = {"ended": pid, "status": status, "cpu": cpu}
                self.connection.sendall(line(ended))
