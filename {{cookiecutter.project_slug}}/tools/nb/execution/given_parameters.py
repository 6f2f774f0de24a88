"""Parameters given to papermill: checked against the notebook, injected in the declared types."""

from __future__ import annotations

from pathlib import Path

import click
from nbformat import NotebookNode
from papermill.models import Parameter
from papermill.translators import PythonTranslator, papermill_translators

from nb.notebook.config import read_config
from nb.notebook.content import Notebook, parse_notebook
from nb.notebook.parameters import assignments, check_values, read_parameters, secret_values
from nb.project import NbError

from .copies.failure import INJECTED
from .problems import WrongParameters


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


def check_given_files() -> None:
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


def apply_parameters(nb: NotebookNode, source: object) -> dict[str, str]:
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
