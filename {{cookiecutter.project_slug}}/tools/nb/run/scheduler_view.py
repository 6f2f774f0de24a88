"""Stages that run a command, in order, for `nb stages`: dicts for schedulers, lines for people.

The interface for programs that cannot import DVC or this package (`nb help schedulers`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nb import pipeline, uptodate
from nb.declaration.papermill_command import papermill_command
from nb.declaration.reader import FILE, read_stages
from nb.declaration.tasks import group_of
from nb.notebook.config import read_config
from nb.notebook.content import read_notebook
from nb.notebook.parameters import describe, read_parameters


def stages_for_schedulers(root: Path) -> list[dict[str, Any]]:
    """Return the stages that run a command, in topological order.

    Besides the definition in `dvc.yaml` a stage has a `group` (the name without the value of a
    matrix), the `notebook`, the `executed` copy and the `parameters` of the notebook as `nb params
    --json` prints them, with their values in the config file of the stage. `fixed` are the values
    on the command line.

    Raises:
        NbError: with exit code 2, if the pipeline, a notebook's parameters or a config file cannot
            be read.
    """
    return [_facts_of(root, definition) for definition in pipeline.definitions(root)]


def described_stages(root: Path) -> list[tuple[str, str]]:
    """Return name and description of each stage that runs a command, in topological order.

    While the stamp of the last run is valid, `dvc.yaml` alone has all there is to know.

    Raises:
        NbError: with exit code 2, if the pipeline cannot be read.
    """
    names = (uptodate.read_stamp(root) or {}).get("shown") or []
    files = {FILE, *(name.rpartition(":")[0] or FILE for name in names)}
    known = {s.name: s.desc for s in read_stages(root, files, with_lock=False)} if names else {}
    if names and not any("${" in known.get(name, "${") for name in names):
        return [(name, known[name]) for name in names]
    return [(definition.name, definition.desc) for definition in pipeline.definitions(root)]


def _facts_of(root: Path, definition: pipeline.StageDefinition) -> dict[str, Any]:
    call = papermill_command(definition.command, definition.folder)
    config: dict[str, Any] = {}
    for file in call.files:
        config |= read_config(root / file)
    return {
        **vars(definition),
        "group": group_of(definition.name),
        "notebook": call.notebook,
        "executed": call.executed,
        "parameters": _parameters(root / call.notebook, config) if call.notebook else [],
        "fixed": dict(call.given),
    }


def _parameters(notebook: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of a notebook; none if the file is missing, which fails the run."""
    return describe(read_parameters(read_notebook(notebook)), config) if notebook.exists() else []
