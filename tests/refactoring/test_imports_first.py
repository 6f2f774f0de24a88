"""Imports of a notebook come together in the first code cell, and mean the same there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.notebook.file import parse_cells
from nb.refactoring.imports_first import with_imports_first

from tests.cells import notebook


def gathered(*sources: str) -> list[str]:
    file = parse_cells(Path("a.ipynb"), notebook(*sources))
    return [cell.source for cell in with_imports_first(file).cells]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["import a", "b()\nimport c", "d"], ["import a\nimport c", "b()", "d"]),
        (["import a\nf(a)", "import b"], ["import a\nimport b", "f(a)"]),
        (["x = 1\nimport a  # why"], ["import a  # why", "x = 1"]),
        (["import a", "# both\nimport b\n\nfrom c import (\n    d,\n)"], None),
        (["x", "from a import *"], ["x", "from a import *"]),
        (["x", "import a; y"], ["x", "import a; y"]),
        (["x", "import a, b"], ["import a, b", "x"]),
        (["a = 1", "import a"], ["a = 1", "import a"]),
        (["x", "from a import b", "from c import b"], ["x", "from a import b", "from c import b"]),
        (
            ["import sys\nsys.path.append('..')", "import mine"],
            ["import sys", "sys.path.append('..')", "import mine"],
        ),
        (["!pip install a", "import a"], ["!pip install a", "import a"]),
        (["%matplotlib inline\nimport a", "import b"], ["%matplotlib inline\nimport a\nimport b"]),
        (["x", "%%time\nimport a"], ["x", "%%time\nimport a"]),
        (
            ["x", "try:\n    import a\nexcept ImportError:\n    a = None"],
            ["x", "try:\n    import a\nexcept ImportError:\n    a = None"],
        ),
        (["x", "%%bash\nls", "import a"], ["import a", "x", "%%bash\nls"]),
        (["", "import a"], ["", "import a"]),
    ],
)
def test_imports_come_first(cells: list[str], expected: list[str] | None) -> None:
    expected = expected or ["import a\n# both\nimport b\n\nfrom c import (\n    d,\n)"]
    assert gathered(*cells) == expected


STATEMENTS = st.sampled_from(
    ["import a", "import b", "import a.c", "from d import b", "import e as f", "f(a)", "a = 2"]
)
CELLS = st.lists(st.lists(STATEMENTS, max_size=4).map("\n".join), min_size=1, max_size=5)


@given(CELLS)
def test_no_statement_is_lost_and_a_second_time_changes_nothing(cells: list[str]) -> None:
    once = gathered(*cells)
    assert gathered(*once) == once
    before, after = statements(cells), statements(once)
    assert sorted(map(ast.unparse, before)) == sorted(map(ast.unparse, after))
    assert [ast.unparse(node) for node in before if not is_import(node)] == [
        ast.unparse(node) for node in after if not is_import(node)
    ]


def statements(cells: list[str]) -> list[ast.stmt]:
    return ast.parse("\n".join(cells)).body


def is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)
