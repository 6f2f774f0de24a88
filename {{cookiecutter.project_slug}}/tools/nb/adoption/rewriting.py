"""Paths that the code of adopted notebooks names, and their rewriting for the new places.

Standard library only.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nb.notebook.magics import mask
from nb.notebook.path_literals import LONGEST_PATH, PathRule, called_name

from .new_places import HOME

# From here on a path is a pattern: of glob, of format, of %.
_PATTERN = re.compile(r"[*?{%\[]")
_WRITING = re.compile(
    r"to_(csv|parquet|excel|json|pickle|feather|hdf|html|latex|markdown|stata)|savefig|"
    r"save\w*|dump|imwrite|imsave|write_(csv|parquet|table|image|html|text|bytes)"
)
_MARKDOWN_LINK = re.compile(r"(\]\(|src=[\"'])([^)\"'\s]+)")


@dataclass(frozen=True)
class Relocation:
    """The rule by which paths in a notebook are rewritten for the new place.

    Attributes:
        moved: the new path of each file, from the project's root, by the old from the source's.
        folders: the same for folders.
        base: the folder, in the source, from which the notebook's relative paths count.
        home: the folder of the project in which the notebook will run.
        inside: the source's path in the project, if the source is a part of the project.
        others: the other files of the project.
    """

    moved: Mapping[str, str]
    folders: Mapping[str, str] = field(default_factory=dict)
    base: str = "."
    home: str = HOME
    inside: str | None = None
    others: frozenset[str] = frozenset()

    @property
    def paths(self) -> PathRule:
        """The rule for code, which stays in the notebook's folder: all paths count from there."""
        return PathRule(new_path=self.new_path, new_folder=lambda text: ".")

    def new_path(self, text: str) -> str:
        """Return the new text for a text that is a path of the source; else the same text."""
        plain = text.replace("\\", "/") if re.match(r"[A-Za-z]:\\|\.*\\", text) else text
        if not plain or "\n" in plain or "://" in plain or len(plain) > LONGEST_PATH:
            return text
        pattern = _PATTERN.search(plain)
        fixed = plain[: pattern.start()].rpartition("/")[0] if pattern else plain
        rest = plain[len(fixed) :] if pattern else ""
        if pattern and not fixed:
            fixed, rest = ".", f"/{plain}"
        new = self._target(fixed, is_pattern=bool(pattern))
        if new is None:
            return text
        relative = posixpath.relpath(new, self.home)
        return relative + (rest or ("/" if plain.endswith("/") else ""))

    def _target(self, text: str, *, is_pattern: bool) -> str | None:
        for candidate in self.candidates(text):
            if candidate in self.moved:
                return self.moved[candidate]
            if candidate in self.folders and (candidate != "." or is_pattern or "/" in text):
                return self.folders[candidate]
        for candidate in self.candidates(text) if "/" in text else ():
            # A file that is made at run time, in a folder that moved.
            for parent in PurePosixPath(candidate).parents:
                name = parent.as_posix()
                if name != "." and name in self.folders:
                    rest = posixpath.relpath(candidate, name)
                    return f"{self.folders[name]}/{rest}"
        return self._in_project(text)

    def candidates(self, text: str) -> list[str]:
        """Return the paths of the source that a text may mean, the likeliest first."""
        if re.match(r"/|~|[A-Za-z]:/", text):
            parts = [part for part in text.split("/")[1:] if part]
            known = (posixpath.join(*parts[start:]) for start in range(len(parts)))
            return [name for name in known if name in self.moved or name in self.folders]
        near = posixpath.normpath(posixpath.join(self.base, text))
        far = posixpath.normpath(text)
        while far.startswith("../"):
            far = far[3:]
        return [name for name in dict.fromkeys((near, far)) if not name.startswith("..")]

    def _in_project(self, text: str) -> str | None:
        if self.inside is None or text.startswith(("/", "~")):
            return None
        name = posixpath.normpath(posixpath.join(self.inside, self.base, text))
        is_there = name in self.others or any(n.startswith(f"{name}/") for n in self.others)
        return name if is_there and text not in ("", ".", "..") else None


@dataclass(frozen=True)
class PathUse:
    """The paths that the code of a notebook names.

    Attributes:
        base: the folder from which relative paths count, after a change of the folder.
        named: all texts that may be paths.
        written: the texts that are given to a call that writes.
    """

    base: str
    named: frozenset[str]
    written: frozenset[str]


def path_use(folder: str, sources: Iterable[str]) -> PathUse:
    """Return the paths that code names, from its syntax tree.

    Args:
        folder: the folder of the notebook.
        sources: the code cells.
    """
    trees = [masked.tree for source in sources if (masked := mask(source))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = dict(_constants(nodes))
    named = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    written: set[str] = set()
    read: set[str] = set()
    base = folder
    for node in nodes:
        if isinstance(node, ast.Call):
            texts = {text for value in _arguments(node) if (text := _text(value, constants))}
            name = called_name(node)
            if name == "chdir" and texts:
                base = posixpath.normpath(posixpath.join(folder, min(texts)))
            (written if _writes(node, name) else read).update(texts)
    base = "." if base.startswith(("..", "/")) else base
    return PathUse(base, frozenset(named), frozenset(written - read))


def _constants(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text


def _arguments(call: ast.Call) -> list[ast.expr]:
    of_path = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    inner = [v for v in of_path if isinstance(v, ast.Call) and called_name(v) == "Path"]
    return [*call.args, *(key.value for key in call.keywords), *(a for v in inner for a in v.args)]


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return constants.get(node.id, "")
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    text = str(node.value) if is_text and isinstance(node, ast.Constant) else ""
    return text if "." in text or "/" in text else ""


def _writes(call: ast.Call, name: str) -> bool:
    if name == "open":
        values = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
        modes = (v.value for v in values if isinstance(v, ast.Constant))
        return any(str(mode)[:1] in ("w", "a", "x") for mode in modes)
    return bool(_WRITING.fullmatch(name))


def rewrite_links(markdown: str, new_path: Callable[[str], str]) -> str:
    """Return Markdown with the paths of links and pictures replaced."""
    return _MARKDOWN_LINK.sub(lambda found: found[1] + new_path(found[2]), markdown)
