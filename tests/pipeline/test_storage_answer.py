"""How long a storage may take to answer, and which trouble has a second attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nb.pipeline.storage import ANSWER_SECONDS, TIMEOUT, answer_seconds, probe
from nb.pipeline.storage.trouble import explain_own_file
from nb.project import NbError

URL = "s3://bucket/path"


def in_turn(*answers: object) -> tuple[Callable[[], None], list[int]]:
    """Return a look at a storage that gives each answer once, and the list of looks."""
    left: Iterator[object] = iter(answers)
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        answer = next(left)
        if isinstance(answer, threading.Event):
            answer.wait(30)
        elif isinstance(answer, Exception):
            raise answer

    return look, looks


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """An answer that does not come before the test ends."""
    event = threading.Event()
    yield event
    event.set()


def test_a_storage_that_answers_is_asked_once() -> None:
    look, looks = in_turn(None)
    assert probe(look, URL, 30) is None
    assert looks == [1]


def test_who_does_not_answer_in_time_is_asked_again(never: threading.Event) -> None:
    look, looks = in_turn(never, None)
    assert probe(look, URL, 0.05) is None
    assert looks == [1, 1]


def test_a_late_first_answer_counts(never: threading.Event) -> None:
    asked_again = threading.Event()

    def look() -> None:
        if threading.current_thread() is first[0]:
            asked_again.wait(30)
        else:
            asked_again.set()
            never.wait(30)

    first: list[threading.Thread] = []

    def look_and_note() -> None:
        first.append(threading.current_thread())
        look()

    assert probe(look_and_note, URL, 1) is None


def test_a_lost_connection_is_tried_again() -> None:
    look, looks = in_turn(ConnectionResetError("reset"), None)
    assert probe(look, URL, 30) is None
    assert looks == [1, 1]


@pytest.mark.parametrize(
    "error",
    [PermissionError("no"), FileNotFoundError("no"), type("NoSuchBucket", (OSError,), {})()],
)
def test_what_does_not_pass_is_said_at_once(error: Exception) -> None:
    look, looks = in_turn(error, None)
    assert probe(look, URL, 30)
    assert looks == [1]


def test_who_never_answers_is_told_with_the_setting(never: threading.Event) -> None:
    look, looks = in_turn(never, never, None)
    trouble = probe(look, URL, 0.05)
    assert f"{URL} cannot be reached: no answer within 0.05 seconds ({TIMEOUT})" in str(trouble)
    assert looks == [1, 1]


def test_the_time_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TIMEOUT, raising=False)
    assert answer_seconds() == ANSWER_SECONDS
    monkeypatch.setenv(TIMEOUT, "2.5")
    assert answer_seconds() == 2.5


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(TIMEOUT, text)
    with pytest.raises(NbError, match=f"{TIMEOUT} is {text}; it must be"):
        answer_seconds()


@pytest.mark.parametrize(
    ("path", "url", "expected"),
    [
        (".dvc/tmp/lock", "s3://bucket", ".dvc/tmp/lock: Permission denied"),
        (".dvc/tmp/lock", "/storage", ".dvc/tmp/lock: Permission denied"),
        ("/storage/files/md5/aa", "/storage", ""),
        ("stored/files/md5/aa", "{root}/stored", ""),
    ],
)
def test_a_file_of_the_project_is_no_trouble_with_the_storage(
    path: str, url: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error = RuntimeError("files were not sent")
    error.__cause__ = PermissionError(13, "Permission denied", path)
    assert explain_own_file(tmp_path, url.format(root=tmp_path), error) == expected
