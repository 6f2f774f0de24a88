"""What a run shows."""

from __future__ import annotations

import io
import re
import sys
import time
from pathlib import Path

import pytest
from nb.declaration.tasks import BROKEN, DONE, NOT_RUN, RAN, WAITING
from nb.run import view as module
from nb.run.record import RunRecord, StageRecord
from nb.run.view import View, live_line, outcome_of, shown_line, summary
from nb.runtime.lines import LONGEST_LINE, Lines
from nb.terminal import echo
from nb.tracing.log import ARGUMENTS
from nb.tracing.trace import run_under_trace
from nb.wording import duration

BAR = "\rExecuting:  58%|█████▊    | 7/12 [00:13<00:08,  1.64s/cell]"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_bars_are_told_from_lines() -> None:
    lines = Lines()
    assert lines.feed(f"Input\n\rExecuting:   0%|  | 0/12 [00:00<?, ?cell/s]{BAR}".encode()) == [
        "Input"
    ]
    assert lines.progress == "7/12"
    assert lines.feed(f"Started{BAR}\r\nrest".encode()) == ["Started"]
    assert lines.feed(b"", final=True) == ["rest"]


def test_a_line_is_what_a_terminal_would_be_left_with() -> None:
    lines = Lines()
    assert lines.feed(b"10 %\r20 %\r100 %\nwindows\r\n\n") == ["100 %", "windows"]
    assert [lines.feed(part) for part in (b"1 %\rall\r", b"\n")] == [[], ["all"]]
    assert lines.feed("ü".encode()[:1]) == []
    assert lines.feed("ü".encode()[1:] + b"\n\xff\n") == ["ü", "\ufffd"]


def test_a_line_that_never_ends_is_shown_in_pieces() -> None:
    lines = Lines()
    shown = [piece for _ in range(300) for piece in lines.feed(b"x" * 100)]
    assert len(shown) == 2
    assert all(len(piece) > LONGEST_LINE for piece in shown)


def test_without_a_terminal_there_are_plain_lines_and_signs_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.StringIO()
    view = View(stream, ["a", "train"])
    view.line("a", "hello")
    view.running("train", time.monotonic() - 65, "3/9")
    view.tick()
    assert stream.getvalue() == "a     | hello\n"
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0)
    view.tick()
    assert stream.getvalue().endswith("nb: running: train 1 min 5 s, 3/9 cells; waiting: 0\n")


def test_on_a_terminal_running_stages_have_a_line_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0)
    stream = Terminal()
    view = View(stream, ["a"])
    view.running("a", time.monotonic())
    view.waiting = 2
    view.tick()
    assert stream.getvalue() == "  a 0.0 s\n  2 waiting\n"
    view.line("a", "hello")
    assert "\x1b[2F\x1b[J" in stream.getvalue()
    assert "\x1b[36ma |\x1b[0m hello\n" in stream.getvalue()
    view.tick()
    view.close()
    assert stream.getvalue().endswith("\x1b[2F\x1b[J")


def test_a_dumb_terminal_and_ci_get_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert not View(Terminal()).live
    monkeypatch.delenv("CI")
    assert View(Terminal()).live
    monkeypatch.setenv("TERM", "dumb")
    assert not View(Terminal()).live


def test_the_summary_has_a_line_per_stage_and_per_failure() -> None:
    stages = [
        StageRecord("ok", "ran", seconds=0.04),
        StageRecord(
            "bad", "failed", "NameError: x", "n/20-b.ipynb", 7, "r/20-b.ipynb", seconds=125
        ),
        StageRecord("later", "not run", "bad failed"),
    ]
    shown = "\n".join(summary(RunRecord("i", {}, 1, "", stages=stages, seconds=126)))
    shown = re.sub(r"\x1b\w*\[\d+m", "", shown)  # colors
    assert shown.splitlines() == [
        "ok     ran                0.0 s",
        "bad    failed         2 min 5 s",
        "later  not run        bad failed",
        "1 ran, 1 failed, 1 not run, 2 min 6 s",
        "bad · 20-b · code cell 7 · NameError: x (see r/20-b.ipynb)",
    ]


