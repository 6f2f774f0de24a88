"""Traced runs of notebooks as forks of one warm process under strace: libraries load once."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.notebook.content import read_notebook
from nb.processes.fork_admission import MATPLOTLIB_SETTINGS
from nb.processes.signals import exit_when_terminated, handle_signals
from nb.processes.start_method import SPAWN, start_method
from nb.processes.tree import KILL_SIGNAL, end_tree
from nb.project import NbError
from nb.tracing import trace
from nb.tracing.log import STRACE, TraceLog

from .handles import ForkedWorker
from .warm_client import COLD, Warm, sets_environment_first, third_party_modules
from .worker import INTERRUPT, NOTEBOOK_JOB, Order

PROGRAM = "nb.runtime.traced_process"
# How long the warm process may take to end before it is killed.
ENDING_SECONDS = 1.0
# Words of notebooks that choose where modules come from as they run.
CHOOSES_MODULES = re.compile(r"\bsys\.path\b|\baddsitedir\b|\b(?:pip3?|conda|mamba|uv|poetry)\b")


@contextmanager
def traced_forks(root: Path, notebook: Path, forbidden: Path) -> Iterator[TracedForks | None]:
    """Offer forks for the traced runs of a notebook in the block; None where runs start anew.

    Args:
        root: the folder whose files are traced.
        notebook: the notebook, whose libraries are imported before the first run.
        forbidden: a folder in which nothing may be written.
    """
    is_cold = os.environ.get(COLD, "0") not in ("", "0")
    modules = None
    # No other view shows what a process read before it was forked.
    if not is_cold and start_method() != SPAWN and trace.best_view() == STRACE:
        modules = shared_imports(root, notebook)
    if modules is None:
        yield None
        return
    with TemporaryDirectory(prefix="nb-trace-") as name:
        forks = TracedForks(TraceLog(root, STRACE, Path(name), forbidden), modules)
        try:
            yield forks
        finally:
            forks.close()


def shared_imports(root: Path, notebook: Path) -> list[str] | None:
    """Return the modules that may be imported before a notebook runs; None if none may.

    A name that a file or folder of the project has, too, may mean that.
    """
    try:
        source = "\n".join(cell.source for cell in read_notebook(notebook).cells)
    except NbError:  # the run reports the error
        return None
    settings = [folder / MATPLOTLIB_SETTINGS for folder in (root, notebook.parent)]
    if (
        CHOOSES_MODULES.search(source)
        or any(path.exists() for path in settings)
        or sets_environment_first(root, notebook)
    ):
        return None
    parts = {part for name in trace.file_states(root) for part in name.split("/")}
    own = {part.partition(".")[0] for part in parts}
    modules = third_party_modules(root, [notebook])
    tops = {name: name.partition(".")[0] for name in modules}
    return [name for name in modules if tops[name] not in own and f"{tops[name]}.py" not in source]


class TracedForks:
    """The warm process of a trace, which starts with the first run, and the runs of notebooks.

    Args:
        log: the logs of the trace.
        modules: the modules to import before the first run; names of no module are passed over.
    """

    def __init__(self, log: TraceLog, modules: Sequence[str]) -> None:
        self._log = log
        self._modules = modules
        self._warm: Warm | None = None
        self._is_usable = True

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], heard: Callable[[bytes], None]
    ) -> trace.Trace | None:
        """Run a notebook to the end and return the trace; None if that takes a new process.

        Args:
            words: the arguments of papermill.
            environment: the environment variables, the same for all runs but for those of `nb`.
            heard: takes the printed output, a few times a second.
        """
        root, variables = self._log.root, self._log.environment(environment)
        if not self._is_ready(variables):
            return None
        before = trace.file_states(root)
        with exit_when_terminated():
            code = self._run(words, variables, heard)
        found = self._log.entries(root)
        return None if code is None else trace.trace_of(code, root, STRACE, before, found)

    def close(self) -> None:
        """End the warm process."""
        self._is_usable = False
        if self._warm:
            self._warm.socket.close()
            # A killed strace would leave its processes behind.
            with suppress(subprocess.TimeoutExpired):
                self._warm.process.wait(ENDING_SECONDS)
            if self._warm.process.returncode is None:
                end_tree(self._warm.pid)
            self._warm.close()
            self._warm = None

    def _is_ready(self, variables: Mapping[str, str]) -> bool:
        """Return whether runs can be forks, after the imports."""
        if self._is_usable and not self._warm:
            before = trace.file_states(self._log.root)
            warm = self._warm = Warm(
                self._log.root, PROGRAM, environment=variables, wrapped=self._log.traced
            )
            warm.preload(variables, self._modules)
            while not warm.is_ready():
                if not warm.listen():
                    self.close()
                    return False
            found = self._log.entries(self._log.root)
            # An import that uses files of the project is left to each run, whose trace shows that.
            if trace.trace_of(0, self._log.root, STRACE, before, found).accesses:
                self.close()
        return self._is_usable

    def _run(
        self, words: Sequence[str], variables: Mapping[str, str], heard: Callable[[bytes], None]
    ) -> int | None:
        """Run papermill in a fork; return the exit code, or None if there is no fork."""
        warm = self._warm
        ours, theirs = socket.socketpair()
        with theirs:
            order = {"words": list(words)}
            pid = warm.fork(NOTEBOOK_JOB, order, [theirs.fileno()]) if warm else None
        if warm is None or pid is None:
            ours.close()
            self.close()
            return None
        worker = ForkedWorker(pid, ours, is_warm=True)
        try:
            # Ctrl-C is papermill's, which is waited for.
            with handle_signals(lambda *_: worker.end_stage(INTERRUPT), [signal.SIGINT]):
                output = worker.begin(_order(self._log.root, variables))
                return _overheard(warm, worker, output, heard)
        finally:
            worker.close()
            while pid not in warm.ends and warm.listen():
                pass


def _order(root: Path, variables: Mapping[str, str]) -> Order:
    return Order(
        stage="",
        root=str(root),
        force=False,
        pull=False,
        executed="",
        persisted=(),
        environment=dict(variables),
    )


def _overheard(
    warm: Warm, worker: ForkedWorker, output: RawIOBase, heard: Callable[[bytes], None]
) -> int:
    """Hand the output of a worker on until the end; return the exit code of papermill."""
    with output:
        answer = worker.answer()
        while answer is None and worker.pid not in warm.ends and warm.is_alive:
            sources = [output.fileno(), worker.connection.fileno(), warm.fileno()]
            if warm.fileno() in select.select(sources, [], [], trace.HEARD_SECONDS)[0]:
                warm.listen()
            heard(output.read() or b"")
            answer = worker.answer()
        heard(output.read() or b"")
    if answer is None:
        return warm.ends.get(worker.pid, (-KILL_SIGNAL, None))[0]
    if answer.outcome.error:
        heard(f"{answer.outcome.error}\n".encode())
    return 1 if answer.outcome.status is None else answer.outcome.status
