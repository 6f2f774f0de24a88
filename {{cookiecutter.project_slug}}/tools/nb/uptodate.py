"""Up-to-date stamp: detects in milliseconds that no file of the pipeline changed.

Standard library only: DVC needs half a second for 20 stages, four for 500. A stamp holds the paths
of the pipeline and a digest of the `stat` of each: type, size, inode, mtime and ctime; no program
can set a ctime. Where anything is in doubt no stamp is written: errors can only cause a run.
"""
# Paths are text here: a stamp covers thousands of files.
# ruff: noqa: PTH112, PTH115, PTH116, PTH118, PTH120

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISLNK
from typing import Any

from nb.project import PYPROJECT, parse_json, write_whole

STAMP = Path(".nb/stamp.json")
CLOCK = Path(".nb/clock")
STAMP_SCHEMA = 2
# If a file with such a name appears, changes or vanishes, DVC may find another pipeline.
DECLARING = ("dvc.yaml", ".dvcignore", ".gitignore")
DECLARING_SUFFIX = ".dvc"
LOCK_NAME = "dvc.lock"
BYTECODE = "__pycache__"
# Folders that come with the first commit or test, each with its own .gitignore, in the root and
# beside settings of the tools.
TOOL_CACHES = (".mypy_cache", ".pytest_cache", ".ruff_cache")
# The clock tick of slow file systems: a second change within one tick has the same mtime.
TICK_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class WatchedFiles:
    """The files of a pipeline, for a stamp; paths are absolute or relative to the project's root.

    The sets differ in the changes that matter. Sources (`read`) must not change at all, from the
    plan to the stamp. Outputs (`written`) may change until their stage ends. In `searched` folders
    only files that declare a pipeline count, and new folders are searched too.

    Attributes:
        read: sources, which no stage writes; a folder stands for all files below.
        written: the outputs of each stage, by name.
        searched: the folders in which DVC looks for declarations.
        ignored: folders that DVC ignores.
        left: folders in which DVC looks for no declarations, such as outputs.
        tooling: the files of DVC and of this package.
        caches: the folders of DVC's cache, by kind of hash.
        locks: the lock files with their texts.
        before: the digest of the sources when the plan was made.
    """

    read: list[str]
    written: dict[str, list[str]]
    searched: list[str]
    ignored: list[str]
    left: list[str]
    tooling: list[str]
    caches: list[str]
    locks: dict[str, str]
    before: str = ""


class DoubtError(Exception):
    """DVC alone can tell whether the pipeline is up to date."""


def file_system_time(root: Path) -> int:
    """Return the time by the clock of the project's file system, in ns."""
    path = root / CLOCK
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    os.utime(path)
    return path.stat().st_mtime_ns


def sources_digest(root: Path, watched: WatchedFiles) -> str:
    """Return a digest of the sources."""
    return _seen(root, watched)[0]


def _seen(root: Path, watched: WatchedFiles) -> tuple[str, int]:
    seen = _Look(root, watched.ignored)
    return seen.digest(watched.read, watched.searched), seen.newest


def read_stamp(root: Path) -> dict[str, Any] | None:
    """Return the content of the stamp; None if any file changed since, or may have."""
    try:
        stamp = parse_json((root / STAMP).read_bytes())
        if stamp["schema"] != STAMP_SCHEMA:
            return None
        return dict(stamp["content"]) if _digest(root, stamp)[0] == stamp["digest"] else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(root: Path, stamp: Mapping[str, Any]) -> tuple[str, int]:
    seen = _Look(root, stamp["ignored"], {*stamp["ignored"], *stamp["left"], *stamp["searched"]})
    return seen.digest(stamp["paths"], stamp["searched"], stamp["objects"]), seen.newest


