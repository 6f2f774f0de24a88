"""Change sources, run the stages that compute with them, and put everything back if that fails.

What a stage gave is compared by the hashes in `dvc.lock`, before and after.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fingerprints
from .project import FINGERPRINTS, PRODUCTION, NbError, program, program_environment

LOCK = Path("dvc.lock")
# The stage that fingerprints the notebooks has one of its own.
LOCKS = (LOCK, Path("notebooks/dvc.lock"))
SAME, DIFFERS = "same", "differs"


@dataclass(frozen=True)
class Compared:
    """An output of a stage, before and after.

    Attributes:
        stage: its stage.
        path: its file, relative to the root.
        verdict: same or differs.
    """

    stage: str
    path: str
    verdict: str


def stages_of(root: Path, notebooks: Iterable[Path]) -> list[str]:
    """Return the stages that ran the given production notebooks, by what `dvc.lock` says.

    Args:
        root: the project's root.
        notebooks: relative to the root; others than production notebooks are in no stage.
    """
    wanted = {
        (FINGERPRINTS / path.relative_to(PRODUCTION).with_suffix(".txt")).as_posix()
        for path in notebooks
        if path.is_relative_to(PRODUCTION)
    }
    stages = _read_lock(root).items()
    return [name for name, stage in stages if wanted & {d["path"] for d in stage.get("deps", [])}]


def require_fresh(root: Path, stages: Iterable[str]) -> None:
    """Make sure that what stages give now is what their sources give.

    Raises:
        NbError: if one is stale: its outputs say nothing about the sources.
    """
    from .pipeline import stage_states

    fingerprints.refresh(root)
    stale = {state.name for state in stage_states(root) if state.reasons or state.after}
    if names := sorted(stale & set(stages)):
        reason = f"{', '.join(names)} is stale, so its outputs cannot be compared"
        raise NbError(f"{reason}; run `nb run` first, or go without: --no-run")


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    """Compare the outputs of stages.

    Args:
        before: the hashes of the outputs of each stage, as `outputs` returns them.
        after: likewise.
    """
    return [
        Compared(stage, path, SAME if after.get(stage, {}).get(path) == digest else DIFFERS)
        for stage, hashes in before.items()
        for path, digest in hashes.items()
    ]


def outputs(root: Path, stages: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the hash of each output of stages, by stage and path."""
    lock = _read_lock(root)
    return {
        name: {out["path"]: out.get("md5", "") for out in lock.get(name, {}).get("outs", [])}
        for name in stages
    }


def _read_lock(root: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML

    path = root / LOCK
    content = YAML(typ="safe").load(path) if path.exists() else None
    return dict((content or {}).get("stages") or {})


def run(root: Path, stages: Iterable[str]) -> None:
    """Run stages, and what they depend on.

    Raises:
        NbError: if one fails; what it printed says why.
    """
    command = [program("nb"), "run", *stages]
    code = subprocess.call(command, cwd=root, env=program_environment())
    if code:
        raise NbError(f"nb run ended with exit code {code}", code)


@contextmanager
def all_or_nothing(root: Path, paths: Iterable[Path]) -> Iterator[None]:
    """Put files, the lock files and the outputs of the pipeline back if the block raises.

    Args:
        root: the project's root.
        paths: the files that the block may write, whether they exist yet or not.
    """
    small = [root / path for path in _uncached_outputs(root)]
    locks = [root / lock for lock in LOCKS]
    before = {path: _content(path) for path in (*paths, *locks, *small)}
    try:
        yield
    except BaseException:
        ran = _content(root / LOCK) != before[root / LOCK]
        for path, content in before.items():
            _put_back(path, content)
        if ran or not all((root / path).exists() for path in _all_outputs(root)):
            command = [program("dvc"), "checkout", "--force", "--quiet"]
            subprocess.call(command, cwd=root, env=program_environment())
        fingerprints.refresh(root)
        raise


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _put_back(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    elif _content(path) != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _all_outputs(root: Path) -> list[str]:
    stages = _read_lock(root).values()
    return [out["path"] for stage in stages for out in stage.get("outs", [])]


def _uncached_outputs(root: Path) -> list[str]:
    """Return the outputs that DVC does not keep a copy of: Git does."""
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
    ).stdout
    files = set(tracked.decode().split("\0"))
    return [path for path in _all_outputs(root) if path in files]
