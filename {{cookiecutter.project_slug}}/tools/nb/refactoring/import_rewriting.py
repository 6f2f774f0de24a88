"""Imports and runs of modules, rewritten for modules that move from beside notebooks to `src`.

Standard library only. Everything but the replaced statements keeps every character.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from nb.notebook.magics import mask
from nb.notebook.source_edits import Edit, byte_offsets, byte_span, with_edits


def rewrite_imports(source: str, modules: Mapping[str, str]) -> str:
    """Return the source of a cell or a module with imports of moved modules replaced.

    Args:
        modules: the new dotted name of each module by the name that code imports now.
    """
    masked = mask(source)
    if masked is None or not modules:
        return source
    offsets = byte_offsets(masked.text)
    edits: list[Edit] = []
    for node in ast.walk(masked.tree):
        new = _new_import(node, modules)
        if new:
            assert isinstance(node, ast.stmt)
            edits.append((*byte_span(node, offsets), new))
    return masked.unmask(with_edits(masked.text, edits))


def imports_for_runs(source: str, modules: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """Return the source of a cell that imports modules of the package instead of `%run FILE`.

    Args:
        source: the text.
        modules: by the name of the file, the dotted name of the module and the names to import.
    """
    masked = mask(source)
    lines = source.split("\n")
    for escape in masked.escapes() if masked else ():
        words = escape.text.split()
        if escape.magic != "run" or len(words) != 2:
            continue
        path = PurePosixPath(words[1].strip("\"'"))
        if path.name in modules or f"{path.name}.py" in modules:
            dotted, names = modules[path.name if path.name in modules else f"{path.name}.py"]
            indent = lines[escape.line - 1].partition("%")[0]
            new = f"from {dotted} import {', '.join(names)}" if names else f"import {dotted}"
            lines[escape.line - 1] = indent + new
    return "\n".join(lines)


def _new_import(node: ast.AST, modules: Mapping[str, str]) -> str:
    """Return the statement that takes the place of an import; empty for no change."""
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        new = _moved_module(node.module, modules)
        if not new:
            return ""
        names = ", ".join(map(ast.unparse, node.names))
        return f"from {new} import {names}"
    if not isinstance(node, ast.Import) or not any(
        _moved_module(a.name, modules) for a in node.names
    ):
        return ""
    return "; ".join(piece for alias in node.names for piece in _new_alias(alias, modules))


def _new_alias(alias: ast.alias, modules: Mapping[str, str]) -> list[str]:
    new = _moved_module(alias.name, modules)
    if not new:
        return [f"import {ast.unparse(alias)}"]
    parent, _, last = new.rpartition(".")
    if alias.asname or "." not in alias.name:
        name = alias.asname or alias.name
        return [f"from {parent} import {last}" + (f" as {name}" if name != last else "")]
    # `import a.b` binds `a`, by which the code goes on to find `a.b`.
    top = alias.name.partition(".")[0]
    package = new.removesuffix(alias.name.removeprefix(top)).rpartition(".")
    bound = f"from {package[0]} import {package[2]}"
    return [f"import {new}", bound + (f" as {top}" if package[2] != top else "")]


def _moved_module(name: str, modules: Mapping[str, str]) -> str:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        known = modules.get(".".join(parts[:count]))
        if known:
            return ".".join([known, *parts[count:]])
    return ""
