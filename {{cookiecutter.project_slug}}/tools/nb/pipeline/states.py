"""States of stages for `nb status`: reasons, stale stages upstream, and the command that helps."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from nb.declaration.tasks import NB_RUN, UNFREEZE, StageState
from nb.notebook import fingerprints
from nb.processes.garbage import no_collection
from nb.project import FINGERPRINTS, usage_errors

from .places import require_places
from .protocols import DvcStage, Repo
from .repository import (
    locked_repository,
    path_of,
    shown_stages,
    stage_parameters,
    with_fingerprints,
)
from .shortcuts import whole_pipeline


@usage_errors()
def stage_states(root: Path) -> list[StageState]:
    """Return the state of each stage, in topological order.

    Fingerprints must be up to date (`fingerprints.refresh`).

    Raises:
        NbError: with exit code 2, if `dvc.yaml` cannot be read or is not a pipeline, or a file of
            parameters holds none.
    """
    # DVC loads the pipeline once more whenever it takes its lock.
    with no_collection(), locked_repository(root, lambda line: None) as repo:
        require_places(root, repo.index.stages)
        return find_states(repo, root)


def find_states(repo: Repo, root: Path, unchanged: Set[str] = frozenset()) -> list[StageState]:
    """Return the state of each stage, in topological order.

    Args:
        repo: the open project.
        unchanged: stages that are known to be what `dvc.lock` says.
    """
    from dvc.repo.reproduce import get_active_graph, plan_repro
    from networkx import descendants

    graph = get_active_graph(repo.index.graph)
    own = [stage for stage in repo.index.stages if stage.relpath == "dvc.yaml"]
    planned = {stage.addressing for stage in plan_repro(graph, with_fingerprints(repo, own))}
    stages = {s.addressing: s for s in shown_stages(graph)}
    made = {str(out.fs_path) for stage in graph for out in stage.outs}
    for stage in stages.values():
        stage_parameters(stage, made)  # first: errors in parameter files are named there
    with whole_pipeline(repo, list(stages.values())):
        changes = {
            name: stage.status(check_updates=True).get(name, ())
            for name, stage in stages.items()
            if name not in unchanged
        }
    names = {stage: stage.addressing for stage in graph}
    makers = {path_of(out, root): name for s, name in names.items() for out in s.outs}
    states: list[StageState] = []
    stale: set[str] = set()
    for name, stage in stages.items():
        # Topological order: the states upstream are known. A changed input from a stale stage is
        # no reason by itself, because that stage runs first and may restore the input.
        upstream = {names[other] for other in descendants(graph, stage)} & stale if stale else set()
        after = [state.name for state in states if state.name in upstream] if upstream else []
        reasons: list[str] = []
        if changes.get(name):
            awaited = {path for path, m in makers.items() if m in upstream} if upstream else set()
            locked = _locked_hashes(root, stage)
            reasons = _reasons(root, changes[name], locked, makers, awaited)
        stale |= {name} if reasons else set()
        states.append(StageState(name, reasons, after, _command(stage, planned)))
    return states


def _command(stage: DvcStage, planned: Set[str]) -> str:
    if stage.frozen:
        return f"{UNFREEZE} {shlex.quote(stage.addressing)}"
    return NB_RUN if stage.addressing in planned else f"{NB_RUN} {shlex.quote(stage.relpath)}"


def _locked_hashes(root: Path, stage: DvcStage) -> dict[str, str]:
    """Return the hashes in `dvc.lock` of the inputs and outputs of a stage, by path."""
    items = (*stage.deps, *stage.outs)
    return {path_of(item, root): item.hash_info.value for item in items if item.hash_info}


def _reasons(
    root: Path,
    changes: Iterable[str | Mapping[str, Mapping[str, str | Mapping[str, str]]]],
    locked: Mapping[str, str],
    makers: Mapping[str, str],
    awaited: Set[str],
) -> list[str]:
    """Put DVC's status of a stage into words.

    Args:
        changes: the entries of `dvc status`.
        locked: the hashes in `dvc.lock` of inputs and outputs, by path.
        makers: the stage that makes an input, by path.
        awaited: inputs from stale stages, which are no reasons.
    """
    if changes and not locked:
        return ["it has not been run yet"]
    reasons: list[str] = []
    for change in changes:
        if change == "changed command":
            reasons.append("its command in dvc.yaml changed")
        elif isinstance(change, str):
            reasons.append(f"it is {change}")  # "always changed"
        else:
            for path, what in change.get("changed outs", {}).items():
                reasons.append(f"{path} {_OUTPUT_WORDS.get(str(what), what)}")
            for path, what in change.get("changed deps", {}).items():
                if path not in awaited:
                    reasons += _input_reasons(root, path, what, locked, makers)
    return reasons


def _input_reasons(
    root: Path,
    path: str,
    what: str | Mapping[str, str],
    locked: Mapping[str, str],
    makers: Mapping[str, str],
) -> list[str]:
    if path.startswith(FINGERPRINTS.as_posix()):
        return fingerprints.explain(root, Path(path), locked.get(path))
    if not isinstance(what, str):
        return [f"{key} in {path} {_PARAMETER_WORDS.get(v, v)}" for key, v in what.items()]
    maker = f", made by {makers[path]}," if path in makers else ""
    return [f"{path}{maker} {_INPUT_WORDS.get(what, what)}"]


_OUTPUT_WORDS = {
    "deleted": "is missing",
    "modified": "is not what the last run wrote",
    "new": "was never recorded",
    "not in cache": "is neither here nor in DVC's cache",
}
_PARAMETER_WORDS = {"deleted": "is gone", "modified": "changed", "new": "is new"}
_INPUT_WORDS = {"deleted": "is missing", "modified": "changed", "new": "is a new input"}
