"""The stamp: anything touched is noticed, nothing untouched is."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from nb import uptodate
from nb.uptodate import WatchedFiles

OBJECT = "00112233445566778899aabbccddeeff"
IN_FOLDER = "11112233445566778899aabbccddeeff"
FOLDER = "ffeeddccbbaa99887766554433221100.dir"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in which everything is up to date, for a while."""
    root = tmp_path / "project"
    for name in ("src/pkg/__pycache__", "src/pkg/deep", "data", "out", "sub", "cache/00"):
        (root / name).mkdir(parents=True)
    (root / "sub" / "pyproject.toml").touch()
    for name in ("src/pkg/a.py", "src/pkg/deep/b.py", "dvc.yaml", "out/one", "report", "tool"):
        (root / name).write_text("A = 1\n")
    (root / "cache" / "00" / OBJECT[2:]).write_text("A = 1\n")
    (root / "cache" / "ff").mkdir()
    (root / "cache" / "ff" / FOLDER[2:]).write_text(json.dumps([{"md5": IN_FOLDER}]))
    (root / "cache" / "11").mkdir()
    (root / "cache" / "11" / IN_FOLDER[2:]).touch()
    (root / "dvc.lock").write_text(f"    - path: out\n      md5: {FOLDER}\n      md5: {OBJECT}\n")
    (root / "data" / "elsewhere").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").write_text("A = 1\n")
    time.sleep(2 * uptodate.TICK_SECONDS)
    return root


def watched(root: Path) -> WatchedFiles:
    searched, ignored, left = uptodate.declaration_folders(
        root, [str(root / "out")], lambda p: p.endswith("__pycache__"), lambda p: "cache" in p
    )
    made = WatchedFiles(
        read=["dvc.yaml", "src", "data/missing.csv", "data/elsewhere"],
        written={"one": [str(root / "out")]},
        searched=searched,
        ignored=ignored,
        left=left,
        tooling=[str(root / "tool")],
        caches=[str(root / "cache")],
        locks={"dvc.lock": (root / "dvc.lock").read_text()},
    )
    return replace(made, before=uptodate.sources_digest(root, made))


def stamped(root: Path) -> bool:
    began = uptodate.file_system_time(root)
    return record(root, watched(root), began, {})


def record(root: Path, seen: WatchedFiles, began: int, ended: dict[str, int]) -> bool:
    """Record a stamp and return whether it holds."""
    uptodate.write_stamp(root, seen, began, ended, {"stages": ["one"]}, ["report"], lambda: True)
    return uptodate.read_stamp(root) == {"stages": ["one"]}


def rewrite_alike(path: Path) -> None:
    """Replace a file by one of the same size and time of change."""
    status = path.stat()
    draft = path.with_suffix(".draft")
    draft.write_text("B = 2\n")
    os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
    draft.replace(path)


