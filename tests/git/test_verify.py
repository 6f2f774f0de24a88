"""Notebooks in Git's index: a sentence says truly what is wrong with each."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from nb.git.index import index_ids
from nb.git.verify import verify_notebooks

CELL = {
    "cell_type": "code",
    "execution_count": None,
    "id": "a",
    "metadata": {},
    "outputs": [],
    "source": ["1"],
}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["1\n"]}
FORMAT = "is written otherwise than the notebook filter does"


def text(indent: int = 1, end: str = "\n", **fields: object) -> str:
    """A notebook as the filter writes it, but for what is given."""
    content = {"cells": [{**CELL, **fields}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=indent, sort_keys=True) + end


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (text(), ""),
        (text(indent=2), FORMAT),
        (text(end=""), FORMAT),
        (text(source="1"), FORMAT),
        (text(metadata={"ExecuteTime": {}}), FORMAT),
        (text(outputs=[OUTPUT]), "holds outputs"),
        (text(execution_count=3, indent=4), "holds outputs"),
    ],
)
def test_what_is_only_formatted_otherwise_holds_no_outputs(
    tmp_path: Path, content: str, fault: str
) -> None:
    (tmp_path / "a.ipynb").write_text(content)
    for command in (["init", "--quiet"], ["add", "a.ipynb"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / ".gitattributes").write_text("*.ipynb filter=nbstripout\n")
    found = verify_notebooks(tmp_path, index_ids(tmp_path))
    assert [line.partition(":")[0] for line in found] == ([f"a.ipynb {fault}"] if fault else [])
