"""The lock files of the set-up: they fit pyproject.toml, or are made anew, or CI fails."""

import os
from pathlib import Path
from typing import Any

import bootstrap
import pytest

PROJECT = """[project]
name = "x"
version = "1"
requires-python = ">=3.11"
dependencies = [
    "psycopg[binary]",  # a comment
    "pandas",
]

[dependency-groups]
dev = ["pytest"]

[tool.ruff]
select = ["B"]
"""


class Commands(list[tuple[str, ...]]):
    """Commands instead of their runs."""

    def __call__(self, *command: Any, hint: str, **_: Any) -> None:
        self.append(tuple(map(str, command)))
        if "compile" in command:
            (bootstrap.ROOT / command[-1]).write_text("pandas==2.0 \\\n    --hash=sha256:0\n")


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A project whose set-up records what it would run."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "pyproject.toml").write_text("tools")
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "pip").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "pip").chmod(0o755)
    commands = Commands()
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "run", commands)
    monkeypatch.setattr(bootstrap, "find_uv", lambda: "uv")
    return commands


def compiled(commands: Commands) -> bool:
    """Install with pip; tell whether the lock file was made anew for it."""
    commands.clear()
    bootstrap.pip_install(bootstrap.ROOT / "pip")
    assert any("--require-hashes" in command for command in commands)
    unlocked = [c for c in commands if "install" in c and "--no-deps" not in c]
    assert [c[-1] for c in unlocked] == ["pip>=25.1"]
    return any("compile" in command for command in commands)


def test_what_pip_installs_is_locked_with_hashes(commands: Commands) -> None:
    assert compiled(commands)
    (made,) = (command for command in commands if "compile" in command)
    assert {"--generate-hashes", "--universal", "--group", "dev", "3.11"} <= set(made)
    assert not compiled(commands)


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ('"pandas"', '"pandas>2"', True),
        ('["pytest"]', '["pytest", "ruff"]', True),
        (">=3.11", ">=3.12", True),
        ('version = "1"', 'version = "2"', False),
        ('["B"]', '["B", "E"]', False),
    ],
)
def test_a_lock_file_is_stale_when_what_is_asked_for_changed(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, old: str, new: str, stale: bool
) -> None:
    compiled(commands)
    (bootstrap.ROOT / "pyproject.toml").write_text(PROJECT.replace(old, new))
    monkeypatch.setenv("UV_LOCKED", "1")
    if stale:
        with pytest.raises(SystemExit, match=r"requirements.lock does not fit pyproject.toml"):
            compiled(commands)
    monkeypatch.delenv("UV_LOCKED")
    assert compiled(commands) == stale


def test_in_ci_a_lock_file_must_be_there(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_LOCKED", "1")
    with pytest.raises(SystemExit, match="commit the lock file"):
        bootstrap.pip_install(bootstrap.ROOT / "pip")


def test_uv_asks_the_index_of_pip(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@example.org/simple")
    assert compiled(commands)
    assert os.environ["UV_DEFAULT_INDEX"] == "https://me:secret@example.org/simple"
    assert "secret" not in (bootstrap.ROOT / "requirements.lock").read_text()


@pytest.mark.parametrize("locked", [True, False])
def test_uv_takes_a_lock_file_as_it_is_in_ci(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    if locked:
        monkeypatch.setenv("UV_LOCKED", "1")
    bootstrap.with_uv()
    assert ("--locked" in commands[0]) == locked
