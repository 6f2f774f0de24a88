"""Audit hook of a trace: notes the files of the project that a Python process opens.

`nb.tracing.trace` puts this folder on `PYTHONPATH`, so that kernels, subprocesses and the workers
of pools load the hook. The hook leaves no name in a notebook. Standard library only, as little
as possible.
"""

# Paths are texts here: pathlib would be slower, and loaded into every process.
# ruff: noqa: PTH100, PTH112, PTH113, PTH118, PTH119, PTH120, PTH207

import functools
import glob
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TypeVar

ROOT = os.environ["NB_TRACE_ROOT"]
LOG = os.environ["NB_TRACE_LOG"]
# Another tree, in which nothing may be written: the original of a private copy.
FORBIDDEN = os.environ.get("NB_TRACE_FORBIDDEN", "")
# Without a view of other programs, the files in their arguments count as used.
WITH_ARGUMENTS = bool(os.environ.get("NB_TRACE_ARGUMENTS"))
HERE = os.path.dirname(os.path.abspath(__file__))
# Programs that Python itself starts, which use no file of a project.
HARMLESS = ("uname", "ldconfig")
SKIPPED = ("__pycache__", ".git", ".venv", ".nb", ".dvc")
QUOTED = re.compile(r"'((?:[^']|'')+)'")
# Functions that open files in native code, where Python sees no open. A dot means a method.
NATIVE = {
    "pyarrow": "memory_map",
    "pyarrow.csv": "open_csv read_csv write_csv",
    "pyarrow.dataset": "dataset write_dataset",
    "pyarrow.feather": "read_feather read_table write_feather",
    "pyarrow.json": "read_json",
    "pyarrow.orc": "read_table write_table",
    "pyarrow.parquet.core": "ParquetDataset.__init__ ParquetFile.__init__ ParquetWriter.__init__ "
    "read_table write_table",
    "duckdb": "connect execute from_csv_auto from_parquet query read_csv read_json read_parquet "
    "sql DuckDBPyConnection.execute DuckDBPyConnection.query DuckDBPyConnection.read_csv "
    "DuckDBPyConnection.read_json DuckDBPyConnection.read_parquet DuckDBPyConnection.sql "
    "DuckDBPyRelation.to_csv DuckDBPyRelation.to_parquet DuckDBPyRelation.write_csv "
    "DuckDBPyRelation.write_parquet",
    "polars": "read_csv read_ipc read_ndjson read_parquet scan_csv scan_ipc scan_ndjson "
    "scan_parquet DataFrame.write_csv DataFrame.write_ipc DataFrame.write_ndjson "
    "DataFrame.write_parquet LazyFrame.sink_csv LazyFrame.sink_ipc LazyFrame.sink_ndjson "
    "LazyFrame.sink_parquet",
    "h5py._hl.files": "File.__init__",
}

_R = TypeVar("_R")
_busy = threading.local()
_noted: set[tuple[str, str, str]] = set()


def _absolute(path: object) -> str:
    """Return a path as meant in this process; empty for anything else."""
    if not isinstance(path, str | bytes | os.PathLike):
        return ""
    name = os.fsdecode(path)
    if name.startswith("file:"):  # the form in which sqlite takes options
        name = name[5:].partition("?")[0]
    return os.path.abspath(name) if name and name != ":memory:" else ""


def _inside(path: str, folder: str) -> bool:
    return bool(folder) and path.startswith(folder + os.sep)


def _note(how: str, kind: str, path: str) -> None:
    """Append a line to the log, as a whole, also when others write."""
    if (how, kind, path) in _noted:  # the first use tells an input from an output
        return
    _noted.add((how, kind, path))
    fd = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, (json.dumps([how, kind, path]) + "\n").encode())
    finally:
        os.close(fd)


def _note_file(how: str, kind: str, value: object) -> None:
    path = _absolute(value)
    if not _inside(path, ROOT):  # it may be written with a link in it
        path = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    if any(f"{os.sep}{part}{os.sep}" in path for part in SKIPPED):
        return
    if _inside(path, ROOT):
        if kind != "read" or os.path.isfile(path):
            _note(how, kind, path)
    elif _inside(path, FORBIDDEN) and kind != "read":
        raise PermissionError(f"{path} is in the work tree, and this runs in a copy of it")


def _kind_of_open(mode: str | None, flags: int) -> str:
    """Return the use of an open; where unclear, the later state of the file decides."""
    if flags & (os.O_WRONLY | os.O_RDWR) == 0:
        return "read"
    if flags & (os.O_TRUNC | os.O_EXCL) or (flags & os.O_WRONLY and flags & os.O_APPEND == 0):
        return "write"
    return "update"


def _on_event(event: str, arguments: tuple[object, ...]) -> None:
    handle = _HANDLERS.get(event)
    if handle is None or getattr(_busy, "yes", False):
        return
    _busy.yes = True
    try:
        handle(*arguments)
    finally:
        _busy.yes = False