def rewrite_in_place(path: Path) -> None:
    """Write other content of the same size, and set the time of change back."""
    status = path.stat()
    path.write_text("B = 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


TOUCHES: dict[str, Callable[[Path], object]] = {
    "a file in a folder changed": lambda root: (root / "src/pkg/a.py").write_text("A = 22\n"),
    "one deep in a folder changed": lambda root: (root / "src/pkg/deep/b.py").write_text("B\n"),
    "a file was replaced by one like it": lambda root: rewrite_alike(root / "src/pkg/a.py"),
    "a file was rewritten alike": lambda root: rewrite_in_place(root / "src/pkg/a.py"),
    "a file was added": lambda root: (root / "src/pkg/b.py").touch(),
    "a file was removed": lambda root: (root / "src/pkg/a.py").unlink(),
    "a file itself changed": lambda root: (root / "dvc.yaml").write_text("stages: {a: {}}\n"),
    "a missing file appeared": lambda root: (root / "data/missing.csv").touch(),
    "what a link leads to changed": lambda root: (root / "../elsewhere").write_text("A = 2\n"),
    "a link leads elsewhere": lambda root: (
        (root / "data/elsewhere").unlink(),
        (root / "data/elsewhere").symlink_to(root / "dvc.yaml"),
    ),
    "an output changed": lambda root: (root / "out/one").write_text("2"),
    "an output was added to a folder": lambda root: (root / "out/two").touch(),
    "the lock changed": lambda root: (root / "dvc.lock").write_text("stages: {}\n"),
    "another pipeline appeared": lambda root: (root / "sub/dvc.yaml").touch(),
    "tracked data appeared": lambda root: (root / "data/raw.csv.dvc").touch(),
    "a pipeline appeared in a new folder": lambda root: (
        (root / "sub/new/deep").mkdir(parents=True),
        (root / "sub/new/deep/dvc.yaml").touch(),
    ),
    "a folder is gone": lambda root: shutil.rmtree(root / "sub"),
    "what DVC ignores changed": lambda root: (root / ".dvcignore").write_text("src\n"),
    "the report is gone": lambda root: (root / "report").unlink(),
    "the cache is gone": lambda root: shutil.rmtree(root / "cache"),
    "an object of the cache is gone": lambda root: (root / "cache/00" / OBJECT[2:]).unlink(),
    "an object of a folder is gone": lambda root: (root / "cache/11" / IN_FOLDER[2:]).unlink(),
    "the tooling is another": lambda root: rewrite_alike(root / "tool"),
    "the stamp is broken": lambda root: (root / uptodate.STAMP).write_text("{"),
    "the stamp was forgotten": uptodate.remove_stamp,
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_what_is_touched_is_noticed(root: Path, touch: Callable[[Path], object]) -> None:
    assert stamped(root)
    touch(root)
    assert uptodate.read_stamp(root) is None


def test_what_nobody_depends_on_does_not_count(root: Path) -> None:
    assert stamped(root)
    (root / "src" / "pkg" / "__pycache__" / "a.pyc").touch()
    (root / "data" / "other.csv").touch()
    (root / "copy").hardlink_to(root / "tool")
    for folder in (root, root / "sub"):  # as a hook of the first commit makes them
        (folder / ".ruff_cache" / "0.12").mkdir(parents=True)
        (folder / ".ruff_cache" / "0.12" / "entry").touch()
        (folder / ".ruff_cache" / ".gitignore").write_text("*\n")
    assert uptodate.read_stamp(root)


def test_without_a_stamp_nothing_is_known(tmp_path: Path) -> None:
    assert uptodate.read_stamp(tmp_path) is None


def test_a_copy_of_a_project_has_no_stamp(root: Path, tmp_path: Path) -> None:
    assert stamped(root)
    shutil.copytree(root, tmp_path / "copy", symlinks=True)
    assert uptodate.read_stamp(tmp_path / "copy") is None


def later(root: Path) -> int:
    """Return the time, some ticks after what was done before and before what is done next."""
    time.sleep(2 * uptodate.TICK_SECONDS)
    now = uptodate.file_system_time(root)
    time.sleep(2 * uptodate.TICK_SECONDS)
    return now


DURING: dict[str, Callable[[Path], object]] = {
    "an input changed": lambda root: (root / "src/pkg/a.py").write_text("A = 2\n"),
    "an input went and came back": lambda root: (
        (root / "src/pkg/a.py").rename(root / "away"),
        (root / "away").rename(root / "src/pkg/a.py"),
    ),
    "an output changed after its stage": lambda root: (root / "out/one").write_text("2"),
    "an output was rewritten alike": lambda root: rewrite_in_place(root / "out/one"),
}


@pytest.mark.parametrize("touch", DURING.values(), ids=DURING)
def test_what_changes_during_a_run_leaves_no_stamp(
    root: Path, touch: Callable[[Path], object]
) -> None:
    began = later(root)
    seen = watched(root)
    (root / "out" / "one").write_text("its stage ran")
    ended = {"one": later(root)}
    touch(root)
    assert not record(root, seen, began, ended)


def test_what_changed_between_the_question_and_the_first_look_leaves_no_stamp(root: Path) -> None:
    began = later(root)
    (root / "src/pkg/a.py").write_text("A = 2\n")
    assert not record(root, watched(root), began, {})


def test_what_changes_within_the_tick_of_the_stamp_leaves_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uptodate, "file_system_time", lambda _: 0)
    monkeypatch.setattr(uptodate.time, "sleep", lambda _: (root / "report").write_text("again"))
    began = time.time_ns() + 10**10
    assert not record(root, watched(root), began, {})


def test_bytecode_that_a_run_makes_in_a_source_folder_does_not_count(root: Path) -> None:
    began = uptodate.file_system_time(root)
    planned = watched(root)
    (root / "src/pkg/deep/__pycache__").mkdir()
    (root / "src/pkg/deep/__pycache__/b.pyc").touch()
    uptodate.write_stamp(root, planned, began, {}, {"stages": 1}, [], lambda: True)
    assert uptodate.read_stamp(root)


def test_a_folder_made_during_a_run_must_declare_nothing(root: Path) -> None:
    began = later(root)
    seen = watched(root)
    (root / "results" / "deep").mkdir(parents=True)
    assert record(root, seen, began, {})
    (root / "results" / "deep" / "dvc.yaml").touch()
    assert uptodate.read_stamp(root) is None
    assert not record(root, seen, began, {})


def test_what_stages_write_during_a_run_is_expected(root: Path) -> None:
    began = later(root)
    seen = watched(root)
    (root / "out" / "one").write_text("its stage ran")
    with (root / "dvc.lock").open("a") as lock:
        lock.write("# of this run\n")
    assert record(root, seen, began, {"one": later(root)})


def test_there_is_no_stamp_if_others_wrote_into_a_lock(root: Path) -> None:
    seen, began = watched(root), uptodate.file_system_time(root)
    uptodate.write_stamp(root, seen, began, {}, {}, [], lambda: False)
    assert uptodate.read_stamp(root) is None
