"""A code cell has one number: in checks, in messages of Git, in contracts and in failures."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from nb.check.source import cells_of
from nb.execution.copies.failure import INJECTED, error_marks, find_failure
from nb.notebook.content import parse_notebook
from nb.notebook.strip import cell_label
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

MAKERS = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}


@given(st.lists(st.sampled_from(sorted(MAKERS)), min_size=1, max_size=8))
def test_every_reader_counts_code_cells(kinds: list[str]) -> None:
    cells = [MAKERS[kind](str(place)) for place, kind in enumerate(kinds)]
    read = parse_notebook(Path("a.ipynb"), new_notebook(cells=cells)).cells
    known = {cell.source: f"code cell {cell.number}" for cell in read}
    checked = [cell for cell in cells_of(cells) if cell.kind == "code"]
    assert {cell.source: f"code cell {cell.number}" for cell in checked} == known
    labels = {str(place): cell_label(cells, place) for place in range(len(cells))}
    assert {place: labels[place] for place in known} == known
    assert all("text" in label for place, label in labels.items() if place not in known)


@given(st.booleans(), st.lists(st.sampled_from(sorted(MAKERS)), max_size=6))
def test_a_failure_has_the_number_of_the_cell_in_the_source(
    injected: bool, kinds: list[str]
) -> None:
    """A copy holds the cell that papermill injects, which is in no source."""
    error = new_output("error", ename="E", evalue="v", traceback=[])
    failed = new_code_cell("fails", outputs=[error], metadata={"papermill": {"exception": True}})
    above = [MAKERS[kind]() for kind in kinds]
    more = [new_code_cell(metadata={"tags": [INJECTED]})] if injected else []
    found = find_failure(new_notebook(cells=[*above, *more, failed]))
    assert found
    assert f"code cell {found.cell}" == cell_label([*above, failed], len(above))
    assert f">code cell {found.cell}<" in error_marks(found)[0]
