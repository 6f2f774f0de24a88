"""Kernel client of the engine: papermill's, with timeouts, bounded outputs and strict mode."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from pathlib import Path

from nbclient.exceptions import (
    CellExecutionComplete,
    CellExecutionError,
    CellTimeoutError,
    DeadKernelError,
)
from nbclient.util import run_sync
from nbformat import NotebookNode, from_dict
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NotebookExecutionManager

from nb.notebook.content import named_language
from nb.secrets.masked_file import MaskedFile

from . import strict
from .copies.outputs import CellOutputs
from .kernels import SILENT_SECONDS, Message, is_idle
from .limits import Limits
from .problems import WrongParameters
from .streams import LiveStream

# Timeout for the outputs of a cell after the end of the cell.
OUTPUT_SECONDS = 30
# Timeout for a reply once the kernel is idle again; interval of the checks whether a kernel that
# does not reply is alive.
REPLY_SECONDS = 5.0
LOOK_SECONDS = 1
# The limit of outputs in the queue of the client.
MOST_WAITING = 100_000


class ClientSettings:
    """Settings of an execution, from the environment or else from the notebook's metadata (`nb`).

    Attributes:
        strict: failures of threads and shell commands count (`strict`, `NB_STRICT`).
        seconds: the timeout of the notebook (`timeout`, `NB_TIMEOUT`).
    """

    def __init__(self, nb: NotebookNode) -> None:
        own = nb.metadata.get("nb", {})
        own = own if isinstance(own, dict) else {}
        given = (os.environ.get("NB_STRICT") or str(own.get("strict", True))).lower()
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
    """Executor of the cells: papermill's client, with timeouts, bounded outputs and strict mode.

    Args:
        nb_man: papermill's manager of the notebook.
        limits: the signals and timeouts that end the kernel.
        cell_seconds: the timeout of a cell; None for no timeout.
        logs: the logs of standard output and standard error.
        options: options of nbclient.

    Attributes:
        has_exited: a cell called `exit()`; the cells after that cell are not executed.
        is_kernel_exiting: the kernel ends by itself, after `quit()`.
        is_reply_lost: the kernel is idle, but did not reply: an interrupt hit the request.
    """

    def __init__(
        self,
        nb_man: NotebookExecutionManager,
        limits: Limits,
        settings: ClientSettings,
        cell_seconds: float | None,
        logs: list[MaskedFile],
        **options: object,
    ) -> None:
        if not limits.is_active:
            options["timeout"] = cell_seconds
        hooks = {"on_notebook_start": self._prepare_kernel, "on_cell_executed": self._note_exit}
        super().__init__(nb_man, **hooks, **options)
        self.limits = limits
        self.cell_seconds = cell_seconds or math.inf
        self.strict = settings.strict and named_language(nb_man.nb.metadata) in ("", "python")
        self.logs = dict(zip(("stdout", "stderr"), logs, strict=True))
        self.outputs = CellOutputs()
        self.has_exited = False
        self.is_kernel_exiting = False
        self.is_reply_lost = False

    async def _prepare_kernel(self, notebook: NotebookNode) -> None:
        """Prepare the kernel.

        Raises:
            RuntimeError: if the kernel was interrupted, or died.
        """
        if self.strict:
            await self._switch_strict_on()
        # A kernel drops outputs beyond the queue of the client, 1,000 by default.
        self.kc.iopub_channel.socket.rcvhwm = MOST_WAITING

    async def _switch_strict_on(self) -> None:
        """Execute the source of strict mode in the kernel: from the file if the kernel can read it.

        IPython transforms and hashes a cell of the whole source for milliseconds.
        """
        path = Path(strict.__file__)
        by_path = f"__import__('pathlib').Path({str(path)!r}).read_text('utf-8')"
        for source in (by_path, repr(path.read_text(encoding="utf-8"))):
            code = f"exec({source}, {{'__name__': {strict.STRICT_NAME!r}}})"
            waiting = self.async_wait_for_reply(self._ask(code))
            try:
                reply = (await asyncio.wait_for(waiting, SILENT_SECONDS))["content"]
            except asyncio.TimeoutError:
                raise RuntimeError(f"it did not answer in {SILENT_SECONDS:g} seconds") from None
            if reply.get("ename") == "KeyboardInterrupt":
                raise RuntimeError("it was interrupted")
            if reply.get("status") == "ok":
                return

    def _note_exit(self, execute_reply: Message, **_: object) -> None:
        """Record a call of `quit()` in a cell: the kernel ends a moment after the reply."""
        payload = execute_reply["content"].get("payload") or ()
        self.is_kernel_exiting |= any(each.get("source") == "ask_exit" for each in payload)
        self.has_exited |= self.is_kernel_exiting

    def _ask(self, code: str) -> str:
        """Request a silent execution, which changes no execution count."""
        request: str = self.kc.execute(code, silent=True, store_history=False)
        return request

    async def async_wait_for_reply(self, msg_id: str, cell: NotebookNode | None = None) -> Message:
        """Wait for the reply to a request.

        ipykernel drops the request on an interrupt just before or after the code itself, for which
        nbclient would wait for ever.

        Raises:
            RuntimeError: if no reply can come; DeadKernelError if the kernel died.
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

    def process_message(self, msg: Message, cell: NotebookNode, cell_index: int) -> object:
        """Process a message of the kernel; an idle kernel starts the timeout of the reply.

        Raises:
            CellExecutionComplete: if the kernel is idle again.
        """
        try:
            return super().process_message(msg, cell, cell_index)
        except CellExecutionComplete:
            loop, waiting = asyncio.get_running_loop(), self.task_poll_for_reply
            loop.call_later(REPLY_SECONDS, self._give_up, waiting)
            raise

    def _give_up(self, waiting: asyncio.Future[Message]) -> None:
        self.is_reply_lost |= waiting.cancel()

    def papermill_execute_cells(self) -> None:
        """Execute the cells, then report background failures since the last cell."""
        super().papermill_execute_cells()
        code_cells = [cell for cell in self.nb.cells if cell.cell_type == "code"]
        is_over = self.is_kernel_exiting or self.nb.metadata.papermill.get("exception")
        if self.strict and code_cells and not is_over:
            code = f"__import__('sys').modules[{strict.STRICT_NAME!r}].finish()"
            reply = self.wait_for_reply(self._ask(code))["content"]
            if reply["status"] == "error" and strict.STRICT_NAME not in reply["evalue"]:
                self._fail(code_cells[-1], reply["ename"], reply["evalue"], reply["traceback"])

    def execute_cell(self, cell: NotebookNode, cell_index: int, **options: object) -> object:
        """Execute a cell.

        Raises:
            CellExecutionError: if the cell failed, timed out, or was ended by a signal.
            DeadKernelError: if the kernel died.
        """
        if self.has_exited or cell.cell_type != "code":
            return cell
        for stream in self._streams():
            if isinstance(stream.file, LiveStream):
                stream.file.begin()
        self.outputs.begin()
        try:
            self._stop_if_ended(cell)
            self.limits.start_timer(self.cell_seconds)
            done = super().execute_cell(cell, cell_index, **options)
            self._stop_if_ended(cell)
            return done
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
                self.has_exited = True  # exit() is a success, as in papermill
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
            self.limits.start_timer()
            for stream in self._streams():
                stream.finish()
            self.outputs.settle()
            if self.limits.signals:
                self._fail(cell, *self.limits.error())

    def _streams(self) -> list[MaskedFile]:
        files = (self.stdout_file, self.stderr_file, *self.logs.values())
        return [file for file in files if isinstance(file, MaskedFile)]

    def log_output_message(self, output: NotebookNode) -> None:
        """Log an output, and write streams to their files."""
        if output.output_type != "stream":
            super().log_output_message(output)
            return
        log = self.logs[output.name] if self.log_output else None
        for file in filter(None, (log, getattr(self, f"{output.name}_file"))):
            file.write(output.text)
            file.flush()

    def _stop_if_ended(self, cell: NotebookNode) -> None:
        if self.limits.signals:
            raise CellExecutionError("", *self.limits.error())

    def _fail(
        self, cell: NotebookNode, name: str, message: str, traceback: Sequence[str] = ()
    ) -> None:
        lines = list(traceback) or [f"{name}: {message}"]
        error = {"output_type": "error", "ename": name, "evalue": message, "traceback": lines}
        cell.outputs.append(from_dict(error))
        self.nb_man.cell_exception(cell)

    def output(
        self, outs: list[NotebookNode], msg: Message, display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Process an output and return the complete output for the log."""
        out: NotebookNode | None = super().output(outs, msg, display_id, cell_index)
        if out is not None:
            if len(outs) == 1:
                self.outputs.begin()
            self.outputs.add(outs, is_referred_to=bool(display_id))
        return out

    def clear_output(self, outs: list[NotebookNode], msg: Message, cell_index: int) -> None:
        """Clear the outputs of the cell."""
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self.outputs.begin()
