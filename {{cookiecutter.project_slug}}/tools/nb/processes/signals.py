"""Signal handlers of a block of code."""

from __future__ import annotations

import signal
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
