"""Search for credentials in a text, also where the colors of a terminal interrupt them.

The same search serves masks and commits. Found are shapes that issuers document, private keys,
passwords in addresses and on command lines, headers of requests, and values that are given to a
name such as `password`, or stand in a column of that name. They are found in plain text, and in the
spellings of JSON, HTML and Python's repr. The time is linear in the length of the text: a literal
is looked for first, and a pattern is tried only there, on a bounded stretch.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from .assignments import assigned_secrets
from .columns import secrets_in_columns
from .occurrences import FoundSecret, without_overlaps
from .phrases import secrets_in_phrases
from .private_keys import private_keys
from .shapes import secrets_by_shape

SEARCHES = (
    secrets_by_shape,
    private_keys,
    secrets_in_phrases,
    assigned_secrets,
    secrets_in_columns,
)
COLOR = re.compile(r"(?:\x1b|\\+(?:u001b|x1b|033))\[[0-9:;?]*[A-Za-z]", re.I)


def find_secrets(text: str) -> list[FoundSecret]:
    """Return the credentials in a text, in order; none overlaps another."""
    plain, places = _without_colors(text)
    found = without_overlaps(each for search in SEARCHES for each in search(plain))
    return [FoundSecret(places(f.start), places(f.end - 1) + 1, f.kind) for f in found]


def _without_colors(text: str) -> tuple[str, _Places]:
    """Return a text without a terminal's colors, and the map to places in the original."""
    if "\x1b[" not in text and "1b[" not in text and "1B[" not in text and "033[" not in text:
        return text, _Places([0], [0])
    parts, starts, shifts, end = [], [], [], 0
    length = 0
    for color in (*COLOR.finditer(text), None):
        begin = color.start() if color else len(text)
        parts.append(text[end:begin])
        starts.append(length)
        shifts.append(end - length)
        length += begin - end
        end = color.end() if color else begin
    return "".join(parts), _Places(starts, shifts)


class _Places:
    """Map from places in a text without colors to places in the original.

    Args:
        starts: the begins of the parts between colors.
        shifts: the distance of each part to the part in the original.
    """

    def __init__(self, starts: list[int], shifts: list[int]) -> None:
        self.starts = starts
        self.shifts = shifts

    def __call__(self, place: int) -> int:
        return place + self.shifts[bisect_right(self.starts, place) - 1]
