"""Documents of notebooks that no Jupyter would write: one line, no traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nb.project import NbError
from nb.report.export import export_document


def saved(folder: Path, cell: dict[str, Any], **others: Any) -> Path:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "x", **cell}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell], **others}
    path = folder / "n.ipynb"
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("cell", "others"),
    [
        ({"outputs": [{"output_type": "error"}], "execution_count": None}, {}),
        ({"execution_count": None}, {}),
        ({"cell_type": "unknown"}, {}),
        ({"outputs": [], "execution_count": None}, {"metadata": {"language_info": 5}}),
        ({"outputs": [], "execution_count": None}, {"nbformat_minor": -1}),
    ],
)
def test_a_notebook_that_is_not_valid_is_refused_in_one_line(
    tmp_path: Path, cell: dict[str, Any], others: dict[str, Any]
) -> None:
    path = saved(tmp_path, cell, **others)
    with pytest.raises(NbError) as caught:
        export_document(path, "html", tmp_path / "n.html", no_input=False)
    assert str(caught.value).startswith("n.ipynb cannot be shown, it is no valid notebook: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["html", "slides", "markdown", "script"])
def test_half_a_character_is_shown_as_a_question_mark(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, {"source": "x = '\ud800'", "outputs": [], "execution_count": None})
    export_document(path, kind, tmp_path / "document", no_input=False)
    assert "?" in (tmp_path / "document").read_text(encoding="utf-8")
