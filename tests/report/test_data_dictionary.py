"""The data dictionary: what is told of tables, and what is not."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nb.cli import main
from nb.report.data_dictionary import (
    DESCRIBED_ROWS,
    Column,
    DescribedOutput,
    as_markdown,
    describe_outputs,
)

STAGE = """\
stages:
  make:
    cmd: python make.py
    deps: [data/raw/in.csv]
    outs: [data/out.csv, models/model.joblib, reports/figure.svg]
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tools/nb").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (tmp_path / "dvc.yaml").write_text(STAGE)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_rows(root: Path, *rows: tuple[object, ...]) -> DescribedOutput:
    """Write the CSV file of the pipeline; return its description."""
    with (root / "data/out.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    (found,) = describe_outputs(root, ["data/out.csv"])
    return found


def test_columns_have_a_type_missing_values_and_a_range(root: Path) -> None:
    found = write_rows(
        root,
        ("age", "weight", "born", "name", "well"),
        (41, 70.5, "1984-02-01", "Ada", "True"),
        ("", 62, "1990-12-24", "", "False"),
        (9, "nan", "2016-07-09", "Bo", "True"),
    )
    assert (found.kind, found.rows, found.stage) == ("table", 3, "make")
    assert found.inputs == ("data/raw/in.csv",)
    assert found.columns == (
        Column("age", "int", 1, "9", "41"),
        Column("weight", "float", 1, "62", "70.5"),
        Column("born", "time", 0, "1984-02-01 00:00:00", "2016-07-09 00:00:00"),
        Column("name", "text", 1),
        Column("well", "bool", 0),
    )


@given(st.lists(st.from_regex(r"[A-Za-z]{8,12}", fullmatch=True), min_size=1, max_size=20))
def test_no_value_of_a_text_column_is_told(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    root = tmp_path_factory.mktemp("root")
    (root / "dvc.yaml").write_text(STAGE)
    (root / "data").mkdir()
    found = write_rows(root, ("who",), *((f"{name}@x",) for name in names))
    page = as_markdown([found])
    assert not any(name in page for name in names)


def test_of_a_long_file_the_first_rows_are_a_sample(root: Path) -> None:
    found = write_rows(root, ("n",), *((n,) for n in range(DESCRIBED_ROWS + 1)))
    assert found.rows is None and found.note == "of the first 10,000 rows"
    assert found.columns == (Column("n", "int", 0, "0", str(DESCRIBED_ROWS - 1)),)
    assert write_rows(root, ("n",), *((n,) for n in range(DESCRIBED_ROWS))).rows == DESCRIBED_ROWS


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1\n", b'"', b"a" * 200_000])
def test_any_file_is_described(root: Path, content: bytes) -> None:
    (root / "data/out.csv").write_bytes(content)
    (found,) = describe_outputs(root, ["data/out.csv"])
    assert found.bytes == len(content)
    assert "## `data/out.csv`" in as_markdown([found])


def test_what_is_not_here_or_no_table_says_so(root: Path) -> None:
    (root / "models").mkdir()
    (root / "models/model.joblib").write_bytes(b"12345")
    found = {output.path: output for output in describe_outputs(root)}
    assert "nb pull" in found["data/out.csv"].note
    assert (found["models/model.joblib"].kind, found["models/model.joblib"].bytes) == ("file", 5)
    assert found["reports/figure.svg"].kind == "figure"


def test_names_of_columns_are_shown_as_they_are(root: Path) -> None:
    page = as_markdown([write_rows(root, ("a|b", "c_d", "_e", "<i>"), (1, 2, 3, 4))])
    assert "| a\\|b | int |" in page and "| c_d | int |" in page
    assert "| \\_e | int |" in page and "| \\<i\\> | int |" in page


def test_the_page_of_somebody_else_is_left_alone(root: Path) -> None:
    run = CliRunner().invoke
    assert run(main, ["describe", "-o", "data/dictionary.md"]).exit_code == 0
    assert run(main, ["describe", "-o", "data/dictionary.md"]).exit_code == 0
    (root / "mine.md").write_text("mine")
    refused = run(main, ["describe", "-o", "mine.md"])
    assert refused.exit_code == 2 and "mine.md" in refused.output
    assert (root / "mine.md").read_text() == "mine"


def test_json_is_for_machines_and_a_wrong_path_is_one_line(root: Path) -> None:
    shown = CliRunner().invoke(main, ["describe", "--json", "reports/figure.svg"])
    assert json.loads(shown.stdout)[0]["kind"] == "figure"
    wrong = CliRunner().invoke(main, ["describe", "data/nothing.csv"])
    assert wrong.exit_code == 2
    assert len(wrong.output.splitlines()) == 1
