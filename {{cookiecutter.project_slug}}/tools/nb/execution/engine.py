"""papermill engine `nb`: validates parameters, executes the cells, writes the executed copy."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from jupyter_client.kernelspec import NoSuchKernel, get_kernel_spec
from nbformat import NotebookNode, from_dict
from papermill import inspection
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.iorw import LocalHandler, papermill_io, write_ipynb
from papermill.log import logger
from papermill.models import Parameter
from papermill.translators import PythonTranslator, papermill_translators

from nb.exit_codes import ExitCode, after_signal
from nb.notebook.config import read_config
from nb.notebook.content import Notebook, parse_notebook
from nb.notebook.parameters import assignments, check_values, read_parameters, secret_values
from nb.project import NbError, write_whole
from nb.secrets.masking import Mask, MaskedFile, environment_secrets

from . import executed_copy
from .client import LOOK_SECONDS, OUTPUT_SECONDS, Client, ClientSettings, language_of
from .executed_copy import INJECTED, Failure
from .kernels import KernelManager
from .limits import kernel_ends_with_signals
from .problems import (
    LostKernel,
    NotebookFailed,
    NotWritten,
    WrongParameters,
)
from .streams import LiveStream, LogStream


class Translator(PythonTranslator):
    """Parser of the parameters cell for papermill, shared with `nb`.

    papermill's own parser has a pattern that `Literal["a", "b"]` and `int | None` do not match, and
    reports such parameters as unknown.
    """

    @classmethod
    def inspect(cls, parameters_cell: NotebookNode) -> list[Parameter]:
        """Return the parameters that a cell declares; none if the cell cannot be parsed.

        papermill asks before the engine runs, and the engine reports the error.
        """
        try:
            declared = read_parameters(_notebook(Path(), [parameters_cell]))
        except NbError:
            return []
        return [Parameter(p.name, p.annotation or "None", p.source, p.help) for p in declared]


papermill_translators.register("python", Translator)


class AtomicFile(LocalHandler):
    """Atomic writer for papermill: the old file stays until the new content is complete.

    Args:
        folder: the base of relative paths.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def write(self, text: str, path: str) -> None:
        """Write a text.

        Raises:
            NotWritten: if the write fails, for example on a full disk.
        """
        target = (self.folder / path).resolve()
        try:
            if target.exists() and not target.is_file():  # /dev/stdout, a named pipe
                target.write_text(text, encoding="utf-8")
            else:
                write_whole(target, text)
        except OSError as error:
            raise _not_written(path, error) from None


def _not_written(path: object, error: OSError) -> NotWritten:
    problem = f"{path}: cannot be written: {error.strerror or error}"
    return NotWritten(f"{problem}; the copy of the last run is as it was")


class Engine(NBClientEngine):
    """papermill's engine `nb`: `papermill IN OUT --engine nb`."""

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return the kernel to start, by default the kernel of the project."""
        return name or nb.metadata.get("kernelspec", {}).get("name") or "python3"

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return the language of a notebook, Python by default."""
        return language or language_of(nb)

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> NotebookNode:
        """Execute a notebook and return the executed copy, which papermill writes once at the end.

        Args:
            nb: the notebook, with the given parameters in its metadata and in an injected cell.
            kernel_name: the kernel to start.
            output_path: papermill's target for writes after each cell, which are skipped.
            options: further options of papermill.

        Raises:
            WrongParameters: if the given parameters do not fit the notebook. No kernel was started
                and no file written.
            NotebookFailed: if a cell failed. The copy was written, with the cell marked.
            NotWritten: if the copy could not be written.
        """
        source, target = options.get("input_path"), nb.metadata.papermill.get("output_path")
        _check_files()
        values = _apply_parameters(nb, source)
        settings = ClientSettings(nb)
        _write_whole(target)
        secrets = Mask(environment_secrets(os.environ) | values)
        options.setdefault("kernel_manager_class", KernelManager)
        if os.environ.get("NB_STREAM"):  # set by `nb run`, which shows what stages print
            options["stdout_file"] = options.get("stdout_file") or LiveStream(sys.stdout)
            options["stderr_file"] = options.get("stderr_file") or LiveStream(sys.stderr)
        for name in ("stdout_file", "stderr_file"):
            if options.get(name):
                options[name] = MaskedFile(options[name], secrets)
        options["logs"] = [
            MaskedFile(LogStream(write), secrets) for write in (logger.info, logger.warning)
        ]
        logger.addFilter(secrets.record)
        try:
            with kernel_ends_with_signals(settings.seconds) as limits:
                options |= {"limits": limits, "settings": settings}
                code = _execute(super().execute_notebook, nb, kernel_name, options)
        finally:
            logger.removeFilter(secrets.record)
        executed = _settled(nb, source, secrets, target)
        failure = executed_copy.find_failure(executed)
        if failure:
            raise _failed(executed, failure, source, target, code)
        return executed

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        *,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> object:
        """Execute the cells of a notebook.

        Args:
            nb_man: papermill's manager of the notebook.
            kernel_name: the kernel to start.
            start_timeout: the timeout of the kernel's start, in seconds.
            execution_timeout: the timeout of a cell, in seconds.
            options: the options of `Client` and nbclient.
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


# `papermill.inspection` does not ask the engine for kernel and language; all other modules do.
inspection.nb_kernel_name = Engine.nb_kernel_name
inspection.nb_language = Engine.nb_language


def _execute(
    execute: Callable[..., object], nb: NotebookNode, kernel_name: str, options: dict[str, Any]
) -> int:
    """Execute a notebook in place; return the exit code for the failure of a cell.

    Raises:
        WrongParameters: if there is no such kernel.
        LostKernel: if the kernel does not start, or is lost outside of cells.
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
            why = executed_copy.first_line_of(str(error))
            raise LostKernel(f"the kernel was lost outside of the cells: {why}") from None
        code = ExitCode.DEAD_KERNEL
    if limits.is_late:
        return ExitCode.TIMED_OUT
    return after_signal(limits.signals[0]) if limits.signals else code


