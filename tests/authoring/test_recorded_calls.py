"""Tests are written from calls, in code that a person can read and that holds."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nb.authoring import recorded_calls
from nb.tracing.call_recorder import record_calls

SOURCE = """
import itertools
numbers = itertools.count()
def half(x): return x / 2
def double(text): return text * 2
def both(a, *, b=1): return {"a": a, "b": b}
def nothing(x): return None
def luck(x): return next(numbers)
def thing(x): return object()
def fails(x): raise ValueError(x)
def unused(x): return x
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "examplemodule.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("examplemodule")
    del sys.modules["examplemodule"]


def keep(folder: Path, name: str, *arguments: Any, **options: Any) -> None:
    number = len(list(folder.glob(f"{name}-*"))) + 1
    (folder / f"{name}-{number}.pickle").write_bytes(pickle.dumps((arguments, options)))


def test_calls_become_asserts(module: ModuleType, tmp_path: Path) -> None:
    keep(tmp_path, "half", 3)
    keep(tmp_path, "half", 5)
    keep(tmp_path, "double", "a")
    keep(tmp_path, "both", 1, b=2)
    written = recorded_calls.write_tests("examplemodule", tmp_path, "a.ipynb")
    assert (
        written.text
        == """\
\"""Examples of examplemodule, recorded in a notebook.

a.ipynb
\"""

import pytest

from examplemodule import both, double, half


def test_half() -> None:
    assert half(3) == pytest.approx(1.5)
    assert half(5) == pytest.approx(2.5)


def test_double() -> None:
    assert double('a') == 'aa'


def test_both() -> None:
    assert both(1, b=2) == {'a': 1, 'b': 2}
"""
    )
    exec(written.text.replace("-> None", "") + "\ntest_half(); test_double(); test_both()", {})


KEYS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.binary(max_size=3)
)
VALUES = st.recursive(
    st.one_of(KEYS, st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
        st.sets(KEYS, max_size=1),
    ),
    max_leaves=8,
)


@given(VALUES)
def test_code_gives_the_value_that_it_was_written_for(value: Any) -> None:
    assert repr(eval(recorded_calls.code_of(value))) == repr(value)


@given(VALUES)
@example([[float("nan")]])
def test_what_is_asserted_holds(value: Any) -> None:
    try:
        lines = recorded_calls.asserts("result", value)
    except recorded_calls.NotPlain:
        return
    for line in lines:
        exec(line, {"result": value, "pytest": pytest})
        code = line.partition(" == ")[2]
        assert not code or eval(code, {"pytest": pytest}) == value


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (True, "assert result is True"),
        ([0.5, 1], "assert result == pytest.approx([0.5, 1])"),
        ([float("nan")], 'assert result == pytest.approx([float("nan")], nan_ok=True)'),
        (float("-inf"), 'assert result == pytest.approx(float("-inf"))'),
        ((1,), "assert result == (1,)"),
    ],
)
def test_asserts_are_what_a_person_would_write(value: Any, line: str) -> None:
    assert recorded_calls.asserts("result", value) == [line]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", "it returns nothing"),
        ("luck", "not the same every time"),
        ("thing", "(object)"),
        ("fails", "ValueError"),
        ("unused", "the notebook does not call it"),
    ],
)
def test_what_gives_no_example_is_named(
    module: ModuleType, tmp_path: Path, name: str, reason: str
) -> None:
    if name != "unused":
        keep(tmp_path, name, 1)
    written = recorded_calls.write_tests("examplemodule", tmp_path, "a.ipynb")
    assert reason in written.untested[name]
    assert written.text == ""


def test_a_value_that_nobody_would_read_is_not_written() -> None:
    with pytest.raises(recorded_calls.NotPlain):
        recorded_calls.code_of(list(range(10_000)))


def test_the_first_calls_of_a_module_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "recordedmodule.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    recorded = importlib.import_module("recordedmodule")
    record_calls(recorded, tmp_path)
    assert [recorded.half(n) for n in range(5)] == [0, 0.5, 1, 1.5, 2]
    kept = [pickle.loads(p.read_bytes()) for p in sorted(tmp_path.glob("half-*"))]
    assert kept == [((0,), {}), ((1,), {}), ((2,), {})]


class Series(list[int]):
    """What is used of a series of pandas, which this environment lacks."""

    def __init__(self, values: list[int], index: list[int], name: str | None = None) -> None:
        super().__init__(values)
        self.index = Series(index, []) if index else self
        self.name = name

    def tolist(self) -> list[int]:
        return list(self)


def test_a_series_is_written_with_what_is_not_given_anyway() -> None:
    assert recorded_calls.code_of(Series([4, 5], [0, 1])) == "pd.Series([4, 5])"
    assert (
        recorded_calls.code_of(Series([4, 5], [2, 3], "x"))
        == "pd.Series([4, 5], index=[2, 3], name='x')"
    )
    assert recorded_calls.asserts("result", Series([4], [0])) == ["assert result.tolist() == [4]"]
    for many in ([], [1] * (3 * recorded_calls.ROWS + 1)):
        with pytest.raises(recorded_calls.NotPlain):
            recorded_calls.asserts("result", Series(many, []))
