"""Command `nb help`: pages of the guide, in the version of the installed tooling."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from nb import project
from nb.exit_codes import ExitCode
from nb.project import NbError, UsageError, documentation
from nb.terminal import echo, is_colored, style
from nb.wording import did_you_mean

# Written by the template: pages one after another, each below a comment with its name.
GUIDE = Path(project.__file__).with_name("guide.md")
PAGE_MARK = re.compile(r"^<!-- ([\w-]+)/([\w-]+)\.md -->\n", re.M)
TITLES = {"how-to": "How to", "reference": "Reference", "help": "When something is wrong"}
IMAGE = re.compile(r"!\[[^]]*\]\([^)]*\)\n?")
LINK = re.compile(r"\[([^]]+)\]\(([^)\s]*)\)")
WIDEST = 100


@click.command("help")
@click.argument("topic", default="")
@click.option("--search", "wanted", metavar="WORDS", help="List the lines that hold these words.")
@click.pass_context
def help_command(ctx: click.Context, topic: str, wanted: str | None) -> None:
    """Show a page of the guide; without TOPIC, list the pages.

    The pages are those of the version in this project, and need no network. TOPIC may also be a
    command, whose options are shown if no page has its name.

    \b
    Examples:
      nb help
      nb help storage
      nb help --search "in conflict"
    """
    pages = read_guide()
    if wanted is not None:
        found = list(_lines_with(pages, wanted))
        if not found:
            raise NbError(f"no page holds {wanted!r}; all pages: nb help", ExitCode.FAILED)
        for line in found:
            echo(line)
    elif topic in pages:
        _show(pages[topic][1], pages)
    elif topic:
        _show_command(ctx, topic, pages)
    else:
        _list(pages)


def read_guide() -> dict[str, tuple[str, str]]:
    """Return kind and text of each page, by topic.

    Raises:
        NbError: if the guide is not there.
    """
    try:
        parts = PAGE_MARK.split(GUIDE.read_text(encoding="utf-8"))
    except OSError as error:
        raise NbError(f"the guide is not there; read {documentation()}") from error
    return {
        topic: (kind, text.strip() + "\n")
        for kind, topic, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    }


def _list(pages: dict[str, tuple[str, str]]) -> None:
    width = max(map(len, pages))
    for kind, title in TITLES.items():
        echo(style(f"{title}:", bold=True))
        for topic, (of, text) in pages.items():
            if of == kind:
                echo(f"  {topic:{width}}  {text.splitlines()[0].lstrip('# ')}")
        echo()
    echo("A page: nb help TOPIC. With pictures, search and all commands:")
    echo(documentation())


def _lines_with(pages: dict[str, tuple[str, str]], wanted: str) -> Iterator[str]:
    """Yield the lines that hold the words, as `topic: line`, whatever their case."""
    for topic, (_, text) in pages.items():
        for line in _plain(text, pages).splitlines():
            if wanted.casefold() in line.casefold():
                yield f"{style(topic, bold=True)}: {line.strip()}"


def _show_command(ctx: click.Context, topic: str, pages: dict[str, tuple[str, str]]) -> None:
    assert ctx.parent is not None and isinstance(ctx.parent.command, click.Group)
    commands = ctx.parent.command
    command = commands.get_command(ctx.parent, topic)
    if command is not None:
        with click.Context(command, parent=ctx.parent, info_name=topic) as context:
            echo(command.get_help(context))
        return
    known = [*pages, *commands.list_commands(ctx.parent)]
    hint = did_you_mean(topic, known, "the pages are listed by nb help")
    raise UsageError(f"the guide has no page {topic}; {hint}")


def _show(text: str, pages: dict[str, tuple[str, str]]) -> None:
    """Print a page: laid out on a terminal, page by page; as Markdown elsewhere."""
    text = _plain(text, pages)
    if not sys.stdout.isatty():
        echo(text, nl=False)
        return
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.theme import Theme

    # Without backgrounds, which would be bars of black on a light terminal.
    theme = Theme({"markdown.code": "cyan", "markdown.code_block": "cyan"})
    console = Console(
        force_terminal=True, color_system="auto" if is_colored(sys.stdout) else None, theme=theme
    )
    console.width = min(console.width, WIDEST)
    with console.capture() as captured:
        console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
    click.echo_via_pager(captured.get(), color=True)


def _plain(text: str, pages: dict[str, tuple[str, str]]) -> str:
    """Return a page whose links to other pages name their topics, without pictures."""

    def link(found: re.Match[str]) -> str:
        label, target = found.groups()
        topic = Path(target.partition("#")[0]).stem
        if "://" in target:
            return f"{label} ({target})"
        return f"{label} (`nb help {topic}`)" if topic in pages else label

    return LINK.sub(link, IMAGE.sub("", re.sub(r"^<!--.*?-->\n", "", text, flags=re.M)))
