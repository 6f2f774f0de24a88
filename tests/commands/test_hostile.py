"""Files of any quality: no traceback, no hang, and what is good beside them is read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nb.authoring.editing import notebook_as_text
from nb.check.runner import check_paths
from nb.check.source import UnreadableError, read_document
from nb.cli import main
from nb.declaration import reader, templates
from nb.notebook import content, fingerprints, modules
from nb.notebook.config import read_config
from nb.notebook.file import read_cells
from nb.notebook.magics import mask
from nb.notebook.parameters import read_parameters
from nb.printable import printable
from nb.project import DEEPEST, NbError
from nb.refactoring import duplicates

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="there are no named pipes")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    return tmp_path


def saved(folder: Path, text: str) -> Path:
    path = folder / "n.ipynb"
    path.write_bytes(text.encode("utf-8"))
    return path


@pytest.mark.parametrize("text", hostile.UNREADABLE.values(), ids=hostile.UNREADABLE)
def test_each_reader_says_which_file_is_no_notebook(tmp_path: Path, text: str) -> None:
    path = saved(tmp_path, text)
    for read in (
        content.read_notebook,
        read_cells,
        lambda path: notebook_as_text(path, color=False),
    ):
        with pytest.raises(NbError) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableError, match=r"\w"):
        read_document("n.ipynb", path)


@pytest.mark.parametrize("text", hostile.STRANGE.values(), ids=hostile.STRANGE)
def test_a_strange_notebook_is_read(tmp_path: Path, text: str) -> None:
    path = saved(tmp_path, text)
    read = content.read_notebook(path)
    sources = modules.SourcePackages(tmp_path / "src")
    assert fingerprints.fingerprint_text(read, sources)
    assert notebook_as_text(path, color=False)
    for cell in read.cells:
        masked = mask(cell.source)
        assert masked is None or len(list(masked.escapes())) <= len(masked.hidden)
        content.python_source(cell.source)
    try:
        read_parameters(read)
    except NbError as error:
        assert "\n" not in str(error)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
LIKE_CELLS = st.fixed_dictionaries(
    {},
    optional={
        "cell_type": st.just("code") | VALUES,
        "source": st.text(max_size=20) | VALUES,
        "metadata": st.fixed_dictionaries({}, optional={"tags": VALUES}) | VALUES,
        "outputs": VALUES,
    },
)
LIKE_NOTEBOOKS = st.fixed_dictionaries(
    {"nbformat": st.just(4) | VALUES},
    optional={"metadata": st.just({}) | VALUES, "cells": st.lists(LIKE_CELLS | VALUES) | VALUES},
)


@given(LIKE_NOTEBOOKS | VALUES)
def test_anything_is_read_or_refused(anything: Any) -> None:
    path = Path("n.ipynb")
    try:
        read = content.parse_notebook(path, anything)
    except NbError:
        return
    for cell in read.cells:
        assert isinstance(cell.source, str)
        assert all(isinstance(tag, str) for tag in cell.tags)


@given(st.integers(1, 3 * DEEPEST), st.sampled_from(["[]", '{"a":}']))
def test_nesting_is_bounded(depth: int, kind: str) -> None:
    opening, closing = kind[:-1], kind[-1]
    text = opening * depth + ("1" if kind != "[]" else "") + closing * depth
    if depth <= DEEPEST:
        assert content.load_json(Path("n.ipynb"), text) is not None
    else:
        with pytest.raises(NbError, match=f"n.ipynb is nested more than {DEEPEST} levels deep"):
            content.load_json(Path("n.ipynb"), text)


def test_commands_go_on_past_what_cannot_be_read(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile.write(root / "notebooks" / "production")
    written = fingerprints.refresh(root)
    assert fingerprints.FINGERPRINTS / "good-1.txt" in written
    named = capsys.readouterr().err.splitlines()
    for name in hostile.UNREADABLE:
        assert any(f"production/{name}.ipynb" in line for line in named)
    assert all(line.startswith("nb: notebooks/production/") for line in named)

    (found,) = duplicates.find_duplicates(root)
    paths = {place.path for place in found.places}
    assert {f"notebooks/production/good-{number}.ipynb" for number in (1, 2)} <= paths
    left_out = capsys.readouterr().err.splitlines()
    assert len(left_out) == len(named)

    findings = check_paths(root).findings
    unreadable = {f.path for f in findings if f.code == "NB001"}
    assert {f"notebooks/production/{name}.ipynb" for name in hostile.UNREADABLE} <= unreadable
    assert any(f.path.endswith("good-1.ipynb") for f in findings)
    assert not any(sign in line for line in (*named, *left_out) for sign in hostile.OBEYED)


@ON_POSIX
def test_a_named_pipe_is_not_waited_for(tmp_path: Path) -> None:
    readers: dict[str, Callable[[Path], object]] = {
        "n.ipynb": content.read_notebook,
        "c.yaml": read_config,
    }
    for path, read in readers.items():
        os.mkfifo(tmp_path / path)
        with pytest.raises(NbError, match=re.escape(path)):
            read(tmp_path / path)


def test_a_matrix_is_bounded(tmp_path: Path) -> None:
    row = list(range(40))
    spec = {"matrix": dict.fromkeys("abcde", row), "cmd": "echo"}
    each = {"foreach": row, "do": {"cmd": "echo"}}
    stages = {"a": spec, "b": {"cmd": "echo"}, "c": each}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    counts = [templates.stage_count(entry.spread) for entry in reader.read_entries(tmp_path)]
    assert counts == [40**5, 1, 40]
    names = [stage.name for stage in reader.read_stages(tmp_path)]
    assert names == ["b", *(f"c@{number}" for number in row)]


@pytest.mark.parametrize("command", ["params", "show", "duplicates", "check"])
@pytest.mark.parametrize("name", hostile.NAMES)
def test_a_command_names_a_file_from_the_root_and_sends_no_control(
    root: Path, monkeypatch: pytest.MonkeyPatch, command: str, name: str
) -> None:
    (root / "tools" / "nb").mkdir(parents=True)
    folder = root / "notebooks" / "production"
    folder.mkdir(parents=True)
    (folder / f"{name}.ipynb").write_text("<<<<<<< ours")
    monkeypatch.chdir(root)
    arguments = [name] if command in ("params", "show") else []
    done = CliRunner().invoke(main, [command, *arguments], color=True)
    said = re.sub(r"\x1b\[\d+m", "", done.output)  # our own colors
    assert f"notebooks/production/{printable(name)}.ipynb" in said
    assert str(root) not in said
    assert not any(sign in said for sign in hostile.OBEYED)
    assert "[31mred" not in said or "\\u001b[31mred" in said
