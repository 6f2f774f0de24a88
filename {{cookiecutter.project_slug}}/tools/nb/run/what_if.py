"""Run the pipeline with other parameters in a copy of the project: `nb run --set train.seed=7`.

The copy shares DVC's cache, so stages that the change does not reach are not run again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from nb import pipeline
from nb.declaration.papermill_command import PapermillCommand, papermill_command
from nb.declaration.tasks import Task
from nb.exit_codes import ExitCode
from nb.notebook.config import change_config, read_value
from nb.notebook.content import read_notebook
from nb.notebook.parameters import check_values, read_parameters
from nb.project import EXECUTED, NbError
from nb.surroundings import find_repository
from nb.workcopy.copying import copy_entries, git_files, project_entries

WHAT_IF = Path(".nb/what-if")


@dataclass(frozen=True)
class Setting:
    """Another value of a parameter.

    Attributes:
        stages: the stages that get the value.
        name: the parameter.
        value: the new value.
        config: the file of `config/` for these stages, relative to the root.
        others: stages that read the same file, and so get the value, too.
    """

    stages: list[str]
    name: str
    value: Any
    config: str
    others: list[str]


def read_settings(root: Path, given: Sequence[str]) -> list[Setting]:
    """Return the settings of `--set`, checked against the notebooks' parameters.

    Raises:
        NbError: with exit code 2, if a stage, a parameter or a value is not right.
    """
    tasks = {task.name: task for task in pipeline.declared(root)}
    settings = [setting for text in given for setting in _read_setting(root, tasks, text)]
    values: dict[tuple[str, str], Any] = {}
    for setting in settings:
        place = (setting.config, setting.name)
        if values.setdefault(place, setting.value) != setting.value:
            what = f"both are read from {setting.config}"
            raise NbError(f"--set: {setting.name} cannot have two values; {what}", ExitCode.USAGE)
    return settings


def _read_setting(root: Path, tasks: dict[str, Task], text: str) -> list[Setting]:
    left, equals, written = text.partition("=")
    stage, _, name = left.rpartition(".")
    if not (equals and stage and name):
        raise NbError(f"--set {text}: write it as stage.parameter=value", ExitCode.USAGE)
    chosen = [task for task in tasks.values() if stage in (task.name, _group(task.name))]
    if not chosen:
        groups = sorted({*tasks, *map(_group, tasks)})
        nearest = get_close_matches(stage, groups, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ". All stages: nb status"
        raise NbError(f"--set {text}: there is no stage {stage}{hint}", ExitCode.USAGE)
    value = read_value(written, f"--set {text}")
    by_config: dict[str, list[str]] = {}
    for task in chosen:
        config = _config_of(root, task, name, value, f"--set {left}")
        by_config.setdefault(config, []).append(task.name)
    return [
        Setting(names, name, value, config, _readers(tasks.values(), config, names))
        for config, names in by_config.items()
    ]


def _group(name: str) -> str:
    return name.partition("@")[0]


def _config_of(root: Path, task: Task, name: str, value: Any, where: str) -> str:
    """Return the file that holds a parameter of a stage, once the value fits the notebook."""
    call = _papermill(task)
    if not call.notebook:
        raise NbError(f"{where}: stage {task.name} runs no notebook", ExitCode.USAGE)
    notebook = read_notebook(root / call.notebook)
    check_values(read_parameters(notebook), {name: value}, where, complete=False)
    if name in call.given:
        raise NbError(
            f"{where}: the command of {task.name} in dvc.yaml gives it; change it there", 2
        )
    if not call.files:
        raise NbError(
            f"{where}: the command of {task.name} reads no config file (-f)", ExitCode.USAGE
        )
    config = call.files[-1]
    if Path(config).is_absolute() or config.startswith(os.pardir):
        place = "write it relative to the project, so that a copy has its own"
        raise NbError(
            f"{where}: the command of {task.name} reads {config}; {place}", ExitCode.USAGE
        )
    return config


def _papermill(task: Task) -> PapermillCommand:
    return papermill_command(task.command, task.folder) or PapermillCommand("")


def _readers(tasks: Iterable[Task], config: str, but: list[str]) -> list[str]:
    return [
        task.name for task in tasks if config in _papermill(task).files and task.name not in but
    ]


def make_copy(root: Path, settings: Sequence[Setting]) -> Path:
    """Copy the project without DVC's cache, with other values; return the new root.

    Files that belong to Git, or would if they were added, are copied, and the executed copies.
    Inputs that are not among them are linked to. Artifacts come out of DVC's cache, as far as they
    are there.
    """
    copy = root / WHAT_IF / datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    copy_entries(root, copy, (root / path for path in _files(root)))
    for setting in settings:
        change_config(copy / setting.config, setting.name, setting.value)
    try:
        pipeline.work_apart(root, copy)
    except NbError:
        shutil.rmtree(copy)
        raise
    return copy


def _files(root: Path) -> list[Path]:
    if find_repository(root):
        found = git_files(root)
    else:
        found = [path.relative_to(root) for path in project_entries(root)]
    found += [Path(".dvc/config"), Path(".dvc/config.local")]
    found += [path.relative_to(root) for path in (root / EXECUTED).rglob("*.ipynb")]
    found = [path for path in dict.fromkeys(found) if os.path.lexists(root / path)]
    return [path for path in found if not (root / path).is_dir()]
