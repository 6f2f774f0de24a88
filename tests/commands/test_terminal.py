"""What reaches the terminal: our own colors, and no sequence of anybody else."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nb import terminal
from nb.printable import printable

NB = Path(terminal.__file__).parent
# What a terminal obeys, and what changes the order of what it shows.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
HOSTILE = "a\x1b[2Jb\x1b]0;title\x07c\u202egnp.exe\udcff\x9b31m\r"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(text: str) -> str:
    file = Terminal()
    terminal.echo(text, file=file, nl=False)
    return file.getvalue()


@given(st.text(st.characters(codec=None)))
@example(HOSTILE)
@example("\x1b[31mred\x1b[0m")
def test_no_control_of_others_reaches_the_terminal(text: str) -> None:
    assert not OBEYED.search(printed(text))
    assert not OBEYED.search(printable(text))


@given(st.text(st.characters(codec=None)))
@example("\x1b[31mred\x1b[0m")
def test_a_text_is_colored_by_us_alone(text: str) -> None:
    shown = printed(terminal.style(text, fg="green"))
    assert shown == f"\x1b[32m{printable(text)}\x1b[0m"


def test_a_program_may_color_its_lines_and_no_more() -> None:
    text = "\x1b[31mred\x1b[0m \x1b[2J\x1b[1A\x1b]8;;http://x\x07"
    shown = printed(terminal.colored(text))
    assert shown == "\x1b[31mred\x1b[0m \\u001b[2J\\u001b[1A\\u001b]8;;http://x\\u0007"


def test_what_people_write_is_printed_as_it_is() -> None:
    text = "Größe\t名前 🎉 e\u0301\n\u200f"
    assert printed(text) == text


@pytest.mark.parametrize(
    "path",
    [*sorted((NB / "commands").glob("*.py")), NB / "cli.py", NB / "run" / "view.py"],
    ids=lambda path: path.name,
)
def test_commands_print_nowhere_else(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    others = {"print", "click.echo", "click.secho", "click.style", "sys.stdout.write"}
    assert not others & set(calls)


@given(st.lists(st.from_regex(r"[a-z/.-]{1,90}", fullmatch=True), min_size=1))
def test_a_long_line_is_wrapped_between_words(names: list[str]) -> None:
    lines = terminal.wrapped(f"  files: {', '.join(names)}").split("\n")
    assert " ".join(line.strip() for line in lines) == f"files: {', '.join(names)}"
    assert all(len(line) <= 80 or " " not in line.strip() for line in lines)
    assert all(line.startswith("    ") for line in lines[1:])
