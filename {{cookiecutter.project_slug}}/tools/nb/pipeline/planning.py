"""Run plans: the stages of a run in order, those that are stale, and the files that decide this."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from nb import uptodate
from nb.declaration.reader import one_command, value_files
from nb.declaration.tasks import StageState, Task, group_of
from nb.grouping import grouped
from nb.notebook import fingerprints
from nb.processes.garbage import no_collection
from nb.project import NbError, UsageError, usage_errors
from nb.uptodate import WatchedFiles
from nb.wording import did_you_mean

from .loaded import LoadedPipeline, outputs_in_git
from .lockfiles import texts_since
from .places import require_places, require_untracked
from .protocols import DvcStage, Repo
from .repository import (
    FINGERPRINT_STAGE,
    folder_of,
    import_modules,
    locked_repository,
    shown_stages,
    stage_parameters,
    with_fingerprints,
)
from .shortcuts import whole_pipeline
from .states import find_states


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The stages of a run in topological order, with the files that decide whether they are stale.

    Attributes:
        tasks: the stages in topological order.
        shown: the names of all stages of the project, as `stage_states` orders them.
        order: the names of all stages of the pipeline, as `dvc repro` runs them.
        made: the absolute paths of the outputs.
        watched: the files of the up-to-date stamp; None if only DVC can detect changes.
        loaded: the stages as they were loaded, for workers that are forked from this process.
    """

    tasks: list[Task]
    shown: list[str]
    order: list[str]
    made: set[str]
    watched: WatchedFiles | None
    loaded: LoadedPipeline


@usage_errors()
def plan(
    root: Path,
    targets: Sequence[str],
    *,
    force: bool,
    downstream: bool,
    tell: Callable[[str], None],
) -> Plan:
    """Return the plan of a run.

    Args:
        targets: names of stages, of a matrix as a whole, or files that declare stages; empty for
            the whole pipeline.
        force: all of them are to run.
        downstream: plan the targets and their dependents, without their dependencies.
        tell: called with one line while another DVC process is waited for.

    Raises:
        NbError: if the pipeline cannot be read (exit code 2), or a target is unknown.
    """
    began = uptodate.file_system_time(root)
    with no_collection(), locked_repository(root, tell) as repo:
        return _plan(repo, root, targets, force, downstream, began)


@usage_errors()
def preview(
    root: Path, targets: Sequence[str], *, force: bool, downstream: bool
) -> tuple[list[Task], list[StageState]]:
    """Return the tasks of `plan` and the states of `stage_states`, loading the pipeline once.

    Raises:
        NbError: as `plan` does.
    """
    fingerprints.refresh(root)
    began = uptodate.file_system_time(root)
    with (
        no_collection(),
        locked_repository(root, lambda line: None) as repo,
        whole_pipeline(repo, repo.index.stages),
    ):
        tasks = _plan(repo, root, targets, force, downstream, began).tasks
        unchanged = {task.name for task in tasks if not task.changed}
        return tasks, find_states(repo, root, unchanged)


def _plan(
    repo: Repo,
    root: Path,
    targets: Sequence[str],
    force: bool,
    downstream: bool,
    began: int,
) -> Plan:
    from dvc.repo.reproduce import get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)
    require_places(root, repo.index.stages)
    whole = with_fingerprints(repo, _collect(repo, ["dvc.yaml"]))
    chosen = _collect(repo, targets) if targets else whole
    stages = plan_repro(graph, chosen, downstream=downstream)
    order = plan_repro(graph, whole) if targets else stages
    names = {stage: stage.addressing for stage in stages}
    watched = None if targets else _watched(repo, root, stages, began)
    if FINGERPRINT_STAGE in names.values():
        fingerprints.refresh(root)
    made = {str(out.fs_path) for stage in stages for out in stage.outs}
    parameters = {stage: stage_parameters(stage, made) for stage in stages}  # first: may raise
    with whole_pipeline(repo, stages):
        changed = {stage for stage in stages if force or _changed(stage)}
    tasks = [
        Task(
            name=name,
            command=one_command(stage.cmd),
            folder=folder_of(stage, root),
            after=frozenset(names[o] for o in graph.successors(stage) if o in names),
            parameters=parameters[stage],
            changed=stage in changed,
            memory=_memory(stage),
            # Data that DVC merely tracks is no stage to people: shown if changed or asked for.
            hidden=name == FINGERPRINT_STAGE or not (stage.cmd or stage in {*changed, *chosen}),
            persisted=() if name == FINGERPRINT_STAGE else _persisted(stage),
        )
        for stage, name in names.items()
    ]
    if not repo.config["core"].get("no_scm"):
        require_untracked(root, [stage for stage in stages if stage in changed])
    shown = [stage.addressing for stage in shown_stages(repo.index.graph)]
    if any(task.changed for task in tasks):
        import_modules()
    return Plan(
        tasks=tasks,
        shown=shown,
        order=[stage.addressing for stage in order],
        made=made,
        watched=watched,
        loaded=LoadedPipeline(repo, began, outputs_in_git(repo)),
    )