def _settled(nb: NotebookNode, source: object, secrets: Mask, target: str | None) -> NotebookNode:
    """Return the executed copy without secrets, credentials and differences between equal runs."""
    _mark_error(nb)
    ids = executed_copy.read_ids(Path(source)) if isinstance(source, str) else None
    executed_copy.normalise(nb, ids)
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
    return from_dict({**rest, "cells": cells}), removed  # type: ignore[no-untyped-call]


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
    parts = [os.environ.get("DVC_STAGE", ""), name, f"cell {failure.cell}", failure.error]
    message = " · ".join(filter(None, parts))
    if target:
        message += f"; see {target}"
    for index, text in zip((0, failure.index + 1), executed_copy.error_marks(failure), strict=True):
        mark: dict[str, Any] = {
            "cell_type": "markdown",
            "id": f"error-mark-{index > 0:d}",
            "source": text,
        }
        mark["metadata"] = {"tags": [executed_copy.ERROR_MARK]}
        nb.cells.insert(index, from_dict(mark))  # type: ignore[no-untyped-call]
    write_ipynb(nb, target)
    return NotebookFailed(message, failure, cell.source, cell.execution_count, code)


def _write_whole(target: str | None) -> None:
    """Register an atomic writer with papermill for a local file; make the folder.

    papermill chooses the last registered handler whose prefix matches the path.

    Raises:
        NotWritten: if the folder cannot be made or is read-only.
    """
    handler = papermill_io.get_handler(target)
    if target and type(handler) is LocalHandler:
        folder = handler.cwd(None)
        handler.cwd(folder)
        folder = Path(folder or Path.cwd())
        parent = (folder / target).parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            if not os.access(parent, os.W_OK):
                raise PermissionError(errno.EACCES, f"{parent} is read-only")
        except OSError as error:
            raise _not_written(target, error) from None
        papermill_io.register(target, AtomicFile(folder))


def _check_files() -> None:
    """Validate the parameter files on papermill's command line, if there is a command line.

    papermill has read the files as YAML 1.1, but DVC records them as YAML 1.2: see `yaml_file`.

    Raises:
        WrongParameters: if a file cannot be read, or the two versions of YAML differ.
    """
    context = click.get_current_context(silent=True)
    for file in (context.params.get("parameters_file") or ()) if context else ():
        try:
            if "://" not in file:
                read_config(Path(file))
        except NbError as error:
            raise WrongParameters(str(error)) from None


def _apply_parameters(nb: NotebookNode, source: object) -> dict[str, str]:
    """Validate the given parameters and rewrite the injected cell in the declared types.

    The notebook gets a float for `1`, `Path("…")` for text, a tuple for a list. Secrets are not
    injected: the parameters cell reads them from the environment, which the kernel inherits.

    Args:
        nb: the notebook as prepared by papermill; the metadata keep the given values.
        source: the path of the source notebook.

    Returns:
        The values of the secrets.
    """
    path = Path(source) if isinstance(source, str) else Path("notebook")
    injected = [cell for cell in nb.cells if INJECTED in cell.metadata.get("tags", ())]
    # Without an injected cell the metadata belong to another run.
    given = nb.metadata.papermill.get("parameters", {}) if injected else {}
    try:
        declared = read_parameters(_notebook(path, [c for c in nb.cells if c not in injected]))
        values = check_values(declared, given, path)
    except NbError as error:
        raise WrongParameters(str(error)) from None
    for cell in injected:
        cell.source = f"# Parameters\n{assignments(declared, values)}"
    return secret_values(declared)


def _notebook(path: Path, cells: list[NotebookNode]) -> Notebook:
    cells = [cell for cell in cells if cell.cell_type == "code"]
    return parse_notebook(path, {"nbformat": 4, "metadata": {}, "cells": cells})
