"""Three-way merge of notebooks, cell by cell: a merge driver for Git.

Every cell, line, tag and attachment that either side added or changed is in the result, or in a
conflict that shows both sides in plain marks in the source of a cell. The result is stripped like
any notebook. Only the standard library and Git are used, from Python 3.8 on, so that a merge needs
no environment.

`git-notebook merge` writes both versions whole, as a conflict, to where Git looks for the merge,
before it starts this program. So a merge that dies or is refused ends with that conflict.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.notebook.strip import RefusedError, keeps_output, load

from .align import align, source
from .filter import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Cell = dict[str, Any]
    Key = tuple[str, ...]
    # A key, and the values that the two sides gave it.
    Clash = tuple[Key, object, object]

# Exit codes that `git-notebook` knows. Any other code means that nothing was written.
CLEAN, CONFLICT, CANNOT_MERGE = 0, 3, 4

_ABSENT = object()
# Parts of a notebook that merge as a whole, though they are JSON objects.
_KERNEL = (("metadata", "kernelspec"), ("metadata", "language_info"))
# Parts of a cell that are not merged key by key.
_SPECIAL = ("id", "source", "outputs", "execution_count")
_FORMAT = ("cells", "nbformat", "nbformat_minor")


def merge(base: bytes, ours: bytes, theirs: bytes, *, name: str = "notebook") -> tuple[bytes, bool]:
    """Merge two versions of a notebook.

    Args:
        base: their common ancestor; empty if there is none.
        ours: our version.
        theirs: their version.
        name: the path, for messages.

    Returns:
        The merged notebook, and whether it holds a conflict.

    Raises:
        ValueError: a version is not a notebook in nbformat 4, or cannot be stripped.
    """
    versions = [_read(data, name) for data in (ours, theirs)]
    try:
        versions.insert(0, _read(base, name))
    except ValueError:  # without an ancestor, more conflicts are shown, and nothing is lost
        versions.insert(0, _read(b"", name))
    rest = [_without(version, _FORMAT) for version in versions]
    clashes: list[Clash] = []
    merged = _merge_objects((), clashes, *rest)
    cells = [_clash_cell("this notebook", "notebook", clashes)] if clashes else []
    has_conflict = bool(clashes)
    keep = bool(merged["metadata"].get("keep_output"))
    for triple in align(*(version["cells"] for version in versions)):
        added, is_conflict = _merge_cell(keep, *triple)
        cells += added
        has_conflict = has_conflict or is_conflict
    lost = _lost_lines(cells, *(version["cells"] for version in versions))
    cells, has_conflict = cells + lost, has_conflict or bool(lost)
    minor = max(version["nbformat_minor"] for version in versions[1:])
    if minor < 5:
        cells = [_without(cell, ("id",)) for cell in cells]
    merged.update(cells=cells, nbformat=4, nbformat_minor=minor)
    return clean(json.dumps(merged).encode(), name), has_conflict


def _read(data: bytes, name: str) -> dict[str, Any]:
    """Parse a version and strip outputs: a commit may be older than the filter."""
    if not data:
        return {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 0}
    notebook = load(data)
    if type(notebook) is not dict or notebook.get("nbformat") != 4:
        raise RefusedError("it is not a notebook in nbformat 4")
    stripped: dict[str, object] = load(clean(data, name))
    stripped.setdefault("nbformat_minor", 0)
    return stripped


def _without(tree: dict[str, object], keys: tuple[str, ...]) -> dict[str, object]:
    return {key: value for key, value in tree.items() if key not in keys}


def _is_same(first: object, second: object) -> bool:
    """Return whether two JSON values are written alike; Python takes 1 and true for equal."""
    if first is _ABSENT or second is _ABSENT:
        return first is second
    return json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def _merge_values(
    key: Key, clashes: list[Clash], base: object, ours: object, theirs: object
) -> object:
    """Merge JSON values: objects key by key, tags as a set, others as a whole.

    Where both sides changed a value, the result has ours, and the clash is noted.
    """
    if _is_same(ours, theirs) or _is_same(theirs, base):
        return ours
    if _is_same(ours, base):
        return theirs
    is_whole = key in _KERNEL or (key[:1] == ("attachments",) and len(key) == 2)
    if type(ours) is dict and type(theirs) is dict and not is_whole:
        return _merge_objects(key, clashes, base if type(base) is dict else {}, ours, theirs)
    if key == ("metadata", "tags") and type(ours) is list and type(theirs) is list:
        return _merge_tags(base if type(base) is list else [], ours, theirs)
    clashes.append((key, ours, theirs))
    return theirs if ours is _ABSENT else ours


def _merge_objects(
    key: Key,
    clashes: list[Clash],
    base: dict[str, object],
    ours: dict[str, object],
    theirs: dict[str, object],
) -> dict[str, Any]:
    found = {
        name: _merge_values(
            (*key, name), clashes, *(tree.get(name, _ABSENT) for tree in (base, ours, theirs))
        )
        for name in {**ours, **theirs}
    }
    return {name: value for name, value in found.items() if value is not _ABSENT}


def _merge_tags(base: list[object], ours: list[object], theirs: list[object]) -> list[object]:
    """Tags that a side added, and those that no side removed."""
    kept = [tag for tag in ours if tag in theirs or tag not in base]
    return kept + [tag for tag in theirs if tag not in ours and tag not in base]


def _merge_cell(
    keep: bool, base: Cell | None, ours: Cell | None, theirs: Cell | None
) -> tuple[list[Cell], bool]:
    """Merge the versions of a cell.

    Returns:
        The merged cell, after a cell that shows clashes of metadata and attachments, if any;
        nothing if the cell was deleted. And whether there is a conflict.
    """
    if ours is None or theirs is None:
        return _merge_with_absence(base, ours, theirs)
    before = base or {}
    versions = [_without(cell, _SPECIAL) for cell in (before, ours, theirs)]
    for version in versions:
        version.setdefault("attachments", {})
    clashes: list[Clash] = []
    merged = _merge_objects((), clashes, *versions)
    ids = [cell.get("id", _ABSENT) for cell in (before, ours, theirs)]
    name = _merge_values((), [], *ids)  # no clash: an id is nobody's work
    if name is not _ABSENT:
        merged["id"] = name
    merged["source"], is_conflict = _merge_text(*(source(c) for c in (before, ours, theirs)))
    if merged["cell_type"] == "code":
        _move_attachments(merged, ours, theirs, clashes)
        merged.update(execution_count=None, outputs=[])
        if keeps_output(merged["metadata"], keep):
            found = [c.get("outputs", []) for c in (before, ours, theirs)]
            merged["outputs"] = _merge_values(("outputs",), clashes, *found)
    if not merged.get("attachments", True):
        del merged["attachments"]
    notes = [_clash_cell("the next cell", str(merged.get("id", "")), clashes)] if clashes else []
    return [*notes, merged], is_conflict or bool(clashes)


def _merge_with_absence(
    base: Cell | None, ours: Cell | None, theirs: Cell | None
) -> tuple[list[Cell], bool]:
    """Take a new cell, drop a deleted cell, mark a cell deleted here and changed there."""
    left = ours or theirs or {}
    if base is None:
        return [left], False
    if _is_same(*(_without(cell, ("id", "execution_count")) for cell in (base, left))):
        return [], False
    texts = (source(cell) if cell else "" for cell in (ours, theirs))
    return [{**left, "source": _marked(*texts)}], True


def _move_attachments(merged: Cell, ours: Cell, theirs: Cell, clashes: list[Clash]) -> None:
    """Note the attachments of a cell that became code, where the format allows none."""
    for name in merged.pop("attachments"):
        found = (cell.get("attachments", {}).get(name, _ABSENT) for cell in (ours, theirs))
        clashes.append((("attachments", name), *found))


def _merge_text(base: str, ours: str, theirs: str) -> tuple[str, bool]:
    """Merge sources line by line; also return whether there is a conflict.

    Git compares lines with their ends. So the last line gets a line end for the time of the merge.
    """
    if ours == theirs or theirs == base:
        return ours, False
    if ours == base:
        return theirs, False
    with TemporaryDirectory() as folder:
        names = [str(Path(folder, name)) for name in ("ours", "base", "theirs")]
        for name, text in zip(names, (ours, base, theirs)):
            Path(name).write_bytes(f"{text}\n".encode())
        labels = ("-L", "ours", "-L", "base", "-L", "theirs")
        command = ["git", "-c", "merge.conflictStyle=merge", "merge-file", "-p", *labels, *names]
        done = subprocess.run(command, capture_output=True)
    if not 0 <= done.returncode < 128:
        raise OSError(f"git merge-file fails: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()[:-1], done.returncode > 0


def _marked(ours: str, theirs: str) -> str:
    sides = [f"{text}\n" if text and not text.endswith("\n") else text for text in (ours, theirs)]
    return f"<<<<<<< ours\n{sides[0]}=======\n{sides[1]}>>>>>>> theirs"


def _clash_cell(where: str, name: str, clashes: list[Clash]) -> Cell:
    """Markdown cell that shows which keys have which two values."""
    attachments: dict[str, object] = {}
    parts = [
        f"**Conflict in {where}**, which has our values where there are both. "
        "Take theirs over where you want them, then delete this cell."
    ]
    for key, ours, theirs in clashes:
        shown = []
        for side, value in (("ours", ours), ("theirs", theirs)):
            shown.append(_shown(key, value, f"{side}-{len(attachments)}", attachments))
        parts.append(f"`{'.'.join(key)}`\n\n{_marked(*shown)}")
    cell: Cell = {"cell_type": "markdown", "id": f"conflict-{name}"[:64], "metadata": {}}
    if attachments:
        cell["attachments"] = attachments
    return {**cell, "source": "\n\n".join(parts)}


def _shown(key: Key, value: object, name: str, attachments: dict[str, object]) -> str:
    """Markdown for a value: JSON, indented so that no line looks like a mark; pictures as such."""
    if value is _ABSENT:
        return "\n(none)\n"
    if key[0] == "attachments" and type(value) is dict and len(key) == 2:
        attachments[name] = value
        return f"\n![{name}](attachment:{name})\n"
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True)
    return "\n" + "".join(f"    {line}\n" for line in text.split("\n"))


def _lost_lines(
    merged: list[Cell], base: list[Cell], ours: list[Cell], theirs: list[Cell]
) -> list[Cell]:
    """Return a cell in conflict with lines that a side added, or none deleted, and that are gone.

    Lines go that way where a line stood twice, and each side deleted another copy.
    """
    there, before, *sides = (
        dict.fromkeys(line for cell in cells for line in source(cell).splitlines() if line.strip())
        for cells in (merged, base, ours, theirs)
    )
    lost = [
        [line for line in side if line not in there and (line not in before or line in other)]
        for side, other in (sides, sides[::-1])
    ]
    if not any(lost):
        return []
    text = "**Conflict**: these lines are on both sides, and nowhere in the merge.\n\n"
    made = _marked(*("\n".join(side) for side in lost))
    return [{"cell_type": "markdown", "id": "conflict-lost", "metadata": {}, "source": text + made}]


def main(arguments: list[str]) -> int:
    """Merge notebooks for Git.

    Args:
        arguments: `merge`, the files of the base, of ours and of theirs, the notebook's path, and
            where to write the result.
    """
    _, base, ours, theirs, name, result = arguments
    try:
        texts = [Path(file).read_bytes() for file in (base, ours, theirs)]
        merged, has_conflict = merge(*texts, name=name)
        Path(result).write_bytes(merged)
    except Exception as error:  # of any kind: the file shows both versions, the message why
        reason = " ".join(f"{error}".split()) or type(error).__name__
        print(f"git-notebook: {json.dumps(name)} is not merged: {reason}", file=sys.stderr)
        return CANNOT_MERGE
    if has_conflict:
        print(f"git-notebook: {json.dumps(name)} has conflicts, marked in cells", file=sys.stderr)
    return CONFLICT if has_conflict else CLEAN
