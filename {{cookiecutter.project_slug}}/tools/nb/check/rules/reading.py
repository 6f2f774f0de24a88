"""NB2: a person can review the notebook."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..model import Found, Place, rule

if TYPE_CHECKING:
    from ..facts import Facts
    from ..source import Document

HEADING = re.compile(
    r"\s*(<!--.*?-->\s*)*(#{1,2}\s+\S|\S.*\n\s*(=|-){3,}\s*(\n|$)|<h1\b)", re.S | re.I
)


@rule(
    "NB201",
    "it begins with a title",
    why="""The report and the review list notebooks by their titles. The first cell is Markdown,
    and its first line a heading.""",
    good="# %% [markdown]\n# # Sales by day\n#\n# From the raw exports, one row per day.",
    bad="# %%\nimport pandas as pd",
)
def title(document: Document, facts: Facts) -> Found:
    first = document.cells[0] if document.cells else None
    if not first or first.kind != "markdown" or not HEADING.match(first.source):
        yield Place(1), "the first cell is no Markdown heading; begin with `# ` and a title"


@rule(
    "NB202",
    "no cell is too long to review",
    why="""A long cell does several things that can only be run, read and reviewed together. Split
    it, or move functions to the package under `src/`, where they are tested. The limit is
    `max-cell-lines`; blank lines and comments do not count.""",
    good="# %%\ntable = load(raw_csv)\n\n# %%\nplot(table)",
    bad="# %%\ntotal = 0\n" + "total += 1\n" * 4 + "# … and 60 lines more",
)
def cell_length(document: Document, facts: Facts) -> Found:
    limit = facts.settings.max_cell_lines
    for cell in document.code:
        stripped = (line.strip() for line in cell.source.split("\n"))
        count = sum(bool(line) and not line.startswith("#") for line in stripped)
        if count > limit:
            yield Place(cell.number), f"{count} lines, more than {limit}; split the cell"
