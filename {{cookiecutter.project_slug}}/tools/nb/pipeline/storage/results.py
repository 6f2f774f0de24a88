"""Push and pull of results and of the run cache; results that the storage lacks.

The run cache maps inputs to results. An entry is useless without the results, which are therefore
sent first. DVC's own `push --run-cache` leaves out results that Git keeps (`cache: false`), without
which a stage cannot be restored elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.pipeline.definitions import missing_data
from nb.pipeline.places import require_places
from nb.pipeline.protocols import (
    DvcStage,
    FileSystem,
    HashInfo,
    ObjectStore,
    RawFileSystem,
    Repo,
    UsedObjects,
)
from nb.pipeline.repository import hold_lock
from nb.pipeline.run_cache import ENTRY_NAME, is_sound
from nb.project import NbError
from nb.wording import count, enumerated

from .access import open_storage

RUN_CACHE = "runs"
# Exists from the begin of a push until its success.
UNFINISHED = Path(".nb/push.unfinished")


def fetch_run_cache(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch missing entries of the run cache from the storage; return their number.

    Args:
        tell: called with a line if entries are torn or were changed.

    Raises:
        NbError: if the storage cannot be used.
    """
    with open_storage(root) as (repo, _):
        return _fetch_runs(repo, tell)


def push_results(root: Path, tell: Callable[[str], None], names: Sequence[str] = ()) -> int:
    """Send results and their entries in the run cache; return the number of files sent.

    Args:
        tell: called with a line while another process holds DVC's lock.
        names: the stages whose results are sent; empty for all stages and tracked data.

    Raises:
        NbError: if the storage cannot be used, or a file could not be sent. Available files
            are sent even if others are missing everywhere.
    """
    with open_storage(root) as (repo, heard):
        with hold_lock(repo, tell):
            require_places(root, repo.index.stages)
            entries, objects = _results(repo, names)
        paths = [repo.stage_cache._get_cache_path(*entry) for entry in entries]
        repo.cloud.get_remote_odb(command="nb push")  # refuses versioned buckets
        remote = repo.cloud.get_remote()
        count = 0
        with _first_failure_ends(remote.fs.fs), _unfinished(root) as was_unfinished:
            pairs = ((repo.cache.local, remote.odb), (repo.cache.legacy, remote.legacy_odb))
            for cache, odb in pairs:
                chosen = {o for o in objects if o.name == odb.hash_name}
                if was_unfinished:
                    _remove_torn(cache, odb, chosen)
                sent = repo.cloud.push(chosen, odb=odb)
                count += len(sent.transferred)
                if sent.failed:
                    raise heard.errors[0] if heard.errors else OSError("files were not sent")
            count += _send_runs(repo.cache.legacy, remote.legacy_odb, paths)
        if heard.missing:
            raise NbError(_nowhere(count, len(heard.missing)))
    return count


@contextmanager
def _unfinished(root: Path) -> Iterator[bool]:
    """Mark a push as unfinished until the block succeeds; yield whether the last push was."""
    mark = root / UNFINISHED
    was_unfinished = mark.exists()
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    yield was_unfinished
    mark.unlink(missing_ok=True)


def _remove_torn(cache: ObjectStore, odb: ObjectStore, objects: Iterable[HashInfo]) -> None:
    """Remove files from the storage whose size differs: some servers keep half of an upload.

    DVC compares names only and would keep them.
    """
    for found in objects:
        here = Path(cache.oid_to_path(found.value))
        there = odb.oid_to_path(found.value)
        with suppress(FileNotFoundError):
            if odb.fs.size(there) != here.stat().st_size:
                odb.fs.remove(there)


