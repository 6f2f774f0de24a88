"""`nb update` amid other work of Git, broken off or taken back: no change of a person is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.project import NbError
from nb.update.merging import fast_forward
from nb.update.pending import PendingWork, update_lock
from nb.update.provenance import public_address
from test_update import Project, Repository, Source, laid, project, second, source

import template_answers

__all__ = ["laid", "project", "source"]  # fixtures

PLACES = ("http://", "https://", "ssh://", "git@", "/folder/", "file://", "../")


def in_conflict(source: Source, project: Project) -> None:
    """Leave an update in conflict."""
    project.edit("Makefile", "two", "two --mine")
    project.write(**{"own.txt": "mine\n"})
    project.commit()
    second(source)
    project.nb("update", code=1)


def kept_patch(project: Project) -> str:
    (patch,) = (project.path / ".nb" / "put-back").iterdir()
    return patch.read_text(encoding="utf-8")


def test_abort_leaves_other_files_alone_and_keeps_resolved_conflicts(
    source: Source, project: Project
) -> None:
    in_conflict(source, project)
    project.write(**{"own.txt": "mine\nedited meanwhile\n", "Makefile": "resolved with pains\n"})
    project.git("add", "Makefile")
    said = project.nb("update", "--abort")
    assert ".nb/put-back/" in said
    assert project.state()[1] == " M own.txt\n"
    assert "edited meanwhile" in project.read("own.txt")
    assert "two --mine" in project.read("Makefile")
    assert "+resolved with pains" in kept_patch(project)


def test_abort_takes_back_files_of_the_update_that_were_edited_since(
    source: Source, project: Project
) -> None:
    in_conflict(source, project)
    project.write(**{"README.md": "words of mine\n"})  # merged without a conflict
    project.nb("update", "--abort")
    assert project.state()[1] == ""
    assert "+words of mine" in kept_patch(project)


def test_work_after_an_update_that_was_ended_with_git_is_kept(
    source: Source, project: Project
) -> None:
    in_conflict(source, project)
    project.git("cherry-pick", "--abort")
    project.edit("README.md", "first", "words of mine")
    assert ".nb/put-back/" in project.nb("update", code=1)
    assert "+words of mine" in kept_patch(project)


def test_an_update_that_cannot_be_put_back_names_the_cause_and_the_way(
    source: Source, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where Git can write neither the new files nor the old."""
    second(source)
    script = tmp_path / "programs" / "git"
    script.parent.mkdir()
    script.write_text(
        '#!/bin/sh\ncase "$*" in *cherry-pick*|*reset*) echo no space >&2; exit 128;; esac\n'
        f'PATH="{os.environ["PATH"]}" exec git "$@"\n'
    )
    script.chmod(0o755)
    before = project.state()
    with monkeypatch.context() as patched:
        patched.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
        said = project.nb("update", code=1)
    assert "no space" in said and "remove the cause, then: nb update --abort" in said
    project.nb("update", "--abort")
    assert project.state() == before


OTHER_WORK = {
    "a merge": ("merge", "side"),
    "a rebase": ("rebase", "side"),
    "a cherry-pick": ("cherry-pick", "side"),
    "a bisection": ("bisect", "start"),
}


@pytest.mark.parametrize(("work", "command"), OTHER_WORK.items(), ids=OTHER_WORK)
def test_other_work_of_git_is_finished_first(
    source: Source, project: Project, work: str, command: tuple[str, ...]
) -> None:
    second(source)
    project.git("branch", "side")
    for branch in ("-", "side"):
        if branch == "side":
            project.git("checkout", "--quiet", branch)
        project.write(**{"Makefile": f"{branch}\n"})
        project.commit()
    project.git("checkout", "--quiet", "-")
    if command[0] == "bisect":
        project.git(*command)
    else:
        with pytest.raises(AssertionError):  # in conflict
            project.git(*command)
    before = project.state()
    assert f"{work} is not finished" in project.nb("update", code=1)
    assert project.state() == before


def test_marks_left_in_a_notebook_are_refused(source: Source, project: Project) -> None:
    """The marks stand in the text of a cell, which is quoted and indented in the file."""
    attributes = "*.ipynb filter=nbstripout\n"
    in_conflict(source, project)
    project.write(Makefile="resolved\n")
    project.write(**{".gitattributes": attributes, "a.ipynb": notebook("<<<<<<< ours\nx = 1")})
    project.git("add", ".")
    assert "a.ipynb: code cell 1 holds a merge conflict" in project.nb(
        "update", "--continue", code=1
    )
    project.write(**{"a.ipynb": notebook("x = 1")})
    project.git("add", ".")
    project.nb("update", "--continue")
    assert project.state()[1] == ""


def notebook(code: str) -> str:
    cell = {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": []}
    cells = [{**cell, "source": code.splitlines(keepends=True)}]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1) + "\n"


def test_an_answer_that_is_no_longer_asked_is_named(source: Source, project: Project) -> None:
    source.release("1.1", {"project_name": "A", "project_slug": "a", "big": False})
    assert "question that is gone: color = red" in project.nb("update")
    assert "color" not in project.read(".cruft.json")


def test_no_password_of_the_template_is_recorded_or_shown(
    source: Source, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://somebody:secret-word@example.org:8443/template.git"
    said = project.nb("update", "--template", address.replace("example.org", "localhost"), code=1)
    assert "https://localhost:8443/template.git cannot be fetched" in said
    second(source)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{source.path}.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", address)
    said += project.nb("update", "--template", address)
    record = project.read(".cruft.json")
    assert json.loads(record)["template"] == "https://example.org:8443/template.git"
    assert "secret-word" not in said + record


@given(st.sampled_from(PLACES), st.text(":/@?#.ab1", max_size=20))
def test_addresses_are_recorded_as_the_template_records_them(place: str, rest: str) -> None:
    address = place + rest
    assert public_address(address) == template_answers._without_secrets(address)


@pytest.mark.parametrize("when", ["first", "last"])
def test_an_adoption_of_several_commits_overwrites_no_ignored_file(
    project: Project, tmp_path: Path, when: str
) -> None:
    base = project.state()[0]
    project.write(**{".git/info/exclude": "/look.txt\n", "look.txt": "mine\n"})
    clone = Repository(tmp_path / "clone")
    project.git("clone", "--quiet", str(project.path), str(clone.path))
    names = ["look.txt", "more.txt"] if when == "first" else ["more.txt", "look.txt"]
    for name in names:
        clone.write(**{name: "theirs\n"})
        commit = clone.commit()
    project.git("fetch", "--quiet", str(clone.path), "HEAD")
    with update_lock(project.path) as lock, pytest.raises(NbError, match=r"look\.txt is yours"):
        fast_forward(project.path, PendingWork(base, commit, work="adoption"), lock)
    assert project.read("look.txt") == "mine\n"
    assert project.state()[0] == base
