"""Executed copies in the storage: which result a copy shows, what is sent, and what is trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.exit_codes import ExitCode
from nb.project import NbError
from nb.run import executed_copies
from nb.run.copy_notes import CopyNote, note_copies, note_foreign_copies, parse_note, result_key
from nb.run.executed_copies import copy_size_limit, pull_copies, push_copies
from nb.run.record import RUNS, RunRecord, StageRecord, read_record

COPY = "reports/notebooks/a.ipynb"
COMMAND = f"papermill notebooks/production/a.ipynb {COPY}"
RUN = "20260101T100000.000000Z"
ENDED = "2026-01-01T10:00:05.000+00:00"


class Storage:
    """A folder in the place of the storage, behind the interface of the real one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sizes(self) -> dict[str, int]:
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in files}

    def send(self, files: Mapping[str, Path]) -> None:
        for name, path in files.items():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())

    def fetch(self, files: Mapping[str, Path]) -> None:
        for name, path in files.items():
            path.write_bytes((self.folder / name).read_bytes())


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    made = Storage(tmp_path / "storage")

    @contextmanager
    def opened(root: Path, folder: str) -> Iterator[Storage]:
        yield made

    monkeypatch.setattr(executed_copies, "named_files", opened)
    return made


@pytest.fixture
def clone(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a project of one stage, in a state of `dvc.lock`."""

    def make(name: str, state: str = "1", copy: str = "", settings: str = "") -> Path:
        root = tmp_path / name
        root.mkdir()
        (root / "pyproject.toml").write_text(settings)
        (root / "dvc.yaml").write_text(f"stages:\n  a:\n    cmd: {COMMAND}\n    outs: [a.csv]\n")
        lock(root, state)
        if copy:
            ran(root, copy)
        return root

    return make


def lock(root: Path, state: str) -> None:
    outs = [{"path": "a.csv", "md5": state, "size": 1}]
    stages = {"a": {"cmd": COMMAND, "deps": [], "outs": outs}}
    (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))


def ran(root: Path, copy: str, state: str = "ran", run: str = RUN) -> None:
    """Leave what a run leaves: the copy, the record, and the note."""
    (root / COPY).parent.mkdir(parents=True, exist_ok=True)
    (root / COPY).write_text(copy)
    stage = StageRecord("a", state, executed=COPY, started=ENDED, ended=ENDED)
    done = RunRecord(run, {}, 1, ENDED, ended=ENDED, exit_code=0, stages=[stage])
    done.save(root)
    note_copies(root, done)


def test_a_clone_gets_the_copy_of_its_lock_with_the_record_and_the_time(
    clone: Callable[..., Path], storage: Storage
) -> None:
    here, there = clone("here", copy="{}"), clone("there")
    assert push_copies(here, pytest.fail) == 1
    assert push_copies(here, pytest.fail) == 0
    assert pull_copies(there, pytest.fail) == 1
    assert pull_copies(there, pytest.fail) == 0
    record = RUNS / f"{RUN}.json"
    for path in (COPY, record, ".nb/executed/a.json"):
        assert (there / path).read_bytes() == (here / path).read_bytes()
    assert (there / COPY).stat().st_mtime == 1767261605


def test_a_copy_that_was_taken_with_its_results_is_sent(
    clone: Callable[..., Path], storage: Storage
) -> None:
    here, there = clone("here", copy="{}"), clone("there")
    (here / ".nb/executed/a.json").unlink()
    assert push_copies(here, pytest.fail) == 0
    note_foreign_copies(here, {COPY: ENDED})
    assert push_copies(here, pytest.fail) == 1
    assert pull_copies(there, pytest.fail) == 1
    assert (there / COPY).stat().st_mtime == 1767261605


def test_another_state_of_the_lock_has_another_copy(
    clone: Callable[..., Path], storage: Storage
) -> None:
    here, there = clone("here", copy="1"), clone("there")
    push_copies(here, pytest.fail)
    lock(here, "2")
    assert push_copies(here, pytest.fail) == 0  # the copy shows the state before
    ran(here, "2", run="20260102T100000.000000Z")
    assert push_copies(here, pytest.fail) == 1
    for state in ("2", "1"):
        lock(there, state)
        assert pull_copies(there, pytest.fail) == 1
        assert (there / COPY).read_text() == state
    lock(there, "3")
    assert pull_copies(there, pytest.fail) == 0
    assert (there / COPY).read_text() == "1"


@pytest.mark.parametrize("state", ["failed", "restored", "unchanged"])
def test_only_a_stage_that_ran_has_shown_its_result(
    clone: Callable[..., Path], storage: Storage, state: str
) -> None:
    here = clone("here")
    ran(here, "of another run", state)
    assert push_copies(here, pytest.fail) == 0


def test_a_copy_that_changed_after_its_run_is_not_sent(
    clone: Callable[..., Path], storage: Storage
) -> None:
    here = clone("here", copy="{}")
    (here / COPY).write_text("another")
    assert push_copies(here, pytest.fail) == 0
    assert storage.sizes() == {}


def test_the_copy_of_a_failed_run_stays_and_any_other_is_replaced(
    clone: Callable[..., Path], storage: Storage
) -> None:
    push_copies(clone("here", copy="{}"), pytest.fail)
    there = clone("there")
    output = {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
    cell = {"cell_type": "code", "metadata": {"papermill": {"exception": True}}}
    failed = json.dumps({"cells": [{**cell, "outputs": [output]}]})
    (there / COPY).parent.mkdir(parents=True)
    (there / COPY).write_text(failed)
    said: list[str] = []
    assert pull_copies(there, said.append) == 0
    assert said == [f"kept as the failed run left them: {COPY}"]
    assert (there / COPY).read_text() == failed
    (there / COPY).write_text("{}  ")
    assert pull_copies(there, pytest.fail) == 1
    assert (there / COPY).read_text() == "{}"


def test_the_last_push_of_equal_results_tells_of_their_run(
    clone: Callable[..., Path], storage: Storage
) -> None:
    here, there = clone("here", copy="first"), clone("there")
    push_copies(here, pytest.fail)
    ran(here, "again", run="20260102T100000.000000Z")
    assert push_copies(here, pytest.fail) == 1
    assert pull_copies(there, pytest.fail) == 1
    assert (there / COPY).read_text() == "again"


def test_the_setting_bounds_the_size_and_0_switches_it_off(
    clone: Callable[..., Path], storage: Storage
) -> None:
    said: list[str] = []
    limit = "[tool.nb.storage]\nlargest-executed-copy = 1\n"
    large = clone("large", copy="x" * 1_000_001, settings=limit)
    assert push_copies(large, said.append) == 0
    assert said == [f"not sent, larger than 1 MB (largest-executed-copy): {COPY}"]
    off = clone("off", copy="x", settings=limit.replace("1", "0"))
    assert push_copies(off, pytest.fail) == 0
    push_copies(clone("on", copy="x"), pytest.fail)
    (off / COPY).unlink()
    assert pull_copies(off, pytest.fail) == 0
    assert not (off / COPY).exists()


@pytest.mark.parametrize(
    "settings",
    ["largest-executed-copy = -1", "largest-executed-copy = true", "largest = 1", "a.b = 1"],
)
def test_a_wrong_setting_is_named(clone: Callable[..., Path], settings: str) -> None:
    with pytest.raises(NbError, match=r"^pyproject\.toml: .*largest-executed-copy") as error:
        copy_size_limit(clone("a", settings=f"[tool.nb.storage]\n{settings}\n"))
    assert error.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("damage", ["copies", "notes", "runs"])
def test_what_is_damaged_in_the_storage_is_left_out(
    clone: Callable[..., Path], storage: Storage, damage: str
) -> None:
    push_copies(clone("here", copy="{}"), lambda line: None)
    for path in (storage.folder / damage).rglob("*.*"):
        path.write_text("[" * 10_000)
    there, said = clone("there"), list[str]()
    assert pull_copies(there, said.append) == (damage == "runs")
    assert (there / COPY).exists() == (damage == "runs")
    assert not (there / RUNS).exists()
    assert bool(said) == (damage == "copies")


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 0}, {"schema": 2}, {"key": "../x"}, {"content": "0" * 63}, {"run": "../../x"},
        {"run": None}, {"ended": "soon"}, {"more": 1},
    ],
)  # fmt: skip
def test_a_note_of_another_version_or_hand_is_none(change: dict[str, Any]) -> None:
    note = CopyNote(key="0" * 64, content="1" * 64, size=1, run=RUN, ended=ENDED)
    assert parse_note(note.text()) == note
    assert parse_note(json.dumps({**json.loads(note.text()), **change})) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(), values), st.dictionaries(st.text(), values), st.integers())
def test_the_key_is_that_of_values_and_hashes(
    one: dict[str, Any], other: dict[str, Any], size: int
) -> None:
    def entry(parameters: dict[str, Any], **more: int) -> dict[str, Any]:
        return {"cmd": "x", "params": {"a.yaml": parameters}, "outs": [{"path": "a", **more}]}

    key = result_key(entry(one))
    assert (key == result_key(entry(other))) == (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )
    assert key == result_key(entry(one, size=size, nfiles=2))
    assert key != result_key(entry({**one, "size": "another"}))
    assert len(key) == len(hashlib.sha256().hexdigest())


@pytest.mark.parametrize(
    "change",
    [{"seconds": "1"}, {"ended": "soon"}, {"state": 1}, {"name": []}, {"parameters": [1]}],
)
def test_a_record_whose_fields_are_of_another_kind_is_none(change: dict[str, Any]) -> None:
    stage = StageRecord("a", "ran", started=ENDED, ended=ENDED, seconds=1.5)
    content = {**vars(RunRecord(RUN, {}, 1, ENDED)), "stages": [vars(stage)]}
    assert read_record(json.dumps(content)) == RunRecord(RUN, {}, 1, ENDED, stages=[stage])
    assert read_record(json.dumps({**content, "stages": [{**vars(stage), **change}]})) is None
