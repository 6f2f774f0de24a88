"""Stages as DVC resolves the `dvc.yaml` files: definitions, contracts, inputs, data not here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.reader import one_command
from nb.declaration.tasks import Task
from nb.project import usage_errors

from .places import require_places
from .protocols import DvcStage
from .repository import FINGERPRINT_STAGE, folder_of, open_project, path_of, shown_stages


@dataclass(frozen=True, kw_only=True)
class Contract:
    """The declared inputs and outputs of a stage; paths are relative to the root.

    Attributes:
        inputs: files or folders that the command reads, parameter files among them.
        outputs: files or folders that the command writes.
        folder: the working directory of the command.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    folder: str = ""


def contracts(root: Path) -> dict[str, Contract]:
    """Return the declared inputs and outputs of each stage that runs a command, by name.

    Raises:
        NbError: if `dvc.yaml` cannot be read or holds no pipeline.
    """
    with open_project(root) as repo:
        return {
            stage.addressing: Contract(
                inputs=tuple(path_of(dep, root) for dep in stage.deps),
                outputs=tuple(path_of(out, root) for out in stage.outs),
                folder=folder_of(stage, root),
            )
            for stage in repo.index.stages
            if stage.cmd and stage.addressing != FINGERPRINT_STAGE
        }


def inputs_hash(root: Path) -> str:
    """Return a hash of everything that results depend on: commands, parameters, code and data.

    Raises:
        NbError: if `dvc.yaml` cannot be read or holds no pipeline.
    """
    with open_project(root) as repo:
        made = {out.fs_path for stage in repo.index.stages if stage.cmd for out in stage.outs}
        facts = {stage.addressing: _facts(stage, made) for stage in repo.index.stages}
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def plain_outputs(root: Path, names: Sequence[str]) -> list[str]:
    """Return the outputs of stages that DVC does not cache, relative to the root.

    Raises:
        NbError: if `dvc.yaml` cannot be read or holds no pipeline.
    """
    with open_project(root) as repo:
        stages = [stage for stage in repo.index.stages if stage.addressing in names]
        return [path_of(out, root) for stage in stages for out in stage.outs if not out.use_cache]


def _facts(stage: DvcStage, made: Set[str]) -> list[object]:
    """Return the command, the parameters, and the hashes of inputs that no stage makes."""
    parameters = [[params.def_path, params.read_params()] for params in stage.params]
    files = {params.fs_path for params in stage.params} | made
    inputs = [dep for dep in stage.deps if dep.fs_path not in files]
    inputs += [] if stage.cmd else list(stage.outs)
    for item in inputs:
        if item.exists:
            item.save()
    return [one_command(stage.cmd), parameters, [[i.def_path, str(i.hash_info)] for i in inputs]]


def check_pipeline(root: Path) -> int:
    """Return the number of stages.

    Raises:
        NbError: if `dvc.yaml` cannot be read or holds no pipeline.
    """
    with open_project(root) as repo:
        return len(shown_stages(repo.index.graph))


@usage_errors()
def declared(root: Path) -> list[Task]:
    """Return all stages with their commands, as `dvc.yaml` files declare them.

    Raises:
        NbError: if the pipeline cannot be read (exit code 2).
    """
    with open_project(root) as repo:
        stages = shown_stages(repo.index.graph)
    return [
        Task(s.addressing, command=one_command(s.cmd), folder=folder_of(s, root)) for s in stages
    ]


@dataclass(frozen=True, kw_only=True)
class StageDefinition:
    """A stage as the `dvc.yaml` files define it, with all values filled in.

    Attributes:
        name: as DVC addresses it, `train@forest` for a value of a matrix.
        command: the command line.
        folder: the working directory of the command, relative to the root.
        after: the stages that make the inputs.
        desc: the description.
        meta: the `meta` of the stage in `dvc.yaml`, which DVC ignores.
        frozen: DVC never runs the stage.
        inputs: files or folders that the command reads, parameter files among them.
        outputs: files or folders that the command writes, metrics and plots included.
        metrics: the outputs that hold metrics.
        plots: the outputs that are plots.
    """

    name: str
    command: str
    folder: str
    after: list[str]
    desc: str
    meta: dict[str, object]
    frozen: bool
    inputs: list[str]
    outputs: list[str]
    metrics: list[str]
    plots: list[str]


@usage_errors()
def definitions(root: Path) -> list[StageDefinition]:
    """Return all stages that run a command, in topological order.

    Raises:
        NbError: if the pipeline cannot be read (exit code 2).
    """
    with open_project(root) as repo:
        graph = repo.index.graph
        stages = shown_stages(graph)
        return [_definition(root, stage, set(graph.successors(stage)), stages) for stage in stages]


def _definition(
    root: Path, stage: DvcStage, makers: Set[DvcStage], shown: Sequence[DvcStage]
) -> StageDefinition:
    outs = [out for out in stage.outs if out.protocol == "local"]
    return StageDefinition(
        name=stage.addressing,
        command=one_command(stage.cmd),
        folder=folder_of(stage, root),
        after=[other.addressing for other in shown if other in makers],
        desc=stage.desc or "",
        meta=stage.meta if isinstance(stage.meta, dict) else {},
        frozen=bool(stage.frozen),
        inputs=[path_of(dep, root) for dep in stage.deps],
        outputs=[path_of(out, root) for out in stage.outs],
        metrics=[path_of(out, root) for out in outs if out.metric],
        plots=[path_of(out, root) for out in outs if out.plot],
    )


def missing_data(root: Path) -> list[str]:
    """Return the outputs that `dvc.lock` names and that are neither here nor in DVC's cache."""
    with open_project(root) as repo:
        require_places(root, repo.index.stages)
        outs = [out for stage in repo.index.stages for out in stage.outs]
        outs = [out for out in outs if out.hash_info and out.use_cache]
        return [path_of(o, root) for o in outs if not o.exists and o.changed_cache()]
