"""Places of secrets that were found in a text; overlapping places united; search for a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple


class FoundSecret(NamedTuple):
    """Secret in a text: begin, end and kind."""

    start: int
    end: int
    kind: str


def occurrences(text: str, literal: str) -> Iterator[int]:
    """Yield where a literal begins in a text; occurrences do not overlap."""
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + len(literal))


def without_overlaps(
    found: Iterable[FoundSecret], kind_of: Callable[[str, str], str] = lambda first, _: first
) -> list[FoundSecret]:
    """Return secrets in order, each union of overlapping secrets as a single secret.

    Args:
        found: the secrets in any order.
        kind_of: chooses the kind of a union: by default that of the first secret.
    """
    joined: list[FoundSecret] = []
    for each in sorted(found, key=lambda secret: (secret.start, -secret.end)):
        if joined and each.start < joined[-1].end:
            last = joined[-1]
            kind = kind_of(last.kind, each.kind)
            joined[-1] = FoundSecret(last.start, max(last.end, each.end), kind)
        else:
            joined.append(each)
    return joined
