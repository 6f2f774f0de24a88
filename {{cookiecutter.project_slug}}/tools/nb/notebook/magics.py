"""Masking of the syntax of IPython in a code cell (magics, shell, prompts): the rest is Python.

Standard library only, fast to import. IPython knows line magics (`%time f()`), cell magics
(`%%bash`), shell escapes (`!ls`), help (`frame?`) and `pip install` without its sign.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from textwrap import dedent

# Cell magics whose body is Python; the body of any other is another language.
PYTHON_CELL_MAGICS = {"capture", "prun", "time", "timeit"}
# Characters of a cell that are parsed, again after each group of lines of IPython: the time of a
# cell with thousands of them would grow with their square.
MOST_PARSED = 5_000_000
_CELL_MAGIC = re.compile(r"\s*%%(\S*)")
_COMMAND = re.compile(r"%|!|\?|(?:pip|conda|mamba) +install ")
_TIME = re.compile(r"^(\s*)%time\s+(?=\S)")
_TARGET = re.compile(r"[\w.,()*\[\]][\w.,()*\[\] ]*")
# The prompts of Python and of IPython: that of a first line, and those of all lines.
_PROMPTS = (
    (re.compile(r">>>(?: |$)"), re.compile(r"(?:>>>|\.\.\.)(?: |$)")),
    (re.compile(r"In \[\d+\]:(?: |$)"), re.compile(r"(?:In \[\d+\]:|\s*\.{3,}:)(?: |$)")),
)
_MASKED = re.compile(r"^[^\n]*# nb-masked-line (\d+)$", re.M)


@dataclass(frozen=True)
class Escape:
    """A line of IPython, or a whole cell of another language.

    Attributes:
        line: the line in the cell, from 1.
        text: the text from its sign on, with continuation lines.
        body: the cell below a cell magic whose body is no Python.
        assigned: whether the result gets a name.
        nested: whether the line is indented, below an `if` for example.
    """

    line: int
    text: str
    body: str = ""
    assigned: bool = False
    nested: bool = False

    @property
    def magic(self) -> str:
        """Name of the magic, without signs; empty for a shell escape."""
        found = re.match(r"%{1,2}(\w+)", self.text)
        return found[1] if found else ""

    @property
    def names(self) -> set[str]:
        """All names in the line: a magic may give a value to any of them."""
        return set(re.findall(r"[^\W\d]\w*", f"{self.text}\n{self.body}")) if self.magic else set()


@dataclass(frozen=True)
class Masked:
    """Plain source in which lines of IPython are replaced by Python; `unmask` puts them back."""

    text: str
    hidden: tuple[str, ...] = ()
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []), compare=False)

    def hidden_lines(self) -> set[int]:
        """Return the numbers of the lines that are hidden, from 1."""
        lines = enumerate(self.text.split("\n"), 1) if self.hidden else ()
        return {number for number, line in lines if _MASKED.match(line)}

    def unmask(self, text: str) -> str:
        """Return a text made from the masked text, with the lines of IPython as they were."""
        return _MASKED.sub(lambda found: self.hidden[int(found[1])], text) if self.hidden else text

    def escapes(self) -> Iterator[Escape]:
        """Yield the hidden lines; those that a backslash continues are parts of the first."""
        numbers = sorted(self.hidden_lines())
        lines = self.text.split("\n")
        while numbers:
            first = numbers.pop(0)
            pieces = [self.unmask(lines[first - 1])]
            while pieces[-1].endswith("\\") and numbers and numbers[0] == first + len(pieces):
                pieces.append(self.unmask(lines[numbers.pop(0) - 1]))
            indent, target, command = _parts(pieces[0])
            text = "\n".join([command, *pieces[1:]])
            yield Escape(first, text, assigned=bool(target), nested=bool(indent))


def plain_source(source: str) -> str:
    """Return the source of a cell without the prompts and the indentation that IPython ignores.

    Pasted code may have them in each line. Source: `leading_indent`, `classic_prompt` and
    `ipython_prompt` of `IPython.core.inputtransformer2`.
    """
    first = next((line for line in source.split("\n") if line.strip()), "")
    if first[:1] in (" ", "\t"):
        source = dedent(source)
        first = first.lstrip()
    for initial, prompt in _PROMPTS:
        if initial.match(first):
            return "\n".join(prompt.sub("", line, count=1) for line in source.split("\n"))
    return source


@lru_cache(maxsize=10_000)
def mask(source: str) -> Masked | None:
    """Hide IPython's magics, shell escapes and questions, line by line.

    Only lines that Python stumbles over are hidden: a line of a longer text or expression may begin
    with `%` or end with `?`, too.

    Returns:
        None if the source is no Python even so, such as a cell of `%%bash`.
    """
    if foreign_cell(source):
        return None
    lines = plain_source(source).split("\n")
    hidden: list[str] = []
    parsed = 0
    while parsed <= MOST_PARSED:
        text = "\n".join(lines)
        parsed += len(text)
        try:
            return Masked(text, tuple(hidden), ast.parse(text))
        except SyntaxError as error:
            number = (error.lineno or 0) - 1
        except (ValueError, RecursionError, MemoryError):  # a null byte; nested too deeply
            return None
        if not 0 <= number < len(lines) or not _hide_around(lines, number, hidden):
            return None
    return None


def without_timing(source: str) -> str:
    """Return a cell in which lines of `%time STATEMENT` are the statement alone.

    Linters do not see the names that such a line assigns.
    """
    masked = mask(source)
    hidden = masked.hidden_lines() if masked else set()
    lines = source.split("\n")
    for number in hidden:
        line = lines[number - 1]
        statement = _TIME.sub(r"\1", line)
        tree = parse_python(statement.strip())
        if statement != line and tree and tree.body:
            lines[number - 1] = statement
    return "\n".join(lines)


def parse_python(source: str) -> ast.Module | None:
    """Return the tree of Python source; None if Python cannot parse the source."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def foreign_cell(source: str) -> Escape | None:
    """Return the cell magic of a cell whose body is no Python, with that body."""
    magic = _CELL_MAGIC.match(source)
    if not magic or magic[1] in PYTHON_CELL_MAGICS:
        return None
    start = magic.start(1) - len("%%")
    header, _, body = source[start:].partition("\n")
    return Escape(source.count("\n", 0, start) + 1, header.strip(), body)


