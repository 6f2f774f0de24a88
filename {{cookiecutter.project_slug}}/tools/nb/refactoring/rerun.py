"""Reruns of stages after a refactoring, with rollback of sources and outputs on failure.

Outputs are compared by the hashes in `dvc.lock`, before and after.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb.declaration.reader import read_lock
from nb.git.command import git_list
from nb.notebook import fingerprints
from nb.pipeline import FINGERPRINT_STAGE, lines_put_back_on_error
from nb.programs import program_environment, program_path
from nb.project import FINGERPRINTS, PRODUCTION, NbError, warn, write_whole

DVC_LOCK = Path("dvc.lock")
SAME, DIFFERS = "same", "differs"


@dataclass(frozen=True)
class OutputComparison:
    """An output of a stage, before and after.

    Attributes:
        stage: the name of the stage.
        path: the output file, relative to the root.
        verdict: same or differs.
    """

    stage: str
    path: str
    verdict: str


def stages_of_notebooks(root: Path, notebooks: Iterable[Path]) -> list[str]:
    """Return the stages that ran the given production notebooks, according to `dvc.lock`.

    Args:
        notebooks: paths relative to the root; only production notebooks are in a stage.
    """
    wanted = {
        (FINGERPRINTS / path.relative_to(PRODUCTION).with_suffix(".txt")).as_posix()
        for path in notebooks
        if path.is_relative_to(PRODUCTION)
    }
    stages = read_lock(root).items()
    return [name for name, stage in stages if wanted & {d["path"] for d in stage.get("deps", [])}]


def require_fresh(root: Path, stages: Iterable[str]) -> None:
    """Refuse stale stages: the comparison needs outputs of the present sources.

    Raises:
        NbError: if a stage is stale.
    """
    from nb.pipeline import stage_states

    fingerprints.refresh(root)
    stale = {state.name for state in stage_states(root) if state.reasons or state.after}
    if names := sorted(stale & set(stages)):
        reason = f"{', '.join(names)} is stale, so its outputs cannot be compared"
        raise NbError(f"{reason}; run `nb run` first, or go without: --no-run")


def compare_outputs(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[OutputComparison]:
    """Compare the output hashes of stages, before and after.

    Args:
        before: the hashes of the outputs of each stage, as `output_hashes` returns them.
        after: likewise.
    """
    return [
        OutputComparison(stage, path, SAME if after.get(stage, {}).get(path) == digest else DIFFERS)
        for stage, hashes in before.items()
        for path, digest in hashes.items()
    ]


def output_hashes(root: Path, stages: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the output hashes of stages, by stage and path."""
    lock = read_lock(root)
    return {
        name: {out["path"]: out.get("md5", "") for out in lock.get(name, {}).get("outs", [])}
        for name in stages
    }


def run_stages(root: Path, stages: Iterable[str]) -> None:
    """Run stages and the upstream stages that they depend on.

    Raises:
        NbError: if a stage fails; the message has the printed reason.
    """
    command = [program_path("nb"), "run", *stages]
    code = subprocess.call(command, cwd=root, env=program_environment())
    if code:
        raise NbError(f"nb run ended with exit code {code}", code)


@contextmanager
def rolled_back_on_error(
    root: Path, written: Mapping[Path, bytes | None], stages: Sequence[str]
) -> Iterator[None]:
    """Roll back files, stages' entries in lock files and stages' outputs if the block raises.

    Concurrent changes by somebody else stay: files with other content than the block writes, and
    the results of other stages.

    Args:
        written: the files that the block writes, existing or not, each with the new content; None
            for unknown content.
        stages: the stages that the block runs.
    """
    names = _with_upstream(read_lock(root), stages)
    small = [root / path for path in _uncached_outputs(root, names)]
    before = {path: content_or_none(path) for path in (*written, *small)}
    lock, ran = content_or_none(root / DVC_LOCK), False
    try:
        with lines_put_back_on_error(root, [*names, FINGERPRINT_STAGE]):
            try:
                yield
            except BaseException:
                ran = content_or_none(root / DVC_LOCK) != lock
                raise
    except BaseException:
        for path, content in before.items():
            _put_back(root, path, content, written.get(path))
        if ran or not all((root / path).exists() for path in _outputs_of(root, names)):
            command = [program_path("dvc"), "checkout", "--force", "--quiet", *names]
            subprocess.call(command, cwd=root, env=program_environment())
        fingerprints.refresh(root)
        raise


def _with_upstream(lock: Mapping[str, Any], stages: Iterable[str]) -> list[str]:
    """Return stages and the upstream stages that they depend on, according to `dvc.lock`."""
    makers = {out["path"]: name for name, stage in lock.items() for out in stage.get("outs", [])}
    found: dict[str, None] = {}
    waiting = list(stages)
    while waiting:
        name = waiting.pop()
        if name not in found and name in lock:
            found[name] = None
            needed = [dep["path"] for dep in lock[name].get("deps", [])]
            waiting += [makers[path] for path in needed if path in makers]
    return list(found)


def content_or_none(path: Path) -> bytes | None:
    """Return the content of a file; None if there is none."""
    return path.read_bytes() if path.is_file() else None


def _put_back(root: Path, path: Path, content: bytes | None, written: bytes | None) -> None:
    now = content_or_none(path)
    if now == content:
        return
    if written is not None and now != written:
        name = path.relative_to(root).as_posix()
        warn(f"{name} was changed meanwhile and stays as it is")
    elif content is None:
        path.unlink(missing_ok=True)
    else:
        write_whole(path, content)


def _outputs_of(root: Path, stages: Iterable[str]) -> list[str]:
    return [path for hashes in output_hashes(root, stages).values() for path in hashes]


def _uncached_outputs(root: Path, stages: Iterable[str]) -> list[str]:
    """Return the outputs of stages that Git stores instead of the DVC cache."""
    files = set(git_list(root, "ls-files", "-z", "-co", "--exclude-standard", check=False))
    return [path for path in _outputs_of(root, stages) if path in files]
