"""Shortcuts through DVC: work that DVC does anew for each stage is done once for a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .protocols import DvcStage, FileSystem, HashInfo, Item, Repo


def compile_schemas() -> None:
    """Have DVC compile the schema of a stage once: a third of the CPU of loading a pipeline."""
    from dvc import schema
    from dvc.dvcfile import ProjectFile
    from voluptuous import Schema

    if ProjectFile.SCHEMA is not schema.COMPILED_MULTI_STAGE_SCHEMA:
        return
    stage, group = Schema(schema.STAGE_DEFINITION), Schema(schema.FOREACH_IN)
    each = schema.either_or(stage, group, [schema.FOREACH_KWD, schema.DO_KWD])
    ProjectFile.SCHEMA = Schema({**schema.MULTI_STAGE_SCHEMA, schema.STAGES: {str: each}})


@contextmanager
def nested_path_locks(held: Iterable[str] = ()) -> Iterator[None]:
    """In the block, lock a path once that this process has locked already.

    DVC notes in `.dvc/tmp/rwlock` which process reads or writes which path. Each part of
    reproducing a stage takes the same locks again, and edits that file twice: 22 edits for a stage
    of one `echo`, a sixth of the CPU that the stage costs.

    Args:
        held: paths that need no lock.
    """
    import dvc.rwlock

    lock = dvc.rwlock.rwlock
    reading = set(held)
    writing: set[str] = set()

    @contextmanager
    def rwlock(
        tmp_dir: str, fs: FileSystem, cmd: str, read: list[str], write: list[str], hardlink: bool
    ) -> Iterator[None]:
        reads, writes = {*read} - reading - writing, {*write} - writing
        if not reads and not writes:
            yield
            return
        with lock(tmp_dir, fs, cmd, read, write, hardlink):
            reading.update(reads)
            writing.update(writes)
            try:
                yield
            finally:
                reading.difference_update(reads)
                writing.difference_update(writes)

    dvc.rwlock.rwlock = rwlock
    try:
        yield
    finally:
        dvc.rwlock.rwlock = lock


@contextmanager
def whole_pipeline(repo: Repo, stages: Sequence[DvcStage]) -> Iterator[None]:
    """Look at all stages in the block: their paths are locked for reading by one edit.

    Where a path is written to, each stage is locked by itself.
    """
    import dvc.lock
    import dvc.rwlock

    paths = {str(i.fs_path) for stage in stages for i in (*stage.deps, *stage.outs)}
    hardlink = repo.config["core"].get("hardlink_lock", False)
    read_only = isinstance(repo.lock, dvc.lock.LockNoop)  # then `hold_lock` takes this lock
    nested = nested_path_locks(paths if read_only else ())
    with nested, known_hashes(), ExitStack() as held:
        with suppress(dvc.lock.LockError):
            lock = dvc.rwlock.rwlock(repo.tmp_dir, repo.fs, "nb", sorted(paths), [], hardlink)
            held.enter_context(lock)
        yield


@contextmanager
def known_hashes() -> Iterator[None]:
    """In the block, take the hash of a file that did not change from DVC's database.

    DVC does so after it has made ready to store the file: three times the work.
    """
    from dvc.output import Output

    get_hash = Output.get_hash

    def known_hash(item: Item) -> HashInfo:
        if item.protocol == "local" and item.repo and Path(item.fs_path).is_file():
            _, found = item.repo.state.get(item.fs_path, item.fs)
            if found is not None and found.name == item.hash_name:
                return found
        own: HashInfo = get_hash(item)
        return own

    Output.get_hash = known_hash
    try:
        yield
    finally:
        Output.get_hash = get_hash
