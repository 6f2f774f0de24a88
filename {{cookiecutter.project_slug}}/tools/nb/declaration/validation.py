"""Validation of the parameter files of stages against their notebooks, before a run."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from nb.declaration.tasks import Task
from nb.notebook.config import read_config
from nb.notebook.content import read_notebook
from nb.notebook.parameters import check_values, read_parameters

from .papermill_command import papermill_commands


def check_parameter_files(root: Path, tasks: Iterable[Task], made: Set[str]) -> None:
    """Validate the parameter files that tasks pass to notebooks.

    DVC removes the outputs of a stage before the command starts, and only the command validates
    parameters: a typing error would cost the last results. Files that stages make are skipped.

    Args:
        tasks: the tasks that are to run.
        made: the absolute paths of the outputs of stages.

    Raises:
        NbError: with exit code 2, if a file cannot be read, or does not fit the parameters cell.
    """
    calls = [call for task in tasks for call in papermill_commands(task.command, task.folder)]
    for call in calls:
        notebook = root / call.notebook
        is_strict = call.engine == "nb" and notebook.is_file()
        parameters = read_parameters(read_notebook(notebook)) if is_strict else []
        for file in call.files:
            if made & {str(root / file), *map(str, (root / file).parents)}:
                continue
            values = read_config(root / file)
            if is_strict:
                check_values(parameters, values, file, complete=False)
