"""Definitions move from a notebook to a module; nothing else in either changes a byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cells import SOURCES, notebook
from hypothesis import given, settings
from hypothesis import strategies as st
from nb.notebook.code import mask, names_of_module, names_of_notebook
from nb.notebook.file import read_cells
from nb.project import NbError
from nb.refactoring import relocate


def move(tmp_path: Path, text: str, *wanted: str, module_text: str = "") -> tuple[str, str]:
    """Move definitions; return the new texts of the notebook and of the module `pkg.data`."""
    settings = '[tool.ruff.lint.isort]\nknown-first-party = ["pkg"]\n'
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    path = tmp_path / "a.ipynb"
    path.write_text(text, encoding="utf-8", newline="")
    file = read_cells(path)
    names = names_of_notebook(file)
    plan = relocate.plan_relocation(names, wanted, "a.ipynb")
    module = relocate.add_to_module(module_text, plan, "pkg.data", tmp_path / "data.py")
    taken = {name: name for name in plan.names}
    return relocate.take_out(file, names, taken, "pkg.data"), module


def sources(text: str) -> list[str]:
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


CELLS = (
    "%matplotlib inline\nimport json\n\nimport numpy as np\nimport pandas as pd",
    "LIMIT = 3  # at most\ndf = pd.DataFrame({'a': [1]})",
    "# Explained.\n@staticmethod\ndef clean(table):  # here\n    '''Quotes stay.'''\n\n"
    "    return helper( table ).clip(0, LIMIT)\n\n\nresult = clean(df)",
    "def helper(t):\n    return np.abs(t)",
    "print(result, json.dumps(1))\n!ls -l",
)


def test_a_function_moves_with_all_that_it_needs(tmp_path: Path) -> None:
    text, module = move(tmp_path, notebook(*CELLS), "clean")
    assert (
        module
        == '''\
"""Functions that notebooks share."""

import numpy as np

LIMIT = 3  # at most


# Explained.
@staticmethod
def clean(table):  # here
    """Quotes stay."""

    return helper(table).clip(0, LIMIT)


def helper(t):
    return np.abs(t)
'''
    )
    assert sources(text) == [
        "%matplotlib inline\nimport json\n\nimport pandas as pd",
        "df = pd.DataFrame({'a': [1]})",
        "from pkg.data import clean\n\nresult = clean(df)",
        "print(result, json.dumps(1))\n!ls -l",
    ]


def test_an_existing_module_is_added_to(tmp_path: Path) -> None:
    there = '''\
"""Data."""

import numpy as np


LIMIT = 3  # kept as it is


def  other( ):
    return np.pi


if __name__ == "__main__":
    other()  # last
'''
    text, module = move(tmp_path, notebook(*CELLS), "helper", module_text=there)
    addition = "\n\ndef helper(t):\n    return np.abs(t)\n"
    assert module == there.replace("\n\nif __name__", f"{addition}\n\nif __name__")
    assert sources(text)[3] == "from pkg.data import helper"


def test_what_the_module_has_already_is_not_added_again(tmp_path: Path) -> None:
    _, module = move(tmp_path, notebook(*CELLS), "clean")
    assert move(tmp_path, notebook(*CELLS), "clean", module_text=module)[1] == module


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        ("def helper(x):\n    return 1\n", "data.py has another helper"),
        ("import numpy.linalg as np\n", "np is numpy.linalg there and numpy in the notebook"),
        ("np = 1\n", "np is something else there and numpy"),
    ],
)
def test_a_name_that_is_taken_is_refused(tmp_path: Path, there: str, reason: str) -> None:
    with pytest.raises(NbError, match=reason):
        move(tmp_path, notebook(*CELLS), "helper", module_text=there)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("def f():\n    return df", "f uses df, which code cell 1 assigns; make it an argument"),
        ("def f():\n    return nowhere", "f uses nowhere, which nothing in it defines"),
        ("def f():\n    !ls", r"f \(code cell 2\) holds lines of IPython"),
        ("def f():\n    global df\n    df = 1", "f .* changes the notebook's variable df"),
        ("def f():\n    pass\ndef f():\n    return 1", "f is defined 2 times"),
        ("def f():\n    pass\nfor f in df: ...", "f is defined in code cell 2 and a variable in"),
        ("def f():\n    return eval('df')", r"f \(code cell 2\) calls eval, which sees the names"),
        ("def f():\n    exec('df')", "f .* calls exec"),
        ("def f():\n    return globals()['df']", "f .* calls globals"),
        ("def f(x):\n    return '{x}'.format(**locals())", "f .* calls locals"),
        ("def f(x):\n    return vars()", "f .* calls vars"),
        ("def f():\n    return inspect.currentframe().f_back", "f .* calls inspect.currentframe"),
        ("def f(t):\n    return t.query('a > @limit')", "f .* calls .query"),
        ("class f:\n    def m(self):\n        return eval(self.n)", "f .* calls eval"),
        ("f = print(1)", "there is no function, class or constant f"),
    ],
)
def test_what_cannot_move_is_refused_with_the_reason(
    tmp_path: Path, cell: str, reason: str
) -> None:
    with pytest.raises(NbError, match=reason):
        move(tmp_path, notebook("df = open('x').read()", cell), "f")


def test_local_names_of_a_function_called_top_are_local(tmp_path: Path) -> None:
    cell = "def top(table, n=3):\n    ordered = sorted(table)\n    return ordered[:n]"
    _, module = move(tmp_path, notebook(cell), "top")
    assert module.endswith(f"{cell}\n")


@pytest.mark.parametrize("call", ["vars(x)", "t.query('a > 1')", "t.eval('a + b')", "ast.eval(x)"])
def test_a_call_that_needs_no_names_around_moves(tmp_path: Path, call: str) -> None:
    cell = f"def f(x, t, ast):\n    return {call}"
    assert call in move(tmp_path, notebook(cell), "f")[1].replace('"', "'")


def test_an_import_stands_below_the_first_imports_of_its_cell(tmp_path: Path) -> None:
    cell = "%%time\nimport pandas as pd\n\nx = pd.NA\n\n\ndef f():\n    return 1\n\n\nf()"
    text, _ = move(tmp_path, notebook(cell), "f")
    expected = "%%time\nimport pandas as pd\n\nfrom pkg.data import f\n\nx = pd.NA\n\n\nf()"
    assert sources(text) == [expected]


def test_comments_that_stand_for_themselves_stay(tmp_path: Path) -> None:
    cell = "# --- part one ---\n\n# About f.\ndef f():\n    return 1\n\n# The end.\n"
    text, module = move(tmp_path, notebook(cell, "f()"), "f")
    expected = "# --- part one ---\n\nfrom pkg.data import f\n\n# The end.\n"
    assert sources(text)[0] == expected
    assert module.endswith("# About f.\ndef f():\n    return 1\n")


@given(SOURCES)
def test_masking_can_be_undone(source: str) -> None:
    masked = mask(source)
    if masked is not None:
        assert masked.unmask(masked.text) == source


@settings(deadline=None, max_examples=25)
@given(
    st.lists(SOURCES, max_size=3),
    st.lists(SOURCES, max_size=3),
    st.sampled_from([1, 2, 4, None, "\t"]),
    st.booleans(),
    st.booleans(),
)
def test_other_cells_keep_every_byte(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    after: list[str],
    indent: Any,
    ascii_only: bool,
    used: bool,
) -> None:
    cells = [*before, "def moved(a):\n    return a + 1", *after, "print(moved(1))" if used else "0"]
    layout = {"indent": indent, "ensure_ascii": ascii_only}
    old = notebook(*cells, **layout)
    text, module = move(tmp_path_factory.mktemp("move"), old, "moved")
    new = json.loads(old)
    if used:
        new["cells"][len(before)]["source"] = ["from pkg.data import moved"]
    else:
        del new["cells"][len(before)]
    assert text == json.dumps(new, **layout) + "\n"
    assert list(names_of_module(module).definitions) == ["moved"]


def test_a_file_that_no_program_would_write_so_keeps_every_byte(tmp_path: Path) -> None:
    old = (
        '{"nbformat":4, "nbformat_minor" : 5,\r\n"cells":[ {"id":"a","metadata":{"x":1.50},'
        '"source":"def f():\\n  return \\"\\u00e4\\"","outputs":[],"cell_type":"code"},'
        '{"source": [ "f()" ] ,"cell_type":"code", "metadata":{ }} ],"metadata":{"\\u0061":1e5}}'
    )
    text, _ = move(tmp_path, old, "f")
    at, end = old.index('"def f'), old.index(',"outputs"')
    assert text == old[:at] + '"from pkg.data import f"' + old[end:]
