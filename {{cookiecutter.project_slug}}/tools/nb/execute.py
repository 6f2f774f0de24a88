"""How papermill runs a notebook here: its engine `nb`, which the stages of `dvc.yaml` name.

It differs from papermill's own in that the kernel talks over files that only this user can open,
instead of TCP ports that can collide; parameters are checked before a kernel starts; nothing is
written before secrets were removed and outputs searched for credentials; and no process of the
notebook outlives papermill: a signal interrupts the cell, and kills the kernel and what it started
if that does not help.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

from click import ClickException, echo
from nbformat import from_dict
from papermill.engines import NBClientEngine
from papermill.log import logger
from papermill.models import Parameter
from papermill.translators import PythonTranslator, papermill_translators

from .credentials import Mask, mask
from .kernels import KernelManager, SilentKernelManager, forks
from .notebook import Notebook, parse_notebook
from .parameters import assignments, check, read_parameters, secret_values
from .project import NbError

# papermill's tag for the cell that it adds after the parameters cell.
INJECTED = "injected-parameters"

# From the interrupt of a cell to the kill of its kernel.
GRACE_SECONDS = 5.0


class Translator(PythonTranslator):
    """Reads the parameters cell as `nb` does.

    papermill's own looks for a pattern that `Literal["a", "b"]` and `int | None` do not fit, and
    then calls such parameters unknown.
    """

    @classmethod
    def inspect(cls, parameters_cell: Any) -> list[Parameter]:
        """Return the parameters that a cell declares; none if it cannot be read.

        The engine says what is wrong with it; papermill asks this before it calls the engine.
        """
        try:
            declared = read_parameters(_notebook(Path(), [parameters_cell]))
        except NbError:
            return []
        return [Parameter(p.name, p.annotation or "None", p.source, p.help) for p in declared]


papermill_translators.register("python", Translator)


class WrongParameters(ClickException):
    """Parameters that a notebook does not take.

    papermill's command line, made with click, shows this without a traceback and exits with 2.
    """

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one line per problem."""
        for line in self.message.splitlines():
            echo(f"nb: {line}", file=file, err=True)


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

    every = number == signal.SIGKILL
    processes = psutil.Process().children(recursive=every)
    for fork in forks:
        with suppress(psutil.Error):
            if fork.poll() is None:
                kernel = psutil.Process(fork.pid)
                processes += [*(kernel.children(recursive=True) if every else ()), kernel]
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
            nb: the notebook, with the given parameters in its metadata and in an injected cell.
            kernel_name: the kernel to start.
            output_path: where papermill would write after each cell; nothing is written meanwhile.
            options: papermill's, handed on.

        Raises:
            WrongParameters: if the given parameters are not what the notebook takes. No kernel was
                started then, and no file written.
        """
        if output_path and "://" not in output_path:
            Path(output_path).parent.mkdir(parents=True, exist_ok=True)
        values = _apply_parameters(nb, options.get("input_path"))
        secrets = Mask(values)
        manager = SilentKernelManager if values else KernelManager
        options.setdefault("kernel_manager_class", manager)
        if os.environ.get("NB_STREAM"):  # set by `nb run`, which shows what stages print
            options["stdout_file"] = options.get("stdout_file") or MaskedStream(sys.stdout)
            options["stderr_file"] = options.get("stderr_file") or MaskedStream(sys.stderr)
        for name in ("stdout_file", "stderr_file"):
            if options.get(name):
                options[name] = MaskedFile(options[name], secrets)
        logger.addFilter(secrets.record)
        try:
            with kernel_ends_with_signals():
                executed = super().execute_notebook(nb, kernel_name, None, **options)
        finally:
            logger.removeFilter(secrets.record)
        executed = from_dict(secrets.tree(executed))  # type: ignore[no-untyped-call]
        removed = sum(_mask_outputs(cell) for cell in executed.cells)
        if removed:
            where = output_path or "the executed copy"
            print(f"nb: masked credentials in {removed} of the outputs of {where}", file=sys.stderr)
        return executed


class MaskedFile:
    """A text file that never gets the values of secrets."""

    def __init__(self, file: IO[str], secrets: Mask) -> None:
        self._file = file
        self._secrets = secrets

    def write(self, text: str) -> None:
        """Write a text without the values."""
        self._file.write(self._secrets.text(text))

    def flush(self) -> None:
        """Write out what is buffered."""
        self._file.flush()


def _apply_parameters(nb: Any, source: Any) -> dict[str, str]:
    """Check the given parameters and write the injected cell anew, with the values of their types.

    So the notebook gets a float for `1`, `Path("…")` for text, a tuple for a list. Secrets are not
    injected: the parameters cell reads them from the environment, which the kernel inherits.

    Args:
        nb: the notebook as papermill prepared it; the metadata keep the values as they were given.
        source: where it was read from.

    Returns:
        The values of the secrets.
    """
    path = Path(source) if isinstance(source, str) else Path("notebook")
    injected = [cell for cell in nb.cells if INJECTED in cell.metadata.get("tags", ())]
    # Without an injected cell the metadata are those of another run.
    given = nb.metadata.papermill.get("parameters", {}) if injected else {}
    try:
        declared = read_parameters(_notebook(path, [c for c in nb.cells if c not in injected]))
        values = check(declared, given, path)
    except NbError as error:
        raise WrongParameters(str(error)) from None
    for cell in injected:
        cell.source = f"# Parameters\n{assignments(declared, values)}"
    return secret_values(declared)


def _notebook(path: Path, cells: list[Any]) -> Notebook:
    cells = [cell for cell in cells if cell.cell_type == "code"]
    return parse_notebook(path, {"nbformat": 4, "metadata": {}, "cells": cells})


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
