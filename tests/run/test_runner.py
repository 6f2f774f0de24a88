"""The loop of a run: rests while there is nothing to do, and leaves nothing running or unread."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from io import RawIOBase
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from nb.processes.events import EventLoop
from nb.run.runner import Runner
from nb.runtime.handles import StageAtWork
from nb.runtime.worker import INTERRUPT, KILL
from nb.runtime.worker_pool import FinishedStage

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stages run side by side on POSIX only")


@pytest.fixture
def runner() -> Iterator[Runner]:
    """A runner with a loop and a view, and without a project."""
    made = Runner.__new__(Runner)
    made.events = EventLoop()
    made.view = SimpleNamespace(running=lambda *_: None, line=lambda *_: None)
    yield made
    made.events.close()


def stage_with(output: RawIOBase, **times: Any) -> StageAtWork:
    task = SimpleNamespace(name="a", hidden=False, project=None)
    return StageAtWork(task=task, worker=SimpleNamespace(), output=output, **times)


def pipe() -> tuple[RawIOBase, int]:
    """Return an end of a pipe that does not wait for content, and the other end."""
    end, other = os.pipe()
    os.set_blocking(end, False)
    return os.fdopen(end, "rb", buffering=0), other


def test_output_that_has_ended_does_not_keep_the_loop_awake(runner: Runner) -> None:
    output, other = pipe()
    stage = stage_with(output)
    looks: list[int] = []
    runner.events.watch(output, lambda: (looks.append(1), partial(runner._show, stage)()))
    os.write(other, b"line\n")
    os.close(other)
    for _ in range(5):
        runner.events.wait(0)
    assert len(looks) == 2  # the line, and the end
    assert list(stage.tail) == ["line"]
    output.close()


def test_the_last_words_of_a_stage_that_ended_are_shown(runner: Runner) -> None:
    output, other = pipe()
    os.write(other, b"a line\nthe last, without an end")
    os.close(other)
    stage = stage_with(output)
    runner.events.watch(output, partial(runner._show, stage))
    runner.stages = {"a": SimpleNamespace(executed="")}
    runner.view.ended = runner._judge = runner._outcome = runner._save = lambda *_: None
    runner.pages = SimpleNamespace(make=lambda _: None)
    answer = SimpleNamespace(outcome=None, peak_memory=1)
    runner._conclude(FinishedStage(stage=stage, answer=answer, code=1, cpu_seconds=0.5))
    assert list(stage.tail) == ["a line", "the last, without an end"]
    runner.events.wait(0)  # nothing listens to the closed output


@pytest.mark.parametrize(
    ("began", "interrupted", "orders"),
    [(1, None, []), (100, None, [INTERRUPT]), (100, 1, []), (100, 60, [KILL])],
)
def test_what_is_late_is_interrupted_and_killed_if_it_goes_on(
    runner: Runner, began: float, interrupted: float | None, orders: list[str]
) -> None:
    output, other = pipe()
    now = time.monotonic()
    stage = stage_with(output, began=now - began)
    stage.interrupted = None if interrupted is None else now - interrupted
    given: list[str] = []
    stage.worker.end_stage = given.append
    runner.workers = SimpleNamespace(at_work={"a": stage})
    runner.options = SimpleNamespace(timeout=50)
    for _ in range(3):
        runner._end_what_is_late()
    assert given == orders
    assert stage.timed_out == (orders == [INTERRUPT])
    output.close()
    os.close(other)


def test_a_record_that_takes_long_to_write_waits_and_is_written_in_the_end(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, written = [100.0], []
    monkeypatch.setattr("nb.run.runner.time.monotonic", lambda: now[0])

    def save(_: object, changed: set[str]) -> None:
        written.append((now[0], sorted(changed)))
        now[0] += 1  # second

    states = {f"s{number}": "ran" for number in range(60)}
    changes = [{name} for name in states]
    runner.schedule = SimpleNamespace(
        states=states, waiting=0, take_changes=lambda: changes.pop(0) if changes else set()
    )
    runner.stages = {name: SimpleNamespace(state="") for name in states}
    runner.journal, runner.record = SimpleNamespace(save=save), None
    runner.unsaved, runner.next_write, runner.is_behind = set(), 0.0, False
    for _ in range(200):
        runner._save()
        now[0] += 0.5
    times = [time for time, _ in written]
    assert all(after - before >= 1 / 0.05 for before, after in pairwise(times))
    assert sorted(name for _, names in written for name in names) == sorted(states)
