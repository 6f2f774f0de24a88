"""Tables of a page are saved as CSV files that other programs read, without a server."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import browsing
from nb.report import site

# As pandas writes columns and rows of two levels.
TABLE = """
<table class="dataframe"><thead>
<tr><th></th><th></th><th colspan="2">score, all</th></tr>
<tr><th>model</th><th>fold</th><th>mean</th><th>note</th></tr>
</thead><tbody>
<tr><th rowspan="2">forest</th><th>1</th><td>0.5</td><td>say "é"</td></tr>
<tr><th>2</th><td>0.25</td><td>=1+1</td></tr>
</tbody></table>
"""
SMALL = "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>"


def test_a_table_is_saved_with_a_value_in_each_cell(tmp_path: Path, browser: Any) -> None:
    outputs = [
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
        for html in (TABLE, SMALL)
    ]
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Scores: a/b"},
        {"cell_type": "code", "id": "b", "metadata": {}, "source": "t", "execution_count": 1}
        | {"outputs": outputs},
    ]
    copy = tmp_path / "reports/notebooks/a.ipynb"
    copy.parent.mkdir(parents=True)
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    seen = browsing.visit(browser, site.make_page(tmp_path, copy))
    (button,) = seen.page.query_selector_all("button.save")
    assert button.get_attribute("aria-label") == "Save as CSV: table 1"
    with seen.page.expect_download() as download:
        button.press("Enter")
    assert download.value.suggested_filename == "Scores-a-b-1.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert list(csv.reader(text.splitlines())) == [
        ["", "", "score, all", "score, all"],
        ["model", "fold", "mean", "note"],
        ["forest", "1", "0.5", 'say "é"'],
        ["forest", "2", "0.25", "=1+1"],
    ]
    assert seen.events == []
