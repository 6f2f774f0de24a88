"""Rewritten paths in the code of adopted notebooks.

Standard library only. Everything but the replaced texts keeps every character.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nb.authoring.path_rewriting import LONGEST_PATH
from nb.notebook.magics import foreign_cell, mask

from .import_rewriting import Edit, byte_offsets, byte_span, with_edits
from .new_places import HOME

# A word of a shell line, or of a cell in another language.
_SHELL_WORD = re.compile(r"[^\s'\"=;|&<>(),\[\]]+")
# From here on a path is a pattern: of glob, of format, of %.
_PATTERN = re.compile(r"[*?{%\[]")
_PATH_NAME = re.compile(r"dir|path|folder|file|root|base|input|output", re.I)
_PATH_CALLS = re.compile(
    r"open|Path|PurePath|join|listdir|scandir|walk|glob|rglob|exists|isfile|isdir|makedirs|mkdir|"
    r"chdir|read_\w+|to_\w+|load\w*|save\w*|imread|imwrite|copy\w*|move|remove|rmtree|unlink"
)
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
            name = _called(node)
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
    inner = [v for v in of_path if isinstance(v, ast.Call) and _called(v) == "Path"]
    return [*call.args, *(key.value for key in call.keywords), *(a for v in inner for a in v.args)]


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    if isinstance(node, ast.Name):
        return constants.get(node.id, "")
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    text = str(node.value) if is_text and isinstance(node, ast.Constant) else ""
    return text if "." in text or "/" in text else ""


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2] if isinstance(call.func, ast.AST) else ""


def _writes(call: ast.Call, name: str) -> bool:
    if name == "open":
        values = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")]
        modes = (v.value for v in values if isinstance(v, ast.Constant))
        return any(str(mode)[:1] in ("w", "a", "x") for mode in modes)
    return bool(_WRITING.fullmatch(name))


def rewrite_paths(source: str, new_path: Callable[[str], str]) -> str:
    """Return the source of a code cell with paths replaced, in Python and in lines of IPython."""
    masked = mask(source)
    if masked is None:
        escape = foreign_cell(source)
        return _shell_words(source, new_path, bare=False) if escape else source
    hidden = tuple(_shell_words(line, new_path, bare=True) for line in masked.hidden)
    text = with_edits(masked.text, _path_edits(masked.text, masked.tree, new_path))
    return type(masked)(text, hidden).unmask(text)


def _shell_words(line: str, new_path: Callable[[str], str], *, bare: bool) -> str:
    if re.match(r"\s*%cd\s", line):
        return re.sub(r"(%cd\s+).*", r"\1.", line)

    def changed(found: re.Match[str]) -> str:
        word = found[0]
        return new_path(word) if bare or "/" in word or "." in word else word

    return _SHELL_WORD.sub(changed, line)


def _path_edits(text: str, tree: ast.Module, new_path: Callable[[str], str]) -> Iterator[Edit]:
    """Yield the literals that are paths, with the new text of each."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    offsets = byte_offsets(text)
    content = text.encode()
    joined: set[ast.AST] = set()
    for node in ast.walk(tree):
        pieces = _joined_literals(node, parents)
        count, new = _longest_known(pieces, new_path)
        if count > 1 and pieces[0] not in joined:  # else the division around a `Path` had all
            joined.update(pieces)
            start, end = byte_span(pieces[0], offsets)[0], byte_span(pieces[count - 1], offsets)[1]
            yield start, end, _closed(content[start:end].decode(), new)
    for statement in tree.body:
        # All paths are relative to the notebook's new folder: the program stays there.
        match statement:
            case ast.Expr(value=ast.Call(args=[ast.Constant(value=str()) as folder]) as call) if (
                _called(call) == "chdir"
            ):
                joined.add(folder)
                yield *byte_span(statement, offsets), ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in joined:
            start, end = byte_span(node, offsets)
            literal = content[start:end].decode()
            changed = _new_literal(node, literal, parents, new_path)
            if changed != literal:
                yield start, end, changed


def _joined_literals(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> list[ast.Constant]:
    """Return the literals with which `os.path.join(…)` or `Path(…) / …` begins."""
    if isinstance(node, ast.BinOp):
        if isinstance(parent := parents.get(node), ast.BinOp) and parent.left is node:
            return []  # the outermost division has all pieces
        pieces: list[ast.expr] = []
        left: ast.expr = node
        while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Div):
            pieces.insert(0, left.right)
            left = left.left
        if not (isinstance(left, ast.Call) and _called(left) in ("Path", "PurePath")):
            return []
        pieces = [*left.args, *pieces]
    elif isinstance(node, ast.Call) and _called(node) in ("join", "Path", "PurePath"):
        pieces = list(node.args)
    else:
        return []
    found: list[ast.Constant] = []
    for piece in pieces:
        if not (isinstance(piece, ast.Constant) and isinstance(piece.value, str)):
            break
        found.append(piece)
    return found


def _longest_known(pieces: list[ast.Constant], new_path: Callable[[str], str]) -> tuple[int, str]:
    """Return how many pieces, joined, are a path that has moved, and the new path."""
    for count in range(len(pieces), 1, -1):
        text = "/".join(str(piece.value) for piece in pieces[:count])
        if (new := new_path(text)) != text:
            return count, new
    return 0, ""


def _closed(old: str, new: str) -> str:
    """Return a literal for a path that was several; a call that the first ended in ends again."""
    quote = old[-1]
    return f"{quote}{new}{quote}" + ")" * (old.count(")") - old.count("("))


def _new_literal(
    node: ast.Constant | ast.JoinedStr,
    literal: str,
    parents: Mapping[ast.AST, ast.AST],
    new_path: Callable[[str], str],
) -> str:
    """Return the text of a literal with the path in the literal replaced."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
        return literal
    parent, value = parents.get(node), first.value
    if isinstance(parent, ast.JoinedStr) or not _may_be_path(node, value, parents):
        return literal
    if isinstance(node, ast.JoinedStr):
        old = value.rpartition("/")[0]
        return literal.replace(old, new_path(old), 1) if old else literal
    is_chdir = isinstance(parent, ast.Call) and _called(parent) == "chdir"
    new = "." if is_chdir else new_path(value)
    if new == value:
        return literal
    return literal.replace(value, new, 1) if value in literal else repr(new)


def _may_be_path(node: ast.AST, value: str, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a literal stands where a path begins: no part that is joined, no column's name."""
    parent = parents.get(node)
    if isinstance(parent, ast.Subscript | ast.Compare | ast.Dict | ast.Expr):
        return isinstance(parent, ast.Dict) and node in parent.values and "." in value
    if isinstance(parent, ast.BinOp) and parent.right is node:
        return False
    if isinstance(parent, ast.Call) and _called(parent) in ("join", "joinpath"):
        is_first = bool(parent.args) and parent.args[0] is node
        return is_first and _called(parent) == "join"
    if "/" in value or "." in value:
        return True
    match parent:
        case ast.Call():
            return bool(_PATH_CALLS.fullmatch(_called(parent)))
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return bool(_PATH_NAME.search(name))
        case ast.keyword(arg=str(name)):
            return bool(_PATH_NAME.search(name))
        case ast.BinOp(op=ast.Add(), right=ast.Constant(value=str(rest))):
            return rest.startswith("/")
    return False


def rewrite_links(markdown: str, new_path: Callable[[str], str]) -> str:
    """Return Markdown with the paths of links and pictures replaced."""
    return _MARKDOWN_LINK.sub(lambda found: found[1] + new_path(found[2]), markdown)
