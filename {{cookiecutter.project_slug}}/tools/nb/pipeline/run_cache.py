"""Verified reads of DVC's run cache: each entry is checked against its hashes and the stage.

The file name of an entry is the hash of the content; the folder name is the hash of the content
without the hashes of outputs (the cache key). DVC verifies neither: a torn entry is taken as far as
written, and a changed entry restores any file. Besides, DVC leaves parameters called `size` or
`nfiles` out of both hashes, like the sizes of files, and would restore the result of another value.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from .protocols import DvcStage, LockEntry, Output, Repo, StageCache

# Other names in the run cache are drafts, of a process at work or one that was killed.
ENTRY_NAME = re.compile(r"[0-9a-f]{64}")
# The logger of messages that are passed on like DVC's own. It is got late: one made as this module
# is imported would be in every warm kernel.
LOGGER = "dvc.stage.cache"


def guard_runs(repo: Repo) -> None:
    """Have an open project use only sound entries of the run cache."""
    cache = repo.stage_cache
    cache._load_cache = partial(_load_entry, cache)
    cache._load = partial(_load_newest, cache)
    cache._uncached_outs = partial(_uncached_outputs, cache._uncached_outs)


def _uncached_outputs(
    find: Callable[[DvcStage, LockEntry], Iterable[Output]], stage: DvcStage, entry: LockEntry
) -> Iterable[Output]:
    """Return the outputs of an entry that the cache does not hold for the stage.

    DVC makes a stage of the entry to find them, with its files and Git's rules: not if there is
    none, which the declaration of the stage tells.
    """
    return () if all(out.use_cache for out in stage.outs) else find(stage, entry)


def is_sound(path: Path, key: str, value: str) -> bool:
    """Return whether a file holds a complete entry of the run cache that matches key and value."""
    return _read(path, key, value) is not None


def _load_entry(cache: StageCache, key: str, value: str) -> LockEntry | None:
    """Return an entry; None if there is none. A torn or changed entry is removed."""
    path = Path(cache._get_cache_path(key, value))
    if not ENTRY_NAME.fullmatch(value) or not os.access(path, os.R_OK):
        return None
    entry = _read(path, key, value)
    if entry is None:
        logging.getLogger(LOGGER).warning(
            "left out an entry of the run cache that is torn or was changed: %s", path
        )
        with suppress(OSError):  # the cache may be shared and read-only
            path.unlink()
    return entry


def _load_newest(cache: StageCache, stage: DvcStage) -> LockEntry | None:
    """Return the newest entry for the present inputs and parameters of a stage."""
    from dvc.stage.cache import _get_stage_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    key = _get_stage_hash(stage)
    wanted = to_single_stage_lockfile(stage)
    names = _newest_first(Path(cache._get_cache_dir(key)))
    entries = (cache._load_cache(key, name) for name in names)
    return next((entry for entry in entries if entry and has_parameters(entry, wanted)), None)


def _newest_first(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as scan:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in scan]
    except FileNotFoundError:  # also if a draft was just renamed
        found = []
    return (name for _, name in sorted(found, reverse=True))


def has_parameters(entry: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    """Return whether an entry was computed with the parameters of a stage."""
    ours, theirs = (json.dumps(x.get("params"), sort_keys=True) for x in (wanted, entry))
    return ours == theirs


def _read(path: Path, key: str, value: str) -> LockEntry | None:
    from dvc.exceptions import DvcException
    from dvc.schema import COMPILED_LOCK_FILE_STAGE_SCHEMA
    from dvc.stage.cache import _get_cache_hash
    from dvc.utils.serialize import load_yaml
    from voluptuous import Invalid

    try:
        entry: LockEntry = COMPILED_LOCK_FILE_STAGE_SCHEMA(load_yaml(str(path)))
        hashes = [_get_cache_hash(dict(entry), key=is_key) for is_key in (True, False)]
    except (DvcException, Invalid, OSError, ValueError, RecursionError):
        return None
    return entry if hashes == [key, value] else None
