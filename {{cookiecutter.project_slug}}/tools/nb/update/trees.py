"""Renderings as commits of the project's own repository: both sides that an update is merged from.

Git merges a commit with its parent as the base, so the old rendering is the parent of the new one,
and `git cherry-pick` brings the difference into the project. Nothing points at the commits; Git
removes them in time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nb.git.wiring import git

from .provenance import PROVENANCE

# The one folder that belongs to the template: an update replaces it as a whole.
REPLACED = Path("tools")
# What people fill: an update merges their changes, and never replaces them.
USERS_GROUND = ("notebooks", "src", "config", "data", "models", "tests", "dvc.yaml", "README.md")

# The mode and the blob of each file, by name from the top of the repository.
Entries = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Difference:
    """The difference that an update brings.

    Attributes:
        commit: the new rendering; the parent is the old one, as far as it concerns the project.
        edited: the files of the tooling that the project changed, which the update replaces.
        released: a tree with those files as they were released.
        deleted: the files of the template that the project deleted; they stay deleted.
    """

    commit: str
    edited: list[str]
    released: str
    deleted: list[str]


def prefix(root: Path) -> str:
    """Return the project's folder in the repository, with a slash; empty at the top."""
    return git(root, "rev-parse", "--show-prefix").strip()


def write_difference(root: Path, old: Path, new: Path, record: str, message: str) -> Difference:
    """Write the difference between two renderings as a commit.

    Args:
        root: the project's root; HEAD is what the update is merged into.
        old: the folder of the old rendering.
        new: the folder of the new rendering.
        record: the text of the project's new record.
        message: the message of the commit.
    """
    top = prefix(root)
    head = entries(root, "HEAD")
    before = _written(root, old, top)
    after = _written(root, new, top)
    tooling = f"{top}{REPLACED.as_posix()}/"
    released = {name for name in before if name.startswith(tooling)}
    edited = sorted(name for name in released if head.get(name) != before[name])
    as_released = _tree(root, {name: before[name] for name in edited})
    # The tooling is taken as it is: its base is the project's, so that no edit is in the way.
    for name in edited:
        before.pop(name)
        if name in head:
            before[name] = head[name]
    deleted = _deleted(root, before, head, tooling)
    for name in deleted:
        before.pop(name)
        after.pop(name, None)
    name = f"{top}{PROVENANCE.as_posix()}"
    before.pop(name, None)
    if name in head:
        before[name] = head[name]
    after[name] = ("100644", _blob(root, record))
    base = _commit(root, before, "The template as the project has it")
    return Difference(_commit(root, after, message, base), edited, as_released, deleted)


def entries(root: Path, commit: str) -> Entries:
    """Return the files of a commit or tree."""
    listed = git(root, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
    found: Entries = {}
    for line in filter(None, listed):
        about, name = line.split("\t", 1)
        mode, _, blob = about.split()
        found[name] = (mode, blob)
    return found


def _written(root: Path, folder: Path, top: str) -> Entries:
    """Write the files of a rendering to the object store, byte for byte."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    text = "".join(f"{path}\n" for path in paths)
    blobs = git(root, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=text).split()
    return {
        f"{top}{path.relative_to(folder).as_posix()}": (_mode(path), blob)
        for path, blob in zip(paths, blobs, strict=True)
    }


def _mode(path: Path) -> str:
    return "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"


def _blob(root: Path, text: str) -> str:
    return git(root, "hash-object", "-w", "--stdin", stdin=text).strip()


def _deleted(root: Path, before: Entries, head: Entries, tooling: str) -> list[str]:
    """Return the files of the template that the project deleted, not renamed."""
    missing = {name for name in before.keys() - head.keys() if not name.startswith(tooling)}
    if not missing:
        return []
    tree = _tree(root, before)
    found = git(
        root,
        *("diff-tree", "-r", "-M", "-l0", "--name-only", "--diff-filter=D", "-z", tree, "HEAD"),
    )
    return sorted(missing & set(found.split("\0")))


def _tree(root: Path, files: Entries) -> str:
    """Write a tree without touching the index of the project."""
    lines = "".join(f"{mode} {blob}\t{name}\0" for name, (mode, blob) in files.items())
    index = Path(git(root, "rev-parse", "--git-path", "nb-update.index").strip())
    index = index if index.is_absolute() else root / index
    index.unlink(missing_ok=True)
    before = os.environ.get("GIT_INDEX_FILE")
    os.environ["GIT_INDEX_FILE"] = str(index)
    try:
        git(root, "update-index", "-z", "--add", "--index-info", stdin=lines)
        return git(root, "write-tree").strip()
    finally:
        os.environ.pop("GIT_INDEX_FILE")
        if before is not None:
            os.environ["GIT_INDEX_FILE"] = before
        index.unlink(missing_ok=True)


def _commit(root: Path, files: Entries, message: str, *parents: str) -> str:
    options = [word for parent in parents for word in ("-p", parent)]
    return git(root, "commit-tree", _tree(root, files), *options, "-m", message).strip()


def expected_conflicts(root: Path, found: Difference) -> list[str] | None:
    """Return the files that the update will leave in conflict; None if this Git cannot tell.

    `git merge-tree --write-tree` is there from Git 2.38 on.
    """
    ours = git(
        root, "commit-tree", "HEAD^{tree}", "-p", f"{found.commit}^", "-m", "The project"
    ).strip()
    options = ("--write-tree", "--name-only", "--no-messages", "-z", ours, found.commit)
    text = git(root, "-c", "merge.directoryRenames=false", "merge-tree", *options, check=False)
    parts = [part for part in text.split("\0") if part]
    return sorted(set(parts[1:])) if parts else None


def differing(root: Path, found: Difference) -> Mapping[str, str]:
    """Return the files that the template changes, with the letter of Git's status."""
    words = git(root, "diff-tree", "-r", "-z", "--name-status", f"{found.commit}^", found.commit)
    parts = words.split("\0")
    return dict(zip(parts[1::2], parts[0::2], strict=False))
