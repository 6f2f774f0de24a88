"""Variants on disk: numbers, records of other versions, and removal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from nb.experiments import store
from nb.experiments.store import VariantRecord
from nb.project import NbError
from nb.run.record import StageRecord


def made(root: Path, number: int, **more: object) -> VariantRecord:
    record = VariantRecord(
        number=number, experiment="e", settings={"a.b": 1}, source="s", started="now"
    )
    record.stages = [StageRecord("a", state="ran", seconds=1.5)]
    for name, value in more.items():
        setattr(record, name, value)
    record.save(root)
    return record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = made(tmp_path, 3)
    assert store.read_variants(tmp_path) == [record]
    assert store.find_variant(tmp_path, 3) == record
    assert (record.state, record.seconds) == ("done", 1.5)


def test_a_number_is_never_given_twice_while_its_folder_is_there(tmp_path: Path) -> None:
    assert store.next_number(tmp_path) == 1
    made(tmp_path, 7)
    (store.variant_folder(tmp_path, 9) / "project").mkdir(parents=True)
    assert store.next_number(tmp_path) == 10


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', '{"schema": 99}', "\x00"])
def test_a_record_of_another_version_is_left_out_and_named(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path, 1)
    made(tmp_path, 2)
    (store.variant_folder(tmp_path, 2) / store.RECORD).write_text(text, encoding="utf-8")
    assert [record.number for record in store.read_variants(tmp_path)] == [1]
    assert len(capsys.readouterr().err.splitlines()) <= 1
    assert store.next_number(tmp_path) == 3


def test_a_variant_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(NbError, match="none yet"):
        store.find_variant(tmp_path, 1)
    for number in (1, 2, 3, 7):
        made(tmp_path, number)
    with pytest.raises(NbError, match="there are 1-3, 7"):
        store.find_variant(tmp_path, 4)


def test_an_experiment_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    assert store.read_experiment(tmp_path, None) == []
    with pytest.raises(NbError, match="no experiment folds; there is none yet"):
        store.read_experiment(tmp_path, "folds")
    for number, name in enumerate(("train.folds", "threshold", "threshold"), 1):
        made(tmp_path, number, experiment=name)
    assert [r.number for r in store.read_experiment(tmp_path, "threshold")] == [2, 3]
    assert [r.number for r in store.read_experiment(tmp_path, None)] == [1, 2, 3]
    with pytest.raises(NbError, match="did you mean threshold"):
        store.read_experiment(tmp_path, "treshold")
    with pytest.raises(NbError, match=r"there are train\.folds, threshold"):
        store.read_experiment(tmp_path, "zzz")


def test_removal_leaves_the_cache_and_ends_what_was_broken_off(tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "object"
    cached.parent.mkdir()
    cached.write_text("model", encoding="utf-8")
    made(tmp_path, 1)
    made(tmp_path, 2)
    for number, link in ((1, os.link), (2, os.symlink)):
        copy = store.variant_copy(tmp_path, number)
        copy.mkdir()
        link(cached, copy / "model")
        (copy / "own.txt").write_text("12345", encoding="utf-8")
    record = len(json.dumps({}))
    assert store.variant_size(tmp_path, 1) >= 5 + record
    before = cached.read_text(encoding="utf-8")
    store.remove_variant_folder(tmp_path, 1)
    (store.variant_folder(tmp_path, 2) / store.RECORD).unlink()
    store.remove_partial_folders(tmp_path)
    assert cached.read_text(encoding="utf-8") == before
    assert not list((tmp_path / store.EXPERIMENTS).iterdir())


def test_without_a_runner_nothing_is_shown_as_running(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    record = made(tmp_path, 1)
    record.stages = [StageRecord("a", state="ran"), StageRecord("b", state="running")]
    lock = tmp_path / store.EXPERIMENTS / ".nb" / "run.lock"
    lock.parent.mkdir()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert [each.state for each in store.with_dead_runs_ended(tmp_path, [record])] == [
            "running"
        ]
    assert [each.state for each in store.with_dead_runs_ended(tmp_path, [record])] == ["not run"]
    assert [stage.state for stage in record.stages] == ["ran", "not run"]
