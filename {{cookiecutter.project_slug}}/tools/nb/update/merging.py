"""Merge of an update, or fast-forward to an adoption, by a Git that outlives `nb`; the way back.

Git runs in a separate session and holds the lock of the update, so neither Ctrl-C nor a kill of
`nb` ends the merge half-way.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from nb.git.command import git, git_file, git_list
from nb.git.index import index_ids, uncommitted, unmerged
from nb.git.verify import find_conflicts
from nb.project import NbError, write_whole
from nb.surroundings import find_repository
from nb.wording import enumerated

from .pending import (
    ADOPTION,
    QUIETLY,
    UPDATE,
    PendingWork,
    added_files,
    head_commit,
    is_waiting,
    read_state,
    reset_to_start,
    state_path,
    take_back,
)

RESOLVE = "edit and git add them, then: nb update --continue (or --abort puts everything back)"
OTHER_WORK = {
    "MERGE_HEAD": "a merge",
    "CHERRY_PICK_HEAD": "a cherry-pick",
    "REVERT_HEAD": "a revert",
    "rebase-merge": "a rebase",
    "rebase-apply": "a rebase or git am",
    "BISECT_START": "a bisection",
}


def require_quiet(root: Path) -> None:
    """Refuse to update over work that is not committed.

    Raises:
        NbError: with the reason.
    """
    for name, work in OTHER_WORK.items():
        if git_file(root, name).exists():
            raise NbError(f"{work} is not finished (git status says how); then run nb update")
    if changed := uncommitted(root, untracked=False):
        names = enumerated(changed)
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
        raise _refused(root, state, output)
    state_path(root).unlink()
    return []


def fast_forward(root: Path, state: PendingWork, lock: int) -> None:
    """Bring the project to a commit after HEAD; the caller removes the state at the end.

    Raises:
        NbError: if Git refuses, and nothing is changed.
    """
    _refuse_overwriting(root, state, state.head)
    write_whole(state_path(root), json.dumps(asdict(state), indent=2))
    output = _undisturbed(root, ["git", *QUIETLY, "merge", "--ff-only", state.commit], lock)
    if head_commit(root) != state.commit:
        raise _refused(root, state, output)


def _refused(root: Path, state: PendingWork, output: str) -> NbError:
    """Put the project back after Git refused the work, and return the error that says so."""
    try:
        reset_to_start(root, state)
    except NbError as error:  # as on a full disk
        again = "nb update --abort" if state.work == UPDATE else "nb adopt --continue"
        return NbError(
            f"the {state.work} failed ({output}), and could not be put back ({error}); remove the "
            f"cause, then: {again}"
        )
    return NbError(f"Git refused the {state.work}, and nothing is changed: {output}")


def _refuse_overwriting(root: Path, state: PendingWork, before: str) -> None:
    """Refuse work that would write where a file lies that Git does not track.

    Git itself refuses only for files that are not ignored, and overwrites those that are.

    Args:
        state: the work.
        before: the commit since which files count as added.
    """
    top = find_repository(root) or root
    present = [name for name in added_files(root, before, state.commit) if _is_occupied(top / name)]
    tracked = set(git_list(top, "ls-files", "-z"))
    in_the_way = [name for name in present if name not in tracked]
    if in_the_way:
        raise NbError(
            f"{enumerated(in_the_way)} is yours and not in Git, and the {state.work} brings a file "
            "of that name; move yours away, then run it again; nothing is changed"
        )


def _is_occupied(path: Path) -> bool:
    """Return whether something lies at a path, other than an empty folder, which Git replaces."""
    if path.is_dir() and not path.is_symlink():
        return any(path.iterdir())
    return os.path.lexists(path)


def put_back_unfinished(root: Path) -> str:
    """Put back work that was killed before the commit; return a sentence about that, or nothing.

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
        kept = take_back(root, state)
        return f"An {state.work} was broken off; the project was put back as it had been.{kept}"
    if state.work == ADOPTION:
        raise NbError("an adoption is not finished: nb adopt --continue")
    state_path(root).unlink(missing_ok=True)
    return ""


def _undisturbed(root: Path, command: list[str], lock: int) -> str:
    """Run Git to the end, whatever happens to this process; return the errors as a line."""
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
        names = _changed_in_index(root)
        ids = {name: blob for name, blob in index_ids(root).items() if name in names}
        for sentence in find_conflicts(root, ids).values():
            raise NbError(sentence)
        command = ["git", *QUIETLY, "-c", "core.editor=true", "cherry-pick", "--continue"]
        said = _undisturbed(root, command, lock)
        if is_waiting(root, state):
            raise NbError(f"Git does not go on: {said}")
    elif head_commit(root) == state.head:
        kept = take_back(root, state)
        raise NbError(f"the update was broken off; the project is as before: run nb update.{kept}")
    state_path(root).unlink()


def changed_files(root: Path, names: tuple[str, ...]) -> list[str]:
    """Return the tracked files among the names that differ from the last commit."""
    options = ("--name-only", "--relative", "-z", "HEAD", "--")
    return git_list(root, "diff", *options, *names)


def _changed_in_index(root: Path) -> set[str]:
    """Return the files of the project that the next commit changes."""
    return set(git_list(root, "diff", "--cached", "--name-only", "--relative", "-z", "HEAD"))


def add_to_last_commit(root: Path, names: list[str]) -> None:
    """Add files that the set-up wrote, such as lock files, to the commit of the update."""
    git(root, "add", "--", *names)
    git(root, *QUIETLY, "commit", "--quiet", "--amend", "--no-edit", "--no-verify")
