"""Basics of every command: root and paths, whole writes, locks, programs, errors for people.

Standard library only.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb.exit_codes import ExitCode
from nb.printable import printable

if TYPE_CHECKING:
    import subprocess

PRODUCTION = Path("notebooks/production")
CONFIG = Path("config")
FINGERPRINTS = Path(".nb/fingerprints")
EXECUTED = Path("reports/notebooks")
SITE = Path("reports/site")
INDEX = SITE / "index.html"
PYPROJECT = "pyproject.toml"
# The site of the template's documentation; each version has a folder there.
_DOCUMENTATION = "https://org.github.io/template"
# Levels of nesting in JSON and YAML: far more than anybody writes, far less than Python can visit.
DEEPEST = 100
# The projects whose lock for edits this process holds.
_edited: set[Path] = set()
# Bytes that stand for a lock on Windows, where nobody can read them while they are locked.
LOCK_PLACE, LOCKED_BYTES = 1 << 30, 1 << 10
LOCK_PAUSE_SECONDS = 0.05
# Errors of a full disk and of a used up quota.
FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name)}
# Errors of a file system without locks, as some network homes and mounted folders are.
NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


class NbError(Exception):
    """A mistake or a condition that the user can act on: one sentence, no traceback.

    Args:
        message: the fault, the file, and the next step.
        exit_code: the exit code of the command.
    """

    def __init__(self, message: str, exit_code: int = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UsageError(NbError):
    """A mistake in the arguments, the environment or a file of the user: exit code 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


def from_root(message: str, root: Path) -> str:
    """Return a message whose files of the project are named relative to the root."""
    return message.replace(f"{root}{os.sep}", "")


def documentation() -> str:
    """Return the address of the documentation of the installed version."""
    from importlib import metadata  # late: only help texts and few messages need the address

    try:
        return f"{_DOCUMENTATION}/{metadata.version('nb-tools')}/"
    except metadata.PackageNotFoundError:  # run from its source
        return f"{_DOCUMENTATION}/"


_warned: set[str] = set()


def warn(message: str) -> None:
    """Print a line on standard error, once per process: the rest goes on without something."""
    if message not in _warned:
        _warned.add(message)
        print(f"nb: {printable(message)}", file=sys.stderr)


def one_line(error: BaseException) -> str:
    """Return the messages of an error and of the cause, without line breaks."""
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return " ".join(f"{error}{cause}".split())


