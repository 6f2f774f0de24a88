"""Update or adoption under way: the file that describes the work, its lock, and the way back.

`.git/nb-update.json` describes the work until the end: after a power failure, or a kill of Git
itself, the project is put back from there.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from nb.git.command import commit_hash, git, git_file, git_list
from nb.git.objects import read_blobs
from nb.locks import lock_file
from nb.project import NbError, parse_json, write_whole
from nb.surroundings import find_repository
from nb.typed_json import read_fields

STATE_SCHEMA = 1
UPDATE, ADOPTION = "update", "adoption"
# Hooks check what people commit; the update is checked afterwards, with the new environment.
QUIETLY = ("-c", f"core.hooksPath={os.devnull}", "-c", "merge.directoryRenames=false")
# Seconds after which a lock of the index counts as left behind: Git holds the lock for moments.
LOCK_PATIENCE = 2.0
# Patches with the changes that files held when an update was put back.
PUT_BACK = Path(".nb/put-back")


@dataclass(frozen=True)
class PendingWork:
    """An update or an adoption that is under way.

    Attributes:
        head: the commit of the project before.
        commit: the new rendering that is merged, or the commit that the project gets.
        old: the version before.
        new: the version after.
        environment: the manager of the environment.
        news: lines of the changelog.
        work: `update` or `adoption`.
        clone: the folder with the outputs of adopted notebooks.
    """

    head: str
    commit: str
    old: str = ""
    new: str = ""
    environment: str = ""
    news: list[str] = field(default_factory=list)
    work: str = UPDATE
    clone: str = ""
    schema: int = STATE_SCHEMA


def state_path(root: Path) -> Path:
    """Return the file that describes an update under way."""
    return git_file(root, "nb-update.json")


def read_state(root: Path) -> PendingWork | None:
    """Read the update that is under way; None if none is.

    Raises:
        NbError: if another version of the tooling, or nobody, wrote the file.
    """
    path = state_path(root)
    try:
        content = parse_json(path.read_bytes())
        if content["schema"] != STATE_SCHEMA:
            raise ValueError
        return read_fields(PendingWork, content)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise NbError(
            f"{path} is of another version of the tooling: finish the update with Git (git status "
            "says how), then delete the file"
        ) from None


@contextmanager
def update_lock(root: Path) -> Iterator[int]:
    """Hold the lock of updates, and yield the open file, which the Git of the work inherits.

    Raises:
        NbError: if another update or adoption holds the lock.
    """
    path = git_file(root, "nb-update.busy")
    with path.open("a") as file:
        if not lock_file(file.fileno(), wait=False):
            raise NbError(
                "another nb update or nb adopt is at work in this clone; wait until it ends"
            )
        yield file.fileno()


def head_commit(root: Path) -> str:
    """Return the commit that is checked out.

    Raises:
        NbError: if there is none yet.
    """
    found = commit_hash(root, "HEAD")
    if not found:
        raise NbError("nothing is committed yet: git add --all && git commit, then nb update")
    return found


def is_waiting(root: Path, state: PendingWork) -> bool:
    """Return whether an update waits for conflicts to be resolved."""
    picked = git_file(root, "CHERRY_PICK_HEAD")
    return picked.is_file() and picked.read_text(encoding="utf-8").strip() == state.commit


def take_back(root: Path, state: PendingWork) -> str:
    """Put the project back as it was before work that is not committed; lose no change since.

    Files that the update leaves alone keep their changes. All changes are kept as a patch, too:
    resolved conflicts, and work of somebody who ended the merge with Git and went on.

    Returns:
        A sentence about the patch that follows another sentence; empty if no file was changed.

    Raises:
        NbError: if Git cannot tell the changes; then nothing is put back.
    """
    _free_index(root)
    command = ["git", "diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color"]
    done = subprocess.run([*command, state.head], cwd=root, capture_output=True)
    if done.returncode:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise NbError(f"git diff fails, so nothing was put back: {reason}")
    changes = done.stdout
    patch = PUT_BACK / f"{hashlib.sha256(changes).hexdigest()[:12]}.patch"
    if changes:
        write_whole(root / patch, changes)
    reset_to_start(root, state)
    return f" Changes until then are kept in {patch.as_posix()}" if changes else ""


def reset_to_start(root: Path, state: PendingWork) -> None:
    """Put back the files of work that is not committed, and end that work."""
    _free_index(root)
    if not (is_waiting(root, state) and _reset_merge(root, state)):
        added = added_files(root, state.head, state.commit)
        for name, content in read_blobs(root, {n: f"{state.commit}:{n}" for n in added}):
            path = (find_repository(root) or root) / name
            with suppress(OSError):
                # Whole or cut short by a kill: the file is the update's, and not somebody's own.
                if content.startswith(path.read_bytes()):
                    path.unlink()
        git(root, *QUIETLY, "reset", "--quiet", "--hard", state.head)
    state_path(root).unlink(missing_ok=True)


def _reset_merge(root: Path, state: PendingWork) -> bool:
    """Put back the files in the index alone; false if one of them was changed since, too."""
    command = ["git", *QUIETLY, "reset", "--quiet", "--merge", state.head]
    return subprocess.run(command, cwd=root, capture_output=True).returncode == 0


def _free_index(root: Path) -> None:
    """Remove a lock of the index that a killed Git left; a Git at work removes its own."""
    lock = git_file(root, "index.lock")
    end = time.monotonic() + LOCK_PATIENCE
    while lock.exists():
        if time.monotonic() > end:
            lock.unlink(missing_ok=True)
            return
        time.sleep(0.05)


def added_files(root: Path, before: str, commit: str) -> list[str]:
    """Return the files that a commit adds to those of another, from the top of the repository."""
    options = ("--name-only", "--diff-filter=A", "--no-renames", "-r", "-z")
    return git_list(root, "diff-tree", *options, before, commit)
