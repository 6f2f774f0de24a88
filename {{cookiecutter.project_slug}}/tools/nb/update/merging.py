"""Merge of an update or an adoption into the project: a single Git process, never interrupted.

Git runs in a session of its own and holds the lock of the update, so neither Ctrl-C nor a kill of
`nb` ends the merge half-way. `.git/nb-update.json` describes the work until the end: after a power
failure, or a kill of Git itself, the project is put back from there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from nb.git.index import unmerged
from nb.git.wiring import commit_hash, git, git_file
from nb.locks import lock_file
from nb.project import NbError, parse_json, write_whole
from nb.typed_json import read_fields
from nb.wording import enumerated

STATE_SCHEMA = 1
# Seconds after which a lock of the index counts as left behind: Git holds the lock for moments.
LOCK_PATIENCE = 2.0
RESOLVE = "edit and git add them, then: nb update --continue (or --abort puts everything back)"
UPDATE, ADOPTION = "update", "adoption"
# Hooks check what people commit; the update is checked afterwards, with the new environment.
QUIETLY = ("-c", f"core.hooksPath={os.devnull}", "-c", "merge.directoryRenames=false")
OTHER_WORK = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase",
}


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


def require_quiet(root: Path) -> None:
    """Refuse to update over work that is not committed.

    Raises:
        NbError: with the reason.
    """
    for name, work in OTHER_WORK.items():
        if git_file(root, name).exists():
            raise NbError(f"{work} is not finished (git status says how); then run nb update")
    changed = git(root, "status", "--porcelain", "--untracked-files=no").splitlines()
    if changed:
        names = enumerated(line[3:] for line in changed)
        raise NbError(f"{names} is not committed; commit or stash it first, then run nb update")
    if not git(root, "var", "GIT_COMMITTER_IDENT", check=False):
        raise NbError("Git does not know you: git config user.name and user.email, then again")


def merge_rendering(root: Path, state: PendingWork, lock: int) -> list[str]:
    """Merge the new rendering into the project and commit; return the files in conflict.

    Raises:
        NbError: if Git refuses, and nothing is changed.
    """
    _refuse_overwriting(root, state, f"{state.commit}^")
    write_whole(state_path(root), json.dumps(asdict(state), indent=2))
    output = _undisturbed(root, ["git", *QUIETLY, "cherry-pick", state.commit], lock)
    conflicts = sorted(unmerged(root))
    if conflicts and is_waiting(root, state):
        return conflicts
    if head_commit(root) == state.head:  # refused, or merged and not signed
        reset_to_start(root, state)
        raise NbError(f"Git refused the update, and nothing is changed: {output}")
    state_path(root).unlink()
    return []


def fast_forward(root: Path, state: PendingWork, lock: int) -> None:
    """Bring the project to a commit that follows its own; the caller removes the state at the end.

    Raises:
        NbError: if Git refuses, and nothing is changed.
    """
    _refuse_overwriting(root, state, state.head)
    write_whole(state_path(root), json.dumps(asdict(state), indent=2))
    output = _undisturbed(root, ["git", *QUIETLY, "merge", "--ff-only", state.commit], lock)
    if head_commit(root) != state.commit:
        reset_to_start(root, state)
        raise NbError(f"Git refused the {state.work}, and nothing is changed: {output}")


def _refuse_overwriting(root: Path, state: PendingWork, before: str) -> None:
    """Refuse work that would write where a file lies that Git does not track.

    Git itself refuses only for files that are not ignored, and overwrites those that are.

    Args:
        root: the project's root.
        state: the work.
        before: the commit since which files count as added.
    """
    options = ("--name-only", "--diff-filter=A", "--no-renames", "-r", "-z")
    added = git(root, "diff-tree", *options, before, state.commit).split("\0")
    top = top_level(root)
    present = [name for name in filter(None, added) if _is_occupied(top / name)]
    tracked = set(git(top, "ls-files", "-z").split("\0"))
    in_the_way = [name for name in present if name not in tracked]
    if in_the_way:
        raise NbError(
            f"{enumerated(in_the_way)} is yours and not in Git, and the {state.work} brings a file "
            "of that name; move yours away, then run it again; nothing is changed"
        )


def _is_occupied(path: Path) -> bool:
    """Tell whether something lies at a path, other than an empty folder, which Git replaces."""
    if path.is_dir() and not path.is_symlink():
        return any(path.iterdir())
    return os.path.lexists(path)


def put_back_unfinished(root: Path) -> str:
    """Put back work that was killed before its commit; return a sentence about it, if there was.

    Raises:
        NbError: if an update waits for its conflicts to be resolved, or an adoption for outputs.
    """
    state = read_state(root)
    if state is None:
        return ""
    if is_waiting(root, state):
        conflicts = ", ".join(sorted(unmerged(root))) or "none is left"
        raise NbError(f"an update waits; files in conflict: {conflicts}; {RESOLVE}")
    if head_commit(root) == state.head:
        reset_to_start(root, state)
        return f"An {state.work} was broken off; the project was put back as it had been."
    if state.work == ADOPTION:
        raise NbError("an adoption is not finished: nb adopt --continue")
    state_path(root).unlink(missing_ok=True)
    return ""


def _undisturbed(root: Path, command: list[str], lock: int) -> str:
    """Run Git to its end, whatever happens to this process; return the errors as a line."""
    process = subprocess.Popen(
        command,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
        pass_fds=() if sys.platform == "win32" else (lock,),
    )
    while True:
        with suppress(KeyboardInterrupt):
            _, said = process.communicate()
            return " ".join(said.split())


def is_waiting(root: Path, state: PendingWork) -> bool:
    """Tell whether an update waits for conflicts to be resolved."""
    picked = git_file(root, "CHERRY_PICK_HEAD")
    return picked.is_file() and picked.read_text(encoding="utf-8").strip() == state.commit


def finish(root: Path, state: PendingWork, lock: int) -> None:
    """Commit an update whose conflicts are resolved.

    Raises:
        NbError: if conflicts are left.
    """
    if is_waiting(root, state):
        left = sorted(unmerged(root))
        if left:
            raise NbError(f"{left[0]} is still in conflict: edit the file, then git add it")
        marks = git(root, "diff", "--check", "--cached", check=False).splitlines()
        marked = [line for line in marks if line.endswith("leftover conflict marker")]
        if marked:
            raise NbError(f"{marked[0]}: edit the file, then git add it")
        command = ["git", *QUIETLY, "-c", "core.editor=true", "cherry-pick", "--continue"]
        said = _undisturbed(root, command, lock)
        if is_waiting(root, state):
            raise NbError(f"Git does not go on: {said}")
    elif head_commit(root) == state.head:
        reset_to_start(root, state)
        raise NbError("the update was broken off, and the project is as before: run nb update")
    state_path(root).unlink()


def reset_to_start(root: Path, state: PendingWork) -> None:
    """Put the project back as it was before an update that is not committed."""
    _free_index(root)
    for name, content in _added(root, state):
        path = top_level(root) / name
        with suppress(OSError):
            # Whole or cut short by a kill: the file is the update's, and not somebody's own.
            if content.startswith(path.read_bytes()):
                path.unlink()
    git(root, *QUIETLY, "reset", "--quiet", "--hard", state.head)
    state_path(root).unlink(missing_ok=True)


def top_level(root: Path) -> Path:
    """Return the top of the work tree."""
    return Path(git(root, "rev-parse", "--show-toplevel").rstrip("\n"))


def _free_index(root: Path) -> None:
    """Remove a lock of the index that a killed Git left; a Git at work removes its own."""
    lock = git_file(root, "index.lock")
    end = time.monotonic() + LOCK_PATIENCE
    while lock.exists():
        if time.monotonic() > end:
            lock.unlink(missing_ok=True)
            return
        time.sleep(0.05)


def _added(root: Path, state: PendingWork) -> Iterator[tuple[str, bytes]]:
    """Yield the files that the update adds to the project, with their content."""
    options = ("--name-only", "--diff-filter=A", "--no-renames", "-r", "-z")
    names = git(root, "diff-tree", *options, state.head, state.commit).split("\0")
    for name in filter(None, names):
        blob = subprocess.run(
            ["git", "cat-file", "blob", f"{state.commit}:{name}"], cwd=root, capture_output=True
        )
        yield name, blob.stdout


def changed_files(root: Path, names: tuple[str, ...]) -> list[str]:
    """Return the tracked files among the names that differ from the last commit."""
    options = ("--name-only", "--relative", "-z", "HEAD", "--")
    return list(filter(None, git(root, "diff", *options, *names).split("\0")))


def add_to_last_commit(root: Path, names: list[str]) -> None:
    """Add files that the set-up wrote, such as lock files, to the commit of the update."""
    git(root, "add", "--", *names)
    git(root, *QUIETLY, "commit", "--quiet", "--amend", "--no-edit", "--no-verify")
