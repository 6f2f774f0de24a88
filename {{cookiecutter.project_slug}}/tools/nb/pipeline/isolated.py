"""Isolated copies of the project: DVC repositories that share the cache."""

from __future__ import annotations

import os
from collections.abc import Set
from pathlib import Path

from nb.workcopy.copying import copy_entries, project_entries

from .places import require_places
from .repository import open_project


def work_apart(root: Path, copy: Path) -> None:
    """Make a copy of the project an independent DVC repository that shares the cache.

    Raises:
        NbError: if the project or the copy cannot be read.
    """
    from dvc.config import Config

    with open_project(root) as repo:
        cache, remotes = repo.cache.local_cache_dir, repo.config["remote"]
        stages = repo.index.stages
        require_places(root, stages)
        made = {out.fs_path for stage in stages for out in stage.outs}
        inputs = {d.fs_path for s in stages for d in s.deps if d.protocol == "local"} - made
        uncached = {o.fs_path for s in stages for o in s.outs if not o.use_cache}
    for path in map(Path, sorted(inputs)):
        target = copy / path.relative_to(root) if path.is_relative_to(root) else path
        _link(path, target, {Path(out) for out in made})
    for path in map(Path, sorted(uncached)):
        target = copy / path.relative_to(root) if path.is_relative_to(root) else path
        if path.exists() and not target.exists():
            inner = project_entries(path) if path.is_dir() else ()
            copy_entries(path, target, [path, *inner])
    with Config(str(copy / ".dvc"), validate=False).edit("local") as local:
        local.setdefault("core", {})["no_scm"] = True
        local.setdefault("cache", {})["dir"] = cache
        for name, remote in remotes.items():  # with the settings of config.local
            local.setdefault("remote", {}).setdefault(name, {}).update(remote)
    with open_project(copy) as repo:
        repo.checkout(force=True, allow_missing=True)


def _link(path: Path, target: Path, made: Set[Path]) -> None:
    """Link an input of the pipeline into the copy, except where stages write.

    Through a link to an output a stage would write into the original project.

    Args:
        path: an input, a file or a folder.
        target: the path of the link; a file that is there already stays.
        made: the outputs of stages.
    """
    if not path.exists() or made & {path, *path.parents}:
        return
    holds_made = any(path in out.parents for out in made)
    if path.is_dir() and (holds_made or target.is_dir()):
        for member in path.iterdir():
            _link(member, target / member.name, made)
    elif not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
