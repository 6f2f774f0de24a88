"""The help pages of `nb`: all commands, and the examples of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click
from nb.cli import main


def every_command(
    group: click.Group = main, path: str = "nb"
) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands and the commands of groups, each with its words."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


def examples(command: click.Command) -> list[str]:
    """Return the lines of the examples in a help text, without the remarks behind them."""
    text = inspect.cleandoc(command.help or "")
    found = re.search(r"^Examples?:\n((?:  .*\n?)+)", text, re.M)
    return [re.split(r"\s{3,}", line.strip())[0] for line in found[1].splitlines()] if found else []