def _watched(repo: Repo, root: Path, stages: Sequence[DvcStage], began: int) -> WatchedFiles | None:
    """Return the files that stages read and write; None if only DVC can tell of changes."""
    import dvc

    if any(_is_always_looked_at(stage) for stage in stages):
        return None
    written = {s.addressing: [out.fs_path for out in s.outs] for s in stages}
    made = {path for paths in written.values() for path in paths}
    declared = {Path(stage.path) for stage in repo.index.stages}
    locks = {path.with_name(uptodate.LOCK_NAME) for path in declared if path.suffix == ".yaml"}
    needed = {dep.fs_path for stage in stages if not stage.frozen for dep in stage.deps}
    read = {path for path in needed if not made & {path, *map(str, Path(path).parents)}}
    variables = [value_files(path) for path in declared]
    if None in variables:
        return None
    read |= {str(path) for path in (*declared, *chain.from_iterable(filter(None, variables)))}
    read |= set(repo.config.files.values())
    tooling = [str(path) for path in (Path(dvc.__file__), *Path(__file__).parents[1].rglob("*.py"))]
    searched, ignored, left = uptodate.declaration_folders(
        root,
        made,
        repo.dvcignore.is_ignored_dir,
        lambda path: bool(repo.scm.is_ignored(f"{path}{os.sep}")),
    )
    caches = [odb.path for odb in (repo.cache.local, repo.cache.legacy)]
    texts = texts_since(began, sorted(locks))
    if texts is None:
        return None
    watched = WatchedFiles(
        read=sorted(read),
        written=written,
        searched=searched,
        ignored=ignored,
        left=left,
        tooling=tooling,
        caches=caches,
        locks=texts,
    )
    return replace(watched, before=uptodate.sources_digest(root, watched))


def _is_always_looked_at(stage: DvcStage) -> bool:
    """Return whether no stamp can cover a stage: always run, or with files that are not local."""
    from dvc.dependency import Dependency, ParamsDependency

    deps = [] if stage.frozen else stage.deps
    plain = all(type(dep) in (Dependency, ParamsDependency) for dep in deps)
    if not plain or any(item.protocol != "local" for item in (*deps, *stage.outs)):
        return True
    return not stage.frozen and bool(stage.is_callback or stage.always_changed)


def _collect(repo: Repo, targets: Sequence[str]) -> list[DvcStage]:
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import collect_stages

    # DVC would load the file again for each target.
    by_target = grouped(
        (key, stage)
        for stage in repo.index.stages
        for name in [stage.addressing]
        for key in {name, group_of(name), os.path.relpath(stage.path)}
    )
    found: list[DvcStage] = []
    for target in targets:
        try:
            found += by_target.get(target) or collect_stages(repo, [target])
        except DvcException:
            if target == "dvc.yaml":
                raise
            names = sorted(by_target.keys() - {FINGERPRINT_STAGE})
            hint = did_you_mean(target, names, "all stages: nb status")
            raise NbError(f"there is no stage {target}; {hint}") from None
    return list(dict.fromkeys(found))


def _changed(stage: DvcStage) -> bool:
    from dvc.lock import LockError

    try:
        return bool(stage.changed())
    except LockError:  # held by another process: the worker of this stage waits and checks again
        return True


def _persisted(stage: DvcStage) -> tuple[str, ...]:
    return tuple(str(out.fs_path) for out in stage.outs if stage.cmd and out.persist)


def _memory(stage: DvcStage) -> int | None:
    """Return the memory that a stage declares (`meta: {nb: {memory: 8GB}}`), in bytes."""
    meta = stage.meta if isinstance(stage.meta, dict) else {}
    own = meta.get("nb") or {}
    if not isinstance(own, dict):
        what = f"meta: {{nb: {own}}} of stage {stage.addressing} holds no names"
        raise UsageError(f"{stage.relpath}: {what}; write it as {{memory: 8GB}}")
    declared = own.get("memory")
    if declared is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kMGT]?)(i?)B)?", str(declared).strip())
    if not found:
        what = f"stage {stage.addressing} needs {declared!r} of memory, which is no size"
        raise UsageError(f"{stage.relpath}: {what}; write it as 8GB or 500MB")
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kMGT".index(prefix or " "))
