"""What the commands of stages give their notebooks, held against what these take, before a run."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from nb.declaration.tasks import Task
from nb.notebook.config import read_config
from nb.notebook.content import read_notebook
from nb.notebook.parameters import check_values, read_parameters

from .papermill_command import papermill_commands


def check_given(root: Path, tasks: Iterable[Task], made: Set[str]) -> None:
    """Check the files of parameters that tasks give their notebooks.

    DVC removes what a stage wrote before its command starts, and only that refuses parameters. What
    a stage makes, or is not there, is left to the stage that takes it.

    Args:
        root: the project's root.
        tasks: what is to run.
        made: the absolute paths of what stages write.

    Raises:
        NbError: with exit code 2, if a file cannot be read, or gives what the notebook does not
            take.
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
