"""How papermill runs a notebook here: its engine `nb`, which the stages of `dvc.yaml` name.

It differs from papermill's own in that the kernel talks over files that only this user can open,
instead of TCP ports that can collide; parameters are checked before a kernel starts; the executed
copy is the same for the same results, and written as a whole, once secrets were removed and outputs
searched for credentials; failures that Jupyter passes over count (`strict`); and no process of the
notebook outlives papermill: a signal, or a time limit, interrupts the cell, and kills the kernel
and what it started if that does not help.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO

from click import ClickException, echo
from jupyter_client.kernelspec import NoSuchKernel, get_kernel_spec
from nbclient.exceptions import (
    CellExecutionComplete,
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbclient.util import run_sync
from nbformat import from_dict
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import LocalHandler, papermill_io, write_ipynb
from papermill.log import logger
from papermill.models import Parameter
from papermill.translators import PythonTranslator, papermill_translators

from . import copies, strict
from .copies import INJECTED, Failure
from .credentials import Mask, mask
from .kernels import KernelManager, SilentKernelManager, forks, is_idle
from .notebook import Notebook, parse_notebook
from .orphans import adopt_orphans
from .outputs import CellOutputs
from .parameters import assignments, check, read_parameters, secret_values
from .project import NbError, write_whole

# From the interrupt of a cell to the kill of its kernel.
GRACE_SECONDS = 5.0
# How long the outputs of a cell may take to arrive after it ended.
OUTPUT_SECONDS = 60
# How long a reply may take to arrive once the kernel is idle again; until the next look at whether
# a kernel that does not reply is alive.
REPLY_SECONDS = 5.0
LOOK_SECONDS = 1
# How many outputs may wait to be read.
MOST_WAITING = 100_000
# Characters of what a cell prints that are shown while it runs; the executed copy has the end, too.
SHOWN = 100_000
# Exit codes: what `timeout` has; what papermill has when its kernel dies.
TIMED_OUT, DEAD_KERNEL = 124, 138


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


class Problem(ClickException):
    """What papermill's command line, made with click, shows without a traceback."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print one line per problem."""
        for line in self.message.splitlines():
            echo(f"nb: {line}", file=file, err=True)


class WrongParameters(Problem):
    """Parameters that a notebook does not take, or a kernel or a setting that does not exist."""

    exit_code = 2


class LostKernel(Problem):
    """The kernel did not start, or was lost before the first cell or after the last."""

    exit_code = DEAD_KERNEL


class NotWritten(Problem):
    """The executed copy cannot be written."""


class NotebookFailed(ClickException, PapermillExecutionError):
    """A cell failed, took too long, or lost its kernel.

    papermill's command line shows the cell's traceback, and where to look, in place of its own.

    Args:
        message: where and why, in one line.
        failure: the same for programs.
        source: of the cell.
        count: the cell's execution count.
        exit_code: 1; 124 if it took too long, 138 if the kernel died, above 128 after a signal.
    """

    def __init__(
        self, message: str, failure: Failure, source: str, count: int | None, exit_code: int
    ) -> None:
        output = failure.output
        PapermillExecutionError.__init__(
            self, failure.index, count, source, output.ename, output.evalue, output.traceback
        )
        self.__dict__.update(message=message, exit_code=exit_code)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the cell's traceback, then one line that says where it failed."""
        for line in self.traceback:
            echo(line, file=file, err=True)
        echo(f"nb: {self.message}", file=file, err=True)


class LiveStream:
    """Passes on what the cells print, without credentials, and not without end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.begin()

    def begin(self) -> None:
        """Begin with a cell."""
        self.left = SHOWN

    def write(self, text: str) -> None:
        if self.left > 0:
            self.stream.write(mask(text[: self.left]))
            self.left -= len(text)
            if self.left <= 0:
                self.stream.write("\n[… more in the executed copy …]\n")

    def flush(self) -> None:
        self.stream.flush()


class AtomicFile(LocalHandler):
    """Writes a file as a whole: what was there stays, unless the new content is complete.

    Args:
        folder: what a relative path is relative to.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def write(self, text: str, path: str) -> None:
        """Write a text.

        Raises:
            NotWritten: if that is not possible, the disk full, for example.
        """
        target = (self.folder / path).resolve()
        try:
            if target.exists() and not target.is_file():  # /dev/stdout, a named pipe
                target.write_text(text, encoding="utf-8")
            else:
                write_whole(target, text)
        except OSError as error:
            problem = f"{path}: cannot be written: {error.strerror or error}"
            raise NotWritten(f"{problem}; the copy of the last run is as it was") from None


