"""Lines of IPython are hidden from Python, and nothing else in a cell is."""

from __future__ import annotations

import ast
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.check.source import cells_of
from nb.notebook.content import CellContent, python_source
from nb.notebook.magics import mask, plain_source, without_timing
from nb.notebook.modules import imported_names

# Each piece is whole by itself; those of Python hold lines that look like IPython's.
PYTHON = [
    "x = 1",
    'text = """Is it complete?\n% of rows\n!important\n?\nfiles = !ls\n"""',
    "share = (100\n         % 7)",
    "total = x \\\n    % 3",
    "if x:\n    y = '''\n    Why?\n'''",
    "def f():\n    return '''%d\n%s?'''",
    "# Is it?\nz = 2  # why?",
    "from pkg import data",
]
IPYTHON = [
    "%matplotlib inline",
    "%time f()",
    "!ls 'it\\'s' (a",
    "files = !ls *.csv",
    "a, b = %sql select 1",
    "?x",
    "x.head()?",
    "pip install pandas",
    "!echo a \\\n  b \\\n  c",
    "!pip install a==2.0 \\\n  more \\\n  b==2.0b1",
    "if 1:\n    %time x",
]


@given(st.lists(st.sampled_from([*PYTHON, *IPYTHON]), max_size=8))
def test_exactly_the_lines_of_ipython_are_hidden(pieces: list[str]) -> None:
    source = "\n".join(pieces)
    masked = mask(source)
    assert masked is not None
    hidden = [
        line
        for piece in pieces
        if piece in IPYTHON
        for line in piece.split("\n")
        if line != "if 1:"
    ]
    assert list(masked.unmask(masked.text).split("\n")) == source.split("\n")
    numbers = sorted(masked.hidden_lines())
    assert [source.split("\n")[number - 1] for number in numbers] == hidden
    assert masked.text.count("\n") == source.count("\n")
    # The rules of `nb check` see the same tree and the same escapes, one for continued lines.
    content: CellContent = {"cell_type": "code", "metadata": {}, "source": source}
    (cell,) = cells_of([content])
    assert cell.tree is not None
    assert ast.dump(cell.tree) == ast.dump(ast.parse(python_source(source.rstrip())))
    assert len(cell.escapes) == sum(piece in IPYTHON for piece in pieces)


@st.composite
def pasted_cells(draw: st.DrawFn) -> tuple[str, str]:
    """Return a cell, and the same with indentation and prompts as in a page or a terminal."""
    pieces = draw(st.lists(st.sampled_from([*PYTHON[3:], *IPYTHON]), min_size=1, max_size=5))
    indent = draw(st.sampled_from(["", " ", "    ", "\t"]))
    prompts = draw(st.sampled_from([(">>> ", "... "), ("In [3]: ", "   ...: "), ("", "")]))
    first, *others = "\n".join(pieces).split("\n")
    lines = [prompts[0] + first, *(prompts[1] + line for line in others)]
    return "\n".join([first, *others]), "\n".join(indent + line for line in lines)


@given(pasted_cells())
def test_pasted_code_is_read_without_prompts_and_indentation(cells: tuple[str, str]) -> None:
    plain, pasted = cells
    masked = mask(pasted)
    assert masked is not None
    assert masked.unmask(masked.text) == plain


@pytest.mark.slow  # in the environment of `make test-all` only
@given(pasted_cells())
def test_pasted_code_is_read_as_ipython_reads_it(cells: tuple[str, str]) -> None:
    read = pytest.importorskip("IPython.core.inputtransformer2").TransformerManager()
    assert read.transform_cell(plain_source(cells[1])) == read.transform_cell(cells[1])


@pytest.mark.parametrize("source", ["%%bash\nls ?", "\n%%html\n<p>", "%%writefile x.py\nx = ("])
def test_a_cell_of_another_language_is_no_python(source: str) -> None:
    assert mask(source) is None
    assert python_source(source) == ""


def test_the_last_line_of_a_command_that_python_stumbles_over_is_hidden_with_its_first() -> None:
    source = "import os\n! pip install kfp==2.0 \\\n    more \\\n    part==2.0b1\nx = 1"
    masked = mask(source)
    assert masked
    assert masked.hidden_lines() == {2, 3, 4}
    assert masked.unmask(masked.text) == source


def test_code_that_cannot_be_parsed_stays_what_it_is() -> None:
    source = "x = (\n!ls"
    assert mask("x = = 1") is None
    assert python_source(source) == source
    assert imported_names(python_source(source)) is None


@pytest.mark.parametrize("line", [" " * 200_000 + "?", "a " * 90_000 + "?", "a," * 90_000 + "= !"])
def test_a_long_line_takes_no_longer_than_it_is(line: str) -> None:
    began = time.process_time()
    mask(f"x = 1\n{line}")
    mask(f"%time x\n{line}")
    assert time.process_time() - began < 20  # a pattern that backtracks takes hours


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("%time total = f(1)\nprint(total)", "total = f(1)\nprint(total)"),
        ("for i in x:\n    %time y = g(i)", "for i in x:\n    y = g(i)"),
        ("%time", "%time"),
        ("x = %time f()", "x = %time f()"),
        ("%time !ls", "%time !ls"),
        ("%timeit f(1)", "%timeit f(1)"),
        ("%%time\nx = 1", "%%time\nx = 1"),
        ('text = """\n%time x = 1\n"""', 'text = """\n%time x = 1\n"""'),
        ("%%bash\n%time x", "%%bash\n%time x"),
    ],
)
def test_a_timed_statement_can_be_the_statement_alone(source: str, expected: str) -> None:
    assert without_timing(source) == expected
