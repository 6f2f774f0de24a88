"""Sources of cells, written back into the text of a notebook file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.notebook.file import parse_cells

from tests.cells import SOURCES, notebook


@pytest.mark.parametrize(
    ("pasted", "plain"),
    [
        ("    x = 1\n    print(x)", "x = 1\nprint(x)"),
        (">>> y = 2\n>>> print(y)", "y = 2\nprint(y)"),
        ("In [3]: z = 3", "z = 3"),
    ],
)
def test_a_cell_that_is_written_loses_pasted_prompts_and_indentation(
    pasted: str, plain: str
) -> None:
    file = parse_cells(Path("a.ipynb"), notebook(pasted, pasted))
    written = json.loads(file.edited({1: file.cells[0].source}))["cells"]
    assert ["".join(cell["source"]) for cell in written] == [plain, pasted]


@given(st.lists(SOURCES, min_size=1, max_size=4))
def test_writing_every_cell_as_it_is_read_changes_no_source_any_more(sources: list[str]) -> None:
    file = parse_cells(Path("a.ipynb"), notebook(*sources))
    once = parse_cells(file.path, file.edited({c.number: c.source for c in file.cells}))
    assert [cell.source for cell in once.cells] == [cell.source for cell in file.cells]
    assert once.edited({cell.number: cell.source for cell in once.cells}) == once.text
