"""The overview: needs named by errors, who writes what others read, and an order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.adoption.overview import (
    AdoptedRow,
    Overview,
    note_predecessors,
    outcome_row,
    promotion_order,
    rate_readiness,
    read_overview,
    save_overview,
)
from nb.adoption.trials import Trial
from nb.project import NbError


@pytest.mark.parametrize(
    ("problem", "needs"),
    [
        ("ModuleNotFoundError: No module named 'lightgbm'", "package lightgbm"),
        ("FileNotFoundError: [Errno 2] No such file or directory: '../a.csv'", "file ../a.csv"),
        ("URLError: <urlopen error [Errno -3] Temporary failure in name resolution>", "network"),
        ("ConnectionError: HTTPSConnectionPool(host='x'): Max retries exceeded", "network"),
        ("KeyError: 'AWS_SECRET_ACCESS_KEY'", "credential"),
        ("NoCredentialsError: Unable to locate credentials", "credential"),
        ("ModuleNotFoundError: No module named 'google.colab'", "package google.colab"),
        ("ZeroDivisionError: division by zero", ""),
    ],
)
def test_an_error_names_the_need(problem: str, needs: str) -> None:
    assert outcome_row(Trial("a.ipynb", problem, 2)).needs == needs


@pytest.mark.parametrize(
    "problem",
    [
        "AttributeError: module 'numpy' has no attribute 'float'",
        "AttributeError: 'DataFrame' object has no attribute 'append'",
        "ImportError: cannot import name 'joblib' from 'sklearn.externals'",
        "ModuleNotFoundError: No module named 'sklearn.cross_validation'",
        "TypeError: read_csv() got an unexpected keyword argument 'error_bad_lines'",
    ],
)
def test_a_changed_library_is_named_as_such(problem: str) -> None:
    row = outcome_row(Trial("a.ipynb", problem, 2))
    rate_readiness([row])
    assert row.drift and row.readiness.startswith("code cell 2: a library has changed: ")


def row(name: str, reads: list[str], writes: list[str]) -> AdoptedRow:
    return AdoptedRow(name, "runs", reads=reads, writes=writes)


def test_the_order_that_nobody_wrote_down() -> None:
    missing = outcome_row(Trial("d", "FileNotFoundError: No such file or directory: '../b.csv'"))
    rows = [row("a", ["b.csv"], ["c.csv"]), row("b", [], ["b.csv"]), row("c", ["c.csv"], [])]
    rows.append(missing)
    note_predecessors(rows)
    rate_readiness(rows)
    assert {r.notebook: r.after for r in rows} == {"a": ["b"], "b": [], "c": ["a"], "d": ["b"]}
    assert Overview("x", rows).proposed() == ["b", "a"]
    assert [r.readiness for r in rows] == [
        "promote",
        "promote",
        "looks only",
        "needs file ../b.csv",
    ]
    assert Overview("x", rows, promoted=["b"]).proposed() == ["a"]


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdefg"))))
def test_an_order_has_each_once_and_makers_first_unless_in_a_circle(
    after: dict[str, set[str]],
) -> None:
    order = promotion_order(after)
    assert sorted(order) == sorted(after)
    for name in order:
        for maker in after[name] & after.keys():
            later = order.index(maker) >= order.index(name)
            assert not later or order == sorted(after)


def test_an_overview_of_another_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    save_overview(tmp_path, Overview("old", [row("a", [], ["b"])], {"x": "a"}))
    assert read_overview(tmp_path).rows[0].writes == ["b"]
    path = tmp_path / ".nb" / "adoption.json"
    content = json.loads(path.read_text())
    assert content["schema"] == 1 and content["promote"] == []
    for text in ("", "[]", "null", "{", json.dumps({**content, "schema": 2}), '{"schema": 1}'):
        path.write_text(text)
        with pytest.raises(NbError, match="nb adopt SOURCE makes it"):
            read_overview(tmp_path)


@pytest.mark.parametrize(
    ("states", "step"),
    [
        (["not run", "not run"], "was run; nb promote --dry-run"),
        (["runs", "fails"], "Mend a cell that the table names"),
        (["timed out", "not run"], "Mend a cell that the table names"),
        (["runs", "not run"], "those that only look stay exploratory"),
    ],
)
def test_where_nothing_is_ready_the_next_step_is_told(states: list[str], step: str) -> None:
    rows = [AdoptedRow(f"{number}.ipynb", state) for number, state in enumerate(states)]
    assert step in Overview("old", rows).advice()
