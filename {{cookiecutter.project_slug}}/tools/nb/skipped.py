"""Files that were there before the project was generated over them, and lines that they lack.

Standard library only, from Python 3.8 on: the lines are added before there is an environment. The
template's version of each skipped file is in `.nb/skipped`; lines are only added, none is removed.
"""

from __future__ import annotations

import re
from pathlib import Path

SKIPPED_FILES = Path(".nb/skipped")
LINE_FILES = (".gitignore", ".gitattributes", ".dvcignore")
PYPROJECT, HOOKS = "pyproject.toml", ".pre-commit-config.yaml"
ADDED_MARK = "# Added for the notebooks and the pipeline (nb doctor)."
TABLE_HEADER = re.compile(r"^\[([^\[\]]+)\][^\n]*\n", re.M)
GROUPS, SOURCES, BUILD = "dependency-groups", "tool.uv.sources", "build-system"


def skipped_names(root: Path) -> list[str]:
    """Return the files that were skipped, relative to the root."""
    folder = root / SKIPPED_FILES
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if (root / name).is_file())


def additions(root: Path) -> dict[str, str]:
    """Return the text that each skipped file gets from `add_missing`, by name."""
    found = {}
    for name in skipped_names(root):
        theirs, ours = _read(root / name), _read(root / SKIPPED_FILES / name)
        whole = completed(name, theirs, ours)
        if whole != theirs:
            before = set(theirs.splitlines())
            found[name] = "\n".join(line for line in whole.splitlines() if line not in before)
    return found


def add_missing(root: Path) -> list[str]:
    """Add the lines that skipped files lack; return the names of the files that were changed."""
    changed = []
    for name in additions(root):
        path = root / name
        theirs = path.read_bytes()
        newline = "\r\n" if b"\r\n" in theirs else "\n"
        whole = completed(name, _read(path), _read(root / SKIPPED_FILES / name))
        draft = path.with_name(path.name + ".draft")
        draft.write_bytes(whole.replace("\n", newline).encode("utf-8", "surrogateescape"))
        draft.chmod(path.stat().st_mode)
        draft.replace(path)
        changed.append(name)
    return changed


def _read(path: Path) -> str:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n")


def completed(name: str, theirs: str, ours: str) -> str:
    """Return a file of theirs with the lines of ours that it needs and lacks."""
    if name in LINE_FILES:
        return _with_lines(theirs, ours)
    if name == PYPROJECT:
        return _with_tables(theirs, ours)
    if name == HOOKS:
        return _with_hooks(theirs, ours)
    return theirs


def _appended(theirs: str, added: str) -> str:
    before = f"{theirs.rstrip()}\n\n" if theirs.strip() else ""
    return f"{before}{ADDED_MARK}\n{added.strip()}\n"


def _with_lines(theirs: str, ours: str) -> str:
    """Append the patterns that are missing, all in their order: a later pattern wins."""
    known = {line.strip() for line in theirs.splitlines()}
    wanted = (line for line in ours.splitlines() if line.strip() and not line.startswith("#"))
    missing = [line for line in wanted if line.strip() not in known]
    return _appended(theirs, "\n".join(missing)) if missing else theirs


def _tables(text: str) -> dict[str, str]:
    """Return the tables of a TOML file with their headers, by name."""
    starts = [(match.start(), match[1].strip()) for match in TABLE_HEADER.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return {name: text[start:end] for (start, name), end in zip(starts, ends)}


def _with_tables(theirs: str, ours: str) -> str:
    """Add groups and sources, and each table whose tool is not configured by them at all."""
    known, wanted = _tables(theirs), _tables(ours)
    tools = {_tool(name) for name in known}
    added = []
    for name, text in wanted.items():
        if name in (GROUPS, SOURCES):
            if name == GROUPS and "project" in known:
                text = _with_dependencies(text, known["project"], wanted["project"])
            if name not in known:
                added.append(text.strip())
            else:
                theirs = _with_keys(theirs, known[name], text)
        elif _tool(name) not in tools and not (_tool(name) == "tool.hatch" and BUILD in known):
            added.append(text.strip())
    return _appended(theirs, "\n\n".join(added)) if added else theirs


def _tool(table: str) -> str:
    return ".".join(table.split(".")[:2])


def _entries(table: str) -> dict[str, str]:
    """Return the keys of a table with their text, lists over several lines included."""
    found = re.findall(r"^([\w-]+)\s*=\s*((?:\[\n.*?^\]|[^\n]*)[^\n]*\n)", table, re.M | re.S)
    return {key: f"{key} = {value}" for key, value in found}


def _with_keys(theirs: str, known: str, wanted: str) -> str:
    """Add the keys that a table of theirs lacks, below its header."""
    there = _entries(known)
    missing = [text for key, text in _entries(wanted).items() if key not in there]
    header = known.split("\n", 1)[0] + "\n"
    completed_table = f"{header}{''.join(missing)}{known[len(header) :]}"
    return theirs.replace(known, completed_table) if missing else theirs


def _with_dependencies(groups: str, project: str, ours: str) -> str:
    """Return our groups with the packages that notebooks import and their project does not name."""
    wanted = re.findall(r'^    "([\w.-]+)([^"]*)"', _entries(ours).get("dependencies", ""), re.M)
    names = [f"{name}{rest}" for name, rest in wanted if not re.search(rf'["\']{name}\b', project)]
    lines = "".join(f'    "{name}",\n' for name in names)
    return groups.replace("pipeline = [\n", f"pipeline = [\n{lines}", 1)


def _with_hooks(theirs: str, ours: str) -> str:
    """Append our hooks to the list of repositories, if the list is the end of the file."""
    start = re.search(r"^repos:[^\S\n]*\n(?:\s*#[^\n]*\n|\n)*([ ]*)- repo:", theirs, re.M)
    block = ours[ours.index("  - repo: local") :] if "  - repo: local" in ours else ""
    if not start or not block or "tools/in-env" in theirs:
        return theirs
    if re.search(r"^[\w-]+:", theirs[start.end() :], re.M):
        return theirs
    indented = re.sub(r"^  ", start[1], block.rstrip(), flags=re.M)
    return f"{theirs.rstrip()}\n{start[1]}{ADDED_MARK}\n{indented}\n"
