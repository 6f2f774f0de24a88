"""Replacements in source text by the places of syntax trees, which count bytes.

Standard library only. Everything but the replaced texts keeps every character.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

# Begin and end in bytes, and the new text.
Edit = tuple[int, int, str]


def byte_offsets(text: str) -> list[int]:
    """Return where each line begins, in bytes."""
    starts = [0]
    for line in text.encode().split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    return starts


def byte_span(node: ast.expr | ast.stmt, offsets: Sequence[int]) -> tuple[int, int]:
    """Return begin and end of a node, in bytes."""
    start = offsets[node.lineno - 1] + node.col_offset
    return start, offsets[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)


def with_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return a text with replacements made; these do not overlap."""
    content = text.encode()
    for start, end, new in sorted(edits, reverse=True):
        content = content[:start] + new.encode() + content[end:]
    return content.decode()
