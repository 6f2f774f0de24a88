"""papermill's engine `nb`: checks parameters, executes the cells, returns the executed copy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from jupyter_client.kernelspec import NoSuchKernel, get_kernel_spec
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_markdown_cell
from papermill import inspection
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.iorw import write_ipynb
from papermill.log import logger

from nb.exit_codes import ExitCode, after_signal
from nb.notebook.content import named_language
from nb.secrets.environment import environment_secrets
from nb.secrets.mask import Mask
from nb.secrets.masked_file import MaskedFile, Writable

from .atomic_file import register_atomic_handler
from .client import LOOK_SECONDS, OUTPUT_SECONDS, Client, ClientSettings
from .copies.failure import ERROR_MARK, Failure, error_marks, find_failure, first_line_of
from .copies.normalisation import normalise, read_ids
from .given_parameters import apply_parameters, check_given_files
from .kernels import KernelManager
from .limits import Limits, kernel_limits
from .problems import LostKernel, NotebookFailed, WrongParameters
from .streams import LiveStream, LogStream


class Engine(NBClientEngine):
    """papermill's engine `nb`: `papermill IN OUT --engine nb`."""

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return the kernel to start, by default the kernel of the project."""
        return name or nb.metadata.get("kernelspec", {}).get("name") or "python3"

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return the language of a notebook, Python by default."""
        return language or named_language(nb.metadata) or "python"

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        stdout_file: Writable | None = None,
        stderr_file: Writable | None = None,
        **options: object,
    ) -> NotebookNode:
        """Execute a notebook and return the executed copy, which papermill writes once at the end.

        Args:
            nb: the notebook, with the given parameters in its metadata and in an injected cell.
            kernel_name: the kernel to start.
            output_path: papermill's target for writes after each cell, which are skipped.
            stdout_file: where the standard output of cells goes, too.
            stderr_file: where the standard error of cells goes, too.
            options: further options of papermill.

        Raises:
            WrongParameters: if the given parameters do not fit the notebook. No kernel was started
                and no file written.
            NotebookFailed: if a cell failed. The copy was written, with the cell marked.
            NotWritten: if the copy could not be written.
        """
        source, target = options.get("input_path"), nb.metadata.papermill.get("output_path")
        check_given_files()
        values = apply_parameters(nb, source)
        settings = ClientSettings(nb)
        register_atomic_handler(target)
        secrets = Mask(environment_secrets(os.environ) | values)
        options.setdefault("kernel_manager_class", KernelManager)
        options |= _masked_streams(stdout_file, stderr_file, secrets)
        logger.addFilter(secrets.record)
        try:
            with kernel_limits(settings.seconds) as limits:
                options |= {"limits": limits, "settings": settings}
                code = _execute(super().execute_notebook, nb, kernel_name, limits, options)
        finally:
            logger.removeFilter(secrets.record)
        executed = _settled(nb, source, secrets, target)
        failure = find_failure(executed)
        if failure:
            raise _failed(executed, failure, source, target, code)
        return executed

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        limits: Limits,
        settings: ClientSettings,
        logs: list[MaskedFile],
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: object,
    ) -> object:
        """Execute the cells of a notebook.

        Args:
            nb_man: papermill's manager of the notebook.
            kernel_name: the kernel to start.
            limits: the signals and timeouts that end the kernel.
            logs: the logs of standard output and standard error.
            start_timeout: the timeout of the kernel's start, in seconds.
            execution_timeout: the timeout of a cell, in seconds.
            options: further options of nbclient.
        """
        options.pop("input_path", None)
        defaults = {
            "record_timing": False,
            "iopub_timeout": OUTPUT_SECONDS,
            "shell_timeout_interval": LOOK_SECONDS,
        }
        client = Client(
            nb_man,
            limits=limits,
            settings=settings,
            cell_seconds=execution_timeout,
            logs=logs,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            log=logger,
            **(defaults | options),
        )
        return client.execute()