@pytest.mark.parametrize("state", [*DONE, *BROKEN, NOT_RUN, WAITING])
def test_no_line_of_the_summary_ends_with_blanks(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stages = [StageRecord("a", RAN, seconds=1), StageRecord("train", state, "a cause")]
    stream = Terminal()
    echo("\n".join(summary(RunRecord("i", {}, 1, "", stages=stages))), file=stream)
    lines = [re.sub(r"\x1b\[\d+m", "", line) for line in stream.getvalue().splitlines()]
    assert len(lines) >= 3
    assert lines == [line.rstrip() for line in lines]


PAPERMILL = (
    "> papermill notebooks/production/10-ingest.ipynb reports/notebooks/10-ingest.ipynb -k python3",
    "Input Notebook:  notebooks/production/10-ingest.ipynb",
    "Output Notebook: reports/notebooks/10-ingest.ipynb",
    "Executing notebook with kernel: python3",
    "569 biopsies",
)


def test_a_stage_has_a_line_per_event() -> None:
    stream = io.StringIO()
    view = View(stream, ["ingest"])
    for text in PAPERMILL:
        view.line("ingest", text)
    view.detail("each notebook imports numpy by itself")
    view.ended("ingest", outcome_of(StageRecord("ingest", RAN, seconds=4.3)))
    assert stream.getvalue().splitlines() == [
        "ingest | runs notebooks/production/10-ingest.ipynb",
        "ingest | 569 biopsies",
        "ingest | ran in 4.3 s",
    ]


def test_all_lines_are_shown_to_those_who_ask_for_them() -> None:
    stream = io.StringIO()
    view = View(stream, ["ingest"], verbose=True)
    for text in PAPERMILL:
        view.line("ingest", text)
    view.detail("each notebook imports numpy by itself")
    lines = [f"ingest | {text}" for text in PAPERMILL]
    assert stream.getvalue().splitlines() == [*lines, "nb: each notebook imports numpy by itself"]


@pytest.mark.parametrize("text", ["> python train.py", "Input Notebook", "> papermill", "> 1"])
def test_lines_of_other_programs_stay_as_they_are(text: str) -> None:
    assert shown_line(text) == text


def test_on_github_each_stage_is_a_group_that_no_other_stage_writes_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    stream = io.StringIO()
    view = View(stream, ["a", "b"])
    for name, text in (("a", "1"), ("b", "::error::not a command"), ("a", "2")):
        view.line(name, text)
    view.ended("b", "failed after 0.1 s: no")
    view.ended("a")
    view.line("b", "late")
    view.close()
    assert stream.getvalue().splitlines() == [
        *("::group::b failed after 0.1 s: no", "b | ::error::not a command"),
        *("b | failed after 0.1 s: no", "::endgroup::"),
        *("::group::a", "a | 1", "a | 2", "::endgroup::"),
        *("::group::b", "b | late", "::endgroup::"),
    ]


def test_a_notebook_outside_of_a_run_has_a_live_line_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(module, "REFRESH_SECONDS", 0)
    command = [sys.executable, "-c", f"print({BAR!r})"]
    with live_line("02-idea") as heard:
        run_under_trace(command, tmp_path, view=ARGUMENTS, heard=heard)
    assert re.search(r"  02-idea \d\.\d s, 7/12 cells\n", terminal.getvalue())
    assert terminal.getvalue().endswith("\x1b[J")


def test_a_notebook_outside_of_a_run_has_no_live_line_in_a_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    with live_line("02-idea") as heard:
        assert heard is None
    assert not log.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (float("inf"), ""),
        (0.0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7800, "2 h 10 min"),
    ],
)
def test_a_duration_reads_the_same_in_the_log_and_on_every_page(
    seconds: float | None, text: str
) -> None:
    assert duration(seconds) == text
