"""Signal handlers for a block of code: a function called, or an exception that cleans up."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def handle_signals(
    handler: Callable[[int, object], object] | signal.Handlers, numbers: Iterable[int]
) -> Iterator[None]:
    """Handle signals in the block; afterwards their handlers are the same as before.

    Args:
        handler: the handler in the block.
        numbers: the signals.
    """
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def exit_when_terminated() -> Iterator[None]:
    """Have SIGTERM and SIGHUP end the block as an exception does, so that it cleans up.

    A signal that is ignored (nohup), or that has a handler, is left alone.
    """
    named = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
    numbers = [n for n in named if n is not None and signal.getsignal(n) is signal.SIG_DFL]
    with handle_signals(lambda number, _: sys.exit(128 + number), numbers):
        yield