def write_stamp(
    root: Path,
    watched: WatchedFiles,
    began: int,
    ended: Mapping[str, int],
    content: Mapping[str, Any],
    made: Iterable[str],
    locks_are_ours: Callable[[], bool],
) -> None:
    """Write the stamp of an up-to-date pipeline, unless a file was touched during the run.

    Args:
        watched: the files of the pipeline.
        began: the time before DVC made the plan (`clock`).
        ended: the end of each stage that ran, by name.
        content: the value for `read_stamp`.
        made: files made from the results.
        locks_are_ours: returns whether only this run wrote into lock files: a checkout in Git may
            bring those of another branch.
    """
    try:
        if _was_touched(root, watched, began, ended):
            return
        written = [path for outs in watched.written.values() for path in outs]
        paths = [*watched.read, *written, *watched.locks, *made]
        values = {
            "schema": STAMP_SCHEMA,
            "paths": paths,
            "searched": [*watched.searched, *_new_folders(watched)],
            "objects": sorted({*_objects(root, watched), *watched.tooling}),
            "ignored": watched.ignored,
            "left": watched.left,
            "content": content,
        }
        digest, newest = _digest(root, values)
        if newest >= file_system_time(root):
            time.sleep(TICK_SECONDS)
            if _digest(root, values)[0] != digest:
                return
        if not locks_are_ours():
            return
    except (OSError, ValueError, DoubtError):
        return
    draft = root / STAMP.with_suffix(f".{os.getpid()}.draft")
    write_whole(root / STAMP, json.dumps({**values, "digest": digest}, default=str), draft)


def _was_touched(root: Path, watched: WatchedFiles, began: int, ended: Mapping[str, int]) -> bool:
    """Return whether a file changed since the plan by any hand but that of a stage."""
    digest, newest = _seen(root, watched)
    if digest != watched.before or newest >= began:
        return True
    for stage, outs in watched.written.items():
        seen = _Look(root, watched.ignored)
        seen.digest(outs)
        if seen.newest >= ended.get(stage, began):
            return True
    return False


def _new_folders(watched: WatchedFiles) -> set[str]:
    """Return folders that were made during a run.

    Raises:
        DoubtError: if a new folder holds a declaration.
    """
    known = {*watched.searched, *watched.ignored, *watched.left}
    waiting = list(watched.searched)
    new: set[str] = set()
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in known:
                        waiting.append(entry.path)
                        new.add(entry.path)
                elif os.path.dirname(entry.path) in new and _declares(entry.name):
                    raise DoubtError
    return new


def _declares(name: str) -> bool:
    return name == LOCK_NAME or name in DECLARING or name.endswith(DECLARING_SUFFIX)


def remove_stamp(root: Path) -> None:
    """Remove the stamp: the next run asks DVC."""
    (root / STAMP).unlink(missing_ok=True)


def declaration_folders(
    root: Path,
    written: Iterable[str],
    is_ignored: Callable[[str], bool],
    is_left: Callable[[str], bool],
) -> tuple[list[str], list[str], list[str]]:
    """Return the folders in which DVC looks for declarations, the ignored, and the other folders.

    Args:
        written: the outputs of stages, in which DVC does not search.
        is_ignored: returns whether DVC ignores a folder.
        is_left: returns whether DVC does not search a folder.
    """
    outs = {os.path.join(root, path) for path in written}
    searched: list[str] = []
    ignored: list[str] = []
    left: list[str] = []
    waiting = [str(root)]
    while waiting:
        folder = waiting.pop()
        searched.append(folder)
        with os.scandir(folder) as entries:
            found = list(entries)
        folders = {e.path for e in found if e.is_dir(follow_symlinks=False)}
        if any(e.name.endswith(".py") for e in found):  # imports of a run make the folder
            bytecode = os.path.join(folder, BYTECODE)
            folders |= {bytecode} if is_ignored(bytecode) else set()
        if folder == str(root) or any(e.name == PYPROJECT for e in found):
            caches = (os.path.join(folder, name) for name in TOOL_CACHES)
            folders |= {path for path in caches if is_left(path)}
        for path in folders:
            kind = waiting if path not in outs and not is_left(path) else left
            (ignored if is_ignored(path) else kind).append(path)
    return sorted(searched), sorted(ignored), sorted(set(left))


