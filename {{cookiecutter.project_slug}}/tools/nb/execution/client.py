"""What talks to the kernel: papermill's client, with limits of time and text, and strict."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

from nb.secrets.masking import MaskedFile

from . import strict
from .kernels import SILENT_SECONDS, is_idle
from .limits import Limits
from .outputs import CellOutputs
from .problems import WrongParameters
from .streams import LiveStream

# A message of Jupyter's protocol.
Message = dict[str, Any]
# How long the outputs of a cell may take to arrive after it ended.
OUTPUT_SECONDS = 30
# How long a reply may take to arrive once the kernel is idle again; until the next look at whether
# a kernel that does not reply is alive.
REPLY_SECONDS = 5.0
LOOK_SECONDS = 1
# How many outputs may wait to be read.
MOST_WAITING = 100_000


class ClientSettings:
    """How a notebook is run, from its metadata (`nb`) or, before these, from the environment.

    Attributes:
        strict: failures of threads and shell commands count (`strict`, `NB_STRICT`).
        seconds: how long the notebook may take (`timeout`, `NB_TIMEOUT`).
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
    """Runs the cells: papermill's client, with limits of time and text, and strict.

    Args:
        nb_man: papermill's view of the notebook.
        limits: what may end the kernel early.
        settings: how the notebook is run.
        cell_seconds: how long a cell may take; None for as long as it likes.
        logs: where standard output and standard error are logged, if they are.
        options: nbclient's.
    """

    def __init__(
        self,
        nb_man: NotebookExecutionManager,
        limits: Limits,
        settings: ClientSettings,
        cell_seconds: float | None,
        logs: list[MaskedFile],
        **options: Any,
    ) -> None:
        if not limits.is_active:
            options["timeout"] = cell_seconds
        hooks = {"on_notebook_start": self._begin, "on_cell_executed": self._note_exit}
        super().__init__(nb_man, **hooks, **options)
        self.limits = limits
        self.cell_seconds = cell_seconds or math.inf
        self.strict = settings.strict and language_of(nb_man.nb) == "python"
        self.logs = dict(zip(("stdout", "stderr"), logs, strict=True))
        self.outputs = CellOutputs()
        self.has_left = False
        self.is_kernel_leaving = False
        self.is_reply_lost = False

    async def _begin(self, notebook: NotebookNode) -> None:
        """Prepare the kernel.

        Raises:
            RuntimeError: if it was interrupted, or died.
        """
        if self.strict:
            source = Path(strict.__file__).read_text(encoding="utf-8")
            code = f"exec({source!r}, {{'__name__': {strict.STRICT_NAME!r}}})"
            waiting = self.async_wait_for_reply(self._ask(code))
            try:
                reply = (await asyncio.wait_for(waiting, SILENT_SECONDS))["content"]
            except asyncio.TimeoutError:
                raise RuntimeError(f"it did not answer in {SILENT_SECONDS:g} seconds") from None
            if reply.get("ename") == "KeyboardInterrupt":
                raise RuntimeError("it was interrupted")
        # A kernel drops outputs that nobody takes; 1,000 of them wait, if nothing is said.
        self.kc.iopub_channel.socket.rcvhwm = MOST_WAITING

    def _note_exit(self, execute_reply: Message, **_: object) -> None:
        """Note that a cell called `quit()`: its kernel ends a moment after the reply."""
        payload = execute_reply["content"].get("payload") or ()
        self.is_kernel_leaving |= any(each.get("source") == "ask_exit" for each in payload)
        self.has_left |= self.is_kernel_leaving

    def _ask(self, code: str) -> str:
        """Have code executed in silence: no cell's number changes, no name is left."""
        request: str = self.kc.execute(code, silent=True, store_history=False)
        return request

    async def async_wait_for_reply(self, msg_id: str, cell: NotebookNode | None = None) -> Message:
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

    def process_message(self, msg: Message, cell: NotebookNode, cell_index: int) -> object:
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
        is_over = self.is_kernel_leaving or self.nb.metadata.papermill.get("exception")
        if self.strict and code_cells and not is_over:
            code = f"__import__('sys').modules[{strict.STRICT_NAME!r}].finish()"
            reply = self.wait_for_reply(self._ask(code))["content"]
            if reply["status"] == "error" and strict.STRICT_NAME not in reply["evalue"]:
                self._fail(code_cells[-1], reply["ename"], reply["evalue"], reply["traceback"])

    def execute_cell(self, cell: NotebookNode, cell_index: int, **options: object) -> object:
        """Execute a cell.

        Raises:
            CellExecutionError: if it failed, or was ended because of its time or a signal.
            DeadKernelError: if the kernel died.
        """
        if self.has_left or cell.cell_type != "code":
            return cell
        for stream in self._streams():
            if isinstance(stream.file, LiveStream):
                stream.file.begin()
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
            for stream in self._streams():
                stream.finish()
            self.outputs.settle()
            if self.limits.signals:
                self._fail(cell, *self.limits.reason())

    def _streams(self) -> list[MaskedFile]:
        files = (self.stdout_file, self.stderr_file, *self.logs.values())
        return [file for file in files if isinstance(file, MaskedFile)]

    def log_output_message(self, output: NotebookNode) -> None:
        """Log an output, and write it to the files for what the cells print."""
        if output.output_type != "stream":
            super().log_output_message(output)
            return
        log = self.logs[output.name] if self.log_output else None
        for file in filter(None, (log, getattr(self, f"{output.name}_file"))):
            file.write(output.text)
            file.flush()

    def _stop_if_ended(self, cell: NotebookNode) -> None:
        if self.limits.signals:
            raise CellExecutionError("", *self.limits.reason())

    def _fail(
        self, cell: NotebookNode, name: str, message: str, traceback: Sequence[str] = ()
    ) -> None:
        lines = list(traceback) or [f"{name}: {message}"]
        error = {"output_type": "error", "ename": name, "evalue": message, "traceback": lines}
        cell.outputs.append(from_dict(error))  # type: ignore[no-untyped-call]
        self.nb_man.cell_exception(cell)

    def output(
        self, outs: list[NotebookNode], msg: Message, display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Take in an output and return it, whole, for the log."""
        out: NotebookNode | None = super().output(outs, msg, display_id, cell_index)
        if out is not None:
            if len(outs) == 1:
                self.outputs.begin()
            self.outputs.add(outs, is_referred_to=bool(display_id))
        return out

    def clear_output(self, outs: list[NotebookNode], msg: Message, cell_index: int) -> None:
        """Remove the outputs so far."""
        super().clear_output(outs, msg, cell_index)
        if not outs:
            self.outputs.begin()


def language_of(nb: NotebookNode) -> str:
    """Return the language of a notebook; Python, where it names none."""
    language = nb.metadata.get("kernelspec", {}).get("language")
    language = language or nb.metadata.get("language_info", {}).get("name")
    return str(language or "python")
