"""Logs of a trace: written by the hook in Python and by strace, read after each command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nb.project import parse_json

from . import strace

HOOK_FOLDER = Path(__file__).parent / "hook"
# Views of programs other than Python; the first that works is taken.
STRACE, EVENTS, ARGUMENTS = "strace", "events", "arguments"
# The view, the kind of access (`read`, `write`, `update`, `delete`; `program`), and the path.
LogEntry = tuple[str, str, Path]


class TraceLog:
    """The logs of commands that run one after another under trace.

    Args:
        root: the folder whose files are traced.
        view: a key of `VIEWS`.
        folder: an empty folder for the logs.
        forbidden: a folder in which Python processes are refused to write.
    """

    def __init__(self, root: Path, view: str, folder: Path, forbidden: Path | None = None) -> None:
        self.root = root
        self.view = view
        self.folder = folder
        self.forbidden = forbidden
        self._calls = folder / "calls"
        self._hook = folder / "hook"

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return variables that make Python processes load the hook, and kernels start anew."""
        path = os.pathsep.join(filter(None, [str(HOOK_FOLDER), given.get("PYTHONPATH", "")]))
        return {
            **given,
            "PYTHONPATH": path,
            "NB_COLD": "1",
            "NB_TRACE_ROOT": str(self.root),
            "NB_TRACE_LOG": str(self._hook),
            "NB_TRACE_ARGUMENTS": "1" if self.view == ARGUMENTS else "",
            "NB_TRACE_FORBIDDEN": str(self.forbidden or ""),
        }

    def traced(self, command: Sequence[str]) -> list[str]:
        """Return a command that runs the given command in the view."""
        return strace.strace_command(command, self._calls) if self.view == STRACE else [*command]

    def entries(self, cwd: Path) -> list[LogEntry]:
        """Return what was logged since the last time, and forget it.

        Args:
            cwd: the working directory of the commands.
        """
        logs = list(self.folder.glob(f"{self._calls.name}.*"))
        calls = strace.read_strace(logs, cwd)
        found = [*self._hook_entries(), *((STRACE, kind, path) for kind, path in calls)]
        for path in (*logs, self._hook):  # the system may give a process an earlier one's number
            path.unlink(missing_ok=True)
        return found

    def _hook_entries(self) -> Iterator[LogEntry]:
        if self._hook.exists():
            for line in self._hook.read_text(encoding="utf-8").splitlines():
                how, kind, name = parse_json(line)
                yield how, kind, Path(name)
