"""The page of messages: every sentence with which the tooling can end, from its code."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from .facts import TEMPLATE, TOOLS

INTRODUCTION = """# Messages

Every message with which a command can end, by the part of the tooling that prints the message.
Names in capital letters stand for values. A message is one line: the fault, the file, the next
step. Search the page for a few words of yours. [Troubleshooting](troubleshooting.md) begins with
symptoms instead.
"""
# Rooms in the words of a reader.
TITLES = {
    "authoring": "New, promoted and edited notebooks",
    "check": "Rules and health of the clone",
    "commands": "Arguments of commands",
    "declaration": "dvc.yaml",
    "execution": "Notebooks in a run",
    "experiments": "Experiments",
    "git": "Git",
    "notebook": "Notebooks and parameters",
    "pipeline": "Pipeline and storage",
    "refactoring": "Shared code",
    "report": "Reports and documents",
    "run": "Runs",
    "runtime": "Processes of a run",
    "secrets": "Secrets",
    "tracing": "Files that a notebook uses",
    "workcopy": "Copies of the project",
}
# Functions and classes, beside those named …Error, whose first argument is a message.
SPEAKERS = ("BadParameter", "WrongParameters", "_reject", "warn")


def messages_page() -> str:
    """Return the page in Markdown."""
    sections: dict[str, list[str]] = defaultdict(list)
    sections["Answers to the questions"] += messages(TEMPLATE / "template_answers.py")
    for path in sorted((TOOLS / "nb").rglob("*.py")):
        room = path.relative_to(TOOLS / "nb").parts[0]
        sections[TITLES.get(room, "Others")] += messages(path)
    parts = [INTRODUCTION]
    for title, found in sorted(sections.items(), key=lambda item: (item[0] == "Others", item[0])):
        lines = "\n".join(sorted(set(found)))
        if lines:
            parts.append(f"## {title}\n\n```text\n{lines}\n```\n")
    return "\n".join(parts)


def messages(path: Path) -> Iterator[str]:
    """Yield the messages of the errors that a module raises."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            text = " ".join(_text(node.args[0]).split())
            if (name in SPEAKERS or name.endswith("Error")) and " " in text:
                yield text


def _text(node: ast.expr) -> str:
    """Return the text of an expression, with names in capitals for values."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) for part in parts)
        case ast.FormattedValue(value=value):
            return _placeholder(value)
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text.replace("{}", "…")
        case _:
            return _placeholder(node)


def _placeholder(node: ast.expr) -> str:
    """Return a word for a value: the name that holds it."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").upper()
        case ast.Call(func=ast.Attribute(attr="join"), args=[listed, *_]):
            return _placeholder(listed)
        case ast.Call(func=ast.Attribute(value=value)) | ast.Subscript(value=value):
            return _placeholder(value)
        case ast.Call(args=[value, *_]) | ast.GeneratorExp(elt=value):
            return _placeholder(value)
        case ast.Call(func=value) | ast.IfExp(body=value):
            return _placeholder(value)
        case _:
            return "…"
