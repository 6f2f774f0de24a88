"""Clone detection in notebooks and `src/`: duplicated functions, classes, runs of statements.

Standard library only. Code is compared by AST hashes (`ast_hash`), because pairwise comparison
would grow with the square of the code; hashing grows linearly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb.grouping import grouped

from .scanning import scan_project
from .sources import CodePlace, PlacedDefinition, StatementRun

# The least number of code lines; shorter duplicates are not worth a shared function.
DEFINITION_LINES = 3
BLOCK_LINES = 5


@dataclass(frozen=True)
class Duplicate:
    """A duplicate: equal code in several places.

    Attributes:
        kind: `function`, `class` or `block`.
        places: modules first, then notebooks, each in the order of their paths.
    """

    kind: str
    places: tuple[CodePlace, ...]

    @property
    def name(self) -> str:
        """The name of the first copy; empty for a block."""
        return self.places[0].name

    @property
    def saved(self) -> int:
        """The number of lines saved if a single copy stays."""
        lines = [place.lines for place in self.places]
        return sum(lines) - max(lines)

    @property
    def module(self) -> str:
        """The module that has the code already; empty if none has."""
        return self.places[0].module

    def as_json(self) -> dict[str, object]:
        """Return the duplicate as a JSON object."""
        shown = ("path", "cell", "line", "end", "lines", "name", "module")
        places = [{key: getattr(place, key) for key in shown} for place in self.places]
        return {
            "kind": self.kind,
            "name": self.name,
            "saved": self.saved,
            "repair": self.repair,
            "places": places,
        }

    @property
    def repair(self) -> str:
        """The repair: a command, or the import that replaces the copies."""
        if self.kind != "block":
            return f"nb extract {next(place.name for place in self.places if place.cell)}"
        if self.module:
            return f"from {self.module} import {self.name}"
        return "make it a function in one of them, then: nb extract NAME"


def find_duplicates(root: Path, block_lines: int = BLOCK_LINES) -> list[Duplicate]:
    """Return the duplicates among notebooks, or between a notebook and `src/`.

    Args:
        block_lines: lines of code from which a run of statements counts.

    Returns:
        Most lines saved first.
    """
    scans = scan_project(root)
    definitions = find_definitions(found for scan in scans for found in scan.definitions)
    blocks = _Blocks((run for scan in scans for run in scan.runs), block_lines).find(definitions)
    return sorted([*definitions, *blocks], key=lambda found: (-found.saved, str(found.places[0])))


def find_definitions(definitions: Iterable[PlacedDefinition]) -> list[Duplicate]:
    """Return duplicated functions and classes among notebooks, or between a notebook and `src/`."""
    groups = grouped(
        ((kind, digest), place)
        for kind, digest, place in definitions
        if place.lines >= DEFINITION_LINES
    )
    return [
        Duplicate(kind, _modules_first(places))
        for (kind, _), places in groups.items()
        if _is_shared(places)
    ]


def _modules_first(places: Iterable[CodePlace]) -> tuple[CodePlace, ...]:
    """Return places in the order of a finding: importable modules first."""
    return tuple(sorted(places, key=lambda p: (not p.module, p.path, p.cell, p.line)))


def _is_shared(places: Sequence[CodePlace | StatementRun]) -> bool:
    return any(place.cell for place in places) and len({place.path for place in places}) > 1


# A part of a run: the run, the index of the first statement, and the index after the last.
Part = tuple[StatementRun, int, int]


class _Blocks:
    """The search for duplicated runs of statements (blocks).

    Args:
        runs: the runs of statements in notebooks and modules.
        lines: the least number of code lines of a block.
    """

    def __init__(self, runs: Iterable[StatementRun], lines: int) -> None:
        self.lines = lines
        self.runs = runs
        # Findings by file and cell, so that coverage is checked only within the same cell.
        self.found: dict[tuple[str, int], list[Duplicate]] = {}

    def find(self, known: Iterable[Duplicate]) -> list[Duplicate]:
        """Return duplicated blocks, except those within findings that are known already."""
        for duplicate in known:
            self._note(duplicate)
        groups = grouped((_shape(part), part) for run in self.runs for part in self._smallest(run))
        blocks: list[Duplicate] = []
        for group in groups.values():
            for parts in self._grown(group):
                block = Duplicate("block", _modules_first(map(_place, parts)))
                if not self._is_covered(block):
                    self._note(block)
                    blocks.append(block)
        return blocks

    def _smallest(self, run: StatementRun) -> Iterator[Part]:
        """Yield, from each statement of a run, the shortest part that has enough lines."""
        counts = [statement.lines for statement in run.statements]
        end, lines = 0, 0
        for start, count in enumerate(counts):
            while lines < self.lines and end < len(counts):
                lines += counts[end]
                end += 1
            if lines < self.lines:
                return
            yield run, start, end
            lines -= count

    def _grown(self, group: Sequence[Part]) -> Iterator[list[Part]]:
        """Yield groups of equal parts, extended statement by statement while shapes stay equal."""
        parts = _apart(group)
        if not _is_shared([run for run, _, _ in parts]):
            return
        more = [(r, start, end + 1) for r, start, end in parts if end < len(r.statements)]
        longer = grouped((_shape(part), part) for part in more)
        if not any(len(_apart(others)) == len(parts) for others in longer.values()):
            yield parts
        for others in longer.values():
            yield from self._grown(others)

    def _note(self, duplicate: Duplicate) -> None:
        for place in duplicate.places:
            self.found.setdefault((place.path, place.cell), []).append(duplicate)

    def _is_covered(self, block: Duplicate) -> bool:
        first = block.places[0]
        return any(
            all(any(_holds(outer, place) for outer in other.places) for place in block.places)
            for other in self.found.get((first.path, first.cell), [])
        )


def _holds(outer: CodePlace, inner: CodePlace) -> bool:
    same = (outer.path, outer.cell) == (inner.path, inner.cell)
    return same and outer.line <= inner.line and inner.end <= outer.end


def _shape(part: Part) -> str:
    run, start, end = part
    return run.shape(start, end)


def _place(part: Part) -> CodePlace:
    run, start, end = part
    return run.place(start, end)


def _apart(group: Sequence[Part]) -> list[Part]:
    """Return the parts of a group without overlaps, which arise from a line repeated many times."""
    kept: list[Part] = []
    for part in group:
        if not kept or kept[-1][0] is not part[0] or kept[-1][2] <= part[1]:
            kept.append(part)
    return kept
