"""Files that Git tracks, with their folders: an output among them would be refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nb.pipeline.loaded import tracked_paths

TRACKED = ("top", "a/b/c", "a/b/d", "a/b c/ü\n", "a/x")


@pytest.mark.parametrize("below", ["", "a"])
def test_folders_of_tracked_files_count_relative_to_the_folder(below: str, tmp_path: Path) -> None:
    for name in (*TRACKED, "a/not/here"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "--", *TRACKED], cwd=tmp_path, check=True)
    paths = [Path(name).relative_to(below) for name in TRACKED if name.startswith(below)]
    expected = {str(each) for path in paths for each in (path, *path.parents)} - {"."}
    assert tracked_paths(tmp_path / below) == expected


def test_a_repository_without_files_tracks_none(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert tracked_paths(tmp_path) == set()
