"""Command `nb`: mends the clone's wiring, imports the called command, ends errors in plain text."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from nb import __version__, surroundings
from nb.commands import SuggestingGroup
from nb.exit_codes import ExitCode
from nb.git import wiring
from nb.project import FULL, NbError, documentation, find_root, from_root, unwritable
from nb.terminal import accept_all_text, echo, forget_color_reset, secho
from nb.wording import did_you_mean

# The groups of `nb --help`: commands by module of `commands`, which is imported for a call.
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "Every day": {
        "running": ("run", "status"),
        "notebooks": ("new", "lab", "check", "show", "edit"),
        "guide": ("help",),
    },
    "From exploratory to production": {
        "adopt": ("adopt",),
        "production": ("promote", "duplicates", "extract"),
        "results": ("trace", "debug"),
    },
    "Results": {
        "results": ("report", "export", "metrics", "params", "describe", "compare"),
        "experiments": ("experiment", "experiments"),
        "clone": ("clean",),
    },
    "Team and Git": {
        "onboarding": ("onboard",),
        "clone": ("setup", "doctor", "pull", "push", "sync", "resolve"),
        "updating": ("update",),
    },
    "Machines": {"machines": ("stages", "task", "assemble"), "clone": ("workflows",)},
    "Plumbing, called by Git, DVC and hooks": {
        "plumbing": (
            *("commit-checks", "fingerprint", "verify", "credentials", "unpushed", "hook"),
            "merge-lock",
        ),
    },
}
WHERE = {
    command: module
    for group in GROUPS.values()
    for module, commands in group.items()
    for command in commands
}
# Errors of a disk that may come without a file's name: full, read-only, not permitted.
DISK_ERRORS = FULL | {errno.EROFS, errno.EACCES, errno.EPERM}
# Commands that Git itself calls, or that report what is wrong, change nothing on the way.
WITHOUT_REPAIR = {
    *("check", "help", "stages", "setup", "onboard", "doctor", "verify", "credentials", "unpushed"),
    *("merge-lock", "hook", "commit-checks", None),
}
HELP_OPTIONS = ["-h", "--help"]
# The key in the metadata of a call: a page of help changes nothing either.
ASKS_FOR_HELP = "nb.asks_for_help"
# More than a terminal of 80 columns has: a test holds each sentence to the width.
LONGEST_HELP = 200


class Commands(SuggestingGroup):
    """Commands whose expected errors end as one line on standard error."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        accept_all_text()
        is_empty = not args
        ctx.meta[ASKS_FOR_HELP] = any(option in args for option in HELP_OPTIONS)
        try:
            with _errors_as_lines(ctx):  # the help page may meet a full disk
                return super().parse_args(ctx, args)
        except click.UsageError as error:
            if not is_empty:
                _end_with(ctx, _usage_problem(error, ctx), ExitCode.USAGE)
            raise  # the help page, which click shows

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(WHERE)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in WHERE:
            return None
        module = importlib.import_module(f"nb.commands.{WHERE[name]}")
        found: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in groups, each with the whole first sentence of its help."""
        width = max(map(len, WHERE))
        for title, group in GROUPS.items():
            names = [name for commands in group.values() for name in commands]
            found = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(f"{n:{width}}", c.get_short_help_str(LONGEST_HELP)) for n, c in found if c]
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write where the guide is."""
        formatter.write(f"\nGuide: nb help, or {documentation()}\n")

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _errors_as_lines(ctx):
                return super().invoke(ctx)
        except click.UsageError as error:
            _end_with(ctx, _usage_problem(error, ctx), ExitCode.USAGE)


@contextmanager
def _errors_as_lines(ctx: click.Context) -> Iterator[None]:
    """End the command with one line for an expected error, and for each about a file or a disk."""
    try:
        yield
    except NbError as error:
        root = ctx.obj or Path("no root")
        _end_with(ctx, from_root(str(error), root), error.exit_code)
    except OSError as error:
        if error.filename is None and error.errno not in DISK_ERRORS:
            raise
        _end_with(ctx, unwritable(error), ExitCode.FAILED)
    except click.Abort:
        if sys.stdin.isatty():  # Ctrl-C
            raise
        problem = "nobody answered the question; use a terminal, or an option such as --yes"
        _end_with(ctx, problem, ExitCode.USAGE)


def _end_with(ctx: click.Context, problem: str, exit_code: int) -> NoReturn:
    for line in problem.splitlines():
        secho(f"nb: {line}", fg="red", err=True)
    ctx.exit(exit_code)


def _usage_problem(error: click.UsageError, ctx: click.Context) -> str:
    """Return an error of click as one sentence that ends with the nearest word or the help page."""
    at = error.ctx or ctx
    path = at.command_path
    if isinstance(error, click.NoSuchOption):
        known = [name for parameter in at.command.params for name in parameter.opts]
        hint = did_you_mean(error.option_name, known, f"its options: {path} --help")
        return f"{path} has no option {error.option_name}; {hint}"
    problem = error.format_message().rstrip(".")
    return f"{problem[:1].lower()}{problem[1:]}; see {path} --help"


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from nb.update.provenance import version_line

    try:
        line = version_line(find_root())
    except NbError:  # outside a project
        line = __version__
    echo(f"nb, version {line}")
    ctx.exit()


@click.group("nb", cls=Commands, context_settings={"help_option_names": HELP_OPTIONS})
@click.option("--version", is_flag=True, is_eager=True, callback=_print_version, expose_value=False)
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run, check and version the notebooks of this project.

    \b
    Examples:
      nb run                        run the production notebooks that are stale
      nb new "outliers in sales"    begin an exploratory notebook
      nb run --help                 options, exit codes and examples of a command
    """
    ctx.call_on_close(forget_color_reset)
    ctx.obj = find_root()
    surroundings.forget_repository(os.environ, ctx.obj)
    if ctx.invoked_subcommand not in WITHOUT_REPAIR and not ctx.meta[ASKS_FOR_HELP]:
        for change in wiring.heal(ctx.obj):
            echo(f"nb: {change}", err=True)


if __name__ == "__main__":
    sys.exit(main())
