"""What people and machines share through the DVC storage: results, and the run cache.

The run cache says which results belong to which inputs. An entry of it is worth something only with
the results that it names, so those are sent first. DVC's own `push --run-cache` leaves out results
that Git keeps (`cache: false`), without which a stage could not be restored elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .pipeline import open_project
from .project import NbError

RUNS = "runs"


def fetch_runs(root: Path) -> int:
    """Fetch what the storage's run cache has and this one has not; return how many entries.

    Raises:
        NbError: if the storage cannot be reached.
    """
    with _remote(root) as (repo, remote):
        return _copy_runs(remote, repo.cache.legacy)


def push(root: Path, names: Sequence[str] = ()) -> int:
    """Send results and their entries in the run cache; return how many files were sent.

    Args:
        root: the project's root.
        names: the stages whose results are sent; empty for all, and for tracked data.

    Raises:
        NbError: if the storage cannot be reached, or not everything could be sent.
    """
    with _remote(root) as (repo, remote):
        stages = [s for s in repo.index.stages if not names or s.addressing in names]
        entries = [entry for stage in stages for entry in _entries(repo, stage)]
        used = [stage.get_used_objs() for stage in stages]
        used.append(repo.stage_cache.get_used_objs(entries))
        objects = {item for found in used for items in found.values() for item in items}
        result = repo.cloud.push(objects)
        if result.failed:
            raise OSError(f"{len(result.failed)} files could not be sent")
        paths = [repo.stage_cache._get_cache_path(*entry) for entry in entries]
        return len(result.transferred) + _copy_runs(repo.cache.legacy, remote, paths)


def _entries(repo: Any, stage: Any) -> list[tuple[str, str]]:
    """Return the key and the value of a stage's present result in the run cache, if it is there."""
    from dvc.stage.cache import _can_hash, _get_cache_hash, _get_stage_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    if not all(item.hash_info for item in (*stage.deps, *stage.outs)) or not _can_hash(stage):
        return []
    entry = _get_stage_hash(stage), _get_cache_hash(to_single_stage_lockfile(stage))
    return [entry] if Path(repo.stage_cache._get_cache_path(*entry)).exists() else []


def _copy_runs(source: Any, target: Any, paths: Sequence[str] | None = None) -> int:
    """Copy entries of the run cache that the target lacks; return how many."""
    from dvc.fs import generic

    folders = [odb.fs.join(odb.path, RUNS) for odb in (source, target)]
    if paths is None:
        paths = source.fs.find(folders[0]) if source.fs.exists(folders[0]) else []
    there = set(target.fs.find(folders[1]) if target.fs.exists(folders[1]) else [])
    pairs = [
        (path, target.fs.join(folders[1], *source.fs.relparts(path, folders[0]))) for path in paths
    ]
    pairs = [(path, copy) for path, copy in pairs if copy not in there]
    if pairs:
        generic.copy(source.fs, [a for a, _ in pairs], target.fs, [b for _, b in pairs])
    return len(pairs)


@contextmanager
def _remote(root: Path) -> Iterator[tuple[Any, Any]]:
    """Open the project and its storage; whatever goes wrong with it becomes one sentence."""
    with open_project(root, lambda _: None) as repo:
        url = repo.config["remote"].get(repo.config["core"].get("remote"), {}).get("url")
        if not url:
            raise NbError("no storage is configured: dvc remote add --default NAME URL", 2)
        try:
            yield repo, repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
        except NbError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            text = " ".join(str(error).split())
            raise NbError(f"{url} cannot be reached: {text}") from None