class _Look:
    """Digests of files by their `stat`.

    Args:
        ignored: folders that do not count.
        known: if given, declarations in any other folder below the searched ones count as well.

    Attributes:
        newest: the latest time of change, in ns.
    """

    def __init__(self, root: Path, ignored: Iterable[str], known: set[str] | None = None) -> None:
        self.root = str(root)
        self.ignored = set(ignored)
        self.known = known
        self.newest = 0

    def digest(
        self,
        paths: Iterable[str],
        searched: Iterable[str] = (),
        objects: Iterable[str] = (),
    ) -> str:
        """Return a digest of files and folders, of declarations, and of shared objects."""
        total = hashlib.blake2b(self.root.encode(errors="surrogateescape"), digest_size=20)
        for path in paths:
            for line in self._path(os.path.join(self.root, path)):
                total.update(line.encode(errors="surrogateescape"))
        for folder in searched:
            for line in self._declarations(folder):
                total.update(line.encode(errors="surrogateescape"))
        for path in objects:
            # No ctime: hard links from other projects and environments change the ctime of objects
            # and packages. A file removed from a folder changes the mtime of that folder.
            s = os.stat(path)
            total.update(
                f"{path} {s.st_size} {s.st_mtime_ns} {s.st_ino}\n".encode(errors="surrogateescape")
            )
        return total.hexdigest()

    def _path(self, path: str) -> Iterator[str]:
        try:
            status = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            yield f"{path} none\n"
            return
        if S_ISDIR(status.st_mode) or (S_ISLNK(status.st_mode) and os.path.isdir(path)):
            yield from self._folder(path, frozenset())
        else:
            yield self._file(path, status)

    def _file(self, path: str, status: os.stat_result) -> str:
        line = f"{path} {self._status(status)}"
        if S_ISLNK(status.st_mode):  # to an object of the cache, or elsewhere
            line += f" {os.readlink(path)} {self._status(os.stat(path))}"
        return f"{line}\n"

    def _status(self, s: os.stat_result) -> str:
        self.newest = max(self.newest, s.st_mtime_ns, s.st_ctime_ns)
        return f"{s.st_mode} {s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}"

    def _folder(self, folder: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
        """Yield the entries of a folder, whose own times change also with ignored files."""
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            raise OSError(f"{folder} is inside itself")
        with os.scandir(folder) as scan:
            entries = sorted((e for e in scan if e.path not in self.ignored), key=lambda e: e.name)
        yield f"{folder} folder {len(entries)}\n"
        for entry in entries:
            if entry.is_dir():
                yield from self._folder(entry.path, above | {identity})
            else:
                yield self._file(entry.path, entry.stat(follow_symlinks=False))

    def _declarations(self, folder: str) -> Iterator[str]:
        """Yield the declaring files of a folder, without lock files, which each stage changes."""
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                # A new folder, such as a cache of a tool, counts by its declarations only.
                if self.known is not None and entry.path not in self.known:
                    yield from self._declarations(entry.path)
            elif entry.name != LOCK_NAME and _declares(entry.name):
                yield self._file(entry.path, entry.stat(follow_symlinks=False))


def _objects(root: Path, watched: WatchedFiles) -> set[str]:
    """Return the objects in DVC's cache that lock files name; DVC would miss a deleted object.

    For an output folder the folders of the cache stand for the many objects in them.
    """
    import re

    found: set[str] = set()
    declared = [root / path for path in watched.locks]
    declared += [path for folder in watched.searched for path in Path(folder).glob("*.dvc")]
    texts = [path.read_text(encoding="utf-8") for path in declared if path.is_file()]
    for digest in {d for text in texts for d in re.findall(r"md5: ([0-9a-f]{32}(?:\.dir)?)", text)}:
        for cache in watched.caches:
            name = Path(cache, digest[:2], digest[2:])
            if name.exists():
                found.add(str(name))
                if name.suffix:
                    parts = {entry["md5"][:2] for entry in parse_json(name.read_bytes())}
                    found |= {str(Path(cache, part)) for part in parts}
    return found
