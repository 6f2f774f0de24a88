"""Texts on the terminal: all that `nb` prints goes through here.

Names of files, messages of programs and lines of notebooks come from others. A terminal would obey
the escape sequences in them, hide a line or reverse its order: they are made visible. Only what
`style` and `sequence` make reaches the terminal as it is. `NO_COLOR` and `FORCE_COLOR` decide about
colors; else a terminal gets them, and a file or a pipe does not.
"""

from __future__ import annotations

import atexit
import io
import os
import re
import sys
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import IO

import click

from nb.printable import printable

USUAL_WIDTH = 80
# Stands for the escape character in sequences of our own: nobody else can know it.
_OWN = f"\x1b{os.urandom(8).hex()}"
_VISIBLE_OWN = printable(_OWN)
_OUR_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_COLOR = re.compile(r"\x1b(?=\[[0-9;]*m)")


def accept_all_text() -> None:
    """Make standard output and error take any text, whatever the locale or the system's code page.

    Programs that read from a pipe get UTF-8 everywhere. A terminal keeps its encoding, and shows
    characters that it lacks as escapes.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = None if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def echo(
    text: object = "", *, nl: bool = True, err: bool = False, file: IO[str] | None = None
) -> None:
    """Print a text with all controls in it visible."""
    shown = printable(str(text)).replace(_VISIBLE_OWN, "\x1b")
    wanted = colors()
    if wanted is False:  # movements of the cursor stay
        shown = _OUR_COLOR.sub("", shown)
    click.echo(shown, nl=nl, err=err, file=file, color=wanted or None)


def colors() -> bool | None:
    """Return whether the environment asks for colors or against colors; None if neither."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR", "0") not in ("", "0") else None


def forget_color_reset() -> None:
    """Have no library reset a terminal's colors at the end, where no colors are wanted.

    colorama, which tqdm imports, would print the sequence for that as the process ends.
    """
    colorama = sys.modules.get("colorama.initialise")
    if colorama and colors() is False:
        atexit.unregister(colorama.reset_all)


def is_colored(stream: IO[str]) -> bool:
    """Return whether text on a stream gets colors."""
    wanted = colors()
    return stream.isatty() if wanted is None else wanted


def secho(text: str, *, err: bool = False, fg: str | None = None, bold: bool | None = None) -> None:
    """Print a text in color."""
    echo(style(text, fg=fg, bold=bold), err=err)


def style(text: str, *, fg: str | None = None, bold: bool | None = None) -> str:
    """Return a text that `echo` prints in color."""
    before, after = click.style("\0", fg=fg, bold=bold).split("\0")
    return f"{sequence(before)}{text}{sequence(after)}"


def in_columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows as lines with the cells below each other."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    padded = ((f"{c:{w}}" for c, w in zip(row, widths, strict=True)) for row in table)
    return ["  ".join(row).rstrip() for row in padded]


def wrapped(line: str) -> str:
    """Return a line as lines of the usual width, those after the first indented; no word breaks."""
    return fill(
        line, USUAL_WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def sequence(codes: str) -> str:
    """Return escape sequences that `echo` prints as they are."""
    return codes.replace("\x1b", _OWN)


def colored(text: str) -> str:
    """Return a text of a program whose colors alone `echo` prints as they are."""
    return _COLOR.sub(lambda _: _OWN, text)
