"""Loaded pipelines: a stage comes from memory while the files behind the pipeline are the same."""

from __future__ import annotations

import os
import subprocess
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nb.pipeline.loaded import LoadedPipeline, OutputsInGit, _lines_of
from nb.pipeline.lockfiles import Blocks

LOCK = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  ab:\n    cmd: y\n    deps:\n    - path: d\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    (tmp_path / "config").write_text("[core]\n")
    return tmp_path


def load(root: Path, began: int = 0) -> LoadedPipeline:
    time.sleep(0.02)  # the clock of a file system ticks a hundred times a second
    file = str(root / "dvc.yaml")
    stages = [SimpleNamespace(addressing=name, path=file) for name in ("a", "ab", "b", "o'dd")]
    config = SimpleNamespace(files={"repo": str(root / "config")})
    repo = SimpleNamespace(index=SimpleNamespace(stages=stages), config=config)
    return LoadedPipeline(repo, began or time.time_ns())


def test_a_stage_is_known_while_nothing_changes(root: Path) -> None:
    loaded = load(root)
    assert [getattr(loaded.stage(n), "addressing", None) for n in ("a", "b", "x")] == [
        "a",
        "b",
        None,
    ]


def test_names_that_dvc_quotes_are_loaded_again(root: Path) -> None:
    assert load(root).stage("o'dd") is None


@pytest.mark.parametrize("name", ["dvc.yaml", "config", "params.yaml"])
def test_a_changed_file_makes_dvc_load_all_again(root: Path, name: str) -> None:
    loaded = load(root)
    (root / name).write_text("# another text\n")
    assert loaded.stage("a") is None


@pytest.mark.parametrize("name", ["dvc.yaml", "config", "params.yaml"])
def test_a_file_that_changed_while_dvc_loaded_makes_dvc_load_all_again(
    root: Path, name: str
) -> None:
    began = time.time_ns()
    time.sleep(0.02)
    (root / name).write_text("# another text\n")  # after DVC read the file, or before: who knows
    assert load(root, began).stage("a") is None


def test_an_edit_that_keeps_size_and_time_is_seen(root: Path) -> None:
    loaded = load(root)
    before = (root / "config").stat()
    with (root / "config").open("r+") as file:
        file.write("[eroc]\n")
    os.utime(root / "config", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert loaded.stage("a") is None


def test_a_result_that_was_recorded_while_dvc_loaded_makes_dvc_load_the_stage(root: Path) -> None:
    began = time.time_ns()
    time.sleep(0.02)
    draft = root / "draft"
    draft.write_text(LOCK.replace("cmd: x", "cmd: z"))
    os.utime(draft, ns=(0, 0))  # a time of change that was set tells nothing
    draft.replace(root / "dvc.lock")
    assert load(root, began).stage("a") is None


def test_what_other_stages_record_does_not_count(root: Path) -> None:
    loaded = load(root)
    (root / "dvc.lock").write_text(LOCK.replace("cmd: y", "cmd: z"))
    assert loaded.stage("a") is not None
    assert loaded.stage("ab") is None


NAMES = st.lists(st.sampled_from(["a", "ab", "b", "train@x", "a-b"]), unique=True, max_size=5)


@given(NAMES, st.lists(st.sampled_from(["cmd: x", "deps:", "- path: a", "a:"]), min_size=1))
def test_the_lines_of_a_stage_are_found(names: list[str], lines: list[str]) -> None:
    body = "".join(f"    {line}\n" for line in lines)
    text = "schema: '2.0'\nstages:\n" + "".join(f"  {name}:\n{body}" for name in names)
    blocks = Blocks.read(text)
    wanted = blocks.named() if blocks else {}
    for name in names:
        assert _lines_of(name, text).strip("\n") == wanted[name].strip("\n")


class Git:
    """What is used of Git as DVC wraps it, on a real repository."""

    def __init__(self, root: Path) -> None:
        self.root_dir = str(root)

    def _get_gitignore(self, path: str) -> tuple[str, str]:
        return f"/{Path(path).name}", str(Path(path).with_name(".gitignore"))

    def _add_entry_to_gitignore(self, entry: str, gitignore: str) -> None:
        with Path(gitignore).open("a", encoding="utf-8") as file:
            file.write(f"{entry}\n")


NAME = st.text("ab ü*[]#!\\", min_size=1, max_size=4).filter(lambda name: name.strip("."))


@settings(deadline=None, max_examples=30)
@given(st.lists(NAME, unique=True, min_size=1, max_size=4), st.data())
def test_git_is_asked_once_and_says_of_each_output_what_git_says(
    names: list[str], data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        run = partial(subprocess.run, cwd=root, check=True, capture_output=True)
        run(["git", "init", "--quiet"])
        patterns = data.draw(st.lists(NAME, max_size=3))
        (root / ".gitignore").write_text("".join(f"{each}\n" for each in patterns), "utf-8")
        tracked = data.draw(st.sets(st.sampled_from(names)))
        for name in tracked:
            (root / name).mkdir()
            (root / name / "file").write_text("")
            run(["git", "add", "--force", "--", name])
        known = OutputsInGit(Git(root), [str(root / name) for name in names])
        asked = ["git", "check-ignore", "--no-index", "--quiet", "--"]
        ignored = {n for n in names if not subprocess.run([*asked, n], cwd=root).returncode}
        for name in names:
            assert known.is_tracked(str(root / name)) == (name in tracked)
            assert (known.ignore(str(root / name)) is None) == (name in ignored)


@pytest.mark.parametrize(("pattern", "is_known"), [("/a/", True), ("/a\n!/a/", False)])
def test_git_is_asked_again_for_an_output_that_became_a_folder(
    tmp_path: Path, pattern: str, is_known: bool
) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text(f"{pattern}\n")
    asked: list[str] = []

    class AskedGit(Git):
        def ignore(self, path: str) -> str | None:
            asked.append(path)
            return None

    output = tmp_path / "a"
    known = OutputsInGit(AskedGit(tmp_path), [str(output)])
    output.mkdir()
    known.ignore(str(output))
    assert asked == [str(output)]
    again = OutputsInGit(AskedGit(tmp_path), [str(output)])
    assert (again.ignore(str(output)) is None) == is_known
    assert len(asked) == 1
