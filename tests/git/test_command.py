"""Git commands run in the project: clones, and the cause of a failure in a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from nb.git.command import clone_repository, git

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for ssh is a shell script")


def test_a_clone_that_succeeds_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "origin").mkdir()
    git(tmp_path / "origin", "init", "--quiet")
    assert clone_repository("origin", tmp_path / "clone", cwd=tmp_path) == ""
    assert (tmp_path / "clone" / ".git").is_dir()


@POSIX
def test_a_clone_that_fails_says_the_cause_and_not_gits_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ["Warning: Permanently added 'host' to the list of known hosts.", "ERROR: no such thing"]
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\n" + "".join(f'echo "{line}" >&2\n' for line in said) + "exit 1\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", os.fspath(ssh))
    cause = clone_repository("git@host:a/b.git", tmp_path / "clone", cwd=tmp_path)
    assert cause == "ERROR: no such thing"
