"""Parts of a promotion that need no project: samples, titles, examples."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.authoring.production import plain_text
from nb.authoring.recorded_calls import NotPlain, code_of
from nb.authoring.stage_tests import SAMPLE_ROWS, SMALL_BYTES, write_sample


@pytest.mark.parametrize("name", ["data/raw/a.csv", "data/raw/a.bin"])
def test_a_small_input_is_its_own_sample(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "a", tmp_path / "sample" / name
    source.write_bytes(b"x" * SMALL_BYTES)
    assert write_sample(source, target)
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_of_a_large_table_the_first_rows_are_the_sample(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"a{suffix}", tmp_path / "sample" / f"a{suffix}"
    rows = [f"{number},{'x' * 100}\n" for number in range(3000)]
    source.write_text("".join(rows))
    assert write_sample(source, target)
    assert target.read_text() == "".join(rows[:SAMPLE_ROWS])


def test_a_large_file_of_another_kind_has_no_sample(tmp_path: Path) -> None:
    source, target = tmp_path / "a.bin", tmp_path / "sample" / "a.bin"
    source.write_bytes(b"x" * (SMALL_BYTES + 1))
    assert not write_sample(source, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("**House** prices", "House prices"),
        ("Prices of `sales` [(2024)](https://x.org)", "Prices of sales (2024)"),
        ("<center>Prices</center> ##", "Prices"),
        ("A _first_ look at snake_case", "A first look at snake_case"),
        ("![logo](a.png) Prices", "logo Prices"),
        ("C# and F#", "C# and F#"),
    ],
)
def test_a_description_holds_no_markup(markdown: str, plain: str) -> None:
    assert plain_text(markdown) == plain


@pytest.mark.parametrize("value", ["x" * 99, ["a", "x" * 99], {"x" * 99: 1}, b"x" * 99])
def test_a_text_that_no_formatter_can_break_is_no_example(value: object) -> None:
    with pytest.raises(NotPlain):
        code_of(value)
