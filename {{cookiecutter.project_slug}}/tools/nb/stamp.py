"""Tell in milliseconds that nothing was touched since everything was up to date.

Standard library only: planning a run takes DVC a second for ten stages, twenty for five hundred.
Size, time of change and inode of every file that the pipeline reads or writes are trusted, as Git
and DVC trust them. What is in doubt counts as touched, so a stamp is wrong only towards running.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

STAMP = Path(".nb/stamp.json")
IGNORED = {"__pycache__", ".ipynb_checkpoints"}
# Clocks of file systems tick this slowly; a change within the same tick could go unseen.
TICK_NS = 20_000_000


def is_untouched(root: Path) -> bool:
    """Tell whether no file that the stamp names was touched since it was recorded."""
    try:
        recorded = json.loads((root / STAMP).read_bytes())
        return bool(recorded["files"] == _look(root, recorded["paths"]))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def record(root: Path, paths: Iterable[str]) -> None:
    """Remember how the given files and folders look while everything is up to date.

    Args:
        root: the project's root.
        paths: relative to the root or absolute; one that does not exist may not appear later.
    """
    wanted = sorted(set(paths))
    files = _look(root, wanted)
    newest = max((entry[1] for entry in files.values() if entry), default=0)
    if time.time_ns() - newest < TICK_NS:
        time.sleep(TICK_NS / 1e9)
        if _look(root, wanted) != files:
            return
    draft = root / STAMP.with_suffix(f".{os.getpid()}.draft")
    draft.parent.mkdir(exist_ok=True)
    draft.write_text(json.dumps({"paths": wanted, "files": files}), encoding="utf-8")
    draft.replace(root / STAMP)


def forget(root: Path) -> None:
    """Remove the stamp: the next run asks DVC."""
    (root / STAMP).unlink(missing_ok=True)


def _look(root: Path, paths: Iterable[str]) -> dict[str, Any]:
    files: dict[str, Any] = {}
    for name in paths:
        path = root / name
        if path.is_dir():
            files.update(_look_into(str(path)))
        else:
            files[name] = _stamp(path.stat()) if path.exists() else None
    return files


def _look_into(folder: str) -> Iterator[tuple[str, list[int]]]:
    """Yield a folder and all that is in it, each with what `stat` says of it.

    Of a folder only the names count: its own times change with files that nobody depends on.
    """
    with os.scandir(folder) as scan:
        entries = sorted((e for e in scan if e.name not in IGNORED), key=lambda e: e.name)
    yield f"{folder}/ {[entry.name for entry in entries]}", [0, 0, 0]
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _look_into(entry.path)
        else:
            yield entry.path, _stamp(entry.stat(follow_symlinks=False))


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ino]
