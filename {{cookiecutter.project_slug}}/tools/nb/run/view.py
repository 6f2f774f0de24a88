"""View of runs: lines of stages, live lines, groups of CI logs, and the summary."""

from __future__ import annotations

import errno
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from shutil import get_terminal_size
from typing import TextIO

from nb.declaration.tasks import BROKEN, NOT_RUN, RAN, RESTORED, UNCHANGED
from nb.runtime.lines import Lines
from nb.terminal import colored, echo, sequence, style
from nb.wording import duration

from .record import RunRecord, StageRecord

HEARTBEAT_SECONDS = 30.0
REFRESH_SECONDS = 0.2
# Lines of papermill that repeat the line of the stage's start.
BOILERPLATE = re.compile(r"(Input Notebook|Output Notebook|Executing notebook with kernel): ")
STATE_COLORS = ("cyan", "magenta", "yellow", "blue", "bright_cyan", "bright_magenta")


class View:
    """View of a run: prefixed lines, on a terminal with a live line per running stage below.

    Args:
        stream: the stream of the lines.
        names: the names of the stages, for the width of the prefix.
        verbose: show papermill's own lines and notes about the machinery, too.
    """

    def __init__(self, stream: TextIO, names: Sequence[str] = (), *, verbose: bool = False) -> None:
        self.stream = stream
        self.verbose = verbose
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.live = self.live and not os.environ.get("CI")
        # The log of a workflow folds each group; groups of stages that run side by side would mix,
        # so the lines of a stage wait for its end.
        self.grouped = os.environ.get("GITHUB_ACTIONS") == "true" and not self.live
        self._held: dict[str, list[str]] = {}
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
        """Show a line that begins with `nb:`."""
        self._write(f"nb: {text}")

    def detail(self, text: str) -> None:
        """Show a line about the machinery if all lines are wanted (`verbose`)."""
        if self.verbose:
            self.note(text)

    def line(self, name: str, text: str) -> None:
        """Show a line that a stage printed."""
        shown = text if self.verbose else shown_line(text)
        if shown is not None:
            self._event(name, shown.rstrip())

    def running(self, name: str, began: float, progress: str = "") -> None:
        """Note that a stage runs, since when, and at which cell."""
        self._running[name] = (began, progress)

    def ended(self, name: str, outcome: str = "") -> None:
        """Note that a stage does not run any more, and how it ended; nothing if that is no news."""
        self._running.pop(name, None)
        if outcome:
            self._event(name, outcome)
        self._show_group(name, outcome)

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
        for name in list(self._held):
            self._show_group(name, "")

    def _event(self, name: str, text: str) -> None:
        color = self._colors.get(name) or self._colors.setdefault(name, next(self._next_color))
        line = f"{style(f'{name:{self.width}} |', fg=color)} {colored(text)}"
        if self.grouped:
            self._held.setdefault(name, []).append(line)
        else:
            self._write(line)

    def _show_group(self, name: str, outcome: str) -> None:
        lines = self._held.pop(name, ())
        if lines:
            title = f"{name} {outcome}".rstrip()
            self._write("\n".join([f"::group::{title}", *lines, "::endgroup::"]))

    def _states(self, now: float) -> list[str]:
        return [
            f"{name} {duration(now - began)}{f', {progress} cells' if progress else ''}"
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


@contextmanager
def live_line(name: str) -> Iterator[Callable[[bytes], None] | None]:
    """Show, on a terminal, the live line of a notebook that runs outside of a run.

    Args:
        name: the name in the line.

    Yields:
        the function that takes the output of papermill, a few times a second; None without a
        terminal.
    """
    view = View(sys.stderr, [name])
    lines, began = Lines(), time.monotonic()

    def hear(output: bytes) -> None:
        lines.feed(output)
        view.running(name, began, lines.progress)
        view.tick()

    try:
        yield hear if view.live else None
    finally:
        view.close()


def shown_line(text: str) -> str | None:
    """Return a line of a stage's output for the log of a run; None for boilerplate of papermill.

    The command line of a stage becomes the name of the notebook: the rest is in `dvc.yaml`.
    """
    if BOILERPLATE.match(text):
        return None
    if not text.startswith("> "):
        return text
    from nb.declaration.papermill_command import papermill_command

    notebook = papermill_command(text[2:]).notebook
    return f"runs {notebook}" if notebook else text


def outcome_of(stage: StageRecord) -> str:
    """Return how a stage ended, for the log of a run; empty if the stage was up to date."""
    took = duration(stage.seconds or 0)
    if stage.state in BROKEN:
        return f"{stage.state} after {took}: {stage.cause}"
    return {RAN: f"ran in {took}", RESTORED: "restored from the run cache"}.get(stage.state, "")


def summary(run: RunRecord, where: Path = Path()) -> list[str]:
    """Return a line per stage with outcome and duration, the totals, and a line per failure.

    Args:
        run: the run.
        where: the project that was run, as the user sees it.
    """
    if run.stages and all(stage.state == UNCHANGED for stage in run.stages):
        what = "the stage is" if len(run.stages) == 1 else f"{len(run.stages)} stages are"
        return [f"Nothing to run: {what} unchanged."]
    width = max((len(stage.name) for stage in run.stages), default=0)
    longest = max((len(duration(stage.seconds)) for stage in run.stages), default=0)
    return [
        *(_state_line(stage, width, max(longest, 8)) for stage in run.stages),
        *([_totals(run)] if run.stages else []),
        *(failure_line(stage, where) for stage in run.broken()),
    ]


def _state_line(stage: StageRecord, width: int, took_width: int) -> str:
    color = "red" if stage.state in BROKEN else "yellow" if stage.state == NOT_RUN else "green"
    word = stage.state if stage.state == UNCHANGED else style(stage.state, fg=color)
    rest = (
        stage.cause
        if stage.state == NOT_RUN
        else f"{duration(stage.seconds):>{took_width}}".rstrip()
    )
    gap = " " * (13 - len(stage.state))
    return f"{stage.name:{width}}  {word}" + (f"{gap}  {rest}" if rest else "")


def _totals(run: RunRecord) -> str:
    """Return the number of stages by state, and the duration: `5 ran, 3 unchanged, 12 s`."""
    states = Counter(stage.state for stage in run.stages)
    took = [duration(run.seconds)] if run.seconds is not None else []
    return ", ".join([*(f"{number} {state}" for state, number in states.items()), *took])


def failure_line(stage: StageRecord, where: Path = Path()) -> str:
    """Return where a stage failed: `train · 30-train · code cell 7 · NameError: … (see …)`."""
    parts = [stage.name, Path(stage.notebook).stem, f"code cell {stage.cell}" if stage.cell else ""]
    seen = f" (see {(where / stage.executed).as_posix()})" if stage.cell else ""
    return style(" · ".join([*filter(None, parts), stage.cause]), fg="red") + seen
