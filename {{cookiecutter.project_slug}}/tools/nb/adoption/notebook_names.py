"""Names of adopted notebooks by the convention `<number>-<initials>-<slug>.ipynb`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from nb.declaration.naming import LONGEST_SLUG, ascii_slug

HOME = "notebooks/exploratory"
NAMELESS = "notebook"
_LEADING_NUMBER = re.compile(r"^\d+(-\d+)*-(?=.*[a-z])")


def name_notebooks(sources: Iterable[str], who: str, first: int) -> dict[str, str]:
    """Return the new path of each notebook, in the natural order of the old paths.

    No two notebooks get the same path: each has a number. Slugs differ as well, as promotion names
    a stage by the slug: the folder comes to help, then a count.

    Args:
        sources: the old paths, with slashes.
        who: the initials of the author.
        first: the number of the first notebook.
    """
    ordered = sorted(set(sources), key=natural_order)
    short = {source: _slug(PurePosixPath(source).stem) for source in ordered}
    slugs: dict[str, str] = {}
    for source in ordered:
        wanted = short[source]
        if list(short.values()).count(wanted) > 1:
            folder = ascii_slug(PurePosixPath(source).parent.name)
            wanted = f"{folder}-{wanted}"[:LONGEST_SLUG].strip("-") if folder else wanted
        slugs[source] = _free(wanted, set(slugs.values()))
    return {
        source: f"{HOME}/{number:02}-{who}-{slugs[source]}.ipynb"
        for number, source in enumerate(ordered, first)
    }


def natural_order(path: str) -> list[tuple[int, str]]:
    """Return a sort key by which `2-b` comes before `10-a`."""
    pieces = re.split(r"(\d+)", path.lower())
    return [(int(piece), "") if piece.isdecimal() else (0, piece) for piece in pieces] + [(0, path)]


def _slug(stem: str) -> str:
    slug = _LEADING_NUMBER.sub("", ascii_slug(stem))[:LONGEST_SLUG].strip("-")
    return slug if re.search(r"[a-z]", slug) else f"{NAMELESS}-{slug}".strip("-")


def _free(wanted: str, taken: set[str]) -> str:
    if wanted not in taken:
        return wanted
    counted = (f"{wanted[: LONGEST_SLUG - 5]}-{count}" for count in range(2, len(taken) + 3))
    return next(name for name in counted if name not in taken)
