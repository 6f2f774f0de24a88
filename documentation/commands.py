"""The page of all `nb` commands, from their options and help texts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click
from nb.cli import GROUPS, main

INTRODUCTION = """# Commands

Every command works in any folder of a project, and shows this text with `--help`. `nb` is in the
project's environment: activate the environment, or use the tasks of `make`.
"""


def commands_page() -> str:
    """Return the page in Markdown."""
    parts = [INTRODUCTION]
    for title, group in GROUPS.items():
        parts.append(f"## {title}\n")
        for names in group.values():
            parts += [_section(name) for name in names]
    return "\n".join(parts)


def _section(name: str) -> str:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    # With the settings of `nb`: a command keeps the help option that the first context names.
    context = click.Context(command, info_name=f"nb {name}", **main.context_settings)
    text = inspect.cleandoc(command.help or "")
    usage = " ".join([f"nb {name}", *command.collect_usage_pieces(context)])
    rows = [row for row in _rows(command, context) if "--help" not in row]
    table = ["| option | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join([f"### nb {name}\n", f"    {usage}\n", *_paragraphs(text), *table])


def _paragraphs(help_text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that click leaves as typed become code."""
    for paragraph in re.split(r"\n\s*\n", help_text):
        as_typed = paragraph.startswith("\b\n")
        title, separator, rest = paragraph.removeprefix("\b\n").partition("\n")
        if as_typed and separator and title.rstrip().endswith(":"):
            yield f"{title}\n\n```text\n{inspect.cleandoc(rest)}\n```\n"
        elif as_typed:
            yield f"```text\n{paragraph.removeprefix(chr(8)).strip()}\n```\n"
        else:
            yield f"{in_text(' '.join(paragraph.split()))}\n"


def _rows(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        names, said = parameter.get_help_record(context) or ("", "")
        if said:
            yield f"| `{names.replace('|', chr(92) + '|')}` | {in_cell(said)} |"


def in_text(text: str) -> str:
    """Escape text of a help page for Markdown; code between backticks stays."""
    parts = text.split("`")
    return "`".join(
        part if number % 2 else re.sub(r"([*_<\[\]])", r"\\\1", part)
        for number, part in enumerate(parts)
    )


def in_cell(text: str) -> str:
    """Escape text for a cell of a table."""
    return in_text(" ".join(text.split())).replace("|", r"\|")
