"""Traces: the files of the project that a command and all descendants read and write.

Several views are combined, because none shows everything everywhere:

- an audit hook in every Python process (`hook/sitecustomize.py`);
- system calls by strace, where strace is installed and allowed: they show everything;
- else file events (Linux), which show native code and other programs, too, but not the process;
- else the path arguments of the usual native readers and of started programs;
- a comparison of the tree before and after, which settles the writes.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import IO

from nb.processes.guard import guarded
from nb.processes.signals import exit_when_terminated, handle_signals
from nb.processes.tree import end_tree
from nb.project import EXECUTED, SITE, UsageError

from . import inotify, strace
from .log import ARGUMENTS, EVENTS, STRACE, LogEntry, TraceLog

VIEWS = {
    STRACE: "system calls (strace)",
    EVENTS: "file events (inotify)",
    ARGUMENTS: "the path arguments of functions and programs",
}
HOOKED, COMPARED = "hook", "comparison"
# Interval in which the output of a command is handed on.
HEARD_SECONDS = 0.2
# Never part of a contract: the machinery, and caches of programs.
MACHINERY = ("tools", EXECUTED.as_posix(), "reports/runs", SITE.as_posix())
CACHES = ("__pycache__", "node_modules")
PIPELINE_FILES = ("dvc.yaml", "dvc.lock")
NATIVE_UNSEEN = "files that native code reads through functions other than those of pyarrow, \
DuckDB, Polars and h5py"


@dataclass(frozen=True)
class Access:
    """Use of a file of the project.

    Attributes:
        path: relative to the root, with slashes.
        reads: the earlier content was read.
        writes: the file was made, changed or removed.
        seen: the views that show the access.
    """

    path: str
    reads: bool
    writes: bool
    seen: tuple[str, ...]


@dataclass
class Trace:
    """The trace of a command: accesses to files of the project.

    Attributes:
        code: the exit code.
        view: the view of programs other than Python, a key of `VIEWS`.
        accesses: the files, sorted by path.
        unseen: the limits of the view, in words.
    """

    code: int
    view: str
    accesses: list[Access]
    unseen: list[str] = field(default_factory=list)

    @property
    def reads(self) -> list[str]:
        """The files whose earlier content was read."""
        return [access.path for access in self.accesses if access.reads]

    @property
    def writes(self) -> list[str]:
        """The files that were made, changed or removed."""
        return [access.path for access in self.accesses if access.writes]


def best_view() -> str:
    """Return the most exact view that this machine has; `NB_TRACE_VIEW` overrides it.

    Raises:
        NbError: if `NB_TRACE_VIEW` names none.
    """
    chosen = os.environ.get("NB_TRACE_VIEW")
    if chosen and chosen not in VIEWS:
        raise UsageError(f"NB_TRACE_VIEW is {chosen}; it may be {', '.join(VIEWS)}")
    if chosen:
        return chosen
    if strace.strace_is_available():
        return STRACE
    return EVENTS if inotify.inotify_is_available() else ARGUMENTS


def is_traced(path: PurePath) -> bool:
    """Return whether a file or folder, relative to the root, can be part of a contract."""
    name = path.as_posix()
    if any(part.startswith(".") or part in CACHES for part in path.parts):
        return False
    if path.suffix in (".pyc", ".dvc") or ".egg-info" in name or name in PIPELINE_FILES:
        return False
    return not any(name == folder or name.startswith(f"{folder}/") for folder in MACHINERY)


def run_under_trace(
    command: Sequence[str],
    root: Path,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    view: str | None = None,
    forbidden: Path | None = None,
    heard: Callable[[bytes], None] | None = None,
) -> Trace:
    """Run a command to the end and return the trace.

    Args:
        command: the program and the arguments.
        cwd: the working directory; by default the root.
        environment: the environment variables; by default those of this process.
        view: a key of `VIEWS`; by default the best.
        forbidden: a folder in which Python processes are refused to write.
        heard: takes the output, which is not printed then, a few times a second.
    """
    view = view or best_view()
    cwd = cwd or root
    before = file_states(root)
    with exit_when_terminated(), TemporaryDirectory(prefix="nb-trace-") as name:
        log = TraceLog(root, view, Path(name), forbidden)
        variables = log.environment(environment or os.environ)
        command = log.traced(command)
        watching = inotify.Watch(root, is_traced) if view == EVENTS else nullcontext()
        # Ctrl-C is left to the command, which gets the signal, too, and is waited for.
        with watching as events, handle_signals(lambda *_: None, [signal.SIGINT]):
            if heard:
                code = _overheard(command, cwd, variables, Path(name, "output"), heard)
            else:
                with _started(command, cwd, variables) as process:
                    code = process.wait()
        found = log.entries(cwd)
    if events:
        kinds = {True: "update", False: "read"}
        found += [(EVENTS, kinds[written], path) for path, written in events.opened]
    return trace_of(code, root, view, before, found, events.lost if events else "")


def trace_of(
    code: int,
    root: Path,
    view: str,
    before: Mapping[str, tuple[int, int]],
    found: Sequence[LogEntry],
    lost: str = "",
) -> Trace:
    """Return the trace of a command that has just ended.

    Args:
        code: the exit code.
        root: the folder whose files are traced.
        view: a key of `VIEWS`.
        before: the files before the command.
        found: the accesses that the views saw.
        lost: the reason why accesses may be missing; empty if none is.
    """
    programs = [str(path) for _, kind, path in found if kind == "program"]
    files = [entry for entry in found if entry[1] != "program"]
    accesses = _accesses(root, files, before, file_states(root), view)
    return Trace(code, view, accesses, _unseen(view, programs, lost))


def _overheard(
    command: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str],
    output: Path,
    heard: Callable[[bytes], None],
) -> int:
    """Run a command that prints into a file, hand the output on meanwhile, return the exit code."""
    with output.open("wb") as target, output.open("rb") as source:
        code = None
        with _started(command, cwd, variables, target) as process:
            while code is None:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(HEARD_SECONDS)
                heard(source.read())
    return code


@contextmanager
def _started(
    command: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str],
    output: IO[bytes] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command, which ends with the block and with this process, and all descendants."""
    process = subprocess.Popen(command, cwd=cwd, env=variables, stdout=output, stderr=output)
    try:
        with guarded(process.pid):
            yield process
    except BaseException:
        end_tree(process.pid)
        process.wait()
        raise


