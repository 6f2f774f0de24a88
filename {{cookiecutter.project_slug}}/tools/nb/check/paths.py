"""Paths that a notebook names in code or config, held against the outputs of the stage.

They come from constants, f-strings, sums, `format` and `%`. A part that is known only at run time
matches anything.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from nb.declaration.templates import PLACEHOLDER

from .source import Document

# Stands for what is known at run time only; in no path.
ANYTHING = "\0"
FORMATTED = re.compile(r"\{[^{}]*\}|%[-+ #0-9.]*[sdifgr]|%\(\w+\)[-+ #0-9.]*[sdifgr]")


def named_paths(document: Document, values: Iterable[object]) -> list[str]:
    """Return the texts of a notebook that may be paths or ends of paths.

    Args:
        values: of the notebook's parameters.
    """
    nodes = document.nodes(ast.Constant, ast.JoinedStr, ast.BinOp, ast.Call)
    found = {text for _, node in nodes for text in _texts(node)}
    found.update(text for value in values for text in _strings(value))
    return sorted(text.replace("\\", "/") for text in found if re.search(r"\w", text))


def _texts(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)) if "\n" not in text:
            yield text
            if FORMATTED.search(text):
                yield FORMATTED.sub(ANYTHING, text)
        case ast.JoinedStr() | ast.BinOp(op=ast.Add()):
            yield _pattern(node)
        case ast.Call(func=ast.Attribute(attr="with_suffix"), args=[suffix]):
            yield f"{ANYTHING}{_pattern(suffix)}"
        case ast.Call(func=ast.Attribute(attr="with_stem"), args=[stem]):
            yield f"{_pattern(stem)}.{ANYTHING}"


def _pattern(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_pattern, parts))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _pattern(left) + _pattern(right)
    return ANYTHING


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
    elif value is not None and not isinstance(value, bool | int | float):
        yield str(value)


def is_named(output: str, texts: Sequence[str], foreign: str) -> bool:
    """Return whether a declared output can be seen among the texts of a notebook.

    A text shows the output by the end of the path, a file below that path, or the folder; a part
    known only at run time, on either side, matches anything.

    Args:
        output: the path, as `dvc.yaml` has it.
        texts: what `named_paths` returns.
        foreign: the shell lines and cells of other languages.
    """
    parts = output.rstrip("/").split("/")
    while parts and not re.search(r"\w", PLACEHOLDER.sub("", parts[-1])):
        parts.pop()  # only the folder can be seen
    if not parts:
        return True
    if any(output == text or output.endswith(f"/{text}") for text in texts):
        return True  # most outputs, without a pattern
    plain = re.escape(PLACEHOLDER.sub(ANYTHING, parts[-1])).replace(re.escape(ANYTHING), ".*")
    return bool(re.search(plain, foreign)) or any(_fits(parts, text) for text in texts)


def _fits(parts: list[str], text: str) -> bool:
    pieces = [piece for piece in text.strip("/").split("/") if piece not in ("", ".")]
    # The text itself, and the folders that it names.
    ends = (pieces[:count] for count in range(len(pieces), 0, -1))
    # A text that names the output's folder and no file in it: files get their names at run time.
    named = len(parts) > 1 and re.search(r"\w", PLACEHOLDER.sub("", parts[-2]))
    is_folder = bool(named) and _is_end(parts[:-1], pieces)
    return is_folder or any(_is_end(parts, end) for end in ends)


def _is_end(parts: list[str], pieces: list[str]) -> bool:
    if not any(re.search(r"[^\W_]", piece) for piece in pieces):
        return False
    text = "/".join(pieces)
    starts = range(len(parts)) if ANYTHING in text else [len(parts) - len(pieces)]
    return any(start >= 0 and _unify("/".join(parts[start:]), text) for start in starts)


def _unify(output: str, text: str) -> bool:
    """Return whether both can stand for the same path."""
    templated = PLACEHOLDER.sub(ANYTHING, output)
    return _matches(templated, text) or _matches(text, templated)


def _matches(pattern: str, text: str) -> bool:
    regex = re.escape(pattern).replace(re.escape(ANYTHING), ".*")
    return re.fullmatch(regex, text, re.S) is not None
