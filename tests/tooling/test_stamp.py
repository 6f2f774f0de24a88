"""The stamp: anything touched is noticed, nothing untouched is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from nb import stamp

PATHS = ["dvc.yaml", "src", "data/missing.csv"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src" / "pkg" / "__pycache__").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "a.py").write_text("A = 1\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "data").mkdir()
    stamp.record(tmp_path, PATHS)
    return tmp_path


def rewrite_alike(path: Path) -> None:
    """Replace a file by one of the same size and time of change."""
    status = path.stat()
    draft = path.with_suffix(".draft")
    draft.write_text("B = 2\n")
    os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
    draft.replace(path)


TOUCHES: dict[str, Callable[[Path], object]] = {
    "a file in a folder changed": lambda root: (root / "src/pkg/a.py").write_text("A = 22\n"),
    "a file was replaced by one like it": lambda root: rewrite_alike(root / "src/pkg/a.py"),
    "a file was added": lambda root: (root / "src/pkg/b.py").touch(),
    "a file was removed": lambda root: (root / "src/pkg/a.py").unlink(),
    "a file itself changed": lambda root: (root / "dvc.yaml").write_text("stages: {a: {}}\n"),
    "a missing file appeared": lambda root: (root / "data/missing.csv").touch(),
    "the stamp is broken": lambda root: (root / stamp.STAMP).write_text("{"),
    "the stamp was forgotten": stamp.forget,
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_what_is_touched_is_noticed(root: Path, touch: Callable[[Path], object]) -> None:
    assert stamp.is_untouched(root)
    touch(root)
    assert not stamp.is_untouched(root)


def test_what_nobody_depends_on_does_not_count(root: Path) -> None:
    (root / "src" / "pkg" / "__pycache__" / "a.pyc").touch()
    (root / "data" / "other.csv").touch()
    assert stamp.is_untouched(root)


def test_without_a_stamp_nothing_is_known(tmp_path: Path) -> None:
    assert not stamp.is_untouched(tmp_path)