# `papermill.inspection` does not ask the engine for kernel and language; all other modules do.
inspection.nb_kernel_name = Engine.nb_kernel_name
inspection.nb_language = Engine.nb_language


def _execute(
    execute: Callable[..., object],
    nb: NotebookNode,
    kernel_name: str,
    limits: Limits,
    options: Mapping[str, object],
) -> int:
    """Execute a notebook in place; return the exit code for the failure of a cell.

    Raises:
        WrongParameters: if there is no such kernel.
        LostKernel: if the kernel does not start, or is lost outside of cells.
    """
    code = 1
    try:
        get_kernel_spec(kernel_name)  # papermill's way logs a traceback
        execute(nb, kernel_name, None, **options)
    except NoSuchKernel as error:
        raise WrongParameters(f"there is no kernel {error.name}; give another with -k") from None
    except RuntimeError as error:
        if not nb.metadata.papermill.get("exception"):
            why = first_line_of(str(error))
            raise LostKernel(f"the kernel was lost outside of the cells: {why}") from None
        code = ExitCode.DEAD_KERNEL
    if limits.is_late:
        return ExitCode.TIMED_OUT
    return after_signal(limits.signals[0]) if limits.signals else code


def _masked_streams(
    stdout: Writable | None, stderr: Writable | None, secrets: Mask
) -> dict[str, object]:
    """Return the options that name where the printed text of cells goes."""
    if os.environ.get("NB_STREAM"):  # set by `nb run`, which shows the output of stages
        stdout, stderr = stdout or LiveStream(sys.stdout), stderr or LiveStream(sys.stderr)
    return {
        "stdout_file": stdout and MaskedFile(stdout, secrets),
        "stderr_file": stderr and MaskedFile(stderr, secrets),
        "logs": [MaskedFile(LogStream(log), secrets) for log in (logger.info, logger.warning)],
    }


def _settled(nb: NotebookNode, source: object, secrets: Mask, target: str | None) -> NotebookNode:
    """Return the executed copy without secrets, credentials and differences between equal runs."""
    _mark_error(nb)
    ids = read_ids(Path(source)) if isinstance(source, str) else None
    normalise(nb, ids)
    executed, removed = _masked(nb, secrets)
    if removed:
        where = target or "the executed copy"
        print(f"nb: masked credentials in {removed} of the outputs of {where}", file=sys.stderr)
    return executed


def _masked(nb: NotebookNode, secrets: Mask) -> tuple[NotebookNode, int]:
    """Return a notebook with masked secrets, and the number of outputs that held any."""
    rest = secrets.tree({key: value for key, value in nb.items() if key != "cells"})
    cells, removed = [], 0
    for cell in nb.cells:
        masked = secrets.tree({key: value for key, value in cell.items() if key != "outputs"})
        if "outputs" in cell:
            outputs = [secrets.tree(output) for output in cell.outputs]
            removed += sum(a is not b for a, b in zip(outputs, cell.outputs, strict=True))
            masked = {**masked, "outputs": outputs}
        cells.append(masked)
    return from_dict({**rest, "cells": cells}), removed


def _mark_error(nb: NotebookNode) -> None:
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


def _failed(
    nb: NotebookNode, failure: Failure, source: object, target: str | None, code: int
) -> NotebookFailed:
    """Write the copy of a failed notebook, with the failing cell marked; return the error."""
    cell = nb.cells[failure.index]
    name = Path(source).stem if isinstance(source, str) else "notebook"
    parts = [os.environ.get("DVC_STAGE", ""), name, f"code cell {failure.cell}", failure.error]
    message = " · ".join(filter(None, parts))
    if target:
        message += f"; see {target}"
    for index, text in zip((0, failure.index + 1), error_marks(failure), strict=True):
        metadata = {"tags": [ERROR_MARK]}
        mark = new_markdown_cell(text, id=f"error-mark-{index > 0:d}", metadata=metadata)
        nb.cells.insert(index, mark)
    write_ipynb(nb, target)
    return NotebookFailed(message, failure, cell.source, cell.execution_count, code)
