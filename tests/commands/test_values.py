"""Values as commands print them: for people on one line, for machines as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.commands import print_json
from nb.wording import value_text

YAML_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(YAML_VALUES)
def test_a_value_is_one_short_line_of_visible_characters(value: object) -> None:
    text = value_text(value, 40)
    assert text.isprintable()
    assert len(text) <= 40


def test_values_are_written_as_in_yaml() -> None:
    values = [True, None, 1.5, "a b", [1, "x"], {"a": None}, "two\nlines", "日本"]
    assert [value_text(value) for value in values] == [
        *("true", "null", "1.5", "a b", '[1, "x"]', '{"a": null}', '"two\\nlines"', "日本"),
    ]


@given(value=YAML_VALUES)
def test_json_holds_no_number_that_json_lacks(value: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr("nb.commands.echo", said.append)
        print_json({"value": value})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(said[0], parse_constant=refuse)
