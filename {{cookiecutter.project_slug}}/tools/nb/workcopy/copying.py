"""Copying of a project: machinery left out, times kept, symbolic links made safe, Git cut off.

A copy never leads writes back: a link to a folder of the project becomes a link inside the copy, a
link to a folder elsewhere becomes a folder, and a link to a file becomes a file. Only links to
files that this process cannot write, as DVC makes them into its cache, stay links: no mode of a
file stops root.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from nb.git.command import git_list

# Machinery, caches and generated pages: large, and rebuilt on demand.
NOT_COPIED = {
    *(".git", ".venv", ".nb", ".uv", "node_modules", "__pycache__", ".ipynb_checkpoints"),
    *(".pytest_cache", ".ruff_cache", ".mypy_cache", "reports/site", "reports/runs"),
    *(".dvc/cache", ".dvc/tmp", ".dvc/config", ".dvc/config.local"),
}
# The copy has a separate cache and no Git: a run in the copy must not touch the project's.
DVC_CONFIG = "[core]\n    analytics = false\n    no_scm = true\n"
FICLONE = 0x40049409


def project_entries(root: Path) -> Iterator[Path]:
    """Yield the folders, files and links that are part of a copy, parents first."""
    yield from _entries(root, root, {root.resolve()})


def _entries(folder: Path, root: Path, above: set[Path]) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if name in NOT_COPIED or entry.name in NOT_COPIED or path == Path(sys.prefix):
            continue
        yield path
        inside = entry.is_symlink() and _inner_target(path, root)
        if entry.is_dir() and not inside:
            real = path.resolve()
            if real not in above:  # a link to a parent folder would recurse forever
                yield from _entries(path, root, above | {real})


def git_files(root: Path) -> list[Path]:
    """Return the files that belong to Git, or would if they were added, relative to the root."""
    return list(map(Path, git_list(root, "ls-files", "-z", "-co", "--exclude-standard")))


def copy_entries(root: Path, target: Path, entries: Iterable[Path]) -> None:
    """Copy folders (without their members), files and links of the project.

    Args:
        target: the root of the copy.
        entries: paths below the project's root.
    """
    for path in entries:
        _copy_entry(path, target / path.relative_to(root), root, target)


def _copy_entry(path: Path, place: Path, root: Path, target: Path) -> None:
    inner = _inner_target(path, root) if path.is_symlink() else None
    if inner and path.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        leads_to = target / inner
        place.symlink_to(os.path.relpath(leads_to, place.parent))
    elif path.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    elif path.is_symlink() and path.is_file() and is_protected(path):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.resolve())
    elif path.is_file():
        copy_file(path, place)


def _inner_target(link: Path, root: Path) -> Path | None:
    """Return a link's target, relative to the root, if the target is part of the copy as well."""
    real, base = link.resolve(), root.resolve()
    if not real.is_relative_to(base) or real == base:
        return None
    inner = real.relative_to(base)
    names = {inner.as_posix(), *(p.as_posix() for p in inner.parents), *inner.parts}
    return None if names & NOT_COPIED else inner


def is_protected(path: str | Path) -> bool:
    """Return whether this process cannot write to a file, so that sharing the file is safe."""
    return not os.access(path, os.W_OK)


def safe_link_types() -> str:
    """Return DVC's setting for links from a copy to the cache, which no writer may harm."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return "reflink,copy" if is_root else "reflink,hardlink,symlink,copy"


def copy_file(source: Path, target: Path) -> None:
    """Copy a file and the times; share blocks (reflink) where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError), source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
            shutil.copystat(source, target)
            return
    shutil.copy2(source, target)


def separate_from_git(copy: Path) -> None:
    """Make a copy a DVC repository without Git and with a separate cache."""
    (copy / ".dvc").mkdir(parents=True, exist_ok=True)
    (copy / ".dvc" / "config").write_text(DVC_CONFIG, encoding="utf-8")
