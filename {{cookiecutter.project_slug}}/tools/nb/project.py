"""The project: its root and settings, files read and written whole, errors that end as one line.

Standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nb import __version__
from nb.exit_codes import ExitCode
from nb.printable import printable

PRODUCTION = Path("notebooks/production")
CONFIG = Path("config")
FINGERPRINTS = Path(".nb/fingerprints")
EXECUTED = Path("reports/notebooks")
SITE = Path("reports/site")
INDEX = SITE / "index.html"
PYPROJECT = "pyproject.toml"
LOCK_FILES = ("uv.lock", "requirements.lock")
# The site of the template's documentation; each version has a folder there.
_DOCUMENTATION = "https://org.github.io/template"
# Levels of nesting in JSON and YAML: far more than anybody writes, far less than Python can visit.
DEEPEST = 100
# Errors of a full disk and of a used up quota.
FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name)}


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


@contextmanager
def usage_errors() -> Iterator[None]:
    """Have every expected error of the block or function end with exit code 2."""
    try:
        yield
    except NbError as error:
        raise UsageError(str(error)) from None


def from_root(message: str, root: Path) -> str:
    """Return a message whose files of the project are named relative to the root."""
    return message.replace(f"{root}{os.sep}", "")


def documentation() -> str:
    """Return the address of the documentation of the installed version."""
    return f"{_DOCUMENTATION}/{__version__}/"


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


def find_root() -> Path:
    """Find the project's root: the working directory, or the first folder above, with `tools/nb`.

    Raises:
        NbError: if no folder does (exit code 2).
    """
    try:
        start = Path.cwd().resolve()
    except FileNotFoundError:
        raise UsageError("the current folder was deleted; change to another.") from None
    for folder in (start, *start.parents):
        if (folder / "tools" / "nb").is_dir() and (folder / PYPROJECT).is_file():
            return folder
    for folder in (start, *start.parents):
        if (folder / ".cruft.json").is_file() and (folder / "dvc.yaml").is_file():
            raise UsageError(f"{folder} has lost its tools/: git checkout HEAD -- tools")
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


def tool_settings(
    project: Mapping[str, object], table: str, known: Collection[str]
) -> dict[str, object]:
    """Return the settings in a table `tool.nb.…` of `pyproject.toml`, by names with hyphens.

    Raises:
        NbError: if there is a setting of another name (exit code 2).
    """
    found: dict[str, object] = {}
    for key, value in pyproject_table(project, *table.split(".")).items():
        if (name := key.replace("_", "-")) not in known:
            names = f"known {'are' if len(known) > 1 else 'is'} {', '.join(known)}"
            raise UsageError(f"{PYPROJECT}: {table} has no setting {key}; {names}.")
        found[name] = value
    return found


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
        ValueError: if the text is not JSON, or nested more deeply than Python's parser goes.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def write_whole(path: Path, content: bytes | str, draft: Path | None = None) -> None:
    """Write a file as a whole: a reader, even after a kill, has the old or the new content.

    Args:
        path: the file; the folder is made.
        content: the new content.
        draft: where to write first; by default, a hidden file in the same folder. Whoever may
            write the same file at the same time names another draft.

    Raises:
        OSError: if that is not possible, with the reason in words; what was there stays.
    """
    draft = draft or path.parent / f".{path.name}.draft"
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
    """Return why a file cannot be written; of a full disk, also how much is missing."""
    import shutil  # late: `nb` must start quickly

    if error.errno == errno.EEXIST:
        return f"{folder} is no folder"
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