def _hide_around(lines: list[str], number: int, hidden: list[str]) -> bool:
    """Replace a line of IPython, or that which the line continues; return whether there was any.

    Python stumbles over a token such as `2.0b1` before it reads the lines above.
    """
    if _hide(lines, number, hidden):
        return True
    first = number
    while first and lines[first - 1].endswith("\\"):
        first -= 1
    return first < number and _hide(lines, first, hidden)


def _hide(lines: list[str], number: int, hidden: list[str]) -> bool:
    """Replace a line of IPython with its continuation lines; return whether there was any."""
    indent, target, command = _parts(lines[number])
    if not command or _MASKED.match(lines[number]):
        return False
    while True:
        continued = lines[number].endswith("\\") and number + 1 < len(lines)
        statement = f"{target} = None" if target else "pass"
        hidden.append(lines[number])
        lines[number] = f"{indent}{statement}  # nb-masked-line {len(hidden) - 1}"
        number += 1
        if continued:
            target = ""
        elif number == len(lines) or not _COMMAND.match(lines[number]):
            return True
        else:  # a statement begins here, too: saves a cell of many escapes as many parsings
            indent, target, _ = _parts(lines[number])


def _parts(line: str) -> tuple[str, str, str]:
    """Return a line's indentation, the assigned name, and the part that IPython reads.

    The latter is empty if the line is not IPython's. Each pattern reads the line once: the
    time must not grow faster than the line.
    """
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    if _COMMAND.match(text):
        return indent, "", text
    target, equals, value = text.partition("=")
    value = value.lstrip()
    if equals and value.startswith(("!", "%")) and _TARGET.fullmatch(target.rstrip()):
        return indent, target.rstrip(), value
    is_question = text.rstrip().endswith("?") and "#" not in text
    return indent, "", text if is_question else ""
