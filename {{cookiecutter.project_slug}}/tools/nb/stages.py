"""What a scheduler has to know of the pipeline: `nb stages --json`.

The door for programs that cannot import DVC or this package (docs/schedulers.md of the template).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import causes, pipeline
from .config import read_config
from .given import config_files
from .notebook import read_notebook
from .parameters import describe, read_parameters

VALUE_FLAGS = ("-p", "--parameters", "-r", "--parameters_raw")


def listed(root: Path) -> list[dict[str, Any]]:
    """Return each stage that runs a command, after those that it needs.

    Besides what `dvc.yaml` defines a stage has its `group` (its name without the value of a
    matrix), its `notebook`, its `executed` copy and the `parameters` of the notebook as `nb params
    --json` gives them, with the value in the stage's config file. `fixed` are the values that the
    command itself gives.

    Raises:
        NbError: with exit code 2, if the pipeline, a notebook's parameters or a config file cannot
            be read.
    """
    return [_listed(root, definition) for definition in pipeline.definitions(root)]


def _listed(root: Path, definition: pipeline.Definition) -> dict[str, Any]:
    notebook, executed = causes.notebook_of(definition.command)
    words = causes.papermill_words(definition.command)
    config: dict[str, Any] = {}
    for file in config_files(words):
        config |= read_config(root / file)
    given = zip(words, words[1:], words[2:], strict=False)
    fixed = {name: value for flag, name, value in given if flag in VALUE_FLAGS}
    return {
        **vars(definition),
        "group": definition.name.partition("@")[0],
        "notebook": notebook,
        "executed": executed,
        "parameters": _parameters(root / notebook, config) if notebook else [],
        "fixed": fixed,
    }


def _parameters(notebook: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Describe the parameters; a notebook that is not there fails when it runs, and says so."""
    return describe(read_parameters(read_notebook(notebook)), config) if notebook.exists() else []