def _on_rename(source: object, target: object, *_: object) -> None:
    _note_file("hook", "delete", source)
    _note_file("hook", "write", target)


def _on_link(source: object, target: object, *_: object) -> None:
    _note_file("hook", "read", source)
    _note_file("hook", "write", target)


def _on_process(program: object, arguments: object, *_: object) -> None:
    """Note a program, and the files that its command line names."""
    words = arguments if isinstance(arguments, list | tuple) else [arguments]
    if program is None:
        program = words[0]
    name = os.fsdecode(program) if isinstance(program, str | bytes | os.PathLike) else str(program)
    texts = [os.fsdecode(word) for word in words if isinstance(word, str | bytes | os.PathLike)]
    base = os.path.basename(name)
    if not base.startswith("python") and base not in HARMLESS:
        _note("hook", "program", " ".join(texts)[:200])
        for word in {part for text in texts for part in text.split() if WITH_ARGUMENTS}:
            _note_argument(word.strip("'\"<>;"), "arguments")


_HANDLERS: dict[str, Callable[..., None]] = {
    "open": lambda path, mode, flags: _note_file("hook", _kind_of_open(mode, flags), path),
    "os.rename": _on_rename,
    "os.link": _on_link,
    "os.symlink": _on_link,
    "os.remove": lambda path, *_: _note_file("hook", "delete", path),
    "os.truncate": lambda path, *_: _note_file("hook", "update", path),
    "sqlite3.connect": lambda path: _note_file("hook", "update", path),
    "subprocess.Popen": _on_process,
    "os.posix_spawn": _on_process,
    "os.exec": _on_process,
    "os.system": lambda command: _on_process("sh", [command]),
}


def _note_argument(value: object, how: str) -> None:
    """Note the files that an argument names: a path, a folder, a pattern, a query with paths."""
    for path in _files_named(value):
        _note_file(how, "update", path)


def _files_named(value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for part in value:
            yield from _files_named(part)
    path = _absolute(value) if not isinstance(value, str) or "\n" not in value else ""
    if path and os.path.isdir(path):
        yield from (os.path.join(at, name) for at, _, names in os.walk(path) for name in names)
    elif path and os.path.isfile(path):
        yield path
    elif isinstance(value, str):
        for text in [value, *QUOTED.findall(value)]:
            if any(mark in text for mark in "*?[") and "\n" not in text:
                yield from glob.glob(text, recursive=True)
            elif os.path.isfile(_absolute(text)):
                yield text


def _noting(function: Callable[..., _R]) -> Callable[..., _R]:
    """Return the function, noting the files that its arguments name, before and after the call."""

    @functools.wraps(function)
    def call(*arguments: object, **options: object) -> _R:
        _note_arguments([*arguments, *options.values()])
        try:
            return function(*arguments, **options)
        finally:
            _note_arguments([*arguments, *options.values()])

    return call


def _note_arguments(values: Iterable[object]) -> None:
    if getattr(_busy, "yes", False):
        return
    _busy.yes = True
    try:
        for value in values:
            if isinstance(value, str | os.PathLike | list | tuple):
                _note_argument(value, "arguments")
    except (OSError, ValueError, TypeError):  # an odd argument is the function's to refuse
        pass
    finally:
        _busy.yes = False


class _Finder:
    """Changes modules right after their import: see `_AFTER_IMPORT`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        # The variables may be a fork's: the recorder is asked for after this module was imported.
        recorded = name == os.environ.get("NB_CALLS_MODULE")
        change = _record if recorded else _AFTER_IMPORT.get(name)
        if change is None:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                change(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # as importlib allows
        return spec


def _wrap(module: ModuleType) -> None:
    for name in NATIVE[module.__name__].split():
        owner, _, attribute = name.rpartition(".")
        place = getattr(module, owner, None) if owner else module
        function = getattr(place, attribute, None)
        if callable(function):
            with suppress(AttributeError, TypeError):  # a type that cannot be changed stays unseen
                setattr(place, attribute, _noting(function))


_AFTER_IMPORT: dict[str, Callable[[ModuleType], None]] = (
    dict.fromkeys(NATIVE, _wrap) if WITH_ARGUMENTS else {}
)


def _record(module: ModuleType) -> None:
    """Have the calls of a module's functions recorded."""
    from pathlib import Path

    from nb.tracing.call_recorder import record_calls

    record_calls(module, Path(os.environ["NB_CALLS_FOLDER"]))


def _run_hidden() -> None:
    """Run the module of this name in the environment, which this module hides."""
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    spec = PathFinder.find_spec("sitecustomize")
    if spec and spec.loader:
        spec.loader.exec_module(ModuleType("sitecustomize"))


_run_hidden()
sys.addaudithook(_on_event)
sys.meta_path.insert(0, _Finder)
