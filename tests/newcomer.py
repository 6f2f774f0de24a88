"""A newcomer at a terminal of 80 columns: types the commands of the tutorial, and prints a table.

    python tests/newcomer.py build/newcomer [environment=pip …]

cookiecutter asks its questions; Enter answers them, but for those given in the command line. Of
each command the table has the seconds, the longest time in which nothing appeared, the lines, and
the columns of the longest. A second member clones what the newcomer has pushed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pexpect
from tutorial import Step, as_notebook, steps

TEMPLATE = Path(__file__).resolve().parent.parent
PAGE = TEMPLATE / "docs/start/first-hour.md"
ROWS, COLUMNS = 24, 80
# The exit code and the folder, between characters that no program prints.
PROMPT = "\x1e$? $PWD\x1e"
PROMPTED = re.compile(r"\x1e(\d+) ([^\x1e]*)\x1e")
# The end of a question: its default in parentheses, in color.
QUESTION = re.compile(r"\)\x1b\[0m: $")
# What moves the cursor or colors a text; a carriage return begins the line anew.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>(][0-9A-B]?")
# Longer than any step takes; a program that waits for an answer must not hang for ever.
PATIENCE = 900


@dataclass
class Watch:
    """What a terminal showed since a command was typed, and the longest time without anything."""

    text: str = ""
    silence: float = 0.0
    last: float = field(default_factory=time.monotonic)

    def write(self, text: str) -> None:
        now = time.monotonic()
        self.silence = max(self.silence, now - self.last)
        self.last = now
        self.text += text

    def flush(self) -> None:
        """Do nothing: pexpect asks files for it."""


@dataclass(frozen=True)
class Typed:
    """A command that was typed.

    Attributes:
        command: the command.
        code: its exit code.
        raw: the text on the terminal, with all controls.
        seconds: how long it took.
        silence: the longest time in which nothing appeared.
        questions: how many questions it asked.
    """

    command: str
    code: int
    raw: str
    seconds: float
    silence: float
    questions: int

    @property
    def shown(self) -> list[str]:
        """The lines on the terminal, without colors."""
        return list(visible(self.raw))

    @property
    def widest(self) -> int:
        return max(map(len, self.shown), default=0)


class Terminal:
    """A shell in a terminal."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        shell = {"TERM": "xterm-256color", "PS1": PROMPT, "PAGER": "cat", "GIT_PAGER": "cat"}
        shell |= {"VIRTUAL_ENV_DISABLE_PROMPT": "1", "BROWSER": "true"}
        self.shell: Any = pexpect.spawn(
            "bash",
            ["--noprofile", "--norc", "--noediting"],
            cwd=str(folder),
            env={**environment, **shell},
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            echo=False,
            timeout=PATIENCE,
        )
        self.shell.expect(PROMPTED)
        self.folder = folder

    def type(self, command: str, answers: Mapping[str, str] = {}) -> Typed:
        """Type a command, answer its questions, and wait for the next prompt.

        Args:
            command: one line.
            answers: the answers by the text of the question; Enter answers all others.
        """
        watch = Watch()
        self.shell.logfile_read = watch
        begun = time.monotonic()
        self.shell.sendline(command)
        questions = 0
        while self.shell.expect([PROMPTED, QUESTION]):
            questions += 1
            asked = self.shell.before + self.shell.after
            given = (answer for text, answer in answers.items() if text in asked)
            self.shell.sendline(next(given, ""))
        code, where = self.shell.match.groups()
        self.folder = Path(where)
        seconds = time.monotonic() - begun
        raw = PROMPTED.sub("", watch.text)
        return Typed(command, int(code), raw, seconds, watch.silence, questions)

    def close(self) -> None:
        self.shell.close(force=True)


def visible(text: str) -> Iterator[str]:
    """Yield the lines that a terminal showed, the last state of each."""
    for line in CONTROL.sub("", text).replace("\r\n", "\n").split("\n"):
        yield line.rstrip("\r").rpartition("\r")[2].rstrip()


def newcomer_steps(page: str, answers: Mapping[str, str]) -> Iterator[Step]:
    """Yield the steps of the tutorial with cookiecutter's questions left to be answered."""
    given = " ".join(f"{name}={answer}" for name, answer in answers.items())
    for step in steps(page):
        if step.command.startswith("cookiecutter "):
            step = replace(step, command=f"cookiecutter {TEMPLATE} {given}".strip())
        yield step


def walk(folder: Path, answers: Mapping[str, str]) -> Iterator[Typed]:
    """Walk through the tutorial in an empty folder; yield each command that was typed.

    Raises:
        AssertionError: if a command fails.
    """
    home = folder / "home"
    home.mkdir(parents=True)
    names = ("HOME", "VIRTUAL_ENV", "GIT_AUTHOR", "GIT_COMMITTER", "GIT_CONFIG")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(names)}
    environment |= {"GIT_CONFIG_GLOBAL": str(home / "gitconfig"), "HOME": str(home)}
    terminal = Terminal(folder, environment)
    try:
        for step in newcomer_steps(PAGE.read_text(encoding="utf-8"), answers):
            if step.file:
                is_notebook = step.file.endswith(".ipynb")
                text = as_notebook(step.content) if is_notebook else step.content
                (terminal.folder / step.file).write_text(text, encoding="utf-8")
                continue
            typed = terminal.type(step.command, {"What is the project called?": "Flats"})
            yield typed
            assert typed.code == 0, "\n".join([f"$ {typed.command}", *typed.shown])
    finally:
        terminal.close()


def main(folder: Path, *given: str) -> None:
    """Walk through the tutorial and print the table; the screens are in `screens.txt`."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    answers = dict(answer.split("=", 1) for answer in given)
    total = 0.0
    print("seconds  silent  lines  widest  command")
    with (folder / "screens.txt").open("w", encoding="utf-8") as screens:
        for typed in walk(folder, answers):
            total += typed.seconds
            numbers = f"{typed.seconds:7.1f}  {typed.silence:6.1f}  {len(typed.shown):5}"
            print(f"{numbers}  {typed.widest:6}  {typed.command[:90]}", flush=True)
            print(f"$ {typed.command}", *typed.shown, sep="\n", file=screens, flush=True)
    print(f"{total:7.1f}  in all")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), *sys.argv[2:])
