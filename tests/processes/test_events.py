"""The event loop: files and signals end a wait, and actions may change the files of the loop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from threading import Thread

import pytest
from nb.processes.events import EventLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop()
    yield made
    made.close()


def test_a_readable_file_calls_for_its_action(loop: EventLoop) -> None:
    ours, theirs = socket.socketpair()
    heard: list[bytes] = []
    loop.watch(ours, lambda: heard.append(ours.recv(10)))
    theirs.send(b"x")
    loop.wait()
    loop.forget(ours)
    theirs.send(b"y")
    loop.wait(0)
    assert heard == [b"x"]
    ours.close()
    theirs.close()


def test_a_file_that_an_action_closed_is_passed_over(loop: EventLoop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def close_both(number: int) -> None:
        called.append(number)
        for ours, _ in pairs:
            loop.forget(ours)
            ours.close()

    for number, (ours, theirs) in enumerate(pairs):
        loop.watch(ours, partial(close_both, number))
        theirs.send(b"x")
    loop.wait()
    assert len(called) == 1
    for _, theirs in pairs:
        theirs.close()


@pytest.mark.timeout(30)
def test_another_thread_ends_a_wait(loop: EventLoop) -> None:
    Thread(target=loop.wake).start()
    loop.wait(60)  # the limit of this test is shorter


@pytest.mark.skipif(sys.platform == "win32", reason="the end of a child is no signal there")
def test_signals_and_the_ends_of_children_end_a_wait() -> None:
    woken: list[str] = []
    loop = EventLoop(on_signal=lambda: woken.append("woken"))
    heard: list[int] = []
    own = signal.getsignal(signal.SIGUSR1)
    before = loop.catch({signal.SIGUSR1: lambda number, _: heard.append(number)})
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        loop.wait()
        assert (heard, woken) == ([signal.SIGUSR1], ["woken"])
        child = subprocess.Popen([sys.executable, "-c", ""])
        loop.wait()
        assert woken == ["woken", "woken"]
        child.wait()
    finally:
        loop.release(before)
        loop.close()
    assert signal.getsignal(signal.SIGUSR1) == own
