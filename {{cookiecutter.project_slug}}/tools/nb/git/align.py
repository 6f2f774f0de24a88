"""Alignment of the cells of three versions of a notebook.

Ids are the first evidence, and not enough: tools regenerate them, name cells after their position,
or write none. A pair that is missed or wrong costs a conflict or a cell that stands twice; it loses
nothing, because the merge keeps whatever a side changed of a cell.

Only the standard library is used, from Python 3.8 on (see `nb.git.filter`).
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
    from typing import Any

    Cell = dict[str, Any]
    Pairs = list[tuple[int, int]]
    Places = list[tuple[int, Hashable]]
    # The versions of a cell: in the base, in ours and in theirs.
    Versions = tuple[Cell | None, Cell | None, Cell | None]
    Runs = dict[int | None, list[int]]

# How much of two cells must be equal before they count as versions of one cell.
_LIKE = 0.6
# Comparing words takes quadratic time; in texts with more characters only lines are compared.
_SHORT = 2_000
_WORDS = re.compile(r"\w+|\W")
# How far apart, in cells that have no partner yet, two cells may be to be compared.
_NEAR = 5


def align(base: list[Cell], ours: list[Cell], theirs: list[Cell]) -> list[Versions]:
    """Versions of each cell of a merge, in the order of the merged notebook.

    Cells that stand in the base only are left out. Cells that both sides inserted at one place are
    versions of the same cell if they are equal, have the same id, or share most of their lines;
    other cells inserted at one place follow each other, ours first.
    """
    in_ours, in_theirs = pair(base, ours, likeness), pair(base, theirs, likeness)
    common = in_ours.keys() & in_theirs.keys()
    inserted = _pair_inserted(
        (ours, set(in_ours.values()), {in_ours[name]: name for name in common}),
        (theirs, set(in_theirs.values()), {in_theirs[name]: name for name in common}),
    )
    # Each cell is named by a number: cells of the base, then those of ours, then those of theirs.
    of_ours = _names(len(ours), in_ours, {}, len(base))
    same = {theirs_at: of_ours[ours_at] for ours_at, theirs_at in inserted.items()}
    of_theirs = _names(len(theirs), in_theirs, same, len(base) + len(ours))
    versions = (dict(enumerate(base)), dict(zip(of_ours, ours)), dict(zip(of_theirs, theirs)))
    order = _order(len(base), of_ours, of_theirs)
    return [(versions[0].get(n), versions[1].get(n), versions[2].get(n)) for n in order]


def pair(
    first: Sequence[Cell], second: Sequence[Cell], alike: Callable[[Cell, Cell], float]
) -> dict[int, int]:
    """Cells of two versions of a notebook that are the same cell, as pairs of positions.

    Equal sources come before equal ids, because some tools name cells after their position: after
    an insertion every id belongs to another cell. Blank cells are told apart by id only.

    Args:
        first: the cells of a version.
        second: the cells of the other.
        alike: how much two cells have in common, from 0 to 1.
    """
    pairs: dict[int, int] = {}

    def free() -> tuple[list[int], list[int]]:
        taken = set(pairs.values())
        return (
            [i for i in range(len(first)) if i not in pairs],
            [j for j in range(len(second)) if j not in taken],
        )

    def match(
        key: Callable[[Cell], Hashable], how: Callable[..., Iterable[tuple[int, int]]]
    ) -> None:
        places, others = [
            [(at, key(cells[at])) for at in places if key(cells[at])]
            for cells, places in zip((first, second), free())
        ]
        pairs.update(how(places, others))

    match(lambda cell: _own_id(cell) and (_own_id(cell), source(cell)), _unique)
    match(lambda cell: source(cell).strip() and source(cell), _in_order)
    match(lambda cell: source(cell).strip() and source(cell), _unique)
    match(_own_id, _unique)
    match(lambda cell: (source(cell),), _in_order)
    pairs.update(_alike(first, second, pairs, alike))
    return pairs


def source(cell: Cell) -> str:
    """Source of a cell, which is a string, or the list of its lines, in the file."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def likeness(first: Cell, second: Cell) -> float:
    """Share of the lines, or of the words, that two cells of a type have in common."""
    a, b = source(first), source(second)
    lines = shared_lines(first, second)
    is_comparable = first.get("cell_type") == second.get("cell_type") and len(a) + len(b) <= _SHORT
    if lines >= _LIKE or not is_comparable:
        return lines
    words = SequenceMatcher(None, _WORDS.findall(a), _WORDS.findall(b), autojunk=False)
    return words.ratio() if words.quick_ratio() >= _LIKE else lines


def shared_lines(first: Cell, second: Cell) -> float:
    """Share of the lines that two cells of a type have in common."""
    if first.get("cell_type") != second.get("cell_type"):
        return 0.0
    return SequenceMatcher(None, source(first).splitlines(), source(second).splitlines()).ratio()


