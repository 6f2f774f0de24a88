"""Handlers of signals hold in a block, and only there."""

from __future__ import annotations

import signal

import pytest
from nb.processes.signals import exit_when_terminated, handle_signals


def test_the_handlers_from_before_come_back_also_after_an_error() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[int] = []
    with (
        pytest.raises(ZeroDivisionError),
        handle_signals(lambda n, _: seen.append(n), [signal.SIGTERM]),
    ):
        signal.raise_signal(signal.SIGTERM)
        raise ZeroDivisionError
    assert seen == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_terminated_block_cleans_up(name: str) -> None:
    number = getattr(signal, name, signal.SIGTERM)
    cleaned = []
    with pytest.raises(SystemExit) as caught, exit_when_terminated():
        try:
            signal.raise_signal(number)
        finally:
            cleaned.append(True)
    assert (caught.value.code, cleaned) == (128 + number, [True])
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_nohup_ignores_stays_ignored() -> None:
    number = getattr(signal, "SIGHUP", signal.SIGTERM)
    with handle_signals(signal.SIG_IGN, [number]), exit_when_terminated():
        signal.raise_signal(number)
