"""History of metrics: the runs of this clone, and commits with results from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from nb.declaration.metrics import read_numbers
from nb.git.command import git_list
from nb.git.objects import read_blobs
from nb.run.record import RunRecord, seconds_of
from nb.surroundings import find_repository

MOST_COMMITS = 50


@dataclass(frozen=True)
class Moment:
    """A point of the history.

    Attributes:
        when: the end of the run, or the time of the commit, in the format of run records; UTC.
        metrics: the numbers of each metrics file.
        commit: the hash of the commit; empty if unknown.
        subject: the first line of the commit's message; empty for a run.
        run: the record of a run; None for a commit.
    """

    when: str
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    commit: str = ""
    subject: str = ""
    run: RunRecord | None = None


def read_history(root: Path, runs: Sequence[RunRecord], paths: Sequence[str]) -> list[Moment]:
    """Return runs and commits in chronological order.

    A commit with the same metrics as the moment before, such as the commit of a run's results, is
    left out.

    Args:
        paths: the metrics files.
    """
    moments = [
        Moment(run.ended or run.started, run.metrics, run.commit or "", run=run) for run in runs
    ]
    moments += read_commits(root, paths)
    # Git counts whole seconds; a commit comes after the run of the same second.
    moments.sort(key=lambda moment: seconds_of(moment.when) + (moment.run is None))
    return [
        moment
        for before, moment in zip([None, *moments], moments, strict=False)
        if moment.run or before is None or before.metrics != moment.metrics
    ]


def read_commits(root: Path, paths: Sequence[str]) -> list[Moment]:
    """Return the newest commits of this branch that changed metrics, the oldest first."""
    if not paths or not find_repository(root):
        return []
    lines = git_list(
        *(root, "log", "--first-parent", f"--max-count={MOST_COMMITS}"),
        *("--no-show-signature", "-z", "--format=%H %ct %s", "--", *paths),
        check=False,  # nothing is committed yet
    )
    commits = [line.split(" ", 2) for line in lines]
    names = {(commit, path): f"{commit}:./{path}" for commit, *_ in commits for path in paths}
    contents = dict(read_blobs(root, names))
    found = []
    for commit, seconds, subject in commits:
        texts = {
            path: contents.get((commit, path), b"").decode("utf-8", "replace") for path in paths
        }
        numbers = {path: read_numbers(text, path) for path, text in texts.items()}
        when = datetime.fromtimestamp(int(seconds), timezone.utc).isoformat()
        metrics = {path: values for path, values in numbers.items() if values}
        found.append(Moment(when, metrics, commit, subject))
    return found[::-1]
