"""Search spaces: values as people write them, grids, lists side by side and random samples."""

from __future__ import annotations

import math
from itertools import islice, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.experiments.space import (
    MOST_VARIANTS,
    Axis,
    Interval,
    canonical,
    grid,
    read_axis,
    sample,
    zipped,
)
from nb.project import NbError

VALUES = st.one_of(st.integers(-5, 5), st.booleans(), st.text("abc", max_size=2), st.none())
AXES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.lists(VALUES, min_size=1, max_size=4)),
    min_size=1,
    max_size=3,
    unique_by=lambda pair: pair[0],
).map(lambda pairs: [Axis(parameter=f"s.{name}", values=values) for name, values in pairs])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("train.folds=3,5,10", [3, 5, 10]),
        ("a.b.limit=0.8:0.95:0.05", [0.8, 0.85, 0.9, 0.95]),
        ("t.n=10:1:-3", [10, 7, 4, 1]),
        ("t.n=1:2:5", [1]),
        ("t.name=forest,logistic", ["forest", "logistic"]),
        ('t.name="a,b",c', ["a,b", "c"]),
        ("t.columns=[a, b],[c]", [["a", "b"], ["c"]]),
        ("t.limit=null,0.5", [None, 0.5]),
        ("t.flag=true,false", [True, False]),
        ('t.time="12:30:15"', ["12:30:15"]),
        ("t.n=3,3,4", [3, 4]),
    ],
)
def test_values_as_people_write_them(text: str, values: list[object]) -> None:
    axis = read_axis(text)
    assert f"{axis.parameter}=" == text[: len(axis.parameter) + 1]
    assert canonical({"x": axis.values}) == canonical({"x": values})


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("t.c=0.1..0.9", Interval(low=0.1, high=0.9)),
        ("t.c=1..10", Interval(low=1, high=10)),
        ("t.c=log:0.01..100", Interval(low=0.01, high=100, is_log=True)),
        ("t.c=-1e-3..2", Interval(low=-0.001, high=2)),
    ],
)
def test_intervals(text: str, interval: Interval) -> None:
    assert read_axis(text).values == interval


@pytest.mark.parametrize(
    "text",
    [
        *("folds=3", "train.folds", "train.folds=", ".x=1", "train.=1", "=1"),
        *("t.x=1:2:0", "t.x=2:1:1", "t.x=1:1e9:1e-3", "t.x=1:1e999:1"),
        *("t.x=2..1", "t.x=log:0..1", "t.x=1..1", "t.x=0.5..1e999", "t.x=[1", "t.x={"),
    ],
)
def test_text_that_is_no_axis_is_refused_by_name(text: str) -> None:
    with pytest.raises(NbError) as caught:
        axis = read_axis(text)
        assert axis.values, axis
    assert caught.value.exit_code == 2
    assert text.partition("=")[0] in str(caught.value)


@given(AXES)
def test_a_grid_holds_every_combination_once(axes: list[Axis]) -> None:
    found = list(grid(axes))
    lists = [axis.values for axis in axes if isinstance(axis.values, list)]
    assert len(found) == math.prod(map(len, lists))
    for combination in product(*lists):
        assert dict(zip((axis.parameter for axis in axes), combination, strict=True)) in found


def test_a_grid_of_too_many_is_refused_before_it_is_made() -> None:
    axes = [Axis(parameter=f"s.p{n}", values=list(range(100))) for n in range(50)]
    with pytest.raises(NbError, match=f"more than {MOST_VARIANTS:,}"):
        next(grid(axes))


def test_lists_side_by_side() -> None:
    axes = [read_axis("s.a=1,2"), read_axis("s.b=x,y")]
    assert list(zipped(axes)) == [{"s.a": 1, "s.b": "x"}, {"s.a": 2, "s.b": "y"}]
    with pytest.raises(NbError, match=r"s\.a has 2, s\.b has 1"):
        list(zipped([axes[0], read_axis("s.b=x")]))


@given(st.integers(0, 40), st.integers(0, 99), st.integers(0, 40))
def test_a_longer_sample_begins_with_the_shorter(few: int, seed: int, more: int) -> None:
    axes = [read_axis("s.c=log:0.01..100"), read_axis("s.n=1..3"), read_axis("s.m=a,b")]
    short, long = list(sample(axes, few, seed)), list(sample(axes, few + more, seed))
    assert len(short) == few
    assert list(islice(long, few)) == short
    for settings in long:
        assert 0.01 <= settings["s.c"] <= 100
        assert settings["s.n"] in (1, 2, 3)
    assert len({canonical(each) for each in long}) == len(long)


def test_a_sample_of_a_small_space_is_the_whole_space() -> None:
    axes = [read_axis("s.a=1,2"), read_axis("s.b=true,false")]
    assert len(list(sample(axes, 100, 1))) == 4
    assert 1 <= len(list(sample([read_axis("s.a=1..3")], 100, 1))) <= 3


def test_an_interval_needs_a_sample() -> None:
    with pytest.raises(NbError, match="--sample"):
        list(grid([read_axis("s.c=1..2")]))