class Limits:
    """What ends a kernel before its notebook ends: signals, and too much time.

    Args:
        seconds: how long the notebook may take; infinite, if it does not matter.
        is_active: signals and times are heeded here, else nbclient has to end cells.

    Attributes:
        signals: those that came; the alarm of a time is one of them.
        is_late: time was what ended the kernel.
        problem: whose time that would be, in words.
    """

    def __init__(self, seconds: float, is_active: bool) -> None:
        self.seconds = seconds
        self.is_active = is_active
        self.end = time.monotonic() + seconds
        self.signals: list[int] = []
        self.is_late = False
        self.problem = ""

    def begin(self, seconds: float = math.inf) -> None:
        """Give what runs from now on a time, which ends with that of the notebook, too."""
        if self.is_active and not self.signals:
            rest = max(self.end - time.monotonic(), 0.001)
            of_whom = ("cell", seconds) if seconds < rest else ("notebook", self.seconds)
            self.problem = "the {} took longer than {:g} s".format(*of_whom)
            left = min(seconds, rest)
            signal.setitimer(signal.ITIMER_REAL, 0 if math.isinf(left) else left)

    def heed(self, number: int, _frame: object) -> None:
        """Interrupt the cell after one signal, kill the kernel after two."""
        self.signals.append(number)
        if len(self.signals) == 1:
            self.is_late = number == signal.SIGALRM
            _signal_kernels(signal.SIGINT)
            signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        else:
            _signal_kernels(signal.SIGKILL)

    def reason(self) -> tuple[str, str]:
        """Return name and message of the error that stands for what ended the kernel."""
        if self.is_late:
            return "TimeoutError", self.problem
        return "KeyboardInterrupt", signal.Signals(self.signals[0]).name


@contextmanager
def kernel_ends_with_signals(seconds: float = math.inf) -> Iterator[Limits]:
    """End the kernel, and all that it started, at the end of the block and when a signal comes.

    After SIGINT or SIGTERM the running cell fails with KeyboardInterrupt, so the executed copy says
    where it was; a kernel that goes on is killed after some seconds, at once after a second signal.
    The same happens when the time is over, that of a cell or that of the notebook.

    Args:
        seconds: how long the block may take.
    """
    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        yield Limits(seconds, is_active=False)
        return
    limits = Limits(seconds, is_active=True)
    heeded = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = {number: signal.signal(number, limits.heed) for number in heeded}
    adopt_orphans()
    try:
        limits.begin()
        yield limits
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _signal_kernels(signal.SIGKILL)
        adopt_orphans(False)
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


class Settings:
    """How a notebook is run, from its metadata (`nb`) or, before these, from the environment.

    Attributes:
        strict: failures of threads and shell commands count (`strict`, `NB_STRICT`).
        seconds: how long the notebook may take (`timeout`, `NB_TIMEOUT`).
    """

    def __init__(self, nb: Any) -> None:
        own = nb.metadata.get("nb", {})
        own = own if isinstance(own, dict) else {}
        given = os.environ.get("NB_STRICT", str(own.get("strict", True))).lower()
        if given not in ("0", "1", "true", "false"):
            raise WrongParameters(f"NB_STRICT is {given!r}; expected 1 or 0")
        self.strict = given in ("1", "true")
        try:
            self.seconds = float(os.environ.get("NB_TIMEOUT") or own.get("timeout") or "inf")
        except (TypeError, ValueError):
            self.seconds = 0
        if not self.seconds > 0:
            raise WrongParameters("NB_TIMEOUT, or timeout in the metadata nb: expected seconds")


