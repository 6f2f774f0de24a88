"""The commands of `nb`: arguments and messages. The work is done in the modules below.

Here is the output that several commands share.
"""

from __future__ import annotations

from collections.abc import Sequence

from nb.terminal import in_columns, secho

NO_NOTEBOOK = """\
There is no production notebook yet. `nb new NAME --production` makes a notebook that runs,
with parameters and a stage in dvc.yaml; the README goes on ("Add a production notebook").
"""


def print_table(table: Sequence[tuple[str, ...]], bold: Sequence[bool]) -> None:
    """Print rows in columns; a row in bold where `bold` says so."""
    for line, is_bold in zip(in_columns(table), bold, strict=True):
        secho(line, bold=is_bold)


def count(number: int, thing: str) -> str:
    """Return `1 finding`, `2 findings`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
