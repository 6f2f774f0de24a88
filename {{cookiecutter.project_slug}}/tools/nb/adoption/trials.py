"""Trial runs of adopted notebooks: in a copy, offline, side by side, again once inputs are there.

The network is off where the system allows that. Run as a program, the module makes a single trial
and prints the outcome as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.authoring.propose import without_unreadable_tag
from nb.notebook.file import read_cells
from nb.processes.guard import guarded
from nb.processes.tree import end_tree
from nb.programs import cores, module_command
from nb.project import parse_json
from nb.tracing import footprint, trace
from nb.tracing.log import STRACE
from nb.workcopy.trial_copy import trial_copy, trial_environment

# Loopback is there for notebooks that talk to themselves; the network is not.
OFFLINE = ["unshare", "--map-root-user", "--net", "sh", "-c"]
OFFLINE += ['ip link set lo up 2>/dev/null; exec "$@"', "sh"]


@dataclass(frozen=True)
class Trial:
    """The outcome of a run of a notebook in the copy.

    Attributes:
        notebook: the path, relative to the root.
        problem: the error in one line; empty after a run to the end.
        cell: the code cell that failed, from 1.
        timed_out: whether the time limit ended the run.
        seconds: the duration.
        reads: the files of the project whose earlier content was read.
        writes: the files that were made or changed.
    """

    notebook: str
    problem: str = ""
    cell: int | None = None
    timed_out: bool = False
    seconds: float = 0.0
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)


def run_trials(
    root: Path,
    notebooks: Sequence[str],
    *,
    limit: float,
    tell: Callable[[Trial], None],
) -> list[Trial]:
    """Run notebooks in a copy of the project, and again those whose input another notebook made.

    As many run side by side as there are cores. Where system calls cannot be traced, nothing tells
    whose files are whose: there, a single notebook runs at a time.

    Args:
        root: the project's root; nothing in it changes.
        notebooks: the paths, relative to the root.
        limit: the time limit of a notebook, in seconds.
        tell: called with each outcome.
    """
    jobs = cores() if trace.best_view() == STRACE else 1
    found: dict[str, Trial] = {}
    with trial_copy(root) as copy:
        waiting = list(notebooks)
        while waiting:
            made = {path for trial in found.values() for path in trial.writes}
            for trial in _side_by_side(copy.root, root, waiting, limit, jobs):
                found[trial.notebook] = trial
                tell(trial)
            new = {path for trial in found.values() for path in trial.writes} - made
            again = [n for n in waiting if found[n].problem and not found[n].timed_out]
            names = {Path(path).name for path in new}
            waiting = [n for n in again if any(name in found[n].problem for name in names)]
    return [found[name] for name in notebooks]


def _side_by_side(
    copy: Path, root: Path, notebooks: Sequence[str], limit: float, jobs: int
) -> list[Trial]:
    running: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(_try, copy, root, name, limit, running) for name in notebooks]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                end_tree(process.pid)
            raise


def _try(
    copy: Path, root: Path, notebook: str, limit: float, running: list[subprocess.Popen[str]]
) -> Trial:
    words = [*module_command("nb.adoption.trials"), str(copy), notebook, str(root)]
    process = subprocess.Popen(
        [*(OFFLINE if can_go_offline() else []), *words],
        cwd=copy,
        env=trial_environment(copy),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a Ctrl-C is for the command, which ends the trials
    )
    running.append(process)
    start = time.monotonic()
    try:
        with guarded(process.pid):
            output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        end_tree(process.pid)
        process.wait()
        return Trial(notebook, f"took longer than {limit:g} s", None, True, limit)
    try:
        return Trial(**parse_json(output.strip().splitlines()[-1]))
    except (ValueError, IndexError, TypeError):
        seconds = time.monotonic() - start
        return Trial(notebook, "the run ended without a result", None, False, seconds)


@cache
def can_go_offline() -> bool:
    """Return whether this machine lets a command run without a network."""
    if not shutil.which("unshare"):
        return False
    words = [*OFFLINE, "true"]
    return subprocess.run(words, capture_output=True, timeout=10).returncode == 0


def try_notebook(copy: Path, notebook: str, origin: Path) -> Trial:
    """Run a notebook in the copy, traced, and return the outcome."""
    path = copy / notebook
    file, untagged = without_unreadable_tag(read_cells(path))
    if untagged:  # as a promotion runs the notebook
        path.write_text(file.text, encoding="utf-8", newline="")
    start = time.monotonic()
    with TemporaryDirectory(prefix="nb-run-") as folder:
        done = footprint.run_traced(
            copy,
            path,
            Path(folder) / path.name,
            path.parent,
            environment=trial_environment(copy),
            forbidden=origin,
        )
    seconds = round(time.monotonic() - start, 2)
    problem = done.problem.partition(" failed: ")[2] or done.problem
    used = done.trace
    reads = [name for name in used.reads if name not in used.writes]
    return Trial(notebook, problem, done.cell, False, seconds, reads, used.writes)


def main(arguments: Sequence[str]) -> None:
    """Make a single trial and print the outcome as JSON."""
    copy, notebook, origin = arguments
    made: dict[str, object] = asdict(try_notebook(Path(copy), notebook, Path(origin)))
    print(json.dumps(made), flush=True)


if __name__ == "__main__":
    os.environ.pop("NB_STREAM", None)
    main(sys.argv[1:])
