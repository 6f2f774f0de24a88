"""Copies of the project, with other parameters or unchanged, for `nb run --set` and experiments.

The copy shares DVC's cache, so stages that the change does not reach are not run again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from nb import pipeline
from nb.declaration.papermill_command import papermill_command
from nb.declaration.tasks import Task, group_of
from nb.grouping import grouped
from nb.notebook.config import set_value
from nb.notebook.content import read_notebook
from nb.notebook.parameters import Parameter, check_values, read_parameters
from nb.notebook.yaml_file import read_value
from nb.project import EXECUTED, NbError, UsageError
from nb.surroundings import find_repository
from nb.wording import did_you_mean
from nb.workcopy.copying import copy_entries, git_files, project_entries

from .record import time_id

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
    value: object
    config: str
    others: list[str]


class SettingReader:
    """Reader of settings, which are checked against the stages and notebooks of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._tasks = {task.name: task for task in pipeline.declared(root)}
        self._parameters: dict[str, list[Parameter]] = {}

    def resolve(self, parameter: str, value: object, where: str) -> list[Setting]:
        """Return the settings that give a value to a parameter, one for each config file.

        Args:
            parameter: the parameter with its stage, `train.seed`.
            where: the place of the setting, for messages.

        Raises:
            NbError: with exit code 2, if there is no such stage or parameter, or the value does not
                fit.
        """
        stage, _, name = parameter.rpartition(".")
        chosen = [
            task for task in self._tasks.values() if stage in (task.name, group_of(task.name))
        ]
        if not chosen:
            groups = sorted({*self._tasks, *map(group_of, self._tasks)})
            hint = did_you_mean(stage, groups, "all stages: nb status")
            raise UsageError(f"{where}: there is no stage {stage}; {hint}")
        by_config = grouped((self._config_of(t, name, value, where), t.name) for t in chosen)
        return [
            Setting(names, name, value, config, self._other_readers(config, names))
            for config, names in by_config.items()
        ]

    def _config_of(self, task: Task, name: str, value: object, where: str) -> str:
        """Return the file with a parameter of a stage, once the value fits the notebook."""
        call = papermill_command(task.command, task.folder)
        if not call.notebook:
            raise UsageError(f"{where}: stage {task.name} runs no notebook")
        if call.notebook not in self._parameters:
            notebook = read_notebook(self.root / call.notebook)
            self._parameters[call.notebook] = read_parameters(notebook)
        check_values(self._parameters[call.notebook], {name: value}, where, complete=False)
        if name in call.given:
            problem = f"the command of {task.name} in dvc.yaml gives it; change it there"
            raise UsageError(f"{where}: {problem}")
        if not call.files:
            problem = f"the command of {task.name} reads no config file (-f)"
            raise UsageError(f"{where}: {problem}")
        config = call.files[-1]
        if Path(config).is_absolute() or config.startswith(os.pardir):
            place = "write it relative to the project, so that a copy has its own"
            problem = f"the command of {task.name} reads {config}; {place}"
            raise UsageError(f"{where}: {problem}")
        return config

    def _other_readers(self, config: str, but: list[str]) -> list[str]:
        return [
            task.name
            for task in self._tasks.values()
            if config in papermill_command(task.command, task.folder).files and task.name not in but
        ]


def read_settings(root: Path, given: Sequence[str]) -> list[Setting]:
    """Return the settings of `--set`, checked against the notebooks' parameters.

    Raises:
        NbError: with exit code 2 and a line for each stage, parameter or value that is not right.
    """
    reader = SettingReader(root)
    settings: list[Setting] = []
    problems: list[str] = []
    for text in given:
        try:
            settings += _read_setting(reader, text)
        except NbError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    require_one_value(settings, "--set")
    return settings


def require_one_value(settings: Iterable[Setting], where: str) -> None:
    """Raise if two settings give different values to the same parameter of a config file."""
    values: dict[tuple[str, str], object] = {}
    for setting in settings:
        place = (setting.config, setting.name)
        if values.setdefault(place, setting.value) != setting.value:
            problem = f"both are read from {setting.config}"
            raise UsageError(f"{where}: {setting.name} cannot have two values; {problem}")


def _read_setting(reader: SettingReader, text: str) -> list[Setting]:
    left, equals, written = text.partition("=")
    if not (equals and all(left.rpartition("."))):
        raise UsageError(f"--set {text}: write it as stage.parameter=value")
    value = read_value(written, f"--set {text}")
    return reader.resolve(left, value, f"--set {left}")


def make_what_if_copy(root: Path, settings: Sequence[Setting]) -> Path:
    """Copy the project with other values, below `.nb/what-if`; return the new root."""
    copy = root / WHAT_IF / time_id(datetime.now(timezone.utc))
    copy_with_settings(root, copy, settings)
    return copy


def copy_with_settings(root: Path, copy: Path, settings: Sequence[Setting] = ()) -> None:
    """Copy the project without DVC's cache, with other values.

    Inputs that are no sources are linked to. Artifacts come out of DVC's cache, as far as
    they are there. A copy that cannot be made is removed.

    Args:
        copy: the root of the copy.
        settings: the other values.
    """
    try:
        copy_entries(root, copy, (root / path for path in _source_files(root)))
        for setting in settings:
            set_value(copy / setting.config, setting.name, setting.value)
        pipeline.isolate_copy(root, copy)
    except NbError:
        shutil.rmtree(copy, ignore_errors=True)
        raise


def _source_files(root: Path) -> list[Path]:
    """Return the files that make the project, relative to the root, and the executed copies.

    Files belong to Git, or would if they were added; without Git, all but machinery counts.
    """
    if find_repository(root):
        found = git_files(root)
    else:
        found = [path.relative_to(root) for path in project_entries(root)]
    found += [Path(".dvc/config"), Path(".dvc/config.local")]
    found += [path.relative_to(root) for path in (root / EXECUTED).rglob("*.ipynb")]
    found = [path for path in dict.fromkeys(found) if os.path.lexists(root / path)]
    return [path for path in found if not (root / path).is_dir()]
