"""Fingerprints on disk: written only when they change, and explained in words."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from nb.notebook import fingerprints
from nb.project import FINGERPRINTS

TEN = FINGERPRINTS / "10-a.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "notebooks" / "production").mkdir(parents=True)
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "__init__.py").touch()
    (tmp_path / "src" / "pkg" / "a.py").write_text("A = 1\n")
    save(tmp_path, "import pkg.a", "x = 1", "y = 2")
    return tmp_path


def save(root: Path, *cells: str, name: str = "10-a", kernel: str = "python3") -> None:
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": kernel}},
        "cells": [{"cell_type": "code", "source": cell, "metadata": {}} for cell in cells],
    }
    (root / "notebooks" / "production" / f"{name}.ipynb").write_text(json.dumps(content))


def record(root: Path) -> str:
    """Bring the fingerprints up to date as a run does; return what dvc.lock then holds."""
    fingerprints.refresh(root)
    digest = hashlib.md5((root / TEN).read_bytes()).hexdigest()
    (root / "dvc.lock").write_text(f"md5: {digest}\n")
    return digest


def test_only_what_changed_is_written(root: Path) -> None:
    save(root, "z = 3", name="20-b")
    assert fingerprints.refresh(root) == [TEN, FINGERPRINTS / "20-b.txt"]
    before = (root / TEN).stat().st_mtime_ns
    save(root, "z = 4", name="20-b")
    assert fingerprints.refresh(root) == [FINGERPRINTS / "20-b.txt"]
    assert (root / TEN).stat().st_mtime_ns == before


def test_running_with_the_kernel_that_is_offered_elsewhere_changes_no_fingerprint(
    root: Path,
) -> None:
    fingerprints.refresh(root)
    save(root, "import pkg.a", "x = 1", "y = 2", kernel="nb-my-data")
    assert fingerprints.refresh(root) == []


def test_the_fingerprint_of_a_removed_notebook_goes(root: Path) -> None:
    fingerprints.refresh(root)
    (root / "notebooks" / "production" / "10-a.ipynb").unlink()
    assert fingerprints.refresh(root) == []
    assert not (root / TEN).exists()


def test_a_broken_notebook_is_named_and_the_others_have_their_fingerprints(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twenty = root / "notebooks" / "production" / "20-b.ipynb"
    twenty.write_bytes((root / "notebooks" / "production" / "10-a.ipynb").read_bytes())
    fingerprints.refresh(root)
    broken = fingerprints.FINGERPRINTS / "20-b.txt"
    before = hashlib.md5((root / broken).read_bytes()).hexdigest()
    save(root, "changed")
    twenty.write_text("<<<<<<< ours")
    assert set(fingerprints.refresh(root)) == {TEN, broken}
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("nb: notebooks/production/20-b.ipynb is not valid JSON")
    # Its stage is stale, and says why.
    (reason,) = fingerprints.explain(root, broken, before)
    assert reason == line.removeprefix("nb: ")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["import pkg.a", "x = 10", "y = 2"], ["code cell 2 changed"]),
        (["import pkg.a", "x = 1", "new = 0", "y = 2"], ["code cell 3 was added"]),
        (["import pkg.a", "y = 2"], ["1 code cell was removed"]),
        (["import pkg.a"], ["2 code cells were removed"]),
        (
            ["x = 1", "y = 2"],
            [
                "1 code cell was removed",
                "src/pkg/__init__.py is no longer imported",
                "src/pkg/a.py is no longer imported",
            ],
        ),
    ],
)
def test_a_change_is_explained_cell_by_cell(root: Path, cells: list[str], words: list[str]) -> None:
    digest = record(root)
    save(root, *cells)
    fingerprints.refresh(root)
    assert fingerprints.explain(root, TEN, digest) == words


@pytest.mark.parametrize("line", ["# modules", "# module x y", "# %% code cell"])
def test_source_that_looks_like_a_header_is_source(root: Path, line: str) -> None:
    digest = record(root)
    save(root, "import pkg.a", f"x = 1\n{line}", "y = 2")
    fingerprints.refresh(root)
    assert fingerprints.explain(root, TEN, digest) == ["code cell 2 changed"]


def test_a_changed_module_is_named(root: Path) -> None:
    digest = record(root)
    (root / "src" / "pkg" / "a.py").write_text("A = 2\n")
    fingerprints.refresh(root)
    assert fingerprints.explain(root, TEN, digest) == ["src/pkg/a.py changed"]


def test_a_changed_kernel_is_named(root: Path) -> None:
    digest = record(root)
    save(root, "import pkg.a", "x = 1", "y = 2", kernel="other")
    fingerprints.refresh(root)
    assert fingerprints.explain(root, TEN, digest) == ["its kernel changed"]


def test_a_state_never_seen_here_is_said_to_have_changed(root: Path) -> None:
    fingerprints.refresh(root)
    assert fingerprints.explain(root, TEN, "0" * 32) == [
        "its code, or a module that it imports, changed"
    ]


def test_only_the_states_that_may_be_asked_for_are_kept(root: Path) -> None:
    digest = record(root)
    for value in range(5):
        save(root, f"x = {value}")
        fingerprints.refresh(root)
    current = hashlib.md5((root / TEN).read_bytes()).hexdigest()
    kept = {path.stem for path in (root / fingerprints.HISTORY).iterdir()}
    assert kept == {digest, current}


def test_the_longest_name_of_a_notebook_has_a_fingerprint(root: Path) -> None:
    longest = "n" * (255 - len(".ipynb"))
    save(root, "x = 1", name=longest)
    assert FINGERPRINTS / f"{longest}.txt" in fingerprints.refresh(root)
    assert {path.suffix for path in (root / FINGERPRINTS).iterdir()} == {".txt"}


def test_a_lock_file_that_is_no_text_names_no_fingerprint(root: Path) -> None:
    (root / "dvc.lock").write_bytes(b"\xff\xfe")
    assert fingerprints.refresh(root)
