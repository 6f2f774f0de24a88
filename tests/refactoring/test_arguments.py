"""Constants that functions use become arguments, where every call is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.notebook.file import parse_cells
from nb.refactoring.arguments import with_arguments

from tests.cells import notebook


def changed(*sources: str) -> list[str]:
    file = parse_cells(Path("a.ipynb"), notebook(*sources))
    return [cell.source for cell in with_arguments(file, lambda constant: True).cells]


USE = "def f(x):\n    return x > LIMIT"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            ["LIMIT = 2", USE, "f(f(1))"],
            [
                "LIMIT = 2",
                "def f(x, limit):\n    return x > limit",
                "f(f(1, limit=LIMIT), limit=LIMIT)",
            ],
        ),
        (
            ["A = 1\nB = 2", "def f():\n    return A + B", "f()"],
            ["A = 1\nB = 2", "def f(a, b):\n    return a + b", "f(a=A, b=B)"],
        ),
        (
            ["A = 1", "def f(ä: int = 3,) -> int:\n    return ä + A", "'ä', f(ä=2,)"],
            ["A = 1", "def f(ä: int = 3,*, a) -> int:\n    return ä + a", "'ä', f(ä=2,a=A)"],
        ),
    ],
)
def test_a_constant_is_handed_over(cells: list[str], expected: list[str]) -> None:
    assert changed(*cells) == expected


@pytest.mark.parametrize(
    "cells",
    [
        ["LIMIT = 2", USE, "list(map(f, [1]))"],
        ["LIMIT = 2", USE, "def g():\n    return f(1)", "g()"],
        ["LIMIT = 2", USE, "f(*values)"],
        ["LIMIT = 2", USE, "print(f'{f(1)}')"],
        ["LIMIT = 2", "def f(x):\n    return f'{x} > {LIMIT}'", "f(1)"],
        ["LIMIT = 2", USE, "%timeit f(1)"],
        ["LIMIT = 2", USE, "%%bash\necho f"],
        ["LIMIT = 2", "def f(limit):\n    return limit > LIMIT", "f(1)"],
        ["LIMIT = 2", "def f(x=LIMIT):\n    return x > LIMIT", "f()"],
        ["LIMIT = 2", "def f():\n    LIMIT = 3\n    return LIMIT", "f()"],
        ["LIMIT = 2", "@cache\ndef f(x):\n    return x > LIMIT", "f(1)"],
        ["LIMIT = 2", "LIMIT = 3", USE, "f(1)"],
        ["limit = 2", "def f(x):\n    return x > limit", "def limit():\n    pass", "f(1)"],
    ],
)
def test_a_function_stays_where_a_call_may_be_out_of_sight(cells: list[str]) -> None:
    assert changed(*cells) == cells
