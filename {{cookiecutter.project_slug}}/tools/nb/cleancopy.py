"""A private copy of the project to try things in, and what was made there, brought back as a whole.

Nothing but `apply` writes to the project, and that puts everything back if any of it fails.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from .project import NbError, program_environment

# What is no part of the project: machinery, caches, and pages that are made again.
LEFT_OUT = {
    *(".git", ".venv", ".nb", ".uv", "node_modules", "__pycache__", ".ipynb_checkpoints"),
    *(".pytest_cache", ".ruff_cache", ".mypy_cache", "reports/site", "reports/runs"),
    *(".dvc/cache", ".dvc/tmp", ".dvc/config", ".dvc/config.local"),
}
# The copy has a cache of its own, and no Git: nothing in it reaches the project's.
DVC_CONFIG = "[core]\n    analytics = false\n    no_scm = true\n"
FICLONE = 0x40049409


@contextmanager
def clean_copy(root: Path) -> Iterator[Path]:
    """Copy the project's files, data included, to a temporary folder; yield the copy's root.

    Files share their blocks with the originals where the file system can do that. Links into
    DVC's cache, which are read-only, stay links.

    Raises:
        NbError: if it does not fit on the disk.
    """
    folder = Path(mkdtemp(prefix="nb-copy-")).resolve()
    try:
        copy = folder / root.name
        try:
            _copy_folder(root, copy, root)
        except OSError as error:
            raise NbError(f"the project cannot be copied to {folder}: {error.strerror}") from None
        (copy / ".dvc").mkdir(exist_ok=True)
        (copy / ".dvc" / "config").write_text(DVC_CONFIG, encoding="utf-8")
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy_folder(source: Path, target: Path, root: Path) -> None:
    target.mkdir(parents=True)
    for entry in os.scandir(source):
        path = Path(entry.path)
        name = path.relative_to(root).as_posix()
        if name in LEFT_OUT or entry.name in LEFT_OUT or path == Path(sys.prefix):
            continue
        if entry.is_dir(follow_symlinks=False):
            _copy_folder(path, target / entry.name, root)
        elif entry.is_symlink():
            (target / entry.name).symlink_to(path.resolve())
        elif entry.is_file():
            copy_file(path, target / entry.name)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file with its times; share its blocks where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    if sys.platform == "linux":
        import fcntl

        with suppress(OSError), source.open("rb") as old, target.open("wb") as new:
            fcntl.ioctl(new.fileno(), FICLONE, old.fileno())
            shutil.copystat(source, target)
            return
    shutil.copy2(source, target)


def environment(copy: Path) -> dict[str, str]:
    """Return variables with which programs take the package from the copy, not from the project."""
    variables = program_environment()
    path = [str(copy / "src"), variables.get("PYTHONPATH", "")]
    return {**variables, "PYTHONPATH": os.pathsep.join(filter(None, path))}


def apply(root: Path, copy: Path, paths: Iterable[str], finish: Callable[[], None]) -> None:
    """Bring files of the copy to the project, and do what is left there; all of it or nothing.

    Args:
        root: the project's root.
        copy: the copy's root.
        paths: the files, relative to the root.
        finish: called afterwards; if it raises, the project is put back.
    """
    chosen = list(paths)
    touched = {*chosen, *(_ignore_file(path) for path in chosen), "dvc.lock", "notebooks/dvc.lock"}
    with _put_back_on_error(root, touched):
        for path in chosen:
            copy_file(copy / path, root / path)
        finish()


def _ignore_file(path: str) -> str:
    """Return the `.gitignore` to which DVC may add an output."""
    return (Path(path).parent / ".gitignore").as_posix()


@contextmanager
def _put_back_on_error(root: Path, paths: Iterable[str]) -> Iterator[None]:
    """Restore files, and remove folders that were made, if the block raises anything."""
    backup = Path(mkdtemp(prefix="nb-backup-"))
    paths = sorted(paths)
    folders = {p for path in paths for p in (root / path).parents if p.is_relative_to(root)}
    missing = sorted((folder for folder in folders if not folder.exists()), reverse=True)
    try:
        for path in paths:
            if (root / path).exists():
                copy_file(root / path, backup / path)
        yield
    except BaseException:
        for path in paths:
            if (backup / path).exists():
                copy_file(backup / path, root / path)
            else:
                (root / path).unlink(missing_ok=True)
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        shutil.rmtree(backup, ignore_errors=True)
