"""Numbers of metrics files: those that Python, JSON and a page can compare."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st
from nb.declaration.metrics import read_numbers

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
HUGE = st.integers(min_value=10**308, max_value=10**400)


@given(
    st.recursive(
        VALUES | HUGE | HUGE.map(lambda number: -number),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=20,
    )
)
def test_all_numbers_can_be_shown_and_compared(content: object) -> None:
    for value in read_numbers(json.dumps(content), "metrics.json").values():
        assert not isinstance(value, bool)
        assert f"{value:.6g}"
        math.isnan(value - 0.5)


def test_nested_numbers_have_dotted_names() -> None:
    text = '{"test": {"auc": 0.5, "rows": 7, "kind": "x"}, "ok": true, "list": [1], "null": null}'
    assert read_numbers(text, "metrics.json") == {"test.auc": 0.5, "test.rows": 7}


def test_files_that_hold_no_numbers_are_empty() -> None:
    for text in ("", "[1]", "{", "7", '{"a": ' * 2000):
        assert read_numbers(text, "metrics.json") == {}
        assert read_numbers(text, "metrics.yaml") == {}
