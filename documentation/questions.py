"""The page of the template's questions: each answer with the files and packages that it adds."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cookiecutter.main import cookiecutter

from .facts import TEMPLATE

INTRODUCTION = """# Questions

The questions of `cookiecutter gh:org/template`, with the files and packages that each answer adds
to a project with the default answers, or takes away. `--no-input` takes the defaults; answers can
be given on the command line:

    cookiecutter --no-input gh:org/template project_name="House prices" dashboard=Streamlit
"""
# Answers to the questions whose default is a text.
EXAMPLES: Mapping[str, list[str]] = {
    "storage": ["s3://bucket/path", "gs://bucket/path", "azure://container/path", "ssh://host/path"]
}
NO_DIFFERENCE = "the same files and packages"


def questions_page() -> str:
    """Return the page in Markdown; generates a project for each answer."""
    content = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    prompts = content["__prompts__"]
    with tempfile.TemporaryDirectory() as folder:
        usual = generated(Path(folder), {})
        parts = [INTRODUCTION, "## The default project\n", f"```text\n{_tree(usual)}\n```\n"]
        for question, prompt in prompts.items():
            default = content[question]
            parts.append(f"## {question}\n\n{prompt} {_default(default)}\n")
            others = {a: generated(Path(folder), {question: a}) for a in _others(question, default)}
            rows = [f"| `{_said(a)}` | {_difference(usual, made)} |" for a, made in others.items()]
            if rows:
                parts += ["| answer | adds or removes |", "|---|---|", *rows, ""]
    return "\n".join(parts)


def generated(folder: Path, answers: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a project by path, without those of `tools/nb`."""
    made = cookiecutter(
        str(TEMPLATE),
        no_input=True,
        accept_hooks=False,  # they print the next steps
        extra_context={"project_slug": "project", **answers},
        output_dir=tempfile.mkdtemp(dir=folder),
    )
    root = Path(made)
    names = {path: path.relative_to(root).as_posix() for path in sorted(root.rglob("*"))}
    return {
        name: path.read_text(encoding="utf-8")
        for path, name in names.items()
        if path.is_file() and not name.startswith("tools/nb") and path.suffix != ".pyc"
    }


def packages(files: Mapping[str, str]) -> set[str]:
    """Return the requirements of `pyproject.toml`, by name with extras."""
    lines = files["pyproject.toml"].partition("[build-system]")[0].splitlines()
    found = (re.match(r'\s+"([\w.-]+(?:\[\w+(?:,\w+)*\])?)', line) for line in lines)
    return {match[1] for match in found if match}


def _difference(usual: Mapping[str, str], other: Mapping[str, str]) -> str:
    """Return the difference between two projects, for a cell of a table."""
    before, after = packages(usual), packages(other)
    sentences = [
        _list("adds", sorted(other.keys() - usual.keys())),
        _list("removes", sorted(usual.keys() - other.keys())),
        _list("packages:", sorted(after - before)),
        _list("not installed:", sorted(before - after)),
    ]
    return "<br>".join(filter(None, sentences)) or NO_DIFFERENCE


def _list(word: str, names: list[str]) -> str:
    return f"{word} {', '.join(f'`{name}`' for name in names)}" if names else ""


def _others(question: str, default: Any) -> list[Any]:
    if isinstance(default, list):
        return default[1:] if question != "python_version" else []
    return [not default] if isinstance(default, bool) else EXAMPLES.get(question, [])


def _default(default: Any) -> str:
    if isinstance(default, list):
        return (
            f"One of {', '.join(f'`{answer}`' for answer in default)}; `{default[0]}` by default."
        )
    if isinstance(default, bool):
        return f"`{_said(default)}` by default."
    if "{{" in default:
        return "Derived from other answers by default."
    return f"`{default}` by default." if default else "Empty by default."


def _said(answer: Any) -> str:
    return ("yes" if answer else "no") if isinstance(answer, bool) else str(answer)


def _tree(files: Mapping[str, str]) -> str:
    """Return the files as a tree; folders that hold many are cut."""
    lines: list[str] = []
    folders: list[str] = []
    for name in sorted([*files, "tools/nb/…"], key=lambda name: name.split("/")):
        *parents, leaf = name.split("/")
        for depth, parent in enumerate(parents):
            if folders[depth : depth + 1] != [parent]:
                lines.append(f"{'    ' * depth}{parent}/")
                folders[depth:] = [parent]
        folders = parents
        lines.append(f"{'    ' * len(parents)}{leaf}")
    return "\n".join(lines)
