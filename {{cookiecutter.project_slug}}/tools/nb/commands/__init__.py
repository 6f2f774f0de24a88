"""The commands of `nb`: arguments and messages. The work is done in the modules below.

Here is the output that several commands share.
"""

from __future__ import annotations

from collections.abc import Sequence

from nb.terminal import secho

NO_NOTEBOOK = """\
There is no production notebook yet. `nb new NAME --production` makes a notebook that runs,
with parameters and a stage in dvc.yaml; the README goes on ("Add a production notebook").
"""


def print_table(table: Sequence[tuple[str, ...]], bold: Sequence[bool]) -> None:
    """Print rows in columns; a row in bold where `bold` says so."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells, is_bold in zip(table, bold, strict=True):
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        secho("  ".join(padded).rstrip(), bold=is_bold)


def count(number: int, thing: str) -> str:
    """Return `1 finding`, `2 findings`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
