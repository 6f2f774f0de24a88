"""Files in the project and settings of a shell reach neither what only looks nor a commit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import Project
from test_git import Clone, commit, edit, execute, outputs, team

__all__ = ["team"]  # the fixture

LOOKS = (
    *("make", "make doctor", "make check", "make status", "nb run -n", "nb stages --json"),
    *("nb params", "nb metrics", "nb verify", "nb credentials", "nb duplicates", "nb fingerprint"),
    *("nb show notebooks/production/10-ingest.ipynb", "nb setup", "git diff", "git status"),
    *("git add --all", "nb sync status", "pre-commit run --all-files"),
)
# To ruff, libraries with the names of files in the project are parts of the project.
SKIP = {"SKIP": "lint"}


def spoil(project: Project) -> Path:
    """Write modules named like all others into the root; return where they note their import."""
    log = project.path.parent / "imported"
    (site,) = (project.path / ".venv" / "lib").glob("python*/site-packages")
    installed = {path.name.partition(".")[0] for path in site.iterdir()}
    for name in {"nb", "nb_start", *installed, *sys.stdlib_module_names}:
        if name.isidentifier() and not project.has(name):
            project.write(f"{name}.py", f"open({str(log)!r}, 'a').write({name!r} + ' ')\n")
    project.write(".git/info/exclude", ".venv\n/*.py\n")
    return log


def test_what_looks_and_commits_imports_nothing_from_the_project(
    team: Clone, ready: Project
) -> None:
    member = team("member")
    member.run("nb", "setup")
    (member.path / ".dvc" / "cache").symlink_to(ready.path / ".dvc" / "cache")
    member.run("dvc", "checkout", "--quiet")
    member.write(".venv/.ready", str(member.path))  # `make` makes no environment
    log = spoil(member)
    try:
        for command in LOOKS:
            member.run(*command.split(), **SKIP)
            assert not log.exists(), f"{command}: {log.read_text()}"
        edit(member, 0, "# a change")
        member.git("commit", "--all", "--message", "work", **SKIP)
        member.git("push", "--dry-run", code=None)  # the storage is empty
    finally:
        ready.write(".venv/.ready", str(ready.path))
    assert not log.exists(), log.read_text()


@pytest.mark.parametrize("name", ["nb", "click", "dvc", "yaml"])
def test_modules_on_pythonpath_hide_none_of_the_environment(
    team: Clone, tmp_path: Path, name: str
) -> None:
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{name}.py").write_text("raise SystemExit('imported')")
    member = team("member")
    path = {"PYTHONPATH": f"{tmp_path}/modules"}
    said = member.run("nb", "stages", **path)
    assert f"modules is left out, because its {name} would hide" in said
    member.run("nb", "setup", **path)
    edit(member, 0, "# a change")
    assert "imported" not in member.git("commit", "--all", "--message", "work", **path)


def test_another_repository_in_the_shell_is_not_looked_at(team: Clone, tmp_path: Path) -> None:
    member, other = team("member"), team("other")
    other.run("nb", "setup")
    before = (other.path / ".git" / "config").read_text()
    variables = {"GIT_DIR": f"{other.path}/.git", "GIT_WORK_TREE": str(other.path)}
    said = member.run("nb", "setup", **variables)
    assert "connected Git's filter" in said
    assert "installed the pre-commit and pre-push hooks" in said
    assert (other.path / ".git" / "config").read_text() == before
    other.write("README.md", "changed")
    member.run("nb", "verify", **variables)
    assert member.git("status", "--short") == ""


@pytest.mark.parametrize("again", [["nb", "setup"], ["nb", "doctor", "--fix"], ["nb", "status"]])
def test_commits_are_possible_after_pre_commit_install(team: Clone, again: list[str]) -> None:
    member = team("member")
    member.run("nb", "setup")
    member.run("pre-commit", "install")
    edit(member, 0, "# after pre-commit install")
    assert "nb setup puts it back" in commit(member)
    member.run(*again, code=None)
    assert not member.has(".git/hooks/pre-commit.legacy")
    edit(member, 0, "# after it was put back")
    member.git("add", "--all")
    execute(member)
    assert "nb setup" not in member.git("commit", "--message", "work")
    assert all(outputs(member))


def test_hooks_of_a_person_are_kept_whatever_is_installed(team: Clone) -> None:
    member = team("member")
    hooks = member.path / ".git" / "hooks"
    for name, says in (("pre-commit.legacy", "first"), ("pre-commit", "my own pre-commit checks")):
        (hooks / name).write_text(f"#!/bin/sh\necho {says}\n")
        (hooks / name).chmod(0o755)
    member.run("nb", "setup")
    assert "echo first" in (hooks / "pre-commit.legacy.1").read_text()
    edit(member, 0, "# a change")
    assert "my own pre-commit checks" in commit(member)


def test_a_hook_that_is_a_link_is_replaced_and_not_written_through(
    team: Clone, tmp_path: Path
) -> None:
    member = team("member")
    theirs = tmp_path / "their-hook"
    theirs.write_text("#!/bin/sh\n# File generated by pre-commit: https://pre-commit.com\n")
    (member.path / ".git" / "hooks" / "pre-commit").symlink_to(theirs)
    (member.path / ".git" / "hooks" / "pre-push").symlink_to(tmp_path / "nothing")
    member.run("nb", "setup")
    assert "generated by pre-commit" in theirs.read_text()
    assert not (tmp_path / "nothing").exists()
