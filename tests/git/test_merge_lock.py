"""A lock file with the marks of a conflict in it: both conflict_sides are read back, and merged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nb.git.merge_lock import conflict_sides, merge_locks


def lock(**stages: int) -> str:
    entries = "".join(f"  {name}:\n    cmd: run {n}\n" for name, n in stages.items())
    return f"schema: '2.0'\nstages:\n{entries}"


BASE = lock(a=1, b=1, c=1)
OURS = lock(a=2, b=1, c=2, d=1)
THEIRS = lock(a=3, b=2, c=1, e=1)


@pytest.mark.parametrize("style", ["--diff3", "--zdiff3", ""])
def test_a_lock_file_with_marks_is_merged_stage_by_stage(tmp_path: Path, style: str) -> None:
    for name, text in (("ours", OURS), ("base", BASE), ("theirs", THEIRS)):
        (tmp_path / name).write_text(text)
    command = ["git", "merge-file", "-p", *filter(None, [style]), "ours", "base", "theirs"]
    marked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert "<<<<<<<" in marked
    merged = merge_locks(*conflict_sides(marked))
    assert all(f"  {name}:" in merged for name in "abcde") and "run 2" in merged
    assert "<<<<" not in merged
    if style == "--diff3":  # the base is known
        assert merged == merge_locks(BASE, OURS, THEIRS)


def test_a_text_without_marks_is_all_sides() -> None:
    assert conflict_sides(BASE) == ("", BASE, BASE)