class Client(PapermillNotebookClient):
    """Runs the cells: papermill's client, with limits of time and text, and strict.

    Args:
        nb_man: papermill's view of the notebook.
        limits: what may end the kernel early.
        settings: how the notebook is run.
        cell_seconds: how long a cell may take; None for as long as it likes.
        live: streams that show what the cells print.
        options: nbclient's.
    """

    def __init__(
        self,
        nb_man: Any,
        limits: Limits,
        settings: Settings,
        cell_seconds: float | None,
        live: list[LiveStream],
        **options: Any,
    ) -> None:
        if not limits.is_active:
            options["timeout"] = cell_seconds
        super().__init__(nb_man, on_notebook_start=self._begin, **options)
        self.limits = limits
        self.cell_seconds = cell_seconds or math.inf
        self.strict = settings.strict and _is_python(nb_man.nb)
        self.live = live
        self.outputs = CellOutputs()
        self.has_left = False
        self.is_reply_lost = False

    async def _begin(self, notebook: Any) -> None:
        """Prepare the kernel.

        Raises:
            RuntimeError: if it was interrupted, or died.
        """
        if self.strict:
            source = Path(strict.__file__).read_text(encoding="utf-8")
            code = f"exec({source!r}, {{'__name__': {strict.NAME!r}}})"
            reply = (await self.async_wait_for_reply(self._ask(code)))["content"]
            if reply.get("ename") == "KeyboardInterrupt":
                raise RuntimeError("it was interrupted")
        # A kernel drops outputs that nobody takes; 1,000 of them wait, if nothing is said.
        self.kc.iopub_channel.socket.rcvhwm = MOST_WAITING

    def _ask(self, code: str) -> str:
        """Have code executed in silence: no cell's number changes, no name is left."""
        request: str = self.kc.execute(code, silent=True, store_history=False)
        return request

    async def async_wait_for_reply(self, msg_id: str, cell: Any = None) -> Any:
        """Wait for the reply to a request.

        ipykernel forgets it when it is interrupted just before or after the code itself; nbclient
        would wait for ever then.

        Raises:
            RuntimeError: if there will be none: DeadKernelError, if the kernel is gone.
        """
        reply = asyncio.ensure_future(super().async_wait_for_reply(msg_id, cell))
        idle = asyncio.ensure_future(self._until_idle(msg_id))
        await asyncio.wait({reply, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        try:
            return await asyncio.wait_for(reply, REPLY_SECONDS)
        except asyncio.TimeoutError:
            raise RuntimeError("it was interrupted") from None

    wait_for_reply = run_sync(async_wait_for_reply)

    async def _until_idle(self, request: str) -> None:
        while not is_idle(await self.kc.get_iopub_msg(timeout=None), request):
            pass

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Take in a message of the kernel; once it is idle again, wait for the reply not too long.

        Raises:
            CellExecutionComplete: if the kernel is idle again.
        """
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            loop, waiting = asyncio.get_running_loop(), self.task_poll_for_reply
            loop.call_later(REPLY_SECONDS, self._give_up, waiting)
            raise

    def _give_up(self, waiting: asyncio.Future[Any]) -> None:
        self.is_reply_lost |= waiting.cancel()

    def papermill_execute_cells(self) -> None:
        """Execute the cells; then see what has failed in the background since the last one."""
        super().papermill_execute_cells()
        code_cells = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        if self.strict and code_cells and not self.nb.metadata.papermill.get("exception"):
            code = f"__import__('sys').modules[{strict.NAME!r}].finish()"
            reply = self.wait_for_reply(self._ask(code))["content"]
            if reply["status"] == "error" and strict.NAME not in reply["evalue"]:
                self._fail(code_cells[-1], reply["ename"], reply["evalue"], reply["traceback"])

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        """Execute a cell.

        Raises:
            CellExecutionError: if it failed, or was ended because of its time or a signal.
            DeadKernelError: if the kernel died.
        """
        if self.has_left or cell.cell_type != "code":
            return cell
        for stream in self.live:
            stream.begin()
        self.outputs.begin()
        try:
            self._stop_if_ended(cell)
            self.limits.begin(self.cell_seconds)
            done = super().execute_cell(cell, cell_index, **options)
            self._stop_if_ended(cell)
            return done
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
                self.has_left = True  # exit() ends a notebook in good order, as papermill has it
                return cell
            raise
        except CellTimeoutError as error:
            message = (
                f"its outputs did not arrive within {OUTPUT_SECONDS} s; does it print too much?"
            )
            if "IOPub" not in str(error):
                self.limits.is_late = True
                message = f"the cell took longer than {self.cell_seconds:g} s"
            name = "TimeoutError"
            self._fail(cell, name, message)
            raise CellExecutionError("", name, message) from None
        except DeadKernelError:
            if self.is_reply_lost:
                self._fail(cell, "KeyboardInterrupt", "")
                raise CellExecutionError("", "KeyboardInterrupt", "") from None
            self._fail(cell, "DeadKernelError", "the kernel died")
            raise
        finally:
            self.limits.begin()
            self.outputs.settle()
            if self.limits.signals:
                self._fail(cell, *self.limits.reason())

    def _stop_if_ended(self, cell: Any) -> None:
        if self.limits.signals:
            raise CellExecutionError("", *self.limits.reason())

    def _fail(self, cell: Any, name: str, message: str, traceback: Any = ()) -> None:
        lines = list(traceback) or [f"{name}: {message}"]
        error = {"output_type": "error", "ename": name, "evalue": message, "traceback": lines}
        cell.outputs.append(from_dict(error))  # type: ignore[no-untyped-call]
        self.nb_man.cell_exception(cell)

    def output(self, outs: list[Any], msg: Any, display_id: str | None, cell_index: int) -> Any:
        """Take in an output and return it, whole, for the log."""
        out = super().output(outs, msg, display_id, cell_index)
        if out is not None:
            if len(outs) == 1:
                self.outputs.begin()
            self.outputs.add(outs, is_referred_to=bool(display_id))
        return out

    def clear_output(self, outs: list[Any], msg: Any, cell_index: int) -> None:
        """Remove the outputs so far."""
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self.outputs.begin()


class Engine(NBClientEngine):
    """papermill's engine `nb`: `papermill IN OUT --engine nb`."""

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Return the kernel to start: the project's, where a notebook names none."""
        return name or nb.metadata.get("kernelspec", {}).get("name") or "python3"

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Return the language of a notebook; Python, where it names none."""
        return language or _language(nb)

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
            NotebookFailed: if a cell failed. The copy was written, with the cell marked.
            NotWritten: if that was not possible.
        """
        source, target = options.get("input_path"), nb.metadata.papermill.get("output_path")
        values = _apply_parameters(nb, source)
        settings = Settings(nb)
        _write_whole(target)
        secrets = Mask(values)
        manager = SilentKernelManager if values else KernelManager
        options.setdefault("kernel_manager_class", manager)
        live = []
        if os.environ.get("NB_STREAM"):  # set by `nb run`, which shows what stages print
            live = [LiveStream(sys.stdout), LiveStream(sys.stderr)]
            options["stdout_file"] = options.get("stdout_file") or live[0]
            options["stderr_file"] = options.get("stderr_file") or live[1]
        for name in ("stdout_file", "stderr_file"):
            if options.get(name):
                options[name] = MaskedFile(options[name], secrets)
        logger.addFilter(secrets.record)
        try:
            with kernel_ends_with_signals(settings.seconds) as limits:
                options |= {"limits": limits, "settings": settings, "live": live}
                code = _execute(super().execute_notebook, nb, kernel_name, options)
        finally:
            logger.removeFilter(secrets.record)
        executed = _settled(nb, source, secrets, target)
        failure = copies.find_failure(executed)
        if failure:
            raise _failed(executed, failure, source, target, code)
        return executed

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> Any:
        """Execute the cells of a notebook.

        Args:
            nb_man: papermill's view of the notebook.
            kernel_name: the kernel to start.
            start_timeout: seconds that it may take to start.
            execution_timeout: seconds that a cell may take.
            options: those of `Client` and, beyond them, of nbclient.
        """
        options.pop("input_path", None)
        defaults = {
            "record_timing": False,
            "iopub_timeout": OUTPUT_SECONDS,
            "shell_timeout_interval": LOOK_SECONDS,
        }
        client = Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            cell_seconds=execution_timeout,
            log=logger,
            **(defaults | options),
        )
        return client.execute()


def _execute(execute: Any, nb: Any, kernel_name: str, options: dict[str, Any]) -> int:
    """Execute a notebook in place; return the exit code if a cell of it failed.

    Raises:
        WrongParameters: if there is no such kernel.
        LostKernel: if it does not start, or is lost outside of cells.
    """
    limits = options["limits"]
    code = 1
    try:
        get_kernel_spec(kernel_name)  # papermill's way logs a traceback
        execute(nb, kernel_name, None, **options)
    except NoSuchKernel as error:
        raise WrongParameters(f"there is no kernel {error.name}; give another with -k") from None
    except RuntimeError as error:
        if not nb.metadata.papermill.get("exception"):
            why = copies.one_line(str(error))
            raise LostKernel(f"the kernel was lost outside of the cells: {why}") from None
        code = DEAD_KERNEL
    if limits.is_late:
        return TIMED_OUT
    return 128 + limits.signals[0] if limits.signals else code


def _settled(nb: Any, source: Any, secrets: Mask, target: Any) -> Any:
    """Return the executed copy: without secrets, credentials and what differs between runs."""
    _mark_error(nb)
    ids = copies.read_ids(Path(source)) if isinstance(source, str) else None
    copies.settle(nb, ids)
    executed = from_dict(secrets.tree(nb))  # type: ignore[no-untyped-call]
    removed = sum(_mask_outputs(cell) for cell in executed.cells)
    if removed:
        where = target or "the executed copy"
        print(f"nb: masked credentials in {removed} of the outputs of {where}", file=sys.stderr)
    return executed


def _mark_error(nb: Any) -> None:
    """Mark the first cell with an error, if none is marked: to papermill, any error is a failure.

    A cell may be tagged `raises-exception`, and go on in Jupyter; papermill fails in the end.
    """
    if nb.metadata.papermill.get("exception"):
        return
    for cell in nb.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error" and output.ename != "SystemExit":
                cell.metadata.papermill["exception"] = True
                nb.metadata.papermill["exception"] = True
                return


def _failed(nb: Any, failure: Failure, source: Any, target: Any, code: int) -> NotebookFailed:
    """Write the copy of a failed notebook, with the failing cell marked; return the error."""
    cell = nb.cells[failure.index]
    name = Path(source).stem if isinstance(source, str) else "notebook"
    parts = [os.environ.get("DVC_STAGE", ""), name, f"cell {failure.cell}", failure.error]
    message = " · ".join(filter(None, parts))
    if target:
        message += f"; see {target}"
    for index, text in zip((0, failure.index + 1), copies.error_marks(failure), strict=True):
        mark: dict[str, Any] = {
            "cell_type": "markdown",
            "id": f"error-mark-{index > 0:d}",
            "source": text,
        }
        mark["metadata"] = {"tags": [copies.ERROR_MARK]}
        nb.cells.insert(index, from_dict(mark))  # type: ignore[no-untyped-call]
    write_ipynb(nb, target)
    return NotebookFailed(message, failure, cell.source, cell.execution_count, code)


def _write_whole(target: Any) -> None:
    """Have papermill write a local file as a whole; its folder is made.

    papermill chooses who writes by what a path begins with, and takes who was registered last.
    """
    handler = papermill_io.get_handler(target)
    if type(handler) is LocalHandler:
        folder = handler.cwd(None)
        handler.cwd(folder)
        folder = Path(folder or Path.cwd())
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        papermill_io.register(target, AtomicFile(folder))


def _language(nb: Any) -> str:
    language = nb.metadata.get("kernelspec", {}).get("language")
    language = language or nb.metadata.get("language_info", {}).get("name")
    return str(language or "python")


def _is_python(nb: Any) -> bool:
    return _language(nb) == "python"


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