def _own_id(cell: Cell) -> str:
    """Id of a cell; none if the filter or another tool named the cell after its position."""
    name = cell.get("id")
    if type(name) is not str:
        return ""
    number = name.rstrip("-")
    return "" if len(number) < 5 and number.isdigit() else name


def _unique(first: Places, second: Places) -> Pairs:
    """Pair cells with a key that occurs once on each side."""
    sides = [_once(side) for side in (first, second)]
    return [(at, sides[1][key]) for key, at in sides[0].items() if key in sides[1]]


def _once(places: Places) -> dict[Hashable, int]:
    found: dict[Hashable, list[int]] = {}
    for at, key in places:
        found.setdefault(key, []).append(at)
    return {key: all_at[0] for key, all_at in found.items() if len(all_at) == 1}


def _in_order(first: Places, second: Places) -> Pairs:
    """Pair equal keys in the longest common order that difflib finds."""
    keys, other_keys = ([key for _, key in side] for side in (first, second))
    blocks = SequenceMatcher(None, keys, other_keys, autojunk=False).get_matching_blocks()
    return [(first[m.a + n][0], second[m.b + n][0]) for m in blocks for n in range(m.size)]


def _alike(
    first: Sequence[Cell],
    second: Sequence[Cell],
    pairs: Mapping[int, int],
    alike: Callable[[Cell, Cell], float],
) -> Pairs:
    """Pair cells without a partner that follow the same cell, the most similar first."""
    runs = _runs(len(first), {at: at for at in pairs}, ())
    other_runs = _runs(len(second), {there: at for at, there in pairs.items()}, ())
    scores = sorted(
        (-alike(first[at], second[there]), at, there)
        for anchor, run in runs.items()
        for rank, at in enumerate(run)
        for there in other_runs.get(anchor, [])[max(rank - _NEAR, 0) : rank + _NEAR]
    )
    found: dict[int, int] = {}
    for score, at, there in scores:
        if -score >= _LIKE and at not in found and there not in found.values():
            found[at] = there
    return list(found.items())


def _runs(count: int, anchors: Mapping[int, int], skipped: Iterable[int]) -> Runs:
    """Positions that follow each anchor, by the anchor's name; None stands for the start."""
    runs: Runs = {}
    anchor = None
    for at in range(count):
        if at in anchors:
            anchor = anchors[at]
        elif at not in skipped:
            runs.setdefault(anchor, []).append(at)
    return runs


def _pair_inserted(
    ours: tuple[list[Cell], set[int], dict[int, int]],
    theirs: tuple[list[Cell], set[int], dict[int, int]],
) -> dict[int, int]:
    """Pair cells that both sides inserted at one place.

    Args:
        ours: the cells of a side, the positions of those that the base has, and the names of those
            that all versions have.
        theirs: the same of the other side.
    """
    runs, other_runs = (
        _runs(len(cells), anchors, known) for cells, known, anchors in (ours, theirs)
    )
    found: dict[int, int] = {}
    for anchor, run in runs.items():
        other = other_runs.get(anchor, [])
        cells, other_cells = [ours[0][at] for at in run], [theirs[0][at] for at in other]
        # Pairs must not depend on which side is called ours.
        if list(map(source, cells)) <= list(map(source, other_cells)):
            paired = pair(cells, other_cells, shared_lines)
        else:
            paired = {at: there for there, at in pair(other_cells, cells, shared_lines).items()}
        found.update((run[at], other[there]) for at, there in paired.items())
    return found


def _names(
    count: int, of_base: Mapping[int, int], known: Mapping[int, int], start: int
) -> list[int]:
    numbers = {at: name for name, at in of_base.items()}
    return [numbers.get(at, known.get(at, start + at)) for at in range(count)]


def _order(base_count: int, ours: list[int], theirs: list[int]) -> list[int]:
    """Merge two orders of cells: ours, and where only theirs inserted or moved a cell, theirs."""
    moved = _moved(base_count, theirs) - _moved(base_count, ours)
    order = [name for name in ours if name not in moved]
    of_ours_only = set(ours) - set(theirs) - set(range(base_count))
    placed = set(order)
    previous = None
    for name in theirs:
        if name not in placed:
            at = 0 if previous is None else order.index(previous) + 1
            while at < len(order) and order[at] in of_ours_only:
                at += 1
            order.insert(at, name)
        previous = name
    return order


def _moved(base_count: int, side: list[int]) -> set[int]:
    """Cells of the base that stand in another order on a side."""
    kept = [name for name in side if name < base_count]
    blocks = SequenceMatcher(None, sorted(kept), kept, autojunk=False).get_matching_blocks()
    return set(kept) - {kept[m.b + n] for m in blocks for n in range(m.size)}
