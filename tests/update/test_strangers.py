"""`nb update` of projects in states that nobody planned: nothing of theirs is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from test_update import Project, Source, laid, project, second, source

__all__ = ["laid", "project", "source"]  # fixtures


@pytest.mark.parametrize("name", ["docs/new.md", "docs/new.md/own.txt"])
@pytest.mark.parametrize("ignored", ["/docs/", "/docs/new.md", "none"])
def test_a_file_that_git_does_not_track_is_not_overwritten(
    source: Source, project: Project, name: str, ignored: str
) -> None:
    """Git overwrites ignored files in a merge."""
    second(source)
    project.write(**{".gitignore": f"/.nb/\n{ignored}\n"})
    project.commit()
    project.write(**{name: "mine\n"})
    before = project.state()
    said = project.nb("update", code=1)
    assert "docs/new.md" in said and "nothing is changed" in said
    assert project.read(name) == "mine\n"
    assert project.state() == before
    assert not (project.path / ".git" / "nb-update.json").exists()


def test_tools_that_git_does_not_track_are_not_overwritten(
    source: Source, project: Project
) -> None:
    second(source)
    project.git("rm", "-rq", "--cached", "tools")
    project.write(**{".gitignore": "/.nb/\n/tools/\n"})
    project.commit()
    project.edit("tools/nb/core.py", "1", "1  # mine")
    assert "tools/nb/core.py" in project.nb("update", code=1)
    assert "# mine" in project.read("tools/nb/core.py")


def test_a_commit_that_git_cannot_sign_is_refused(source: Source, project: Project) -> None:
    second(source)
    project.git("config", "commit.gpgsign", "true")
    project.git("config", "gpg.program", "false")
    before = project.state()
    said = project.nb("update", code=1)
    assert "failed to sign" in said and "nothing is changed" in said
    assert project.state() == before
    assert not (project.path / ".git" / "nb-update.json").exists()


def test_updates_in_two_branches_merge(source: Source, project: Project) -> None:
    second(source)
    project.git("branch", "other")
    for branch, name, old in (("-", "Makefile", "one"), ("other", "README.md", "first")):
        if branch != "-":
            project.git("checkout", "--quiet", branch)
        project.edit(name, old, f"{old} --mine")
        project.commit()
        project.nb("update", "--no-checks")
    project.git("merge", "--quiet", "--message", "both", "-")
    assert "one --mine" in project.read("Makefile") and "first --mine" in project.read("README.md")
    assert "up to date" in project.nb("update")


def test_a_project_that_moved_into_a_folder_is_updated_there(
    source: Source, project: Project
) -> None:
    second(source)
    moved = Project(project.path / "services" / "a")
    moved.path.mkdir(parents=True)
    for path in set(project.path.iterdir()) - {project.path / ".git", project.path / "services"}:
        shutil.move(path, moved.path / path.name)
    moved.edit("Makefile", "one", "one --mine")
    project.commit()
    moved.nb("update", "--no-checks", "--template", str(source.path))
    assert "one --mine" in moved.read("Makefile") and "--better" in moved.read("Makefile")
    assert moved.state()[1] == "" and not (project.path / "Makefile").exists()


@pytest.mark.parametrize("kind", ["detached", "worktree", "shallow"])
def test_a_clone_of_any_kind_is_updated(
    source: Source, project: Project, kind: str, tmp_path: Path
) -> None:
    second(source)
    project.edit("Makefile", "one", "one --mine")
    project.commit()
    clone = Project(tmp_path / "clone")
    if kind == "detached":
        clone = project
        project.git("checkout", "--quiet", "--detach")
    elif kind == "worktree":
        project.git("worktree", "add", "--quiet", str(clone.path))
    else:
        command = ["git", "clone", "--quiet", "--depth", "1", f"file://{project.path}", clone.path]
        subprocess.run(command, check=True)
    clone.nb("update", "--no-checks")
    assert clone.state()[1] == "" and "one --mine" in clone.read("Makefile")


def test_a_branch_without_commits_is_refused(source: Source, project: Project) -> None:
    second(source)
    project.git("checkout", "--quiet", "--orphan", "new")
    assert "nothing is committed yet" in project.nb("update", code=1)


@pytest.mark.parametrize("has_news", [True, False])
def test_the_new_address_of_a_template_is_recorded(
    source: Source, project: Project, tmp_path: Path, has_news: bool
) -> None:
    if has_news:
        second(source)
    place = tmp_path / "elsewhere"
    source.path.rename(place)
    before = project.state()
    assert "nb update --template" in project.nb("update", code=1)
    assert project.state() == before
    project.nb("update", "--no-checks", "--template", str(place))
    assert json.loads(project.read(".cruft.json"))["template"] == str(place)
    assert "up to date" in project.nb("update")


def test_a_file_that_the_project_renamed_gets_the_changes(source: Source, project: Project) -> None:
    source.edit(source.file("src/lib.py"), "return 3", "return 33")
    source.release("1.1")
    project.git("mv", "src/lib.py", "src/mine.py")
    project.edit("src/mine.py", "return 7", "return 77")
    project.commit()
    project.nb("update", "--no-checks")
    assert "return 33" in project.read("src/mine.py") and "return 77" in project.read("src/mine.py")


def test_a_project_that_lost_its_tools_is_told_how_to_get_them(project: Project) -> None:
    project.write(**{"dvc.yaml": "stages: {}\n"})
    shutil.rmtree(project.path / "tools")
    assert "git checkout HEAD -- tools" in project.nb("status", code=2)
