"""Comparison of metrics and parameters with a commit; files in DVC's cache, by their hashes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nb.git.command import commit_hash
from nb.project import UsageError

from .repository import open_project, require_parameter_files


@dataclass(frozen=True, kw_only=True)
class Change:
    """A difference of a metric or a parameter between a commit and the work tree.

    Attributes:
        kind: metric or parameter.
        path: the file that holds the value.
        name: the key in that file, dotted where keys are nested.
        before: the value in the commit; None if there is none.
        now: the value in the work tree; None if there is none.
    """

    kind: str
    path: str
    name: str
    before: object
    now: object


def cached_files(root: Path, hashes: Iterable[str]) -> dict[str, Path]:
    """Return the files of DVC's cache by hash, as far as they are there; folders are left out."""
    with open_project(root) as repo:
        places = {value: Path(repo.cache.local.oid_to_path(value)) for value in {*hashes}}
    return {
        value: path
        for value, path in places.items()
        if not value.endswith(".dir") and path.is_file()
    }


def compare_with_commit(
    root: Path, commit: str, kinds: Iterable[str] = ("metric", "parameter")
) -> list[Change]:
    """Compare metrics and parameters of the work tree with those of a commit.

    Raises:
        NbError: if there is no such commit, DVC cannot read the commit, or a parameter file of the
            work tree is no plain YAML.
    """
    if not commit_hash(root, commit):
        what = "nothing is committed yet" if commit == "HEAD" else f"there is no commit {commit}"
        raise UsageError(f"{what}, so there is nothing to compare with")
    found: list[Change] = []
    with open_project(root) as repo:
        stages = repo.index.stages
        require_parameter_files(stages, {str(out.fs_path) for s in stages for out in s.outs})
        for kind in kinds:
            command = repo.metrics.diff if kind == "metric" else repo.params.diff
            for path, values in command(a_rev=commit, all=True).get("diff", {}).items():
                for name, change in values.items():
                    before, now = change.get("old"), change.get("new")
                    found.append(Change(kind=kind, path=path, name=name, before=before, now=now))
    return sorted(found, key=lambda change: (change.kind, change.path, change.name))
