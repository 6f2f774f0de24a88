"""Processes whose parent has ended before them."""

from __future__ import annotations

import ctypes
import sys

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans(adopt: bool = True) -> None:
    """Make this process the parent of any descendant whose own parent ends, or not (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)
