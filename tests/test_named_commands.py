"""Commands that pages name: each exists, and so does each option."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import TEMPLATE
from nb.cli import main

PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"
PAGES = [
    *(TEMPLATE / name for name in ("README.md", "CHANGELOG.md")),
    *sorted((TEMPLATE / "docs").rglob("*.md")),
    *sorted(p for p in PROJECT.rglob("*.md*") if p.name != "guide.md" and p.is_file()),
]
# A line of a block with an optional prompt, or code in a sentence.
LINE = re.compile(r"^(?:    |\$ )(?:\$ )?((?:nb|make) .+)$", re.M)
INLINE = re.compile(r"`((?:nb|make)\s[^`]+)`")
# A comment or, after two blanks, a description.
REST = re.compile(r"\s{2,}.*| [#│|(…].*")


def named(page: str) -> Iterator[str]:
    """Yield the commands that a page names; several in a line one by one."""
    for found in [*LINE.findall(page), *INLINE.findall(page)]:
        text = REST.sub("", " ".join(found.split("\n")))
        yield from (part.strip() for part in re.split(r" && | \| |; ", text))


def wrong_word(text: str) -> str:
    """Return the first word of a command line of `nb` that no command or option has."""
    try:
        words = shlex.split(text)[1:]
    except ValueError:  # cut in the middle of a quotation
        return ""
    command: click.Command = main
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        name = words.pop(0)
        found = command.get_command(click.Context(command), name)
        if found is None:
            return name if re.fullmatch(r"[a-z-]+", name) else ""
        command = found
    options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    for word in words:
        if word == "--":
            break
        if re.fullmatch(r"--?[a-z-]+(=.*)?", word) and word.split("=")[0] not in options:
            return word
    return ""


def tasks() -> set[str]:
    """Return the tasks of the template and of projects, whatever the answers."""
    texts = ((folder / "Makefile").read_text(encoding="utf-8") for folder in (TEMPLATE, PROJECT))
    return {name for text in texts for name in re.findall(r"^([\w-]+):", text, re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(TEMPLATE).as_posix())
def test_each_command_of_a_page_exists_with_its_options(page: Path) -> None:
    commands = list(named(page.read_text(encoding="utf-8")))
    found = {text: wrong_word(text) for text in commands if text.startswith("nb ")}
    assert {text: word for text, word in found.items() if word} == {}
    made = [re.match(r"make (?:--?[a-z-]+ )*([a-z][a-z-]+)", text) for text in commands]
    assert {found[1] for found in made if found} - tasks() == set()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("nb run --force train", ""),
        ("nb rnu", "rnu"),
        ("nb run --no-such", "--no-such"),
        ("nb experiments apply 7", ""),
        ("nb experiments aply 7", "aply"),
        ("nb task STAGE", ""),
    ],
)
def test_words_that_no_command_has_are_found(text: str, word: str) -> None:
    assert wrong_word(text) == word


def test_commands_are_found_in_blocks_and_sentences() -> None:
    block = "```console\n$ make lab && nb status\n```\n"
    page = (
        f"Type `nb run` or\n\n    nb new x      a notebook\n\n{block}\nThey\nmake nothing stale.\n"
    )
    assert list(named(page)) == ["nb new x", "make lab", "nb status", "nb run"]
