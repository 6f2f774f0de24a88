"""The notebook that `nb lab` opens."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from nb.commands.notebooks import notebook_at_work

OLD, NEW = "notebooks/production/10-a.ipynb", "notebooks/exploratory/01-al-bö.ipynb"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one notebook that is committed."""
    for name in (OLD, NEW, "reports/notebooks/10-a.ipynb"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / OLD).write_text("{}")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def change(path: Path, second: int) -> None:
    path.write_text("{ }")
    os.utime(path, (second, second))


def test_the_notebook_changed_last_is_opened(root: Path) -> None:
    change(root / NEW, 10)
    assert notebook_at_work(root) == root / NEW
    change(root / OLD, 20)
    assert notebook_at_work(root) == root / OLD
    change(root / "reports/notebooks/10-a.ipynb", 30)
    assert notebook_at_work(root) == root / OLD


def test_without_a_change_no_notebook_is_opened(root: Path) -> None:
    assert notebook_at_work(root) is None
    (root / OLD).unlink()
    assert notebook_at_work(root) is None


def test_without_git_no_notebook_is_opened(tmp_path: Path) -> None:
    assert notebook_at_work(tmp_path) is None