def pull_results(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch the results in `dvc.lock`, and the run cache; return the number of files fetched.

    Raises:
        NbError: if the storage cannot be used or lacks results, or a local file would be lost.
    """
    from dvc.exceptions import DvcException

    with open_storage(root) as (repo, heard), hold_lock(repo, tell):
        require_places(root, repo.index.stages)
        count = _fetch_runs(repo, tell)
        try:
            stats = repo.pull()["stats"]
        except DvcException:
            broken = [e for e in heard.errors if not isinstance(e, FileNotFoundError)]
            if broken:
                raise broken[-1] from None
            raise _lacking(root) or _changed_here() from None
        return count + int(stats.get("fetched") or 0)


def unpushed_results(root: Path) -> list[str]:
    """Return the artifacts of this commit that the storage lacks.

    Raises:
        NbError: if the storage cannot be used.
    """
    with open_storage(root) as (repo, _):
        return sorted(name for name, what in repo.status(cloud=True).items() if what == "new")


@contextmanager
def _first_failure_ends(fs: RawFileSystem) -> Iterator[None]:
    """Refuse further files after the first failure: each would retry for up to a minute.

    Args:
        fs: a file system of fsspec; DVC sends files concurrently to an asynchronous one.
    """
    if not hasattr(fs, "_put_file"):
        yield
        return
    send = fs._put_file
    failures: list[Exception] = []

    async def send_unless_failed(*arguments: object, **options: object) -> object:
        if failures:
            raise failures[0]
        try:
            return await send(*arguments, **options)
        except Exception as error:
            failures.append(error)
            raise

    fs._put_file = send_unless_failed
    try:
        yield
    finally:
        del fs._put_file


def _nowhere(sent: int, missing: int) -> str:
    """Return the message that files are missing in the cache and in the storage."""
    subject = "1 file of dvc.lock is" if missing == 1 else f"{missing} files of dvc.lock are"
    repair = "nb run here, or make push where they were computed"
    what = f"{subject} neither here nor in the storage"
    return f"sent {count(sent, 'file')}; {what}: {repair}"


def _results(repo: Repo, names: Sequence[str]) -> tuple[list[tuple[str, str]], set[HashInfo]]:
    """Return the run cache entries and the objects of the results in `dvc.lock`."""
    from dvc.exceptions import CollectCacheError

    stages = [s for s in repo.index.stages if not names or s.addressing in names]
    entries = [entry for entry in map(partial(_entry, repo), stages) if entry]
    used: list[UsedObjects] = []
    of_runs: Callable[[], UsedObjects] = partial(repo.stage_cache.get_used_objs, entries)
    for collect in (of_runs, *(stage.get_used_objs for stage in stages)):
        with suppress(CollectCacheError):  # a folder missing everywhere, already logged
            used.append(collect())
    return entries, {item for found in used for items in found.values() for item in items}


def _entry(repo: Repo, stage: DvcStage) -> tuple[str, str] | None:
    """Return key and value of a stage's entry in the run cache; None if there is none."""
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    if not stage.cmd or not all(item.hash_info for item in (*stage.deps, *stage.outs)):
        return None
    content = to_single_stage_lockfile(stage)
    value = _get_cache_hash(content)
    key = _get_cache_hash(content, key=True)
    return (key, value) if repo.stage_cache._load_cache(key, value) else None


def _send_runs(here: ObjectStore, remote: ObjectStore, paths: Sequence[str]) -> int:
    """Send entries of the run cache missing or torn in the storage; return their number."""
    there = _run_sizes(remote)
    pairs = [(path, _elsewhere(here, path, remote)) for path in paths]
    chosen = [
        (path, copy)
        for path, copy in pairs
        if copy not in there
        or (there[copy] != Path(path).stat().st_size and not _is_sound_there(remote, copy))
    ]
    copy_files(here.fs, remote.fs, chosen)
    return len(chosen)


def _fetch_runs(repo: Repo, tell: Callable[[str], None]) -> int:
    """Fetch sound entries that the local run cache lacks; return their number."""
    here, remote = repo.cache.legacy, repo.cloud.get_remote_odb(hash_name="md5-dos2unix")
    pairs = ((path, Path(_elsewhere(remote, path, here))) for path in _run_sizes(remote))
    missing = [(path, copy) for path, copy in pairs if not _is_here(copy)]
    folder = Path(here.path, RUN_CACHE)
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as drafts:  # the same file system: a rename is atomic
        names = [(path, copy, Path(drafts, str(n))) for n, (path, copy) in enumerate(missing)]
        copy_files(remote.fs, here.fs, [(path, str(draft)) for path, _, draft in names])
        sound = [(copy, draft) for _, copy, draft in names if _is_entry(draft, copy)]
        for copy, draft in sound:
            here.makedirs(str(copy.parent))
            draft.replace(copy)
    if len(sound) < len(missing):
        torn = "left out entries of the storage's run cache that are torn or were changed"
        tell(f"{torn}: {len(missing) - len(sound)}")
    return len(sound)


def _run_sizes(odb: ObjectStore) -> dict[str, int]:
    """Return the sizes of the entries of a run cache by path; drafts are left out."""
    sizes = file_sizes(odb.fs, odb.fs.join(odb.path, RUN_CACHE))
    names = {path: odb.fs.parts(path)[-2:] for path in sizes}
    return {
        path: size for path, size in sizes.items() if all(map(ENTRY_NAME.fullmatch, names[path]))
    }


def file_sizes(fs: FileSystem, folder: str) -> dict[str, int]:
    """Return the size of each file below a folder, by path."""
    if not fs.exists(folder):
        return {}
    if fs.protocol == "local":
        return {path: Path(path).stat().st_size for path in fs.find(folder)}
    return {path: info["size"] for path, info in fs.fs.find(folder, detail=True).items()}


def _is_here(path: Path) -> bool:
    return path.exists() and _is_entry(path, path)


def _is_entry(path: Path, name: Path) -> bool:
    """Return whether a file holds the entry that belongs under a name."""
    return is_sound(path, name.parent.name, name.name)


def _is_sound_there(remote: ObjectStore, path: str) -> bool:
    with TemporaryDirectory() as folder:
        draft = Path(folder, "entry")
        remote.fs.get_file(path, str(draft))
        return _is_entry(draft, Path(path))


def copy_files(source: FileSystem, target: FileSystem, pairs: Sequence[tuple[str, str]]) -> None:
    """Copy files between file systems; the first failure ends the copying."""
    from dvc.fs import generic

    if pairs:
        generic.copy(source, [a for a, _ in pairs], target, [b for _, b in pairs])


def _elsewhere(source: ObjectStore, path: str, target: ObjectStore) -> str:
    """Return the path of a run cache entry in another store."""
    parts = source.fs.relparts(path, source.path)
    return str(target.fs.join(target.path, *parts))


def _lacking(root: Path) -> NbError | None:
    lacking = missing_data(root)
    if not lacking:
        return None
    what = f"{enumerated(lacking)} of dvc.lock is not in the storage"
    return NbError(f"{what}: make push where it was computed, or nb run here")


def _changed_here() -> NbError:
    return NbError(
        "files that differ from dvc.lock would be lost: dvc status, then dvc pull --force"
    )
