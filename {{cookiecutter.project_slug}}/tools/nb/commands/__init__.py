"""Commands of `nb`; here, the tables, JSON, notes and completions that several of them share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain, repeat
from math import isfinite

import click
from click.shell_completion import CompletionItem

from nb.project import PRODUCTION, NbError, UsageError, find_root
from nb.terminal import echo, in_columns, secho
from nb.wording import did_you_mean

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
    """Print a value for machines; dates and paths become texts, NaN and infinity null."""
    echo(json.dumps(_finite(content), indent=2, default=str))


def _finite(node: object) -> object:
    """Return JSON data with null for the numbers that JSON does not have."""
    if isinstance(node, dict):
        return {key: _finite(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_finite(each) for each in node]
    return None if isinstance(node, float) and not isfinite(node) else node


def note(line: str, *, err: bool = False) -> None:
    """Print a line about the course of the work, which begins with `nb:`."""
    echo(f"nb: {line}", err=err)


class SuggestingGroup(click.Group):
    """Commands, of which the nearest is named where there is none of a name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, known = args[0], self.list_commands(ctx)
        if name in known or name.startswith("-"):
            return super().resolve_command(ctx, args)
        hint = did_you_mean(name, known, f"the commands are listed by {ctx.command_path} --help.")
        raise UsageError(f"there is no command {name}; {hint}")


def complete_stages(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the stages whose names begin with a text; none outside a project."""
    from nb.declaration.reader import read_stages

    with suppress(NbError):
        return _beginning(begun, (stage.name for stage in read_stages(find_root())))
    return []


def complete_notebooks(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the production notebooks whose names begin with a text; without any, list files."""
    from nb.notebook.content import notebooks_below

    found: list[CompletionItem] = []
    with suppress(NbError):
        folder = find_root() / PRODUCTION
        found = _beginning(begun, (path.stem for path in notebooks_below(folder)))
    return found or [CompletionItem(begun, type="file")]


def complete_variants(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Return the numbers of variants that begin with a text, each with its experiment."""
    from nb.experiments import store

    with suppress(NbError):
        records = store.read_variants(find_root())
        return [
            CompletionItem(str(record.number), help=record.experiment)
            for record in records
            if str(record.number).startswith(begun)
        ]
    return []


def _beginning(begun: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
