"""A copy is private, and what it brings back comes as a whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.project import NbError
from nb.workcopy import trial_copy


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
    with trial_copy.trial_copy(root) as made:
        copy = made.root
        assert copy.name == "project"
        assert {"a.txt", "data/b.txt", ".env", "link"} < set(tree(copy))
        assert not {".git/config", ".dvc/cache/x"} & set(tree(copy))
        assert "no_scm" in (copy / ".dvc/config").read_text()
        (copy / "a.txt").write_text("changed")
        (copy / "data/b.txt").unlink()
    assert tree(root) == before
    assert not copy.exists()


def test_what_was_made_is_brought_back(root: Path) -> None:
    with trial_copy.trial_copy(root) as made:
        copy = made.root
        (copy / "a.txt").write_text("changed")
        (copy / "new" / "folder").mkdir(parents=True)
        (copy / "new" / "folder" / "c.txt").write_text("c")
        trial_copy.bring_to_project(made, ["a.txt", "new/folder/c.txt"], lambda: None)
    assert (root / "a.txt").read_text() == "changed"
    assert (root / "new/folder/c.txt").read_text() == "c"


@pytest.mark.parametrize("error", [NbError, OSError, KeyboardInterrupt])
def test_a_failure_puts_everything_back(root: Path, error: type[BaseException]) -> None:
    before = tree(root)

    def fail() -> None:
        (root / "dvc.yaml").write_text("half")
        (root / "new/.gitignore").write_text("c.txt")
        raise error("no")

    with trial_copy.trial_copy(root) as made:
        copy = made.root
        (copy / "a.txt").write_text("changed")
        (copy / "new").mkdir()
        (copy / "new" / "c.txt").write_text("c")
        with pytest.raises(error):
            trial_copy.bring_to_project(made, ["a.txt", "new/c.txt"], fail)
    assert without_machinery(tree(root)) == before


MEANWHILE = {
    "changed": lambda root: (root / "a.txt").write_text("theirs"),
    "replaced": lambda root: (root / "data/b.txt").replace(root / "a.txt"),
    "removed": lambda root: (root / "a.txt").unlink(),
    "made": lambda root: (root / "c.txt").write_text("theirs"),
    "an input changed": lambda root: (root / "data/b.txt").write_text("theirs"),
    "an input removed": lambda root: (root / "data/b.txt").unlink(),
}


@pytest.mark.parametrize("case", MEANWHILE)
def test_what_somebody_else_wrote_meanwhile_is_never_replaced(root: Path, case: str) -> None:
    with trial_copy.trial_copy(root) as copy:
        (copy.root / "a.txt").write_text("ours")
        (copy.root / "c.txt").write_text("ours")
        MEANWHILE[case](root)
        before = tree(root)
        with pytest.raises(NbError, match="was changed while this was at work") as error:
            trial_copy.bring_to_project(copy, ["c.txt", "a.txt"], lambda: None, ["data/b.txt"])
    assert "\n" not in str(error.value)
    assert without_machinery(tree(root)) == without_machinery(before)


def without_machinery(found: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in found.items() if not name.startswith(".nb")}


def test_a_failure_leaves_what_somebody_else_wrote_meanwhile(root: Path) -> None:
    def fail() -> None:
        (root / "a.txt").write_text("theirs")
        raise NbError("no")

    with trial_copy.trial_copy(root) as copy:
        (copy.root / "a.txt").write_text("ours")
        (copy.root / "c.txt").write_text("ours")
        with pytest.raises(NbError, match="no"):
            trial_copy.bring_to_project(copy, ["a.txt", "c.txt"], fail)
    assert (root / "a.txt").read_text() == "theirs"
    assert not (root / "c.txt").exists()


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_writes_through_a_link_stay_in_the_copy(root: Path, place: str) -> None:
    data = root / "data" if place == "inside" else root.parent / "elsewhere"
    data.mkdir(exist_ok=True)
    (data / "b.txt").write_text("theirs")
    (root / "linked").symlink_to(data, target_is_directory=True)
    with trial_copy.trial_copy(root) as copy:
        assert (copy.root / "linked/b.txt").read_text() == "theirs"
        assert not copy.is_outdated("linked/b.txt")
        (copy.root / "linked/b.txt").write_text("ours")
        (copy.root / "link").write_text("ours")
        if place == "inside":
            assert (copy.root / "data/b.txt").read_text() == "ours"
    assert (data / "b.txt").read_text() == "theirs"
    assert (root / "a.txt").read_text() == "a.txt"


def test_a_link_to_a_folder_around_itself_ends(root: Path) -> None:
    (root / "data" / "up").symlink_to(root, target_is_directory=True)
    with trial_copy.trial_copy(root) as copy:
        assert (copy.root / "data/b.txt").is_file()
