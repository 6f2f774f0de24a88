"""JSON of our own files as dataclasses: of the declared types, or refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.adoption.overview import AdoptedRow, Overview
from nb.declaration.metrics import read_numbers
from nb.experiments.store import VariantRecord
from nb.report.pages import Note
from nb.run.copy_notes import CopyNote, parse_note
from nb.run.record import RunRecord, StageRecord, read_record
from nb.typed_json import NUMBER_LIMIT, read_fields
from nb.update.pending import PendingWork

MOMENT = "2026-01-01T00:00:00+00:00"
STAGE = StageRecord("train", seconds=1.5, parameters={"seed": 1})
WRITTEN: list[Any] = [
    CopyNote(key="a" * 64, content="b" * 64, size=1, ended=MOMENT),
    Note("k", "n", "t", figures=["f"], sections=[("id", "heading", "words")]),
    RunRecord("r", {"jobs": 1}, 1, MOMENT, stages=[STAGE], metrics={"m.json": {"loss": 0.5}}),
    VariantRecord(
        number=1, experiment="e", settings={}, source="s", started=MOMENT, stages=[STAGE]
    ),
    PendingWork("h", "c", news=["n"]),
    Overview("s", [AdoptedRow("n.ipynb", "runs", reads=["a.csv"])], unknown={}),
]
VALUES = st.none() | st.booleans() | st.integers(-NUMBER_LIMIT * 2, NUMBER_LIMIT * 2) | st.floats()
VALUES |= st.text(max_size=3) | st.lists(st.text(max_size=3) | st.integers(), max_size=3)
VALUES |= st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=2)


@given(st.dictionaries(st.text(max_size=3), st.floats() | st.integers(-(10**308), 10**308)))
def test_a_record_is_read_whatever_numbers_a_metrics_file_holds(numbers: dict[str, float]) -> None:
    metrics = {"m.json": read_numbers(json.dumps(numbers), "m.json")}
    assert len(metrics["m.json"]) == len(numbers)
    assert read_record(json.dumps(asdict(WRITTEN[2]) | {"metrics": metrics}))


@pytest.mark.parametrize("written", WRITTEN, ids=lambda written: type(written).__name__)
def test_written_fields_are_read_as_they_were(written: Any) -> None:
    assert read_fields(type(written), json.loads(json.dumps(asdict(written)))) == written


@given(st.sampled_from(WRITTEN), st.data(), VALUES)
def test_a_value_is_of_its_type_or_refused(written: Any, data: st.DataObject, value: Any) -> None:
    content = asdict(written)
    name = data.draw(st.sampled_from([*content, "another"]))
    try:
        read = read_fields(type(written), {**content, name: value})
    except ValueError:
        return
    hint = get_type_hints(type(written))[name]
    is_number = hint is float or float in get_args(hint)
    allowed = (int, float) if is_number else object
    found = getattr(read, name)
    origin = get_origin(hint) or hint
    if origin in (str, int, bool, dict, list):
        assert isinstance(found, origin)
    assert found is None or isinstance(found, allowed)
    assert hint is not int or abs(found) <= NUMBER_LIMIT


@pytest.mark.parametrize("content", [None, [], 5, "x", {}, {"head": "h"}])
def test_what_lacks_fields_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="PendingWork"):
        read_fields(PendingWork, content)


def test_a_note_or_a_record_with_a_value_of_another_type_counts_as_absent() -> None:
    note, record = asdict(WRITTEN[0]), asdict(WRITTEN[2])
    assert parse_note(json.dumps(note)) and read_record(json.dumps(record))
    assert parse_note(json.dumps({**note, "size": "1"})) is None
    assert parse_note(json.dumps({**note, "size": 10**30})) is None
    assert read_record(json.dumps({**record, "exit_code": [1]})) is None
    assert read_record(json.dumps({**record, "metrics": {"m.json": {"loss": "low"}}})) is None
