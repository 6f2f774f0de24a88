"""Files that were there before the project was generated over them; lines that they lack, added.

Standard library only, from Python 3.8 on: the lines are added before there is an environment. The
template's version of each skipped file is in `.nb/skipped`; lines are only added, none is removed.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from pathlib import Path

SKIPPED_FILES = Path(".nb/skipped")
LINE_FILES = (".gitignore", ".gitattributes", ".dvcignore")
PYPROJECT_FILE, _HOOKS = "pyproject.toml", ".pre-commit-config.yaml"
ADDED_MARK = "# Added for the notebooks and the pipeline (nb doctor)."
TABLE_HEADER = re.compile(r"^[ \t]*\[([\w.\- \"']+)\][ \t]*(?:#[^\n]*)?(?:\n|\Z)", re.M)
TABLE_KEY = re.compile(r"^[ \t]*([\w.\-\"']+(?:[ \t]*\.[ \t]*[\w\-\"']+)*)[ \t]*=", re.M)
_GROUPS, SOURCES, BUILD = "dependency-groups", "tool.uv.sources", "build-system"
PYTHON = "requires-python"
# Text without which the project does not work; a form of YAML or TOML may leave no place for it.
INDISPENSABLE = {PYPROJECT_FILE: "nb-tools =", _HOOKS: "tools/in-env"}
# A second description of the package, in [project], would stand against that of Poetry.
POETRY = "describes the package for Poetry alone; to move it to [project]: uvx migrate-to-uv"
NO_PLACE = "needs lines of .nb/skipped/{name}, for which the form of the file leaves no place"


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


def incomplete(root: Path) -> dict[str, str]:
    """Return the skipped files that only a person can complete, each with the reason."""
    found = {}
    for name in sorted({*skipped_names(root)} & INDISPENSABLE.keys()):
        theirs, ours = _read(root / name), _read(root / SKIPPED_FILES / name)
        text = INDISPENSABLE[name]
        if text in ours and text not in completed(name, theirs, ours):
            is_poetry = name == PYPROJECT_FILE and _is_of_poetry(_tables(theirs))
            found[name] = POETRY if is_poetry else NO_PLACE.format(name=name)
    return found


def add_missing(root: Path) -> list[str]:
    """Add the lines that skipped files lack; return the names of the files that were changed."""
    changed = []
    for name in additions(root):
        path = root / name
        theirs = path.read_bytes()
        newline = "\r\n" if _has_windows_lines(theirs) else "\n"
        whole = completed(name, _read(path), _read(root / SKIPPED_FILES / name))
        mark = codecs.BOM_UTF8 if theirs.startswith(codecs.BOM_UTF8) else b""
        draft = path.with_name(path.name + ".draft")
        draft.write_bytes(mark + whole.replace("\n", newline).encode("utf-8", "surrogateescape"))
        draft.chmod(path.stat().st_mode)
        draft.replace(path)
        changed.append(name)
    return changed


def _read(path: Path) -> str:
    content = path.read_bytes()
    content = content[len(codecs.BOM_UTF8) :] if content.startswith(codecs.BOM_UTF8) else content
    text = content.decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n") if _has_windows_lines(content) else text


def _has_windows_lines(content: bytes) -> bool:
    """Return whether every line ends as on Windows; the ends of a mixture stay as they are."""
    return 0 < content.count(b"\n") == content.count(b"\r\n")


def completed(name: str, theirs: str, ours: str) -> str:
    """Return a file of theirs with the lines of ours that it needs and lacks."""
    if name in LINE_FILES:
        return _with_lines(theirs, ours)
    if name == PYPROJECT_FILE:
        return _with_tables(theirs, ours)
    if name == _HOOKS:
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
    starts = [(match.start(), _plain_name(match[1])) for match in TABLE_HEADER.finditer(text)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return {name: text[start:end] for (start, name), end in zip(starts, ends)}


def _plain_name(name: str) -> str:
    return ".".join(part.strip(" \t\"'") for part in name.split("."))


def _keys(text: str) -> set[str]:
    """Return the full names of all keys of a TOML file."""
    first = TABLE_HEADER.search(text)
    tables = {"": text[: first.start()] if first else text, **_tables(text)}
    return {
        f"{name}.{_plain_name(key)}".lstrip(".")
        for name, table in tables.items()
        for key in TABLE_KEY.findall(table)
    }


def _with_tables(theirs: str, ours: str) -> str:
    """Add groups and sources, and each table whose tool is not configured by them at all."""
    known, wanted, keys = _tables(theirs), _tables(ours), _keys(theirs)
    if _is_of_poetry(known):
        return theirs
    added = []
    for name, text in wanted.items():
        if name == _GROUPS and "project" in known:
            text = _with_dependencies(text, known["project"], wanted["project"])
        if name in (_GROUPS, SOURCES) and name in known:
            completed_table = _with_keys(known[name], text)
            completed_table = _with_members(completed_table, text)
            theirs = theirs.replace(known[name], completed_table)
        elif name == "project" and name in known:
            python = f"{PYTHON} = {_entries(text)[PYTHON]}" if PYTHON in _entries(text) else ""
            theirs = theirs.replace(known[name], _with_keys(known[name], python))
        elif not _is_configured(name if name == SOURCES else _tool(name), known, keys) and not (
            _tool(name) == "tool.hatch" and BUILD in known
        ):
            added.append(text.strip())
    return _appended(theirs, "\n\n".join(added)) if added else theirs


def _is_of_poetry(tables: Iterable[str]) -> bool:
    return "tool.poetry" in tables and "project" not in tables


def _tool(table: str) -> str:
    return ".".join(table.split(".")[:2])


def _is_configured(table: str, headers: Iterable[str], keys: Iterable[str]) -> bool:
    """Return whether a file has a table, or a part of the table, or holds the table in a key."""
    parts = any(f"{name}.".startswith(f"{table}.") for name in (*headers, *keys))
    return parts or any(table.startswith(f"{key}.") for key in keys)


def _entries(table: str) -> dict[str, str]:
    """Return the keys of a table with their text, lists over several lines included."""
    found = re.findall(r"^([\w-]+)\s*=\s*((?:\[\n.*?^\]|[^\n]*)[^\n]*\n)", table, re.M | re.S)
    return dict(found)


def _with_keys(known: str, wanted: str) -> str:
    """Return a table of theirs with the keys that it lacks, below its header."""
    there = _entries(known)
    missing = [f"{key} = {text}" for key, text in _entries(wanted).items() if key not in there]
    header, rest = (*known.split("\n", 1), "")[:2]
    return f"{header}\n{''.join(missing)}{rest}" if missing else known


def _with_members(known: str, wanted: str) -> str:
    """Return a table of theirs with the members that its lists lack, at their beginnings."""
    for key, ours in _entries(wanted).items():
        list_of_theirs = re.search(rf"^{key}\s*=\s*\[(.*?)(?=^[\w-]+\s*=|\Z)", known, re.M | re.S)
        if list_of_theirs is None:
            continue
        lines = [line for line in ours.splitlines() if line.startswith("    ")]
        missing = [line for line in lines if not _has_member(list_of_theirs[1], line)]
        rest = (
            list_of_theirs[1]
            if list_of_theirs[1].startswith("\n")
            else f"\n    {list_of_theirs[1].lstrip(' ')}"
        )
        if missing:
            start = list_of_theirs.start(1)
            added = "".join(f"\n{line}" for line in missing)
            known = known[:start] + added + rest + known[list_of_theirs.end(1) :]
    return known


def _has_member(members: str, line: str) -> bool:
    """Return whether a list holds the package or group of a line."""
    found = re.match(r'\s*(?:"([\w.-]+)|\{ include-group = "([\w-]+)")', line)
    if found is None:
        return True  # a comment
    group = rf"include-group\s*=\s*[\"']{found[2]}[\"']"
    return bool(re.search(group, members) if found[2] else _names(found[1], members))


def _names(package: str, text: str) -> bool:
    """Return whether a text has a requirement of a package."""
    return bool(re.search(rf"[\"']{re.escape(package)}(?![\w.-])", text, re.IGNORECASE))


def _with_dependencies(groups: str, project: str, ours: str) -> str:
    """Return our groups with the packages that notebooks import and their project does not name."""
    wanted = re.findall(r'^    "([\w.-]+)([^"]*)"', _entries(ours).get("dependencies", ""), re.M)
    names = [f"{name}{rest}" for name, rest in wanted if not _names(name, project)]
    lines = "".join(f'    "{name}",\n' for name in names)
    return groups.replace("pipeline = [\n", f"pipeline = [\n{lines}", 1)


def _with_hooks(theirs: str, ours: str) -> str:
    """Add our hooks at the end of the list of repositories; a list in brackets stays as it is."""
    block = ours[ours.index("  - repo: local") :] if "  - repo: local" in ours else ""
    start = re.search(r"^repos:[ \t]*(\[[ \t]*\])?[ \t]*(?:#[^\n]*)?(?:\n|\Z)", theirs, re.M)
    if not block or "tools/in-env" in theirs or (start is None and "repos" in theirs):
        return theirs
    before = theirs[: start.end()] if start else f"{theirs.rstrip()}\nrepos:\n".lstrip()
    if start and start[1]:
        before = theirs[: start.start(1)].rstrip() + theirs[start.end(1) : start.end()]
    rest = theirs[start.end() :] if start else ""
    next_key = re.search(r"^[\w-]+:", rest, re.M)
    hooks = rest[: next_key.start()] if next_key else rest
    hooks = "\n".join(_without_comments_below(hooks.splitlines()))
    first = re.search(r"^([ ]*)- ", hooks, re.M)
    indent = first[1] if first else "  "
    indented = re.sub(r"^  ", indent, block.rstrip(), flags=re.M)
    above = f"{before.rstrip()}\n{hooks}".rstrip()
    return f"{above}\n{indent}{ADDED_MARK}\n{indented}\n{rest[len(hooks) :].lstrip(chr(10))}"


def _without_comments_below(lines: list[str]) -> list[str]:
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines = lines[:-1]
    return lines
