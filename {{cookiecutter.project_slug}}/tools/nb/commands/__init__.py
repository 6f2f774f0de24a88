"""Commands of `nb`: arguments, messages and exit codes; here, the output that several share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import chain, repeat

from nb.terminal import echo, in_columns, secho

NO_NOTEBOOK = """\
There is no production notebook yet. `nb new NAME --production` makes a notebook that runs,
with parameters and a stage in dvc.yaml; the README goes on ("Add a production notebook").
"""


def print_table(
    rows: Iterable[Sequence[str]], *, heading: Sequence[str] = (), bold: Iterable[bool] = ()
) -> None:
    """Print rows in columns, below a heading in bold; other rows are bold where `bold` says so."""
    table = [heading, *rows] if heading else list(rows)
    marks = chain([True] if heading else (), bold, repeat(False))
    for line, is_bold in zip(in_columns(table), marks, strict=False):
        secho(line, bold=is_bold)


def print_json(content: object) -> None:
    """Print a value for machines; dates and paths become texts."""
    echo(json.dumps(content, indent=2, default=str))


def note(line: str, *, err: bool = False) -> None:
    """Print a line about the course of the work, which begins with `nb:`."""
    echo(f"nb: {line}", err=err)
