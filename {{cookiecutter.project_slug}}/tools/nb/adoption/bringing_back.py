"""Return of an adoption to the project: commit, data, outputs, packages; repair after a kill.

A kill before the fast-forward of Git leaves no more than files and folders that Git ignores; a kill
after that is mended by the next command, which brings the rest or puts the project back.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from nb.git.command import git, git_list
from nb.processes.signals import handle_signals
from nb.project import PYPROJECT, NbError
from nb.update import merging, pending
from nb.workcopy.copying import copy_file

from .plan import AdoptionPlan
from .preparing import PreparedAdoption, make_folders, require_clean


def bring_back(root: Path, plan: AdoptionPlan, prepared: PreparedAdoption) -> None:
    """Bring the commit, the data and the outputs of notebooks to the project.

    Ctrl-C waits for the end: this takes moments.

    Raises:
        NbError: if somebody committed or changed anything meanwhile; nothing is changed then.
    """
    with (
        handle_signals(signal.SIG_IGN, [signal.SIGINT, signal.SIGTERM]),
        pending.update_lock(root) as lock,
    ):
        if require_clean(root) != prepared.base:
            raise NbError("somebody committed meanwhile; nothing was changed. Run it again.")
        git(root, "fetch", "--quiet", "--no-tags", str(prepared.clone), "HEAD")
        carried = _carry_data(root, plan, prepared.clone)
        make_folders(root, plan)
        state = pending.PendingWork(
            *(prepared.base, prepared.commit),
            work=pending.ADOPTION,
            clone=str(prepared.clone),
        )
        try:
            merging.fast_forward(root, state, lock)
        except NbError:
            for path in carried:
                path.unlink(missing_ok=True)
            raise
        _bring_outputs(root, prepared.clone, plan.names.values())
        pending.state_path(root).unlink()


def finish_broken_off(root: Path) -> str:
    """Finish an adoption that was killed after its commit, or put the project back.

    Returns:
        a sentence about it; empty if nothing was broken off.
    """
    with pending.update_lock(root):
        state = pending.read_state(root)
        is_adoption = state is not None and state.work == pending.ADOPTION
        if state is None or not is_adoption or pending.head_commit(root) == state.head:
            return merging.put_back_unfinished(root)
        changed = ("diff", "--name-only", "-z", "--relative", "--diff-filter=AMR")
        listed = git_list(root, *changed, state.head, state.commit)
        edited = git_list(root, "diff", "--name-only", "-z", "--relative", state.commit)
        notebooks = {name for name in listed if name.endswith(".ipynb")} - {*edited}
        _bring_outputs(root, Path(state.clone), notebooks)
        pending.state_path(root).unlink()
    return "An adoption was broken off after its commit; it is complete now."


def _bring_outputs(root: Path, clone: Path, notebooks: Iterable[str]) -> None:
    """Bring notebooks with their outputs, which are not in the commit, into the work tree."""
    there = [name for name in notebooks if (clone / name).is_file()]
    for name in there:
        copy_file(clone / name, root / name)
    if there:
        git(root, "add", "--", *there)


def _carry_data(root: Path, plan: AdoptionPlan, clone: Path) -> list[Path]:
    """Copy data files; Git ignores each of them, so that a kill leaves Git's view as it was."""
    there = [new for new in plan.data.values() if (clone / new).exists()]
    carried = [new for new in there if not (root / new).exists()]
    for new in carried:
        copy_file(clone / new, root / new)
    return [root / new for new in carried]


def set_up(root: Path, base: str) -> bool:
    """Install the dependencies that are new since a commit; return whether that went well."""
    if not git(root, "diff", "--name-only", base, "HEAD", "--", PYPROJECT):
        return True
    from nb.check.doctor import portable_command
    from nb.check.health.diagnosis import SETUP

    return subprocess.call(portable_command(root, SETUP), cwd=root, stdout=sys.stderr) == 0
