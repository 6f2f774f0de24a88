"""Documents to send: scripts that are Python, and pages of paper that keep their size."""

from __future__ import annotations

import ast
import json
import re
import zlib
from pathlib import Path
from typing import Any

import browsing
import pytest
from conftest import Project


def notebook(path: Path, html: str, code: str = "x = 1") -> Path:
    output = {"output_type": "execute_result", "execution_count": 1, "metadata": {}}
    output["data"] = {"text/html": html, "text/plain": "a table"}
    cells: list[dict[str, Any]] = [
        {"cell_type": "raw", "id": "a", "metadata": {}, "source": "---\ntitle: A title\n\n---"},
        {"cell_type": "markdown", "id": "b", "metadata": {}, "source": "# A title"},
        {"cell_type": "code", "id": "c", "metadata": {}, "source": code}
        | {"execution_count": 1, "outputs": [output]},
    ]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_raw_cells_are_comments_in_a_script(ready: Project, tmp_path: Path) -> None:
    source = notebook(tmp_path / "a.ipynb", "<table></table>")
    target = tmp_path / "a.py"
    ready.run("nb", "export", str(source), "--to", "script", "-o", str(target))
    text = target.read_text(encoding="utf-8")
    ast.parse(text)
    assert "# ---\n# title: A title\n#\n# ---\n" in text


def scale(pdf: Path) -> float:
    """Return the scale of the text of a PDF's first page, as Chromium writes it."""
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf.read_bytes(), re.S):
        try:
            text = zlib.decompress(found[1].strip(b"\r\n"))
        except zlib.error:
            continue
        scales = re.findall(rb"([.\d]+) 0 0 [.\d]+ [-.\d]+ [-.\d]+ cm", text)
        if scales and b" Tf" in text:
            return float(scales[0])
    raise AssertionError(f"{pdf} has no text")


@pytest.mark.slow
def test_a_wide_table_does_not_shrink_the_document(ready: Project, tmp_path: Path) -> None:
    if browsing.find_chromium() is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    row = "".join(f"<td>column_number_{number}</td>" for number in range(40))
    scales = []
    for name, table in (("narrow", "<td>a</td>"), ("wide", row)):
        source = notebook(tmp_path / f"{name}.ipynb", f"<table><tr>{table}</tr></table>")
        target = tmp_path / f"{name}.pdf"
        ready.run("nb", "export", str(source), "--to", "pdf", "-o", str(target))
        scales.append(scale(target))
    assert scales[0] == scales[1]
