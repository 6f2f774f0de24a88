"""A page of commands as a test sees it: its steps, the shell that runs them, and their output."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

FENCE = re.compile(
    r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$', re.M | re.S
)
# Begins a line of its own that no program prints.
MARK = "\x1eEND "
ANYTHING = "…"


@dataclass
class Step:
    """A command with the output that the page shows, or a file that the reader writes.

    Attributes:
        command: the command; empty for a file.
        shown: the lines of the output, where `…` stands for anything.
        file: the path of the file, from the folder in which the page is then.
        content: the text of the file.
    """

    command: str = ""
    shown: list[str] = field(default_factory=list)
    file: str = ""
    content: str = ""


def steps(page: str) -> Iterator[Step]:
    """Yield the commands and files of a page in their order."""
    for block in FENCE.finditer(page):
        if block["title"]:
            yield Step(file=block["title"], content=block["body"])
        elif block["kind"] == "console":
            for part in re.split(r"^\$ ", block["body"], flags=re.M)[1:]:
                command, *shown = part.splitlines()
                yield Step(command, shown)


def as_notebook(cells: str) -> str:
    """Return a notebook with the cells of a text in the percent format."""
    made = nbformat.v4.new_notebook()
    for part in re.split(r"^# %%", cells, flags=re.M)[1:]:
        head, _, source = part.partition("\n")
        if "[markdown]" in head:
            source = re.sub(r"^# ?", "", source, flags=re.M)
            made.cells.append(nbformat.v4.new_markdown_cell(source.strip()))
        else:
            made.cells.append(nbformat.v4.new_code_cell(source.strip()))
    return str(nbformat.writes(made)) + "\n"


def run(todo: list[Step], folder: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Run the steps in one shell; yield the lines that each printed.

    Raises:
        AssertionError: if a command fails.
    """
    shell = subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert shell.stdin and shell.stdout
    for step in todo:
        command = step.command
        if step.file:
            text = as_notebook(step.content) if step.file.endswith(".ipynb") else step.content
            command = f"cat > {step.file} <<'\x1eTEXT'\n{text}\x1eTEXT"
        ask = "" if step.file else "</dev/null"
        shell.stdin.write(f"{{ {command}\n}} {ask}\nprintf '\\n{MARK}%s\\n' $?\n")
        shell.stdin.flush()
        lines = []
        for line in shell.stdout:
            if line.startswith(MARK):
                break
            lines.append(line.rstrip("\n"))
        printed = "\n".join(lines)
        assert line == f"{MARK}0\n", f"$ {step.command or step.file}\n{printed}\n{line}"
        yield lines[:-1] if lines and not lines[-1] else lines
    shell.stdin.close()
    shell.wait()


def is_as_shown(shown: list[str], printed: list[str]) -> bool:
    """Tell whether a command printed the lines of the page: `…` alone stands for any lines."""
    parts = [
        "(?:.*\n)*?"
        if line.strip() == ANYTHING
        else ".*?".join(map(re.escape, line.rstrip().split(ANYTHING))) + " *\n"
        for line in shown
    ]
    return bool(re.fullmatch("".join(parts), "".join(f"{line}\n" for line in printed)))
