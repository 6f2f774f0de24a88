"""New cells: ids that no other cell has, sources as nbformat writes them."""

from __future__ import annotations

import json

import nbformat
from hypothesis import given
from hypothesis import strategies as st
from nb.notebook.new_cell import new_cell, new_notebook_text, unused_id


@given(st.lists(st.text(), max_size=5))
def test_cells_that_are_added_make_a_valid_notebook(sources: list[str]) -> None:
    content = {"cells": [], "nbformat": 4, "nbformat_minor": 5}
    for source in sources:
        content["cells"].append(new_cell(source, name=unused_id(content, source)))
    text = new_notebook_text(content["cells"])
    nbformat.validate(json.loads(text))
    assert ["".join(cell["source"]) for cell in json.loads(text)["cells"]] == sources


def test_a_notebook_before_ids_gets_none() -> None:
    content = {"cells": [], "nbformat": 4, "nbformat_minor": 4}
    assert "id" not in new_cell("x", name=unused_id(content, "x"))
