"""Two projects in folders of one repository: both are set up, run, committed and merged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Project
from test_git import FEATURES, edit, execute, outputs

FOLDERS = ("services/first one", "second")


@pytest.fixture(scope="module")
def repository(ready: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A repository with two copies of the project, wired and committed, of one environment."""
    top = Project(tmp_path_factory.mktemp("mono") / "repository")
    for folder in FOLDERS:
        path = top.path / folder
        ready.git("clone", "--quiet", str(ready.path), str(path))
        shutil.rmtree(path / ".git")
        (path / ".venv").symlink_to(ready.path / ".venv", target_is_directory=True)
    top.git("init", "--quiet", "-b", "main")
    top.write(".git/info/exclude", ".venv\n")
    top.write("README.md", "Everything.\n")
    for member in members(top):
        member.run("nb", "setup")
    top.git("add", "--all")
    top.git("commit", "--quiet", "--message", "two projects")
    yield top


def members(top: Project) -> list[Project]:
    return [Project(top.path / folder) for folder in FOLDERS]


def test_both_projects_are_wired_run_and_healthy(repository: Project) -> None:
    for member in members(repository):
        member.run("nb", "run", "--force")
        said = member.run("nb", "doctor", code=None)
        problems = [line for line in said.splitlines() if line.startswith("✗")]
        assert [p for p in problems if "Python" not in p] == [], said
        assert not (member.path / ".git").exists()
    assert repository.git("status", "--porcelain") == ""
    for member in members(repository):
        assert "Nothing to run" in member.run("nb", "run")


def test_a_commit_checks_the_project_that_it_touches(repository: Project) -> None:
    first, second = members(repository)
    with (second.path / FEATURES).open("a") as file:
        file.write(" ")
    execute(second)
    edit(first, -1, "undefined_name")
    repository.git("add", "--all")
    said = repository.git("commit", "--message", "bad", code=1)
    assert "F821 Undefined name `undefined_name`" in said
    assert outputs(second) == [True] * len(outputs(second))
    repository.git("reset", "--quiet", "--hard")
    # Partial commits have an index of their own, with a name that is relative to the top.
    first.write("README.md", first.read("README.md") + "\nMore.\n")
    second.write("README.md", second.read("README.md") + "\nMore.\n")
    repository.git("commit", "--quiet", "--message", "one", f"{FOLDERS[0]}/README.md")
    first.git("commit", "--quiet", "--all", "--message", "other")
    assert repository.git("status", "--porcelain") == ""


def test_outputs_are_stripped_and_kept_in_both(repository: Project) -> None:
    first, second = members(repository)
    for member in (first, second):
        execute(member)
        edit(member, -1, "total = 0")
    repository.git("add", FOLDERS[0])
    repository.git("commit", "--quiet", "--message", "first only")
    assert '"out 1' not in repository.git("show", f"HEAD:{FOLDERS[0]}/{FEATURES}")
    for member in (first, second):
        assert any(outputs(member))
    second.git("commit", "--quiet", "--all", "--message", "second")
    first.run("nb", "verify")
    second.run("nb", "sync", "checkout", "--quiet", "HEAD~1")
    assert any(outputs(first)) and any(outputs(second))
    second.run("nb", "sync", "checkout", "--quiet", "main")
    repository.git("reset", "--quiet", "--hard")


def test_locks_of_both_projects_merge_stage_by_stage(repository: Project) -> None:
    for member in members(repository):
        member.git("checkout", "--quiet", "-b", "theirs")
        lock = member.read("dvc.lock")
        for branch, stage in (("theirs", "evaluate"), ("main", "ingest")):
            member.git("checkout", "--quiet", branch)
            changed = lock.replace(f"  {stage}:\n    cmd: ", f"  {stage}:\n    cmd: X ")
            assert changed != lock
            member.write("dvc.lock", changed)
            member.git("commit", "--quiet", "--all", "--no-verify", "--message", branch)
        member.git("merge", "--quiet", "theirs", "--no-edit", "--no-verify")
        assert member.read("dvc.lock").count("cmd: X ") == 2
        member.git("reset", "--quiet", "--hard", "main~2")
        member.git("branch", "--quiet", "-D", "theirs")


def test_a_project_that_is_alone_at_the_top_has_the_plain_hook(ready: Project) -> None:
    assert "exec sh tools/in-env nb hook pre-commit" in ready.read(".git/hooks/pre-commit")


def test_a_storage_in_the_repository_is_not_seen_by_git(repository: Project) -> None:
    for member in members(repository):
        member.run("nb", "push")
    assert repository.git("status", "--porcelain") == ""
    assert Path(repository.path / "services" / "ready-storage").is_dir()
