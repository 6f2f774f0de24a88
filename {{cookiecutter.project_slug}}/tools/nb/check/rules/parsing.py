"""NB0: the notebook can be read, and each code cell can be parsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nb.check.findings import EVERY, UNPARSED, UNREADABLE, Place
from nb.check.registry import rule
from nb.check.source import syntax_error

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import Document


@rule(
    UNREADABLE,
    "it is a notebook that can be read",
    why="""A file that is no notebook of nbformat 4, half of a merge for example, is run by nobody.
    Only this is said of it.""",
    good="# %%\nprint(1)",
    bad="<<<<<<< ours",
    scope=EVERY,
)
def unreadable_notebooks(document: Document, facts: Facts) -> Iterator[tuple[Place, str]]:
    yield from ()  # found by the runner: there is no document


@rule(
    UNPARSED,
    "every code cell can be parsed",
    why="""A cell with a syntax error fails in every run. The other rules look at the other cells;
    rules that need the whole notebook, such as NB106, wait until the cell is mended.""",
    good="# %%\nprint(1)",
    bad="# %%\nprint(1",
)
def unparsed_cells(document: Document, facts: Facts) -> Iterator[tuple[Place, str]]:
    cells = [cell for cell in document.code if cell.source.strip()]
    broken = [cell for cell in cells if cell.tree is None]
    if not document.language and len(broken) > max(1, len(cells) / 2):
        message = f"{len(broken)} of {len(cells)} cells are no Python, and no kernel is named"
        yield Place(broken[0].number, 1), f"{message}: choose the kernel in Jupyter and save"
        return
    for cell in broken:
        line, reason = syntax_error(cell.source)
        yield Place(cell.number, line), f"this cell cannot be parsed: {reason}"
