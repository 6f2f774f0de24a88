"""Command lines of the pages that users read, and how each is known to work.

Every line of `nb`, `make`, `dvc` and `git` in a block or a sentence is run by the tutorial, as an
example of a help page, in a scene of `documented_commands.yaml` or by a test named there, or has a
reason there why no test runs it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from conftest import TEMPLATE
from help_pages import every_command, examples
from ruamel.yaml import YAML
from tutorial import steps

PROJECT = TEMPLATE / "{{cookiecutter.project_slug}}"
PAGES = [
    TEMPLATE / "README.md",
    *sorted((TEMPLATE / "docs").rglob("*.md")),
    *sorted(p for p in PROJECT.rglob("*.md*") if p.name != "guide.md" and p.is_file()),
]
COMMAND = re.compile(r"(?:[A-Z_]+=\S+ )*(?:nb|make|dvc|git)(?: .+)?")
FENCED = re.compile(r"^( *)```(\w*).*?\n(.*?)^\1```$", re.M | re.S)
INDENTED = re.compile(r"^    +(?:\$ )?(.+)$", re.M)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
# A comment or, after two blanks, a description.
REMARK = re.compile(r"\s{2,}.*| #.*| \(.*")
# Stands for a word, or for the rest of a line: NOTEBOOK, STAGE.PARAMETER=VALUE, <name>, …
PLACEHOLDER = re.compile(r"\[?[A-Z]+\b[A-Z.=]*\]?|<\w+>|…|\w+=…|[\w-]+(\|[\w-]+)+")

_LEDGER = YAML(typ="safe").load(Path(__file__).with_name("documented_commands.yaml"))
# Each line of a scene is documented, the words that are typed for it, or a preparation.
SCENES: dict[str, str] = _LEDGER["scenes"]
TESTS: dict[str, str] = _LEDGER["tests"]
REASONS: dict[str, str] = _LEDGER["reasons"]


def commands(page: str) -> Iterator[tuple[str, bool]]:
    """Yield the command lines of a page, one by one, and whether a block or a sentence has each."""
    blocks = [body for _, kind, body in FENCED.findall(page) if kind != "mermaid"]
    text = FENCED.sub("", page)
    lines = [re.sub(r"^\s*(\$ )?", "", line) for body in blocks for line in body.splitlines()]
    lines += INDENTED.findall(text)
    inline = [" ".join(code.split()) for code in INLINE.findall(INDENTED.sub("", text))]
    for found, in_block in ((lines, True), (inline, False)):
        for line in found:
            for part in parts(REMARK.sub("", line)):
                yield part, in_block


def parts(line: str) -> Iterator[str]:
    """Yield the commands of a line of the shell that are ours or Git's or DVC's."""
    for part in re.split(r" && | \| |; ", line):
        is_whole = part.count("'") % 2 == part.count('"') % 2 == 0
        if is_whole and COMMAND.fullmatch(part.strip()):
            yield part.strip()


def documented() -> dict[str, bool]:
    """Return the command lines of all pages, each with whether a block has it."""
    found: dict[str, bool] = {}
    for page in PAGES:
        for command, in_block in commands(page.read_text(encoding="utf-8")):
            found[command] = found.get(command, False) or in_block
    return found


def scene(name: str) -> Iterator[tuple[str, str]]:
    """Yield each documented line of a scene with the typed one; preparations are in no page."""
    for line in SCENES[name].strip().splitlines():
        text, _, typed = line.strip().partition(" => ")
        yield ("", text[2:]) if text.startswith("+ ") else (text, typed or text)


def typed() -> set[str]:
    """Return the command lines that a test types: tutorial, examples of help pages, scenes."""
    page = (TEMPLATE / "docs/start/first-hour.md").read_text(encoding="utf-8")
    lines = [step.command for step in steps(page)]
    lines += [line for _, command in every_command() for line in examples(command)]
    for name in SCENES:
        for text, line in scene(name):
            lines += [text, line]
    return {part for line in lines for part in parts(line)}


def is_typed(command: str, in_block: bool, lines: Iterable[str]) -> bool:
    """Return whether a command line is among those that are typed.

    Placeholders stand for any word. What a sentence names may be the beginning of a longer line.
    """
    words = shlex.split(command)
    for line in lines:
        given = shlex.split(line)
        same = len(given) == len(words) or (len(given) > len(words) and not in_block)
        same = same or (words[-1] == "…" and len(given) >= len(words))
        if same and all(
            w == g or PLACEHOLDER.fullmatch(w) for w, g in zip(words, given, strict=False)
        ):
            return True
    return False
