"""Isolated copies of the project: DVC repositories that share the cache, and take results over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Set
from pathlib import Path

from nb.project import NbError, one_line, write_whole
from nb.workcopy.copying import copy_entries, project_entries, safe_link_types

from .lockfiles import (
    lock_text,
    put_back,
    stages_by_lock,
    without_stages,
    write_changed_lines_only,
)
from .places import require_places
from .repository import FINGERPRINT_STAGE, locked_repository, open_project, without_warnings


def isolate_copy(root: Path, copy: Path) -> None:
    """Make a copy of the project an independent DVC repository that shares the cache.

    Raises:
        NbError: if the project or the copy cannot be read.
    """
    from dvc.config import Config
    from dvc.config_schema import RelPath

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
        # Relative to the copy: DVC cannot write a name into a config file that is not ASCII.
        local.setdefault("cache", {})["dir"] = RelPath(cache)
        local["cache"]["type"] = safe_link_types()
        for name, remote in remotes.items():  # with the settings of config.local
            local.setdefault("remote", {}).setdefault(name, {}).update(remote)
    # Outputs that nothing has made yet are missing in the project, too.
    with open_project(copy) as repo, without_warnings():
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


def commit_fingerprints(copy: Path) -> None:
    """Write the fingerprints of a copy, which are up to date, into `dvc.lock` as if just made.

    Raises:
        NbError: if DVC cannot.
    """
    with locked_repository(copy, lambda line: None) as repo, write_changed_lines_only():
        repo.commit(FINGERPRINT_STAGE, force=True)


def take_results(
    source: Path, target: Path, names: Iterable[str], tell: Callable[[str], None]
) -> None:
    """Bring the results of stages from one copy of the project to another, without running them.

    Lines of `dvc.lock` are taken as they are; outputs come out of the shared cache, and those that
    DVC does not cache are copied.

    Args:
        source: the root of the copy that holds the results.
        target: the root of the copy that lacks them.
        tell: called with one line while another process holds DVC's lock.

    Raises:
        NbError: if an output is neither there nor in the cache, or a changed file would be lost.
    """
    from dvc.exceptions import DvcException

    wanted = set(names)
    if not wanted:
        return
    with locked_repository(target, tell) as repo:
        for file, own in stages_by_lock(wanted).items():
            theirs, ours = lock_text(source / file), lock_text(target / file)
            text = put_back(theirs, ours or without_stages(theirs), own)
            if text != ours:
                write_whole(target / file, text)
        # By name: for its index of all stages DVC would search every folder of the project.
        stages = [stage for name in wanted for stage in repo.stage.collect(name)]
        for out in (out for stage in stages for out in stage.outs if not out.use_cache):
            place = Path(out.fs_path)
            if place.is_relative_to(target):
                original = source / place.relative_to(target)
                inner = project_entries(original) if original.is_dir() else ()
                copy_entries(source, target, [original, *inner])
        try:
            found = [stage.addressing for stage in stages]
            repo.checkout(found, force=False, allow_missing=False)
        except DvcException as error:
            raise NbError(f"DVC: {one_line(error)}") from None
