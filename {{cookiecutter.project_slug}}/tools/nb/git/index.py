"""Git's index: ids of files in the next commit; files in conflict, or not as in the last commit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nb.project import UsageError

from .command import git_list


def index_ids(root: Path) -> dict[str, str]:
    """Return the id of each file in the index, by name; links and submodules are left out."""
    entries = git_list(root, "ls-files", "--stage", "-z")
    pairs = (entry.split("\t", 1) for entry in entries if entry.startswith("100"))
    return {name: fields.split()[1] for fields, name in pairs}


def named_index_ids(root: Path, files: Sequence[str]) -> dict[str, str]:
    """Return the ids of the named files, or of all in the index if none is named.

    Args:
        files: paths as they are typed in the working directory.

    Raises:
        NbError: if a file is not in the index: a check must not pass because it saw nothing.
    """
    ids = index_ids(root)
    names = [os.path.relpath(Path.cwd() / file, root).replace(os.sep, "/") for file in files]
    unknown = [name for name in names if name not in ids]
    if unknown:
        raise UsageError(f"{unknown[0]} is not a file that Git tracks; git add it first.")
    return {name: ids[name] for name in names} if files else ids


def unmerged(root: Path) -> set[str]:
    """Return the files that a merge, rebase, cherry-pick or stash left in conflict in the index."""
    entries = git_list(root, "ls-files", "--unmerged", "-z")
    return {entry.split("\t", 1)[1] for entry in entries}


def uncommitted(root: Path, *paths: str, untracked: bool = True) -> list[str]:
    """Return the files, all or those named, that differ from the last commit.

    Args:
        untracked: files that Git does not track count, too.
    """
    kinds = f"--untracked-files={'normal' if untracked else 'no'}"
    entries = git_list(root, "status", "--porcelain", "--no-renames", "-z", kinds, "--", *paths)
    return [entry[3:] for entry in entries]