def file_states(root: Path) -> dict[str, tuple[int, int]]:
    """Return time of change and size of each file that can be part of a contract."""
    found: dict[str, tuple[int, int]] = {}
    prefix = Path(sys.prefix)
    for place, folders, names in os.walk(root):
        folder = Path(place).relative_to(root)
        folders[:] = [
            name for name in folders if is_traced(folder / name) and Path(place, name) != prefix
        ]
        for path in (folder / name for name in names if is_traced(folder / name)):
            with suppress(OSError):  # a link to nothing
                status = (root / path).stat()
                if stat.S_ISREG(status.st_mode):
                    found[path.as_posix()] = (status.st_mtime_ns, status.st_size)
    return found


def _accesses(
    root: Path,
    found: Iterable[LogEntry],
    before: Mapping[str, tuple[int, int]],
    after: Mapping[str, tuple[int, int]],
    view: str,
) -> list[Access]:
    """Merge the accesses that each view saw, file by file."""
    kinds: dict[str, dict[str, list[str]]] = {}
    real_folder = cache(os.path.realpath)  # Python opens thousands of files in few folders
    for how, kind, path in found:
        name = _relative(root, path, real_folder)
        if name:
            kinds.setdefault(name, {}).setdefault(how, []).append(kind)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    if view != STRACE:  # strace sees every write, and other stages may write at the same time
        for name in changed:
            kinds.setdefault(name, {})[COMPARED] = ["write"]
    accesses: list[Access] = []
    for name, ways in sorted(kinds.items()):
        if name not in before and name not in after:
            continue  # a file that came and went is nobody's input or output
        # Of system calls the caller is known: a file that is only read was made by another program.
        only_read = {kind for found in ways.values() for kind in found} == {"read"}
        existed = name in before or (view == STRACE and only_read)
        accesses.append(_access(name, ways, existed, name in changed))
    return [access for access in accesses if access.reads or access.writes]


def _access(name: str, ways: Mapping[str, list[str]], existed: bool, changed: bool) -> Access:
    kinds = {kind for found in ways.values() for kind in found}
    writes = "write" in kinds or (changed and bool(kinds & {"update", "delete"}))
    exact = {how: found for how, found in ways.items() if how in (HOOKED, STRACE)}
    inexact = {how: found for how, found in ways.items() if how in (EVENTS, ARGUMENTS)}
    reads = existed and any(found[0] in ("read", "update") for found in (exact or inexact).values())
    return Access(name, reads, writes, tuple(sorted(ways)))


def _relative(root: Path, path: Path, real_folder: Callable[[str], str]) -> str:
    """Return the path relative to the root; empty outside, and for no part of contracts."""
    folder, name = os.path.split(path)
    for text in (os.path.normpath(path), f"{real_folder(folder)}{os.sep}{name}"):
        if text.startswith(str(root)) and (candidate := Path(text)).is_relative_to(root):
            relative = candidate.relative_to(root)
            outside = candidate.is_relative_to(sys.prefix) or not is_traced(relative)
            return "" if outside or candidate.is_dir() else relative.as_posix()
    return ""


def _unseen(view: str, programs: Sequence[str], lost: str) -> list[str]:
    if view != ARGUMENTS:
        return [lost] if lost else []
    listed = [
        f"files that a program opens without being told on its command line: {program}"
        for program in dict.fromkeys(programs)
    ]
    return [*listed, NATIVE_UNSEEN]
