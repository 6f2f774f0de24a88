"""Folders of kernels: those of killed processes go with the next kernel, all others stay."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from nb.execution.kernel_folder import KERNEL_LOCK, KERNEL_PREFIX, KernelFolder, remove_dead_folders

MAKE = """
from nb.execution.kernel_folder import KernelFolder
folder = KernelFolder()
print(folder.path, flush=True)
input()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def other_process(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Start a process that has a folder for a kernel; yield both."""
    command = [sys.executable, "-c", MAKE]
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process, Path(process.stdout.readline().strip())
        process.kill()


def test_the_folder_of_a_killed_process_goes_with_the_next_kernel(temporary: Path) -> None:
    with other_process(temporary) as (process, folder):
        remove_dead_folders()
        assert (folder / KERNEL_LOCK).exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (folder / KERNEL_LOCK).exists()
        own = KernelFolder()
        assert list(temporary.iterdir()) == [own.path]


def test_nothing_of_anybody_else_is_removed(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = temporary / "elsewhere"
    new, empty, link = (temporary / f"{KERNEL_PREFIX}{name}" for name in ("new", "empty", "link"))
    for folder in (elsewhere, new, empty):
        folder.mkdir()
    (elsewhere / KERNEL_LOCK).write_text("1\n")
    (new / KERNEL_LOCK).touch()
    link.symlink_to(elsewhere)
    remove_dead_folders()
    monkeypatch.setattr(os, "getuid", lambda: -1)
    others = temporary / f"{KERNEL_PREFIX}others"
    others.mkdir()
    (others / KERNEL_LOCK).write_text("1\n")
    remove_dead_folders()
    assert set(temporary.iterdir()) == {elsewhere, new, empty, link, others}
    assert (elsewhere / KERNEL_LOCK).exists()
