"""Private keys in a text, in the armor of PEM or PGP, with all lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .occurrences import FoundSecret

_LONGEST_KEY = 64_000
_BEGIN = re.compile(r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END = re.compile(r"-{4,5} ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_HEADERS = re.compile(r"(?:(?:\s|\\[nr])*[A-Z][A-Za-z-]{2,20}: [^\n\\]{1,200})*")
_KEY_LINE = re.compile(
    r"(?:[\s\"',>|]|\\+[nrt\"'])*(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]+={1,2})"
)
_KEY_PART = re.compile(r"(?:\\+n)?[A-Za-z0-9+/]{16,}={0,2}")
_BETWEEN = re.compile(r"(?:[\s\"',>|]|\\+[nrt\"'])*(?:[A-Za-z0-9+/]{1,64}={0,2}(?:\s|\\+[nr])*)?")


def private_keys(text: str) -> Iterator[FoundSecret]:
    """Yield private keys with all their lines; the first or the last line may be missing."""
    if "PRIVATE KEY" not in text:
        return
    ends = [(each.start(), each.end()) for each in _END.finditer(text)]
    covered = next_end = 0
    for begin in _BEGIN.finditer(text):
        if begin.start() < covered:
            continue
        while next_end < len(ends) and ends[next_end][0] < begin.end():
            next_end += 1
        covered = _key_end(text, begin.end())
        if next_end < len(ends) and ends[next_end][0] - begin.end() <= _LONGEST_KEY:
            covered = ends[next_end][1]
        if _KEY_PART.search(text, begin.end(), covered):
            yield FoundSecret(begin.start(), covered, "Private Key")
    before = 0  # a key begins after the last line of the key before
    for start, end in ends:
        parts = list(_KEY_PART.finditer(text, max(before, start - _LONGEST_KEY), start))
        before = end
        first = start
        while parts and _BETWEEN.fullmatch(text, parts[-1].end(), first):
            first = parts.pop().start()
        if first < start:
            yield FoundSecret(first, end, "Private Key")


def _key_end(text: str, at: int) -> int:
    headers = _HEADERS.match(text, at)
    at = headers.end() if headers else at
    while line := _KEY_LINE.match(text, at, at + _LONGEST_KEY):
        at = line.end()
    return at
