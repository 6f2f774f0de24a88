"""The view of a run: prefixed lines, on a terminal with a live line per running stage below."""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from shutil import get_terminal_size
from typing import TextIO

from nb.declaration.tasks import BROKEN, NOT_RUN, UNCHANGED
from nb.terminal import colored, echo, sequence, style

from .record import RunRecord, StageRecord

HEARTBEAT_SECONDS = 30.0
REFRESH_SECONDS = 0.2
STATE_COLORS = ("cyan", "magenta", "yellow", "blue", "bright_cyan", "bright_magenta")


class View:
    """The lines of a run, and the stages that are running.

    Args:
        stream: where to.
        names: the names of the stages, for the width of the prefix.
    """

    def __init__(self, stream: TextIO, names: Sequence[str] = ()) -> None:
        self.stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.live = self.live and not os.environ.get("CI")
        self.waiting = 0
        self._next_color = cycle(STATE_COLORS)
        self._colors: dict[str, str] = {}
        self._running: dict[str, tuple[float, str]] = {}
        self._drawn = 0
        self._last = time.monotonic()
        self.expect(names)

    def expect(self, names: Sequence[str]) -> None:
        """Prepare for the stages of these names."""
        self.width = max(map(len, names), default=0)

    def note(self, text: str) -> None:
        """Show a line of nb's own."""
        self._write(f"nb: {text}")

    def line(self, name: str, text: str) -> None:
        """Show a line that a stage printed."""
        color = self._colors.get(name) or self._colors.setdefault(name, next(self._next_color))
        self._write(f"{style(f'{name:{self.width}} |', fg=color)} {colored(text)}")

    def running(self, name: str, began: float, progress: str = "") -> None:
        """Note that a stage runs, since when, and at which cell."""
        self._running[name] = (began, progress)

    def ended(self, name: str) -> None:
        """Note that a stage does not run any more."""
        self._running.pop(name, None)

    def tick(self) -> None:
        """Bring the live lines up to date, or show a sign of life."""
        now = time.monotonic()
        if not self.live and now - self._last >= HEARTBEAT_SECONDS and self._running:
            self.note(f"running: {', '.join(self._states(now))}; waiting: {self.waiting}")
        elif self.live and now - self._last >= REFRESH_SECONDS:
            columns = get_terminal_size().columns - 1
            lines = [f"  {state}" for state in self._states(now)]
            lines += [f"  {self.waiting} waiting"] * (self.waiting > 0)
            self._put("".join(f"{line[:columns]}\n" for line in lines))
            self._drawn, self._last = len(lines), now

    def close(self) -> None:
        """Take the live lines away."""
        self._put("")
        self._running.clear()

    def _states(self, now: float) -> list[str]:
        return [
            f"{name} {duration(now - began)}{f', cell {progress}' if progress else ''}"
            for name, (began, progress) in self._running.items()
        ]

    def _write(self, text: str) -> None:
        self._put(f"{text}\n")
        if not self.live:
            self._last = time.monotonic()

    def _put(self, text: str) -> None:
        """Write a text in place of the live lines."""
        erase = sequence(f"\x1b[{self._drawn}F\x1b[J") if self._drawn else ""
        self._drawn = 0
        try:
            echo(f"{erase}{text}", file=self.stream, nl=False)
        except OSError as error:
            _go_quiet(self.stream, is_terminal=error.errno == errno.EIO)


def _go_quiet(stream: TextIO, *, is_terminal: bool) -> None:
    """Write nothing from now on: the reader is gone, and the run goes on.

    Args:
        stream: the stream without a reader.
        is_terminal: the stream is a closed terminal, to which messages would go, too.
    """
    null = os.open(os.devnull, os.O_WRONLY)
    for file in (stream, sys.stderr) if is_terminal else (stream,):
        os.dup2(null, file.fileno())
    os.close(null)


def duration(seconds: float) -> str:
    """Return a duration as people write it: `0.4 s`, `41 s`, `2:05`, `1:02:05`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def summary(run: RunRecord, where: Path = Path()) -> list[str]:
    """Return a line per stage with outcome and duration, then a line per failure.

    Args:
        run: the run.
        where: the project that was run, as the user sees it.
    """
    if run.stages and all(stage.state == UNCHANGED for stage in run.stages):
        what = "the stage is" if len(run.stages) == 1 else f"{len(run.stages)} stages are"
        return [f"Nothing to run: {what} unchanged."]
    width = max((len(stage.name) for stage in run.stages), default=0)
    return [
        *(_state_line(stage, width) for stage in run.stages),
        *(failure_line(stage, where) for stage in run.broken()),
    ]


def _state_line(stage: StageRecord, width: int) -> str:
    color = "red" if stage.state in BROKEN else "yellow" if stage.state == NOT_RUN else "green"
    word = style(f"{stage.state:13}", fg=None if stage.state == UNCHANGED else color)
    if stage.state == NOT_RUN:
        return f"{stage.name:{width}}  {word}  {stage.cause}"
    took = duration(stage.seconds) if stage.seconds is not None else ""
    return f"{stage.name:{width}}  {word}  {took:>8}".rstrip()


def failure_line(stage: StageRecord, where: Path = Path()) -> str:
    """Return where a stage failed: `train · 30-train · cell 7 · NameError: … (see …)`."""
    parts = [stage.name, Path(stage.notebook).stem, f"cell {stage.cell}" if stage.cell else ""]
    seen = f" (see {(where / stage.executed).as_posix()})" if stage.cell else ""
    return style(" · ".join([*filter(None, parts), stage.cause]), fg="red") + seen
