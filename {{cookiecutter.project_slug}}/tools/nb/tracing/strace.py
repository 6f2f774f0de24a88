"""System calls by strace (Linux): the files that a command and all its descendants open."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

# Calls that another machine does not have, or an older strace, are passed over (`?`).
CALLS = "?open,openat,?openat2,?creat,?rename,?renameat,?renameat2,?unlink,unlinkat,?link,linkat"
_LINE = re.compile(r"(?P<time>[\d.]+) (?P<call>\w+)\((?P<arguments>.*)\) = (?P<result>-?\d+.*)")
_PATH = re.compile(r'(?:(?:AT_FDCWD|\d+)(?:<((?:[^>\\]|\\.)*)>)?, )?"((?:[^"\\]|\\.)*)"')
_FLAGS = re.compile(r"\bO_[A-Z_]+(?:\|[A-Z_]+)*")


@cache
def strace_is_available() -> bool:
    """Return whether strace is here and may trace."""
    if sys.platform != "linux" or not shutil.which("strace"):
        return False
    probe = ["strace", "-qq", "-ff", "-y", "-z", "--seccomp-bpf", "-e", "trace=openat"]
    done = subprocess.run([*probe, "-o", "/dev/null", "true"], capture_output=True)
    return done.returncode == 0


def strace_command(command: Sequence[str], prefix: Path) -> list[str]:
    """Return a command that traces the given command, with logs of that prefix.

    A filter in the kernel stops processes at the calls of interest only: a run of pandas and
    matplotlib takes at most a tenth more time.
    """
    options = ["-qq", "-ff", "-y", "-z", "-ttt", "--seccomp-bpf", "-e", f"trace={CALLS}"]
    return ["strace", *options, "-e", "signal=none", "-o", str(prefix), "--", *command]


def read_strace(logs: Iterable[Path], cwd: Path) -> list[tuple[str, Path]]:
    """Return the accesses in order of time, as `read`, `write`, `update` or `delete` and a path.

    Args:
        logs: the logs, one per process.
        cwd: the working directory in which the processes began.
    """
    found = [call for path in logs for call in _parse(path, cwd)]
    return [(kind, path) for _, kind, path in sorted(found, key=lambda call: call[0])]


def _parse(path: Path, cwd: Path) -> Iterator[tuple[float, str, Path]]:
    """Yield the calls of one process."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        paths: list[Path] = []
        for folder, name in _PATH.findall(match["arguments"]):
            if folder:
                cwd = Path(_text(folder))
            paths.append(cwd / _text(name))
        if paths:
            for kind, place in _kinds(match["call"], match["arguments"]):
                yield float(match["time"]), kind, paths[min(place, len(paths) - 1)]


def _kinds(call: str, arguments: str) -> list[tuple[str, int]]:
    """Return the effect of a call on each of the paths."""
    if call.startswith("rename"):
        return [("delete", 0), ("write", 1)]
    if call.startswith("link"):
        return [("read", 0), ("write", 1)]
    if call.startswith("unlink"):
        return [("delete", 0)]
    if call == "creat":
        return [("write", 0)]
    flags = set("|".join(_FLAGS.findall(arguments)).split("|"))
    if "O_DIRECTORY" in flags or "O_PATH" in flags:
        return []
    if not flags & {"O_WRONLY", "O_RDWR"}:
        return [("read", 0)]
    plain = "O_WRONLY" in flags and "O_APPEND" not in flags
    return [("write" if plain or flags & {"O_TRUNC", "O_EXCL"} else "update", 0)]


def _text(escaped: str) -> str:
    """Undo strace's escapes, which are those of C."""
    content = escaped.encode("latin-1", "replace").decode("unicode_escape")
    return content.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
