"""The loop of a run: rests while there is nothing to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import pytest
from nb.processes.events import EventLoop
from nb.run.runner import Runner
from nb.runtime.handles import StageAtWork

pytestmark = pytest.mark.skipif(os.name != "posix", reason="stages run side by side on POSIX only")


@pytest.fixture
def runner() -> Iterator[Runner]:
    """A runner with a loop and a view, and without a project."""
    made = Runner.__new__(Runner)
    made.events = EventLoop()
    made.view = SimpleNamespace(running=lambda *_: None, line=lambda *_: None)
    yield made
    made.events.close()


def test_output_that_has_ended_does_not_keep_the_loop_awake(runner: Runner) -> None:
    end, other = os.pipe()
    os.set_blocking(end, False)
    output = os.fdopen(end, "rb", buffering=0)
    task = SimpleNamespace(name="a", hidden=False)
    stage = StageAtWork(task=task, worker=SimpleNamespace(), output=output)
    looks: list[int] = []
    runner.events.watch(output, lambda: (looks.append(1), partial(runner._show, stage)()))
    os.write(other, b"line\n")
    os.close(other)
    for _ in range(5):
        runner.events.wait(0)
    assert len(looks) == 2  # the line, and the end
    assert list(stage.tail) == ["line"]
    output.close()
