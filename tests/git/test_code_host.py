"""Addresses on the code host, from remotes as people have them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.git.code_host import find_code_host, parse_remote

REMOTES = {
    "git@github.com:org/repo.git": "https://github.com/org/repo/blob/HEAD/a%20b.ipynb",
    "https://person:secret@github.com/org/repo.git": "https://github.com/org/repo/blob/HEAD/a%20b.ipynb",
    "ssh://git@github.company.org:2222/org/repo": "https://github.company.org/org/repo/blob/HEAD/"
    "a%20b.ipynb",
    "git@gitlab.com:group/sub/repo.git": "https://gitlab.com/group/sub/repo/-/blob/HEAD/a%20b.ipynb",
    "https://bitbucket.org/team/repo.git": "https://bitbucket.org/team/repo/src/HEAD/a%20b.ipynb",
    "git@ssh.dev.azure.com:v3/company/project/repo": "https://dev.azure.com/company/project/_git/repo"
    "?path=/a%20b.ipynb",
    "https://company@dev.azure.com/company/my%20project/_git/repo": "https://dev.azure.com/company/"
    "my%20project/_git/repo?path=/a%20b.ipynb",
}


@pytest.mark.parametrize("remote", REMOTES)
def test_a_notebook_has_an_address_on_the_code_host(remote: str) -> None:
    host = parse_remote(remote)
    assert host and host.file("a b.ipynb") == REMOTES[remote]
    assert "secret" not in host.address


def test_a_commit_has_an_address_on_each_host() -> None:
    paths = {"github": "/commit/", "gitlab": "/-/commit/", "bitbucket": "/commits/"}
    for kind, path in paths.items():
        host = parse_remote(f"https://{kind}.example.org/org/repo.git")
        assert host and host.commit("abc") == f"https://{kind}.example.org/org/repo{path}abc"


@pytest.mark.parametrize(
    "remote",
    [
        *("", "/srv/git/repo", "../github.com/repo", "file:///github.com/x", "C:\\github\\x"),
        *("https://example.org/org/repo", "https://notgithub.com/org/repo", "git@github.com:"),
        *("javascript://github.com/%0aalert(1)", 'https://github.com"onclick=x/org/repo'),
    ],
)
def test_other_remotes_have_none(remote: str) -> None:
    assert parse_remote(remote) is None


@given(st.text())
def test_any_remote_gives_a_web_address_or_none(text: str) -> None:
    for remote in (text, f"https://{text}/org/repo", f"git@github.com:{text}"):
        host = parse_remote(remote)
        assert host is None or host.address.startswith("https://")
        assert host is None or not set('"<> ') & set(host.commit("a"))


def test_the_folder_of_the_project_is_part_of_the_address(tmp_path: Path) -> None:
    project = tmp_path / "team" / "project"
    project.mkdir(parents=True)
    assert find_code_host(project) is None
    for command in (["init", "--quiet"], ["remote", "add", "up", "git@gitlab.com:group/repo.git"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    host = find_code_host(project)
    assert host and host.file("x") == "https://gitlab.com/group/repo/-/blob/HEAD/team/project/x"
