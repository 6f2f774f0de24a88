"""Loaded pipelines: a stage comes from memory while the files behind the pipeline are the same."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.pipeline.loaded import LoadedPipeline, _lines_of
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
