"""The command `nb`: finds a command in `commands`, and ends expected errors as one line."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from nb import surroundings
from nb.exit_codes import ExitCode
from nb.git import wiring
from nb.project import FULL, NbError, find_root, from_root, unwritable
from nb.terminal import echo, secho

# Modules of `commands` are imported when one of their commands is called.
COMMAND_MODULES = {
    "running": ("run", "status", "stages", "task", "assemble", "clean"),
    "results": ("metrics", "params", "report", "export", "trace"),
    "notebooks": ("new", "promote", "check", "duplicates", "extract", "show", "edit"),
    "updating": ("update",),
    "clone": (
        "setup",
        "doctor",
        "fingerprint",
        "verify",
        "credentials",
        "push",
        "pull",
        "unpushed",
        "sync",
        "resolve",
        "hook",
        "merge-lock",
    ),
}
WHERE = {command: module for module, commands in COMMAND_MODULES.items() for command in commands}
# Errors of a disk that may meet any command: full, read-only, not permitted.
DISK_ERRORS = FULL | {errno.EROFS, errno.EACCES, errno.EPERM}
# Commands that Git itself calls, or that report what is wrong, change nothing on the way.
WITHOUT_REPAIR = (
    None,
    "check",
    "stages",
    "setup",
    "doctor",
    "verify",
    "credentials",
    "unpushed",
    "merge-lock",
    "hook",
)


class Commands(click.Group):
    """Commands whose expected errors end as one line on standard error."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(WHERE)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in WHERE:
            return None
        module = importlib.import_module(f"nb.commands.{WHERE[name]}")
        found: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NbError as error:
            root = ctx.obj or Path("no root")
            for line in from_root(str(error), root).splitlines():
                secho(f"nb: {line}", fg="red", err=True)
            ctx.exit(error.exit_code)
        except OSError as error:
            if error.errno not in DISK_ERRORS:
                raise
            secho(f"nb: {unwritable(error)}", fg="red", err=True)
            ctx.exit(ExitCode.FAILED)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from nb.update.provenance import tooling_version, version_line

    try:
        line = version_line(find_root())
    except NbError:  # outside a project
        line = tooling_version()
    echo(f"nb, version {line}")
    ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, callback=_print_version, expose_value=False)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run, check and version the notebooks of this project."""
    ctx.obj = find_root()
    surroundings.forget_repository(os.environ, ctx.obj)
    if ctx.invoked_subcommand not in WITHOUT_REPAIR:
        for change in wiring.heal(ctx.obj):
            echo(f"nb: {change}", err=True)


if __name__ == "__main__":
    sys.exit(main())