def find_root(start: Path | None = None) -> Path:
    """Find the project's root: the first folder, from `start` upwards, that holds `tools/nb`.

    Raises:
        NbError: if no folder does.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / "tools" / "nb").is_dir() and (folder / PYPROJECT).is_file():
            return folder
    raise UsageError(f"{start} is not inside a project: no folder above it holds tools/nb.")


def read_regular(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: if the file cannot be read, or is none: reading a named pipe would wait for ever.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is a folder" if path.is_dir() else "it is no regular file")
    return path.read_bytes()


def text_of(path: Path) -> str:
    """Return the text of a file; empty if there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def read_pyproject(root: Path) -> dict[str, object]:
    """Return the content of `pyproject.toml`.

    Raises:
        NbError: if the file cannot be read (exit code 2).
    """
    try:
        return parse_toml((root / PYPROJECT).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{PYPROJECT} cannot be read: {one_line(error)}") from None


def pyproject_table(project: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """Return a table of `pyproject.toml`; empty if the table is absent.

    Raises:
        NbError: if the name stands for something else (exit code 2).
    """
    try:
        return toml_table(project, *names)
    except ValueError as error:
        raise UsageError(f"{PYPROJECT}: {error}") from None


def toml_table(content: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """Return a table of TOML content; empty if the table is absent.

    Raises:
        ValueError: if the name stands for something else.
    """
    for depth, name in enumerate(names, 1):
        table = content.get(name, {})
        if not isinstance(table, dict):
            raise ValueError(f"{'.'.join(names[:depth])} is no table")
        content = table
    return content


def parse_toml(text: str) -> dict[str, object]:
    """Return the content of a TOML text.

    Raises:
        ValueError: if the text is not TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # a package, as Python 3.10 has none of its own
    content: dict[str, object] = tomllib.loads(text)
    return content


def parse_json(text: str | bytes) -> Any:
    """Return the content of JSON from a file.

    Raises:
        ValueError: if it is not JSON, or nested more deeply than Python's parser goes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_whole(path: Path, content: bytes | str, draft: Path | None = None) -> None:
    """Write a file as a whole: a reader, even after a kill, has the old or the new content.

    Args:
        path: the file; its folder is made.
        content: the new content.
        draft: where to write first; by default, a hidden file beside it. Whoever may write the same
            file at the same time names another draft.

    Raises:
        OSError: if that is not possible, with the reason in words; what was there stays.
    """
    draft = draft or path.with_name(f".{path.name}.draft")
    content = content.encode() if isinstance(content, str) else content
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):  # of a folder that is read-only or missing
            draft.unlink()
        raise OSError(error.errno, _why_not(error, path.parent, len(content)), str(path)) from None


def _why_not(error: OSError, folder: Path, size: int) -> str:
    """Return why a file cannot be written; of a full disk, which it is and how much is missing."""
    import shutil

    why = error.strerror or str(error)
    if error.errno not in FULL:
        return why
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return why
    missing = f", {-(-(size - free) // 1000)} kB are missing" if size > free else ""
    return f"{why} (the disk of {folder}: {size:,} bytes to write, {free:,} free{missing})"


def unwritable(error: OSError) -> str:
    """Return an error about a file, of a full or a read-only disk for example, in one line."""
    if not isinstance(error.filename, str):
        return one_line(error)
    path = Path(error.filename)
    with suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return f"{path.as_posix()}: {error.strerror}"


@contextmanager
def edit_lock(root: Path) -> Iterator[None]:
    """Wait until no other command edits a file that people edit, too, such as `dvc.yaml`.

    Whoever holds the lock reads the file, changes the text and writes it back. The system frees the
    lock of a process that ends, however it does.
    """
    if root in _edited:  # a command that has it already
        yield
        return
    path = root / ".nb" / "edit.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        lock_file(file.fileno())
        _edited.add(root)
        try:
            yield
        finally:
            _edited.remove(root)


def lock_file(file: int, *, shared: bool = False, wait: bool = True) -> bool:
    """Lock an open file for this process, which the system undoes when the file is closed.

    Args:
        file: the file, open for writing.
        shared: others may share the lock.
        wait: wait until the lock is free.

    Returns:
        Whether the file is locked now.

    Raises:
        NbError: if the file system has no locks.
    """
    try:
        import fcntl
    except ImportError:
        while not _lock_bytes(file, shared):
            if not wait:
                return False
            time.sleep(LOCK_PAUSE_SECONDS)
        return True
    if sys.platform != "win32":
        try:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise NbError(
                f"no file can be locked here ({error.strerror}): move the project to a file system "
                "with locks, such as a local disk"
            ) from None
    return True


def _lock_bytes(file: int, shared: bool) -> bool:
    """Lock bytes beyond the end, as Windows can: to share is to lock one of many at random."""
    import random

    msvcrt = importlib.import_module("msvcrt")
    first, count = (random.randrange(LOCKED_BYTES), 1) if shared else (0, LOCKED_BYTES)
    with suppress(OSError):  # of a lock that this process does not hold yet
        os.lseek(file, LOCK_PLACE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, LOCKED_BYTES)
    os.lseek(file, LOCK_PLACE + first, os.SEEK_SET)
    try:
        msvcrt.locking(file, msvcrt.LK_NBLCK, count)
    except OSError:
        return False
    return True


def program_environment() -> dict[str, str]:
    """Return environment variables with which `papermill` and `nb` are found, activated or not."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", "")])
    # Containers often set this; every stage would then compile all that it imports anew.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    # Windows has another encoding for pipes, in which a notebook may print what cannot be written.
    return {**kept, **_caches(), "PATH": path, "PYTHONIOENCODING": "utf-8"}


def _caches() -> dict[str, str]:
    """Return variables that move caches into `.venv` where the home cannot be written.

    Many containers are such: pre-commit would not start, and Matplotlib would share a temporary
    folder among forks that each remove the folder.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    nearest = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if cache.is_absolute() and os.access(nearest, os.W_OK):
        return {}
    own = Path(sys.prefix, "cache")
    return {"XDG_CACHE_HOME": str(own), "MPLCONFIGDIR": str(own / "matplotlib")}


def program(name: str) -> str:
    """Return the path of a program of the project's environment.

    `python -m` would import modules of the working directory: a `yaml.py` there would run.
    """
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def run_program(root: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the project's environment in a folder, to its end; the output is kept."""
    import subprocess  # late: `nb` must start quickly

    return subprocess.run(
        [program(name), *arguments],
        cwd=root,
        env=program_environment(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def module(name: str) -> list[str]:
    """Return the words that run a module of the environment, as `python -P -m` of Python 3.11."""
    code = f"import sys; sys.path[:] = filter(None, sys.path); import runpy; \
runpy.run_module({name!r}, run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", code]


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
