"""Settings of a shell: which reach the project's programs, and which do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from nb.surroundings import (
    find_repository,
    forget_modules,
    forget_repository,
    project_prefix,
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A site-packages with the package `click` and the module `six`."""
    folder = tmp_path / "site-packages"
    (folder / "click").mkdir(parents=True)
    (folder / "click" / "__init__.py").touch()
    (folder / "six.py").touch()
    return folder


@pytest.mark.parametrize(
    ("files", "is_kept"),
    [
        (["helpers.py", "duckdb/__init__.py"], True),
        (
            ["click.md", "six/data.csv", "sitecustomize.py"],
            True,
        ),  # a folder without code hides none
        (["nb.py"], False),
        (["nb/__init__.py"], False),
        (["click.py"], False),
        (["six.cpython-311-x86_64-linux-gnu.so"], False),
        (["helpers.py", "token.py"], False),
    ],
)
def test_folders_on_pythonpath_that_hide_modules_are_left_out(
    tmp_path: Path,
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: list[str],
    is_kept: bool,
) -> None:
    folder, other = tmp_path / "mine", tmp_path / "other"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    monkeypatch.setattr(sys, "path", [str(folder), str(other), str(installed)])
    environment = {"PYTHONPATH": f"{folder}{os.pathsep}{other}"}
    said = forget_modules(environment, installed)
    kept = [str(folder), str(other)] if is_kept else [str(other)]
    assert environment["PYTHONPATH"] == os.pathsep.join(kept)
    assert sys.path == [*kept, str(installed)]
    assert len(said) == (not is_kept)
    assert all(str(folder) in sentence for sentence in said)


def test_an_empty_entry_stands_for_the_working_directory(
    tmp_path: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(installed)])
    (tmp_path / "click.py").touch()
    environment = {"PYTHONPATH": f"{os.pathsep}/none"}
    assert "its click would hide" in forget_modules(environment, installed)[0]
    assert environment["PYTHONPATH"] == "/none"
    assert sys.path == [str(installed)]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository, and the working directory in it."""
    folder = tmp_path / "project"
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    monkeypatch.chdir(folder)
    return folder


HOOK = {"GIT_EXEC_PATH": "/usr/lib/git-core", "GIT_PREFIX": ""}


@pytest.mark.parametrize(
    ("variables", "is_kept"),
    [
        ({**HOOK, "GIT_DIR": ".git", "GIT_INDEX_FILE": ".git/index"}, True),
        ({**HOOK, "GIT_INDEX_FILE": "/elsewhere/an-index-for-this-commit"}, True),
        ({**HOOK, "GIT_DIR": ".git", "GIT_WORK_TREE": "."}, True),
        ({**HOOK, "GIT_DIR": "/other/.git", "GIT_INDEX_FILE": "/other/.git/index"}, False),
        ({**HOOK, "GIT_DIR": ".git", "GIT_WORK_TREE": "/other"}, False),
        ({"GIT_DIR": "/other/.git"}, False),
        ({"GIT_WORK_TREE": "/other"}, False),
        ({"GIT_INDEX_FILE": "/other/.git/index"}, False),
        ({"GIT_OBJECT_DIRECTORY": "/other"}, False),
    ],
)
def test_another_repository_is_forgotten_and_that_of_a_hook_is_kept(
    root: Path, variables: dict[str, str], is_kept: bool
) -> None:
    environment = {"GIT_CONFIG_COUNT": "0", "GIT_AUTHOR_NAME": "A", **variables}
    before = dict(environment)
    forget_repository(environment, root)
    names = set(variables) - {"GIT_EXEC_PATH"}
    assert environment == (before if is_kept else {k: before[k] for k in before.keys() - names})


def test_the_hook_of_a_linked_worktree_keeps_its_repository(root: Path, tmp_path: Path) -> None:
    run = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*run, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    subprocess.run(["git", "worktree", "add", "--quiet", str(tmp_path / "side")], check=True)
    environment = {**HOOK, "GIT_DIR": str(root / ".git" / "worktrees" / "side")}
    before = dict(environment)
    forget_repository(environment, tmp_path / "side")
    assert environment == before


def test_the_hook_of_a_project_in_a_folder_keeps_its_repository(root: Path) -> None:
    inner = root / "services" / "a"
    inner.mkdir(parents=True)
    index = str(root / ".git" / "next-index-1.lock")
    variables = {"GIT_DIR": str(root / ".git"), "GIT_WORK_TREE": str(root), "GIT_INDEX_FILE": index}
    environment = {**HOOK, **variables}
    forget_repository(environment, inner)
    assert environment == {**HOOK, **variables}
    environment["GIT_WORK_TREE"] = str(inner)
    forget_repository(environment, inner)
    assert "GIT_INDEX_FILE" not in environment


def test_a_project_in_a_repository_is_seen_unless_that_ignores_it(
    root: Path, tmp_path: Path
) -> None:
    assert find_repository(root) == root
    assert project_prefix(root) == ""
    inner = root / "services" / "inner"
    inner.mkdir(parents=True)
    assert find_repository(inner) == root
    assert project_prefix(inner) == "services/inner/"
    (root / ".gitignore").write_text("inner\n")
    assert find_repository(inner) is None
    assert project_prefix(inner) == ""
    assert find_repository(tmp_path) is None


def test_without_git_no_repository_above_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_repository(tmp_path) is None
    assert project_prefix(tmp_path) == ""
    environment = {"GIT_DIR": "/other/.git"}
    forget_repository(environment, tmp_path)
    assert environment == {}
