"""Stages are added to `dvc.yaml` without a change to what is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nb.declaration import editor as declaring
from nb.declaration.editor import add_stage
from nb.declaration.reader import read_entries
from nb.project import NbError

NOTEBOOK = Path("notebooks/production/50-sales.ipynb")
ADDED = """\
  sales:
    desc: 'Sales: by day'
    cmd: >-
      papermill notebooks/production/50-sales.ipynb reports/notebooks/50-sales.ipynb
      --engine nb -k python3 -f config/50-sales.yaml
    deps:
      - .nb/fingerprints/50-sales.txt
      - data/raw/sales.csv
    params:
      - config/50-sales.yaml:
    outs:
      - data/interim/sales.parquet
    metrics:
      - reports/metrics/sales.json:
          cache: false
"""
FIRST = "stages:\n  a:\n    cmd: x  # why\n    outs: [y]\n"


def add(root: Path, name: str = "sales") -> None:
    add_stage(
        root,
        name,
        NOTEBOOK,
        desc="Sales: by day",
        deps=["data/raw/sales.csv"],
        outs=["data/interim/sales.parquet"],
        metrics=["reports/metrics/sales.json"],
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# head\n\nstages: {}\n", f"# head\n\nstages:\n{ADDED}"),
        ("stages: {}  # none yet\nplots: []\n", f"stages:  # none yet\n{ADDED}plots: []\n"),
        ("stages:\n", f"stages:\n{ADDED}"),
        ("vars:\n  - a: 1\n", f"vars:\n  - a: 1\n\nstages:\n{ADDED}"),
        ("", f"stages:\n{ADDED}"),
        (FIRST, f"{FIRST}\n{ADDED}"),
        (FIRST.rstrip("\n"), f"{FIRST}\n{ADDED}"),
        (f"{FIRST}    # end of a\n", f"{FIRST}    # end of a\n\n{ADDED}"),
        (f"{FIRST}\n# tail\nplots: []\n", f"{FIRST}\n{ADDED}\n# tail\nplots: []\n"),
    ],
)
def test_a_stage_is_added_and_every_other_byte_stays(
    tmp_path: Path, before: str, after: str
) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_bytes(before.encode())
    add(tmp_path)
    assert path.read_bytes().decode() == after


def test_line_endings_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_bytes(FIRST.replace("\n", "\r\n").encode())
    add(tmp_path)
    assert path.read_bytes().decode() == f"{FIRST}\n{ADDED}".replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "there is no dvc.yaml"),
        ("stages: [", "dvc.yaml is not valid YAML"),
        ("- a\n", "dvc.yaml is not a pipeline"),
        ("stages:\n  sales:\n    cmd: x\n", "dvc.yaml already has a stage sales"),
        ("stages: {a: {cmd: x}}\n", "the stages of dvc.yaml are in braces"),
    ],
)
def test_what_cannot_be_edited_is_left_alone(tmp_path: Path, text: str | None, reason: str) -> None:
    path = tmp_path / "dvc.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NbError, match=reason) as error:
        add(tmp_path)
    assert "\n" not in str(error.value)
    assert path.exists() == (text is not None)
    assert text is None or path.read_text() == text


def test_an_added_stage_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    add(tmp_path)
    (stage,) = read_entries(tmp_path)
    assert stage.runs(NOTEBOOK.as_posix())
    assert stage.outputs == ["data/interim/sales.parquet", "reports/metrics/sales.json"]


def test_a_stage_is_indented_as_the_others_are(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages:\n    a:\n        cmd: x\n")
    add(tmp_path)
    assert [entry.name for entry in read_entries(tmp_path)] == ["a", "sales"]
    assert "\n    sales:\n      desc:" in (tmp_path / "dvc.yaml").read_text()


def test_a_name_that_the_shell_would_split_is_quoted(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    notebook = NOTEBOOK.with_name("50-by day; 'x'.ipynb")
    add_stage(tmp_path, "sales", notebook)
    (stage,) = read_entries(tmp_path)
    assert stage.notebooks == [notebook.as_posix()]
    (call,) = stage.papermill
    assert call.executed == "reports/notebooks/50-by day; 'x'.ipynb"
    assert call.files == ("config/50-by day; 'x'.yaml",)


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/pipeline.yaml").write_text("stages: {}\n")
    (tmp_path / "dvc.yaml").symlink_to("elsewhere/pipeline.yaml")
    add(tmp_path)
    assert (tmp_path / "dvc.yaml").is_symlink()
    assert "sales" in (tmp_path / "elsewhere/pipeline.yaml").read_text()


def test_stages_that_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    code = (
        "import sys; from pathlib import Path; from nb.declaration.editor import add_stage\n"
        "sys.stdin.read()\n"
        "for n in range(5):\n"
        "    name = f'{sys.argv[2]}{n}'\n"
        "    add_stage(Path(sys.argv[1]), name, Path(f'notebooks/production/{name}.ipynb'))\n"
    )
    tools = Path(declaring.__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), letter],
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(tools)},
        )
        for letter in "abc"
    ]
    for process in processes:  # all have imported what they need, or are about to
        assert process.stdin
        process.stdin.close()
    assert [process.wait() for process in processes] == [0, 0, 0]
    names = {entry.name for entry in read_entries(tmp_path)}
    assert names == {f"{letter}{n}" for letter in "abc" for n in range(5)}
