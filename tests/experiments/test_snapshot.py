"""Copies of a snapshot: files of a variant's own, links where nothing writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from nb.experiments.snapshot import LEAST_SHARED_BYTES, Snapshot, copy_snapshot
from nb.run.what_if import Setting

pytestmark = pytest.mark.skipif(os.name == "nt", reason="nb experiment needs Linux or macOS")


def snapshot(root: Path) -> Snapshot:
    """Return the snapshot of a folder, without a pipeline."""
    return Snapshot(root=root, hash="", tasks=[], order=[], inputs={}, stages=[])


def made(root: Path) -> Path:
    """Make a folder with each kind of file that a project has."""
    for name, content in {
        "config/train.yaml": "# How often.\nfolds: 5  # parts\n",
        "tools/nb/cli.py": "x = 1\n",
        "uv.lock": "version = 1\n",
        "src/shop/tools/own.py": "y = 1\n",
        ".dvc/config": "[core]\n",
        ".dvc/tmp/lock": "",
        "data/large.csv": "x" * (LEAST_SHARED_BYTES + 1),
        "cache/object": "model",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    (root / "cache/object").chmod(0o444)
    (root / "model").hardlink_to(root / "cache/object")
    (root / "data/link.csv").symlink_to("large.csv")
    return root


def inode(path: Path) -> int:
    return path.stat().st_ino


def test_a_copy_has_all_but_what_dvc_is_about(tmp_path: Path) -> None:
    root, copy = made(tmp_path / "whole"), tmp_path / "copy"
    copy_snapshot(snapshot(root), copy, [])
    names = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    found = {path.relative_to(copy).as_posix() for path in copy.rglob("*")}
    assert found == {name for name in names if not name.startswith((".dvc/tmp", "tools/"))}
    assert (copy / "tools").resolve() == root / "tools"
    assert not (copy / "tools").readlink().is_absolute(), "a project may be moved"
    assert (copy / "data/link.csv").resolve() == (copy / "data/large.csv").resolve()
    for name in found:
        if (copy / name).is_file():
            assert (copy / name).read_bytes() == (root / name).read_bytes()
            assert (copy / name).stat().st_mtime_ns == (root / name).stat().st_mtime_ns


def test_where_nobody_may_link_a_folder_the_tooling_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most people on Windows may not."""
    root, copy = made(tmp_path / "whole"), tmp_path / "copy"
    (root / "data/link.csv").unlink()

    def refused(*_: object, **__: object) -> None:
        raise OSError(1314, "A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refused)
    copy_snapshot(snapshot(root), copy, [])
    assert not (copy / "tools").is_symlink()
    assert (copy / "tools/nb/cli.py").read_text() == "x = 1\n"


def may_write(path: str | Path, _: int) -> bool:
    return bool(Path(path).stat().st_mode & 0o222)


@pytest.mark.parametrize("is_root", [False, True])
def test_only_what_nobody_writes_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_root: bool
) -> None:
    monkeypatch.setattr(os, "access", (lambda *_: True) if is_root else may_write)
    root, copy = made(tmp_path / "whole"), tmp_path / "copy"
    copy_snapshot(snapshot(root), copy, [])
    shared = {
        path.relative_to(copy).as_posix()
        for path in copy.rglob("*")
        if path.is_file() and inode(path) == inode(root / path.relative_to(copy))
    }
    cached = set() if is_root else {"model", "cache/object"}
    assert shared == {"uv.lock"} | cached


def test_other_values_reach_the_copy_only_and_keep_comments(tmp_path: Path) -> None:
    root, copy = made(tmp_path / "whole"), tmp_path / "copy"
    before = (root / "config/train.yaml").read_text(encoding="utf-8")
    copy_snapshot(snapshot(root), copy, [Setting(["train"], "folds", 3, "config/train.yaml", [])])
    assert (root / "config/train.yaml").read_text(encoding="utf-8") == before
    assert (copy / "config/train.yaml").read_text(encoding="utf-8") == before.replace("5", "3")
