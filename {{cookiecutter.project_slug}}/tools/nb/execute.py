"""How papermill runs a notebook here: its engine `nb`, which the stages of `dvc.yaml` name.

It differs from papermill's own in that the kernel talks over files that only this user can open,
instead of TCP ports that can collide, in that nothing is written before its outputs were searched
for credentials, and in that no process of the notebook outlives papermill: a signal interrupts the
cell, and kills the kernel and what it started if that does not help.
"""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from jupyter_client.manager import AsyncKernelManager
from papermill.engines import NBClientEngine
from papermill.models import Parameter
from papermill.translators import PythonTranslator, papermill_translators
from traitlets import default

from .credentials import mask
from .notebook import python_source

# From the interrupt of a cell to the kill of its kernel.
GRACE_SECONDS = 5.0


class Translator(PythonTranslator):
    """Reads the parameters cell as Python does.

    papermill's own looks for a pattern that `Literal["a", "b"]` and `int | None` do not fit, and
    then calls such parameters unknown.
    """

    @classmethod
    def inspect(cls, parameters_cell: Any) -> list[Parameter]:
        """Return the parameters that a cell defines: name, annotation and default, as source.

        A cell that does not parse defines none; running it says what is wrong.
        """
        try:
            statements = ast.parse(python_source(parameters_cell.source)).body
        except SyntaxError:
            return []
        found: list[tuple[ast.expr, str, ast.expr]] = []
        for statement in statements:
            if isinstance(statement, ast.AnnAssign) and statement.value:
                kind = ast.unparse(statement.annotation)
                found.append((statement.target, kind, statement.value))
            elif isinstance(statement, ast.Assign):
                found.append((statement.targets[0], "None", statement.value))
        return [
            Parameter(target.id, kind, ast.unparse(value), "")
            for target, kind, value in found
            if isinstance(target, ast.Name)
        ]


papermill_translators.register("python", Translator)


class KernelManager(AsyncKernelManager):
    """Starts a kernel whose sockets are files in a private folder; on Windows, on TCP ports."""

    @default("transport")
    def _default_transport(self) -> str:
        return "tcp" if os.name == "nt" else "ipc"

    @default("ip")
    def _default_ip(self) -> str:
        if self.transport == "tcp":
            return "127.0.0.1"
        # Short, because the path of a socket may have no more than about a hundred characters.
        self._sockets = TemporaryDirectory(prefix="nb-")
        return f"{self._sockets.name}/k"


class MaskedStream:
    """Passes on what a notebook prints, without the credentials in it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        self.stream.write(mask(text))

    def flush(self) -> None:
        self.stream.flush()


@contextmanager
def kernel_ends_with_signals() -> Iterator[None]:
    """End the kernel, and all that it started, at the end of the block and when a signal comes.

    After SIGINT or SIGTERM the running cell fails with KeyboardInterrupt, so the executed copy says
    where it was; a kernel that goes on is killed after some seconds, at once after a second signal.
    """
    if os.name == "nt":
        yield
        return
    signals: list[int] = []

    def heed(number: int, _frame: object) -> None:
        signals.append(number)
        if len(signals) == 1:
            _signal_kernels(signal.SIGINT)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        else:
            _signal_kernels(signal.SIGKILL)

    heeded = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, heed) for number in heeded}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _signal_kernels(signal.SIGKILL)
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal_kernels(number: int) -> None:
    """Interrupt the kernels of this process; a kill reaches what they started, too."""
    import psutil

    processes = psutil.Process().children(recursive=number == signal.SIGKILL)
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(number)


class Engine(NBClientEngine):
    """papermill's engine `nb`: `papermill IN OUT --engine nb`."""

    @classmethod
    def execute_notebook(
        cls, nb: Any, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> Any:
        """Execute a notebook and return it; papermill writes it, once, when this is done.

        Args:
            nb: the notebook, with its parameters injected.
            kernel_name: the kernel to start.
            output_path: where papermill would write after each cell; nothing is written meanwhile.
            options: papermill's, handed on.
        """
        options.setdefault("kernel_manager_class", KernelManager)
        if os.environ.get("NB_STREAM"):  # set by `nb run`, which shows what stages print
            options["stdout_file"] = options.get("stdout_file") or MaskedStream(sys.stdout)
            options["stderr_file"] = options.get("stderr_file") or MaskedStream(sys.stderr)
        with kernel_ends_with_signals():
            executed = super().execute_notebook(nb, kernel_name, None, **options)
        removed = sum(_mask_outputs(cell) for cell in executed.cells)
        if removed:
            where = output_path or "the executed copy"
            print(f"nb: removed credentials from {removed} outputs of {where}", file=sys.stderr)
        return executed


def _mask_outputs(cell: Any) -> int:
    """Mask credentials in the outputs of a cell; return in how many there were any."""
    return sum(_mask_output(output) for output in cell.get("outputs", ()))


def _mask_output(output: Any) -> bool:
    before = repr(output)
    if "text" in output:
        output.text = mask(output.text)
    if "traceback" in output:
        output.evalue = mask(output.evalue)
        output.traceback = [mask(line) for line in output.traceback]
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
            output.data[kind] = mask(content)
    return repr(output) != before
