"""The comparison page: any two runs or commits, with all that their history knows."""

from __future__ import annotations

import json
from math import nan
from pathlib import Path
from typing import Any

import browsing
from hypothesis import given
from hypothesis import strategies as st
from nb.report.history import Moment
from nb.report.interactive.moments_page import (
    MOST_COMPARED,
    comparison_addresses,
    value_changes,
    write_moments,
)
from nb.run.record import RunRecord, StageRecord

VALUES = st.dictionaries(st.integers(0, 3), st.integers(0, 2) | st.text(max_size=2))
SCORE = "reports/metrics/a b.json"


def run(name: str, score: float, **parameters: object) -> Moment:
    made = RunRecord(id=name, arguments={}, jobs=1, started=f"2026-11-27T{name}:00:00+00:00")
    made.stages = [StageRecord("train", state="ran", parameters=dict(parameters))]
    made.metrics, made.state = {SCORE: {"x.y": score, "same": 1.0}}, "done"
    return Moment(made.started, made.metrics, "", run=made)


@given(st.lists(VALUES))
def test_the_values_of_each_moment_come_back(history: list[dict[int, object]]) -> None:
    before: dict[int, object] = {}
    known: dict[int, object] = {}
    for now in history:
        known |= value_changes(before, now)
        assert {name: value for name, value in known.items() if value is not None} == now
        before = now


def test_each_moment_is_compared_with_the_one_before() -> None:
    commit = Moment("2026-11-27T11:00:00+00:00", {}, "abc", "Subject")
    assert comparison_addresses([]) == []
    assert comparison_addresses([run("10", 1)]) == [""]
    assert comparison_addresses([run("10", 1), commit, run("12", 2)]) == ["", "10..abc", "abc..12"]


def test_what_is_too_old_for_the_page_is_not_offered(tmp_path: Path) -> None:
    commits = [
        Moment("2026-11-27T11:00:00+00:00", {SCORE: {"x": float(n)}}, str(n))
        for n in range(MOST_COMPARED + 5)
    ]
    assert comparison_addresses(commits)[:6] == [""] * 6
    assert comparison_addresses(commits)[6:8] == ["5..6", "6..7"]
    assert len(comparison_addresses(commits)) == len(commits)
    text = (tmp_path / "reports/site" / write_moments(tmp_path, commits)).read_text("utf-8")
    found = json.loads(text.partition('id="history">')[2].partition("</script>")[0])
    assert [moment["id"] for moment in found["moments"]] == [str(n) for n in range(5, 105)]


def test_values_that_json_lacks_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "reports/site" / write_moments(tmp_path, [run("10", nan)])
    text = path.read_text(encoding="utf-8")
    json.loads(text.partition('id="history">')[2].partition("</script>")[0])
    assert "no second run" in text


def test_a_person_chooses_two(tmp_path: Path, browser: Any) -> None:
    hostile = "<img src=x onerror=\"document.title='taken'\">"
    commit = Moment("2026-11-27T13:00:00+00:00", {SCORE: {"x.y": 0.5}}, "a" * 40, hostile)
    history = [run("10", 0.25, folds=3), run("11", nan, folds=3, **{hostile: hostile}), commit]
    seen = browsing.visit(browser, tmp_path / "reports/site" / write_moments(tmp_path, history))
    page = seen.page
    assert page.input_value("#before") == "11", "the newest two, if none are asked for"
    assert page.input_value("#now") == "a" * 40
    assert "Parameters" not in page.inner_text("#comparison"), "a commit tells none"
    page.select_option("#now", "11")
    page.select_option("#before", "10")
    assert page.url.endswith("#10..11")
    shown = page.inner_text("#comparison")
    assert hostile in shown
    assert "Equal in both: 1." in shown
    assert [page.inner_text(f"#comparison td >> nth={n}") for n in range(3)] == ["0.25", "nan", ""]
    page.select_option("#now", "a" * 40)
    numbers = [page.inner_text(f"#comparison td >> nth={n}") for n in range(3)]
    assert numbers == ["0.25", "0.5", "+0.25"]
    page.reload()
    assert page.input_value("#before") == "10", "the address tells which"
    assert page.title().startswith("Compare")
    assert seen.events == []
