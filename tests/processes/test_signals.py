"""Handlers of signals hold in a block, and only there."""

from __future__ import annotations

import signal

import pytest
from nb.processes.signals import handle_signals


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
