"""A copy is private, and what it brings back comes as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb import cleancopy
from nb.project import NbError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name in ("a.txt", "data/b.txt", ".dvc/config", ".dvc/cache/x", ".git/config", ".env"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "link").symlink_to(root / "a.txt")
    return root


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    } | {path.relative_to(root).as_posix(): b"" for path in root.rglob("*") if path.is_dir()}


def test_a_copy_has_the_files_of_the_project_and_no_machinery(root: Path) -> None:
    before = tree(root)
    with cleancopy.clean_copy(root) as copy:
        assert copy.name == "project"
        assert {"a.txt", "data/b.txt", ".env", "link"} < set(tree(copy))
        assert not {".git/config", ".dvc/cache/x"} & set(tree(copy))
        assert "no_scm" in (copy / ".dvc/config").read_text()
        (copy / "a.txt").write_text("changed")
        (copy / "data/b.txt").unlink()
    assert tree(root) == before
    assert not copy.exists()


def test_what_was_made_is_brought_back(root: Path) -> None:
    with cleancopy.clean_copy(root) as copy:
        (copy / "a.txt").write_text("changed")
        (copy / "new" / "folder").mkdir(parents=True)
        (copy / "new" / "folder" / "c.txt").write_text("c")
        cleancopy.apply(root, copy, ["a.txt", "new/folder/c.txt"], lambda: None)
    assert (root / "a.txt").read_text() == "changed"
    assert (root / "new/folder/c.txt").read_text() == "c"


@pytest.mark.parametrize("error", [NbError, OSError, KeyboardInterrupt])
def test_a_failure_puts_everything_back(root: Path, error: type[BaseException]) -> None:
    before = tree(root)

    def fail() -> None:
        (root / "dvc.lock").write_text("half")
        (root / "new/.gitignore").write_text("c.txt")
        raise error("no")

    with cleancopy.clean_copy(root) as copy:
        (copy / "a.txt").write_text("changed")
        (copy / "new").mkdir()
        (copy / "new" / "c.txt").write_text("c")
        with pytest.raises(error):
            cleancopy.apply(root, copy, ["a.txt", "new/c.txt"], fail)
    assert tree(root) == before
