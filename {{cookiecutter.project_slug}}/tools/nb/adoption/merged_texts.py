"""README, `.gitignore` and `pyproject.toml`, extended by those of an adopted folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from nb.distributions import normalized
from nb.project import NbError

LONGEST_HEADING = 6


def with_readme(text: str, theirs: str, label: str) -> str:
    """Return the README with the adopted folder's as a section, headings a level down."""
    lines, fenced = [], False
    for line in theirs.strip().splitlines():
        fenced ^= line.lstrip().startswith("```")
        level = len(line) - len(line.lstrip("#"))
        is_heading = not fenced and 0 < level < LONGEST_HEADING and line[level : level + 1] == " "
        lines.append(
            f"##{line}"[: None if level < LONGEST_HEADING - 1 else len(line) + 1]
            if is_heading
            else line
        )
    body = "\n".join(lines)
    return (
        f"{text.rstrip()}\n\n## Adopted: {label}\n\nThe README of {label}, as it was.\n\n{body}\n"
    )


def with_ignores(text: str, theirs: str, label: str) -> str:
    """Return a `.gitignore` with the patterns of another that are not there yet."""
    present = {line.strip() for line in text.splitlines()}
    new = [line for line in map(str.strip, theirs.splitlines()) if line and line not in present]
    new = [line for line in new if not line.startswith("#")]
    if not new:
        return text
    return f"{text.rstrip()}\n\n# Of {label}.\n" + "\n".join(dict.fromkeys(new)) + "\n"


def with_dependencies(text: str, requirements: Mapping[str, str], label: str) -> str:
    """Return `pyproject.toml` with requirements that are not there yet, at the end of the list.

    Raises:
        NbError: if the file has no list of dependencies that can be edited.
    """
    found = re.search(r"^dependencies = \[\n(.*?)^\]", text, re.M | re.S)
    if not found:
        raise NbError("pyproject.toml has no `dependencies = [` with a line for each; add one.")
    present = {normalized(name) for name in re.findall(r"^\s*[\"']([\w.-]+)", found[1], re.M)}
    new = [r for name, r in sorted(requirements.items()) if name not in present]
    if not new:
        return text
    listed = "".join(f"    {_quoted(requirement)},\n" for requirement in new)
    return f"{text[: found.end(1)]}    # Of {label}.\n{listed}{text[found.end(1) :]}"


def _quoted(requirement: str) -> str:
    return f"'{requirement}'" if '"' in requirement else f'"{requirement}"'


def with_excluded_files(text: str, files: Iterable[str]) -> str:
    """Return `pyproject.toml` with ruff told to pass over files that are no Python."""
    found = re.search(r"^extend-exclude = \[(.*)\]$", text, re.M)
    if not found or not (files := sorted(set(files))):
        return text
    listed = ", ".join(f'"{file}"' for file in files)
    return f"{text[: found.end(1)]}, {listed}{text[found.end(1) :]}"
