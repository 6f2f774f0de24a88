"""Renderings of the template as Git commits, from which an update is merged; expected conflicts.

Git merges a commit with its parent as the base, so the parent of the new rendering is the old
rendering, and `git cherry-pick` brings the difference into the project. Nothing points at the
commits; Git removes them in time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nb.git.command import git, git_list
from nb.git.objects import Entries, file_mode, write_commit, write_tree
from nb.surroundings import project_prefix

from .provenance import PROVENANCE

# The folder that belongs to the template: an update replaces the whole folder.
REPLACED = Path("tools")
# Files that people fill: an update merges their changes, and never replaces them.
USERS_GROUND = ("notebooks", "src", "config", "data", "models", "tests", "dvc.yaml", "README.md")


@dataclass(frozen=True)
class Difference:
    """The difference that an update brings.

    Attributes:
        commit: the new rendering; the parent holds the old rendering, as far as that concerns the
            project.
        edited: the files of the tooling that the project changed, which the update replaces.
        released: a tree with those files as they were released.
        deleted: the files of the template that the project deleted; they stay deleted.
    """

    commit: str
    edited: list[str]
    released: str
    deleted: list[str]


def write_difference(root: Path, old: Path, new: Path, record: str, message: str) -> Difference:
    """Write the difference between two renderings as a commit.

    Args:
        root: the project's root; the update is merged into HEAD.
        old: the folder of the old rendering.
        new: the folder of the new rendering.
        record: the text of the project's new record.
        message: the message of the commit.
    """
    top = project_prefix(root)
    head = _head_entries(root)
    before = _written(root, old, top)
    after = _written(root, new, top)
    tooling = f"{top}{REPLACED.as_posix()}/"
    released = {name for name in before if name.startswith(tooling)}
    edited = sorted(name for name in released if head.get(name) != before[name])
    as_released = write_tree(root, {name: before[name] for name in edited})
    # The tooling is replaced as a whole: the base has the project's files, so no edit conflicts.
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
    after[name] = ("100644", git(root, "hash-object", "-w", "--stdin", stdin=record).strip())
    base = write_commit(root, write_tree(root, before), "The template as the project has it")
    commit = write_commit(root, write_tree(root, after), message, base)
    return Difference(commit, edited, as_released, deleted)


def _head_entries(root: Path) -> Entries:
    """Return the files of the last commit."""
    found: Entries = {}
    for line in git_list(root, "ls-tree", "-r", "-z", "--full-tree", "HEAD"):
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
        f"{top}{path.relative_to(folder).as_posix()}": (file_mode(path), blob)
        for path, blob in zip(paths, blobs, strict=True)
    }


def _deleted(root: Path, before: Entries, head: Entries, tooling: str) -> list[str]:
    """Return the files of the template that the project deleted, not renamed."""
    missing = {name for name in before.keys() - head.keys() if not name.startswith(tooling)}
    if not missing:
        return []
    options = ("-r", "-M", "-l0", "--name-only", "--diff-filter=D", "-z")
    found = git_list(root, "diff-tree", *options, write_tree(root, before), "HEAD")
    return sorted(missing.intersection(found))


def expected_conflicts(root: Path, found: Difference) -> list[str] | None:
    """Return the files that the update will leave in conflict; None if this Git cannot tell.

    `git merge-tree --write-tree` is there from Git 2.38 on.
    """
    ours = write_commit(root, "HEAD^{tree}", "The project", f"{found.commit}^")
    options = ("--write-tree", "--name-only", "--no-messages", "-z", ours, found.commit)
    text = git(root, "-c", "merge.directoryRenames=false", "merge-tree", *options, check=False)
    parts = [part for part in text.split("\0") if part]
    return sorted(set(parts[1:])) if parts else None


def template_changes(root: Path, found: Difference) -> Mapping[str, str]:
    """Return the letter of Git's status (`A`, `M`, `D`) for each file that an update changes."""
    commits = (f"{found.commit}^", found.commit)
    parts = git_list(root, "diff-tree", "-r", "-z", "--name-status", *commits)
    return dict(zip(parts[1::2], parts[0::2], strict=False))
