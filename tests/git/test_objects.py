"""Contents of Git's object store, and lists that Git ends with zero bytes."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nb.git.command import git, git_list
from nb.git.objects import read_blobs


def test_absent_paths_and_impossible_names_have_no_content(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    contents = {"a": b"one\n", "b c": b"", "ü": b"two\n\n10\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    git(tmp_path, "add", "--all")
    git(tmp_path, *identity, "commit", "--quiet", "-m", "all")
    names = {name: f"HEAD:{name}" for name in (*contents, "gone", "two words gone")}
    found = dict(read_blobs(tmp_path, {**names, "line\nbreak": "HEAD:line\nbreak"}))
    assert found == {**contents, "gone": b"", "two words gone": b""}


def test_a_list_holds_names_with_line_breaks_and_nothing_else(tmp_path: Path) -> None:
    assert git_list(tmp_path, "ls-files", "-z", check=False) == []
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert git_list(tmp_path, "ls-files", "-z") == []
    for name in ("a", "b\nc"):
        (tmp_path / name).touch()
    git(tmp_path, "add", "--all")
    assert git_list(tmp_path, "ls-files", "-z") == ["a", "b\nc"]
    (tmp_path / ".gitignore").write_text("a\n")
    options = ("--no-index", "--stdin", "-z")
    assert git_list(tmp_path, "check-ignore", *options, stdin=["a", "b\nc"], check=False) == ["a"]
