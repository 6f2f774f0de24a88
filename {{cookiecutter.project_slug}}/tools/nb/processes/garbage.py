"""Garbage collection: none in a block, and none later for objects that are alive at its end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collection() -> Iterator[None]:
    """Collect no cyclic garbage in the block, and among its objects none later.

    A collection visits every object, time and again while their number grows. Objects without
    cycles are freed as ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # else the next collection visits them
        if was_enabled:
            gc.enable()
