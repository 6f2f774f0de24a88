"""Secrets in tables, by the name of their column: HTML, Markdown, CSV, and data frames as text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .names import is_password_name, is_secret_name
from .occurrences import FoundSecret
from .values import is_secret_value

# Start, end and text.
_Cell = tuple[int, int, str]

# A pattern that began with the rest of the name would read each character of a text forty times.
_PROMISE = re.compile(r"(?:pass|pwd|secret|token|credential|key)\w{0,40}", re.I)
_BEFORE = re.compile(r"[\w.-]{0,40}\Z")
_ROW = re.compile(r"<tr\b[^<>]{0,200}>(.{0,20000}?)</tr>|</table>", re.S)
_HTML_CELL = re.compile(r"<t[hd]\b[^<>]{0,200}>\s{0,40}([^<>]{0,4096}?)\s{0,40}</t[hd]>")
_LINE = re.compile(r"[^\r\n]{1,2000}")
_MARKS = ("|", ",", ";", "\t")
_FIELDS = {mark: re.compile(rf"[^{re.escape(mark)}]+") for mark in _MARKS}
_WORD = re.compile(r"\S+")
_NAME = re.compile(r"[\"']?[A-Za-z_][\w .-]{0,63}[\"']?")
# The rule below the names of columns in Markdown.
_RULE = re.compile(r"[\s|:-]+")


def secrets_in_columns(text: str) -> Iterator[FoundSecret]:
    """Yield the values in the columns of a table whose names promise secrets."""
    if not names_columns(text):
        return
    if "<tr" in text:
        yield from _in_rows(_html_rows(text))
    yield from _in_lines(text)


def names_columns(text: str) -> bool:
    """Return whether a text has a word that promises secrets below, should that name a column."""
    return any(
        is_secret_name(_before(text, found.start()) + found[0]) for found in _PROMISE.finditer(text)
    )


def _before(text: str, end: int) -> str:
    """Return the part of a name that ends before a place."""
    found = _BEFORE.search(text[max(0, end - 40) : end])
    return found[0] if found else ""


def _html_rows(text: str) -> Iterator[list[_Cell]]:
    for row in _ROW.finditer(text):
        cells = _HTML_CELL.finditer(text, *row.span(1)) if row[1] is not None else ()
        yield [(*cell.span(1), cell[1]) for cell in cells]


def _in_rows(rows: Iterator[list[_Cell]]) -> Iterator[FoundSecret]:
    columns: dict[int, str] = {}
    for cells in rows:
        if not cells or not columns:
            names = ((at, text) for at, (_, _, text) in enumerate(cells))
            columns = {at: name for at, name in names if len(cells) > 1 and is_secret_name(name)}
            continue
        for at, name in columns.items():
            yield from _value(name, cells[at] if at < len(cells) else None)


def _value(name: str, cell: _Cell | None) -> Iterator[FoundSecret]:
    """Yield the cell if that is a secret."""
    if cell and " " not in cell[2]:
        password = is_password_name(name)
        if is_secret_value(cell[2], password=password, quoted=False, strong=True):
            yield FoundSecret(cell[0], cell[1], "Password" if password else "Secret")


def _in_lines(text: str) -> Iterator[FoundSecret]:
    """Yield secrets in lines below the names of columns."""
    header: dict[int, str] = {}
    mark = ""
    for line in _LINE.finditer(text):
        if _RULE.fullmatch(line[0]):
            continue
        cells = _cells(line, mark) if header else {}
        if cells.keys() & header.keys():
            for place, name in header.items():
                yield from _value(name, cells.get(place))
        elif _PROMISE.search(line[0]):
            mark, header = _header(line)
        else:
            header = {}


def _header(line: re.Match[str]) -> tuple[str, dict[int, str]]:
    """Return the mark between columns, none in a data frame, and the names of secrets by place."""
    mark = next((mark for mark in _MARKS if mark in line[0]), "")
    if not mark and not line[0].startswith("  "):  # above the index of a data frame
        return "", {}
    cells = _cells(line, mark)
    if mark and not all(_NAME.fullmatch(text) for _, _, text in cells.values()):
        return "", {}
    return mark, {place: text for place, (_, _, text) in cells.items() if is_secret_name(text)}


def _cells(line: re.Match[str], mark: str) -> dict[int, _Cell]:
    """Return cells by place: their number and that of all, or where a cell of a data frame ends."""
    pattern = _FIELDS[mark] if mark else _WORD
    found = [(each.span(), each[0]) for each in pattern.finditer(line[0])]
    cells = {}
    for number, ((start, end), text) in enumerate(found):
        start += line.start() + len(text) - len(text.lstrip(" \"'"))
        stripped = text.strip(" \"'")
        place = len(found) * 1_000 + number if mark else end
        cells[place] = (start, start + len(stripped), stripped)
    return cells
