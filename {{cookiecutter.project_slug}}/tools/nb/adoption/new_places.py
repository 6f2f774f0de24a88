"""New paths of adopted notebooks, by the naming convention, and of their data files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from nb.declaration.naming import LONGEST_SLUG, ascii_slug

HOME = "notebooks/exploratory"
NAMELESS = "notebook"
_LEADING_NUMBER = re.compile(r"^\d+(-\d+)*-(?=.*[a-z])")
RAW, INTERIM, FIGURES_FOLDER = "data/raw", "data/interim", "reports/figures"
# Folders of this layout, which an adopted project may have, too.
LAYOUT = {"raw", "interim", "processed", "external"}
PICTURES = {".png", ".jpg", ".jpeg", ".svg", ".pdf"}


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


def data_homes(
    files: Iterable[str], written: Iterable[str], joined: Iterable[str], taken: Iterable[str] = ()
) -> dict[str, str]:
    """Return the new path of each data file and of each file that a notebook writes.

    Inputs go to `data/raw`, files that a notebook makes to `data/interim`, which is not versioned,
    and pictures of theirs to `reports/figures`. A folder whose name is joined with names of files
    at run time keeps all files together: code that joins must find each of them.

    Args:
        files: the data files that are there, relative to the adopted folder.
        written: the files that a notebook writes, there or not.
        joined: the folders that code names as a folder.
        taken: paths of the project that are in use.
    """
    files, written, joined, taken = set(files), set(written), set(joined), set(taken)
    every = sorted(files | written)
    tops = {name: _topmost(name, joined) for name in every}
    for stripped in (True, False):
        homes = {name: _home(name, tops[name], files, written, stripped) for name in every}
        if len(set(homes.values())) == len(homes) and not taken & set(homes.values()):
            return homes
    # Somebody's name stands in the way: a folder of their own keeps all of them apart.
    folders = (f"{RAW}/adopted-{n}/" for n in range(1, len(taken) + 3))
    free = next(f for f in folders if not any(path.startswith(f) for path in taken))
    return {name: f"{free}{name}" for name in every}


def _topmost(name: str, joined: set[str]) -> str | None:
    """Return the highest folder of a file that code joins; None for no such folder."""
    parents = [p.as_posix() for p in reversed(PurePosixPath(name).parents)]
    return next((p for p in parents if p != "." and p in joined), None)


def _home(name: str, top: str | None, files: set[str], written: set[str], stripped: bool) -> str:
    parts = PurePosixPath(name).parts
    if _has_layout(name):
        return name
    if top is None:
        whole = name in written
    else:
        inside = {file for file in files | written if file.startswith(f"{top}/")}
        if top == "data" and any(_has_layout(file) for file in inside):
            return name
        whole = inside <= written
    if whole and top is None and PurePosixPath(name).suffix.lower() in PICTURES:
        folder = FIGURES_FOLDER
    else:
        folder = INTERIM if whole else RAW
    rest = "/".join(parts[1:]) if stripped and parts[0] == "data" and len(parts) > 1 else name
    return f"{folder}/{rest}"


def _has_layout(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) > 2 and parts[0] == "data" and parts[1] in LAYOUT


def folder_homes(homes: Mapping[str, str]) -> dict[str, str]:
    """Return the new path of each folder all of whose files moved along, names unchanged."""
    found: dict[str, set[str]] = {}
    for old, new in homes.items():
        for parent in PurePosixPath(old).parents:
            rest = PurePosixPath(old).relative_to(parent).as_posix()
            kept = new.removesuffix(f"/{rest}") if new.endswith(f"/{rest}") else ""
            found.setdefault(parent.as_posix(), set()).add(kept)
    return {old: new.pop() for old, new in found.items() if len(new) == 1 and "" not in new}
