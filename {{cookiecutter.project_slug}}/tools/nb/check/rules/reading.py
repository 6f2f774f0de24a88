"""NB2: review by a person: a title, short cells, no copied functions or classes."""

from __future__ import annotations

import ast
import re
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING

from nb.check.findings import COPIES, IN_COMPARISON, WHOLE_NOTEBOOK, Found, Place
from nb.check.registry import rule

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import Document

HEADING = re.compile(
    r"^ {0,3}(?:#{1,6}[ \t]+\S|<h[1-6]\b)|^ {0,3}[^\s#>|-].*\n {0,3}(?:=+|-{3,})[ \t]*$",
    re.M | re.I,
)
# Cell magics that write the cell to a file, which has its own length.
WRITES_FILE = {"file", "writefile"}
FENCED = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.M | re.S)


@rule(
    "NB201",
    "it begins with a title",
    why="""The report and the review list notebooks by their titles. A heading stands in the first
    Markdown cell, or in one that follows directly.""",
    good="# %% [markdown]\n# # Sales by day\n#\n# From the raw exports, one row per day.",
    bad="# %%\nimport pandas as pd",
)
def title(document: Document, facts: Facts) -> Found:
    rest = dropwhile(lambda cell: cell.kind != "markdown", document.cells)
    texts = [cell.source for cell in takewhile(lambda cell: cell.kind == "markdown", rest)]
    if not any(HEADING.search(FENCED.sub("", text)) for text in texts):
        yield (
            WHOLE_NOTEBOOK,
            "the first Markdown cells hold no heading; begin with `# ` and a title",
        )


@rule(
    "NB202",
    "no cell is too long to review",
    why="""A long cell does several things that can only be run, read and reviewed together. Split
    it, or move functions to the package under `src/`, where they are tested. The limit is
    `max-cell-lines`; blank lines, comments, the rest of a text of several lines, and files that a
    cell writes do not count.""",
    good="# %%\ntable = load(raw_csv)\n\n# %%\nplot(table)",
    bad="# %%\ntotal = 0\n" + "total += 1\n" * 4 + "# … and 60 lines more",
)
def cell_length(document: Document, facts: Facts) -> Found:
    limit = facts.settings.max_cell_lines
    for cell in document.code:
        if cell.tree is None or any(escape.magic in WRITES_FILE for escape in cell.escapes):
            continue
        texts = cell.nodes(ast.Constant, ast.JoinedStr)
        inside = {n for t in texts for n in range(t.lineno + 1, (t.end_lineno or t.lineno) + 1)}
        lines = enumerate(map(str.strip, cell.source.split("\n")), 1)
        count = sum(n not in inside and bool(s) and not s.startswith("#") for n, s in lines)
        if count > limit:
            long = [name for each in cell.tree.body if (name := _long_definition(each, limit))]
            advice = f"move {long[0]} to src/" if long else "split the cell"
            yield Place(cell.number), f"{count} lines, more than {limit}; {advice}"


def _long_definition(statement: ast.stmt, limit: int) -> str:
    """Return the name of a function or class that is too long by itself; empty for the rest."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        is_long = (statement.end_lineno or 0) - statement.lineno >= limit
        return statement.name if is_long else ""
    return ""


MODULE_NAME = """
=== src/example_package/data.py
def clean(table):
    kept = table.dropna()
    return kept[kept["n"] > 0]
"""


@rule(
    COPIES,
    "no function or class is defined elsewhere, too",
    why="""A copy misses the next correction of the other. Compared is what the code does, whatever
    its variables are called, from 3 lines on: with `src/`, and with the production notebooks that
    are looked at in the same run, which are all of them if none is named. `nb extract` puts an
    import in the place of each copy; copies in exploratory notebooks are shown by `nb duplicates`.
    """,
    good=f"# %%\nfrom example_package.data import clean{MODULE_NAME}",
    bad=f"""# %%\ndef without_gaps(df):
    rows = df.dropna()
    return rows[rows["n"] > 0]{MODULE_NAME}""",
    scope=IN_COMPARISON,
)
def copies(document: Document, facts: Facts) -> Found:
    for duplicate in facts.duplicates.get(document.name, ()):
        others = [place for place in duplicate.places if place.path != document.name]
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        for place in duplicate.places:
            # A definition that nbdev exports is the original of the module.
            if place.path == document.name and not place.module:
                name = "" if others[0].name == place.name else f" as {others[0].name}"
                where = f"{place.name} stands in {others[0]}{name}{more}, too"
                yield Place(place.cell, place.line), f"{where}: nb extract {place.name}"
