"""Entries of the run cache: torn and unfinished files are no results; seen without DVC."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from nb.pipeline import run_cache

KEY, VALUE, DRAFT = "a" * 64, "b" * 64, "tmp1a2b3c"


@dataclass
class Cache:
    """The run cache of a project, as far as entries are read."""

    folder: Path

    def _get_cache_path(self, key: str, value: str) -> str:
        return str(self.folder / value)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run cache that holds a torn entry and a draft."""
    monkeypatch.setattr(run_cache, "_read", lambda path, key, value: None)
    for name in (VALUE, DRAFT):
        (tmp_path / name).write_text("cmd: pyth", encoding="utf-8")
    return Cache(tmp_path)


def test_a_torn_entry_is_removed(cache: Any) -> None:
    assert run_cache._load_entry(cache, KEY, VALUE) is None
    assert [path.name for path in cache.folder.iterdir()] == [DRAFT]


def test_a_torn_entry_of_a_cache_that_is_read_only_is_passed_over(
    cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    assert run_cache._load_entry(cache, KEY, VALUE) is None


def test_the_draft_of_an_entry_is_no_entry_and_stays(cache: Any) -> None:
    assert run_cache._load_entry(cache, KEY, DRAFT) is None
    assert (cache.folder / DRAFT).exists()


def test_the_newest_entry_comes_first(tmp_path: Path) -> None:
    for seconds, name in enumerate(("b", "c", "a")):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    assert list(run_cache._newest_first(tmp_path)) == ["a", "c", "b"]
    assert list(run_cache._newest_first(tmp_path / "nothing")) == []
