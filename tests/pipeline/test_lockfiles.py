"""Lines of stages in `dvc.lock` are put back; those that other commands wrote stay."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.pipeline.lockfiles import put_back, texts_since

STAGES = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["one", "two\n    outs: []"]), max_size=6
)


def lock(stages: dict[str, str]) -> str:
    if not stages:
        return ""
    entries = (f"  {name}:\n    cmd: {command}\n" for name, command in stages.items())
    return f"schema: '2.0'\nstages:\n{''.join(entries)}"


@given(before=STAGES, now=STAGES, names=st.sets(st.sampled_from("abcdef")))
def test_only_the_lines_of_the_named_stages_are_what_they_were(
    before: dict[str, str], now: dict[str, str], names: set[str]
) -> None:
    found = put_back(lock(before), lock(now), names)
    theirs = {name: command for name, command in now.items() if name not in names}
    ours = {name: command for name, command in before.items() if name in names}
    if now:  # a file that is gone is put back as a whole
        assert sorted(found.splitlines()) == sorted(lock({**theirs, **ours}).splitlines())


def test_a_lock_file_that_was_made_goes_away_again() -> None:
    assert put_back("", lock({"a": "one"}), {"a"}) == ""
    assert put_back("", lock({"a": "one", "b": "one"}), {"a"}) == lock({"b": "one"})


def test_order_and_bytes_are_what_they_were() -> None:
    before = lock(dict.fromkeys("dacb", "one"))
    now = lock({**dict.fromkeys("dacb", "one"), "a": "two", "e": "one"})
    assert put_back(before, now, {"a", "e"}) == before


def test_half_a_lock_file_is_put_back_as_a_whole() -> None:
    before = lock({"a": "one"})
    for half in ("", "schema: '2.0'\nsta"):
        assert put_back(before, half, {"b"}) == before


def test_texts_of_lock_files_that_nobody_touched_are_those_that_dvc_read(tmp_path: Path) -> None:
    path, missing = tmp_path / "dvc.lock", tmp_path / "notebooks/dvc.lock"
    path.write_text(lock({"a": "one"}))
    time.sleep(0.02)  # the clock of a file system ticks a hundred times a second
    found = texts_since(time.time_ns(), [path, missing])
    assert found == {str(path): lock({"a": "one"}), str(missing): ""}


@pytest.mark.parametrize("is_older", [False, True])
def test_texts_of_a_lock_file_that_git_replaced_meanwhile_are_in_doubt(
    tmp_path: Path, is_older: bool
) -> None:
    path, other = tmp_path / "dvc.lock", tmp_path / "other"
    path.write_text(lock({"a": "one"}))
    other.write_text(lock({"a": "two"}))
    time.sleep(0.02)
    began = time.time_ns()
    time.sleep(0.02)
    other.replace(path)
    if (
        is_older
    ):  # as an unpacked archive sets times; nobody sets the time of the change of an inode
        os.utime(path, ns=(0, 0))
    assert texts_since(began, [path]) is None
