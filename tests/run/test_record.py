"""Lines of output and of records: each kind of secret is removed, whatever lines come with it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_type_hints

import pytest
from nb.declaration.tasks import Task
from nb.run import pipeline_run, record
from nb.secrets.mask import Mask

from tests.secret_kinds import KINDS

ORDINARY = "epoch 17/100: loss 0.1234"


@pytest.mark.parametrize("kind", KINDS)
def test_lines_that_come_together_lose_each_kind_of_secret(kind: str) -> None:
    text, secret = KINDS[kind]
    lines = [ORDINARY, *text.splitlines(), ORDINARY]
    found = record.lines_without_secrets(lines)
    assert (found[0], found[-1], len(found)) == (ORDINARY, ORDINARY, len(lines))
    assert secret not in "\n".join(found)


def test_lines_without_a_secret_are_what_they_were() -> None:
    assert record.lines_without_secrets([]) == []
    assert record.lines_without_secrets([ORDINARY, ""]) == [ORDINARY, ""]


def test_lines_that_come_together_are_searched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    class Mask:
        def lines(self, lines: list[str]) -> list[str]:
            searched.append("\n".join(lines))
            return lines

    monkeypatch.setattr(record, "_mask", Mask)
    record.lines_without_secrets([ORDINARY] * 3)
    assert searched == ["\n".join([ORDINARY] * 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_loses_each_kind_of_secret_of_a_stage_among_others(
    kind: str, tmp_path: Path
) -> None:
    text, secret = KINDS[kind]
    made = record.new_record(tmp_path, record.Options(), 1)
    stages = [record.StageRecord(name, parameters={"x": ORDINARY}) for name in "abc"]
    made.stages = stages
    stages[1].cause = text
    content = record.RecordLines().json(made)
    assert secret not in content
    assert json.loads(content)["stages"][0] == vars(stages[0])
    assert json.loads(content)["stages"][2] == vars(stages[2])


def test_each_field_of_a_stage_that_may_have_any_text_is_searched(tmp_path: Path) -> None:
    text, secret = next(iter(KINDS.values()))
    given = {"state", "started", "ended"}  # of a fixed set, and times
    hints = get_type_hints(record.StageRecord).items()
    fields = [name for name, hint in hints if hint in (str, dict[str, object])]
    assert len(fields) > len(given)
    for name in {*fields} - given:
        stage = record.StageRecord("a")
        setattr(stage, name, text if name != "parameters" else {"x": [text]})
        made = record.new_record(tmp_path, record.Options(), 1)
        made.stages = [record.StageRecord("b"), stage]
        assert secret not in record.RecordLines().json(made), name


def test_stages_of_a_record_are_searched_together_and_only_those_that_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    find = Mask._find

    def noted(mask: Mask, text: str) -> object:
        searched.append(text)
        return find(mask, text)

    made = record.new_record(tmp_path, record.Options(), 1)
    made.stages = [record.StageRecord(f"stage-{number}") for number in range(100)]
    monkeypatch.setattr(Mask, "_find", noted)
    journal = record.RunJournal(tmp_path)
    journal.save(made, set())
    assert len(searched) == 2  # the head, and all stages
    searched.clear()
    made.stages[7].state = "ran"
    journal.finish(made, 0, 1.0)
    assert "stage-7" in "".join(searched)
    assert "stage-8" not in "".join(searched)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["broken contract"], "a stage broke its contract"),
        (["broken contract"] * 2, "2 stages broke their contract"),
        (["killed"], "a stage was killed"),
        (["killed"] * 3, "3 stages were killed"),
        (["killed", "failed"], "2 stages failed"),
    ],
)
def test_one_and_several_failures_are_told_in_their_number(states: list[str], words: str) -> None:
    made = record.RunRecord(id="x", arguments={}, jobs=1, started="")
    made.stages = [record.StageRecord(f"s{n}", state) for n, state in enumerate(states)]
    assert made.problem().startswith(f"{words}; ")


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_finds_nothing_changed_records_no_secret(kind: str, tmp_path: Path) -> None:
    text, secret = KINDS[kind]
    tasks = [Task("train", parameters={"x": text})]
    plan = SimpleNamespace(tasks=tasks, shown=["train"])
    done = record.new_record(tmp_path, record.Options(), 1)
    known = pipeline_run._stamp_content(cast("Any", plan), done)
    assert secret not in json.dumps(known, ensure_ascii=False)
    again = record.record_unchanged(tmp_path, record.Options(), known)
    assert [stage.name for stage in again.stages] == known["shown"] == ["train"]
    words = record.Options(settings=(text,))
    record.record_unchanged(tmp_path, words, {"stages": [], "metrics": {}})
    for path in (tmp_path / record.RUNS).glob("*.json"):
        assert secret not in path.read_text(encoding="utf-8")
