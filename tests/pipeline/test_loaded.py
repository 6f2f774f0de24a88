"""Loaded pipelines: a stage comes from memory while the files behind the pipeline are the same."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.pipeline.loaded import LoadedPipeline, _lines_of
from nb.pipeline.lockfiles import Blocks
from nb.pipeline.uptodate import clock

LOCK = "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  ab:\n    cmd: y\n    deps:\n    - path: d\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    (tmp_path / "config").write_text("[core]\n")
    written = clock(tmp_path)
    while clock(tmp_path) == written:  # the next tick: nothing was written when loading begins
        pass
    return tmp_path


def load(root: Path, edited: str = "") -> LoadedPipeline:
    """Load the pipeline; one of the files is edited when DVC has just read all of them."""
    began = clock(root)
    file = str(root / "dvc.yaml")
    stages = [SimpleNamespace(addressing=name, path=file) for name in ("a", "ab", "b", "o'dd")]
    config = SimpleNamespace(files={"repo": str(root / "config")})
    if edited:
        (root / edited).write_text("# edited\n")
    return LoadedPipeline(
        SimpleNamespace(index=SimpleNamespace(stages=stages), config=config), began
    )


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


@pytest.mark.parametrize("name", ["dvc.yaml", "dvc.lock", "config", "params.yaml"])
def test_a_file_edited_while_dvc_loads_makes_dvc_load_all_again(root: Path, name: str) -> None:
    assert load(root, edited=name).stage("a") is None


def test_a_lock_file_that_appears_while_dvc_loads_counts_as_changed(root: Path) -> None:
    (root / "dvc.lock").unlink()
    assert load(root, edited="dvc.lock").stage("b") is None


def test_an_edit_that_keeps_size_and_time_is_seen(root: Path) -> None:
    loaded = load(root)
    before = (root / "config").stat()
    with (root / "config").open("r+") as file:
        file.write("[eroc]\n")
    os.utime(root / "config", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert loaded.stage("a") is None


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
