"""The architecture of the tooling as its imports show it; `python tests/architecture.py` draws it.

The drawing replaces the first Mermaid block of docs/why/architecture.md.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
PACKAGE = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools" / "nb"
PAGE = TEMPLATE / "docs/why/architecture.md"
# From the top floor down: a room imports only from rooms below.
FLOORS = (
    "cli",
    "commands",
    "adoption",
    "versions",
    "authoring",
    "report",
    "experiments",
    "check",
    "refactoring",
    "run",
    "runtime",
    "tracing",
    "pipeline",
    "execution",
    "workcopy",
    "declaration",
    "update",
    "git",
    "notebook",
    "processes",
    "secrets",
    "uptodate",
    "distributions",
    "terminal",
    "surroundings",
    "skipped",
    "programs",
    "locks",
    "typed_json",
    "project",
    "wording",
    "grouping",
    "printable",
    "exit_codes",
)
DRAWING = re.compile(r"```mermaid\n.*?```\n", re.DOTALL)


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Return the files of all modules by dotted name, without the package's own name."""
    found: dict[str, Path] = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


def imports(files: Mapping[str, Path]) -> dict[str, set[str]]:
    """Return the modules that each module imports: late imports and those for types count."""
    return {name: set(_imported(name, path, files)) - {name} for name, path in files.items()}


def _imported(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (
                _nearest(alias.name.removeprefix("nb."), files)
                for alias in node.names
                if alias.name.startswith("nb.")
            )
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, path, node)
            if base is not None:
                for alias in node.names:
                    yield _nearest(f"{base}.{alias.name}".strip("."), files)


def _base(name: str, path: Path, node: ast.ImportFrom) -> str | None:
    """Return the dotted name that names are imported from; None outside the tooling."""
    if not node.level:
        inside = node.module == "nb" or (node.module or "").startswith("nb.")
        return (node.module or "").partition(".")[2] if inside else None
    up = node.level - (path.name == "__init__.py")
    parts = name.split(".")
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])


def _nearest(name: str, files: Mapping[str, Path]) -> str:
    """Return the module that a dotted name is, or is defined in."""
    while name and name not in files:
        name = name.rpartition(".")[0]
    return name


def room(module: str) -> str:
    """Return the room of a module: its folder, or itself at the root."""
    return module.partition(".")[0]


def arrows(imported: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the rooms that each room imports from."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, others in imported.items():
        found[room(name)] |= {room(other) for other in others if other} - {room(name)}
    return dict(found)


def drawing(graph: Mapping[str, set[str]]) -> str:
    """Return the rooms as a Mermaid block; an arrow that follows from two others is left out."""
    reach: dict[str, set[str]] = {}
    for name in TopologicalSorter(graph).static_order():
        below = graph.get(name, set())
        reach[name] = below.union(*(reach[other] for other in below))
    lines = [
        f"    {name} --> {other}"
        for name in FLOORS
        for other in FLOORS
        if other in graph.get(name, set())
        and not any(other in reach[between] for between in graph[name] - {other})
    ]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```", ""])


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    made = drawing(arrows(imports(modules())))
    PAGE.write_text(DRAWING.sub(lambda _: made, page, count=1), encoding="utf-8")
