"""Wiring of a clone: looking whether anything is missing costs a few starts of Git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from nb.git import wiring
from nb.git.command import git_dir
from nb.run import record

# A start of Git takes as long as importing a tenth of the command line.
MOST_STARTS = 3
PERSON = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null")


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the list to which each start of a program is added from now on."""
    found: list[object] = []
    run = subprocess.run

    def counted(words: object, **options: object) -> object:
        found.append(words)
        return run(words, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", counted)
    return found


def git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *PERSON, *words], cwd=root, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / ".pre-commit-config.yaml").touch()
    assert wiring.wire(tmp_path)
    return tmp_path


def test_a_wired_clone_is_looked_at_with_few_starts_of_git(
    clone: Path, starts: list[object]
) -> None:
    assert wiring.heal(clone) == []
    assert 0 < len(starts) <= MOST_STARTS


def test_a_linked_worktree_has_the_wiring_of_the_clone(clone: Path) -> None:
    git(clone, "commit", "--allow-empty", "--message", "first")
    linked = clone / "linked"
    git(clone, "worktree", "add", str(linked))
    (linked / ".pre-commit-config.yaml").touch()
    assert git_dir(linked).resolve() == (clone / ".git").resolve()
    assert wiring.heal(linked) == []
    (clone / ".git/hooks/pre-push").unlink()
    assert wiring.heal(linked) == ["installed the pre-push hook"]
    assert wiring.missing_hooks(clone) == []


def test_the_state_of_a_project_is_read_with_one_start_of_git(
    clone: Path, starts: list[object]
) -> None:
    def state() -> tuple[str | None, bool | None]:
        starts.clear()
        made = record.new_record(clone, record.Options(), 1)
        assert len(starts) == 1
        return made.commit, made.dirty

    assert state() == (None, None)
    (clone / "a").write_text("1")
    git(clone, "add", "a")
    git(clone, "commit", "--message", "first")
    commit = git(clone, "rev-parse", "HEAD")
    assert state() == (commit, False)
    (clone / "untracked").touch()
    assert state() == (commit, False)
    (clone / "a").write_text("22")
    assert state() == (commit, True)


def test_an_older_git_without_scopes_finds_the_wiring(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.which("git")
    programs = tmp_path / "programs"
    programs.mkdir()
    older = programs / "git"
    older.write_text(f'#!/bin/sh\ncase "$*" in *--show-scope*) exit 129;; esac\nexec {own} "$@"\n')
    older.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    assert wiring.missing_wiring(clone) == []
    assert wiring.heal(clone) == []
    git(clone, "config", "--unset", "filter.nbstripout.clean")
    assert wiring.missing_wiring(clone)
