"""Output of stages: each kind of secret is removed from lines, whatever lines come with it."""

from __future__ import annotations

import pytest
from nb.run import record

from tests.secret_kinds import KINDS

ORDINARY = "epoch 17/100: loss 0.1234"


@pytest.mark.parametrize("kind", KINDS)
def test_lines_that_come_together_lose_each_kind_of_secret(kind: str) -> None:
    text, secret = KINDS[kind]
    lines = [ORDINARY, *text.splitlines(), ORDINARY]
    found = record.without_secrets(lines)
    assert (found[0], found[-1], len(found)) == (ORDINARY, ORDINARY, len(lines))
    assert secret not in "\n".join(found)


def test_lines_without_a_secret_are_what_they_were() -> None:
    assert record.without_secrets([]) == []
    assert record.without_secrets([ORDINARY, ""]) == [ORDINARY, ""]


def test_lines_that_come_together_are_searched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []

    class Mask:
        def lines(self, lines: list[str]) -> list[str]:
            searched.append("\n".join(lines))
            return lines

    monkeypatch.setattr(record, "_mask", Mask)
    record.without_secrets([ORDINARY] * 3)
    assert searched == ["\n".join([ORDINARY] * 3)]
