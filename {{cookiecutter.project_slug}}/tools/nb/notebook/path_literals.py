"""Paths in the code of notebooks, rewritten for another place or working directory.

Paths are literals, and expressions that begin at the working directory: `Path.cwd().parent / "a"`.

Standard library only. Everything but the replaced texts keeps every character.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .magics import foreign_cell, mask
from .source_edits import Edit, byte_offsets, byte_span, with_edits

LONGEST_PATH = 500
FIGURES = (".png", ".jpg", ".jpeg", ".svg", ".pdf", ".tif", ".tiff")
# A word of a shell line, or of a cell in another language.
_SHELL_WORD = re.compile(r"[^\s'\"=;|&<>(),\[\]]+")
# A path inside a longer text, such as a query.
_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"")
_PATH_NAME = re.compile(r"dir|path|folder|file|root|base|input|output", re.I)
_PATH_CALLS = re.compile(
    r"open|Path|PurePath|join|listdir|scandir|walk|glob|rglob|exists|isfile|isdir|makedirs|mkdir|"
    r"chdir|read_\w+|to_\w+|load\w*|save\w*|imread|imwrite|copy\w*|move|remove|rmtree|unlink"
)
# Functions that write a file under a longer name than they are given: `np.save("a")` writes a.npy.
# Those of the table take the whole name as well, and write no other.
ADDED_SUFFIXES: dict[str, tuple[str, ...]] = {
    "save": (".npy",),
    "savefig": FIGURES,
    "savez": (".npz",),
    "savez_compressed": (".npz",),
}
SUFFIX_ADDERS = {*ADDED_SUFFIXES, "make_archive", "render", "open"}
# Expressions for the working directory, as an absolute path.
_WORKING_DIRECTORY = re.compile(
    r"(os\.)?getcwd\(\)|(pathlib\.)?Path(\.cwd\(\)|\(('\.?')?\)\.(absolute|resolve)\(\))|"
    r"os\.path\.(abspath|realpath)\('\.?'\)"
)
NewPath = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class PathRule:
    """The rule by which paths are rewritten; a text that is none is returned unchanged.

    Attributes:
        new_path: the new path of a file or folder.
        new_folder: the new folder of `chdir` and `%cd`; a change to `.` goes.
        longer_name: the new path of a text to which a library adds the suffix. Arguments: the
            text, and the suffixes to be written, too; without any, the library still adds its own.
        here: the variables that hold the working directory, with their values, as
            `working_directory_variables` returns them.
    """

    new_path: NewPath
    new_folder: NewPath
    longer_name: Callable[[str, Sequence[str]], str] = lambda text, suffixes: text
    here: Mapping[str, ast.expr] = field(default_factory=dict)


def rewrite_paths(source: str, rule: PathRule) -> str:
    """Return the source of a code cell with paths replaced, in Python and in lines of IPython."""
    masked = mask(source)
    if masked is None:
        escape = foreign_cell(source)
        return _shell_words(source, rule, bare=False) if escape else source
    hidden = tuple(_shell_words(line, rule, bare=True) for line in masked.hidden)
    text = with_edits(masked.text, _path_edits(masked.text, masked.tree, rule))
    if (text, hidden) == (masked.text, masked.hidden):
        return source  # with its prompts, which the masked text lacks
    return type(masked)(text, hidden).unmask(text)


def _shell_words(line: str, rule: PathRule, *, bare: bool) -> str:
    changes_folder = re.match(r"(\s*%cd\s+)(.*)", line)
    if changes_folder:
        return changes_folder[1] + rule.new_folder(changes_folder[2])

    def changed(found: re.Match[str]) -> str:
        word = found[0]
        return rule.new_path(word) if bare or "/" in word or "." in word else word

    return _SHELL_WORD.sub(changed, line)


def called_name(call: ast.AST) -> str:
    """Return the last name of a called function: `to_csv` for `table.head().to_csv(…)`."""
    match call:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name
    return ""


def _path_edits(text: str, tree: ast.Module, rule: PathRule) -> Iterator[Edit]:
    """Yield the literals that are paths, with the new text of each."""
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    offsets = byte_offsets(text)
    content = text.encode()
    joined: set[ast.AST] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr) or node in joined:
            continue
        if moved := _moved_from_here(node, parents, rule):
            joined.update(ast.walk(node))
            yield *byte_span(node, offsets), moved
    for node in ast.walk(tree):
        pieces = _joined_literals(node, parents)
        count, new = _longest_known(pieces, rule.new_path)
        if count > 1 and pieces[0] not in joined:  # else the division around a `Path` had all
            joined.update(pieces)
            start, end = byte_span(pieces[0], offsets)[0], byte_span(pieces[count - 1], offsets)[1]
            closed = _closed(content[start:end].decode(), new)
            if isinstance(node, ast.Call) and node.args == pieces[:count]:
                is_whole = called_name(node) == "join"  # nothing is left to be joined
                start, end = byte_span(node, offsets) if is_whole else (start, end)
            yield start, end, closed
    for statement in tree.body:
        match statement:
            case ast.Expr(
                value=ast.Call(args=[ast.Constant(value=str(value)) as folder]) as call
            ) if called_name(call) == "chdir" and rule.new_folder(value) == ".":
                joined.add(folder)
                yield *byte_span(statement, offsets), ""
    shortened = dict(_names_without_suffix(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node not in joined:
            start, end = byte_span(node, offsets)
            literal = content[start:end].decode()
            changed = literal
            if node in shortened and isinstance(node, ast.Constant):
                value = str(node.value)
                changed = literal.replace(value, rule.longer_name(value, shortened[node]), 1)
            if changed == literal:
                changed = _new_literal(node, literal, parents, rule)
            if changed != literal:
                yield start, end, changed


def working_directory_variables(sources: Iterable[str]) -> dict[str, ast.expr]:
    """Return the variables to which cells assign the working directory, and nothing else."""
    trees = [masked.tree for source in sources if (masked := mask(source))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    stored = Counter(
        n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    return {
        node.targets[0].id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and stored[node.targets[0].id] == 1
        and _WORKING_DIRECTORY.fullmatch(ast.unparse(node.value))
    }


def _moved_from_here(node: ast.expr, parents: Mapping[ast.AST, ast.AST], rule: PathRule) -> str:
    """Return the new code of an expression for a path that moves; empty for any other node."""
    found = _from_here(node, rule.here)
    relative = posixpath.normpath(found[0]) if found else "."
    new = rule.new_path(relative)
    if not found or relative == "." or new == relative:
        return ""
    base = ast.unparse(found[1])
    if new == ".":
        return base
    if _within_f_string(node, parents):  # whose quotes may be the same
        return ""
    if "Path" in ast.unparse(rule.here.get(base, found[1])):
        goes_on = isinstance(parents.get(node), ast.Attribute) and not isinstance(node, ast.BinOp)
        return f'{base}.joinpath("{new}")' if goes_on else f'{base} / "{new}"'
    if isinstance(node, ast.Call) and called_name(node) == "join":
        return f'{ast.unparse(node.func)}({base}, "{new}")'
    return f'{base} + "/{new}"'


def _from_here(node: ast.expr, here: Mapping[str, object]) -> tuple[str, ast.expr] | None:
    """Return a path relative to the working directory, and the expression for the latter."""
    if (isinstance(node, ast.Name) and node.id in here) or _WORKING_DIRECTORY.fullmatch(
        ast.unparse(node)
    ):
        return ".", node
    match node:
        case (
            ast.Attribute(value=start, attr="parent")
            | ast.Call(func=ast.Attribute(attr="dirname"), args=[start])
        ) if not isinstance(start, ast.BinOp) and called_name(start) not in ("join", "joinpath"):
            rest: list[ast.expr] = [ast.Constant("..")]
        case ast.Subscript(
            value=ast.Attribute(value=start, attr="parents"), slice=ast.Constant(value=int(count))
        ):
            rest = [ast.Constant("../" * (count + 1))]
        case ast.Call(func=ast.Attribute(value=start, attr="resolve" | "absolute"), args=[]):
            rest = []
        case ast.Call(func=ast.Attribute(attr="abspath" | "realpath" | "normpath"), args=[start]):
            rest = []
        case ast.Call(func=ast.Attribute(attr="join"), args=[start, *rest]):
            pass
        case ast.Call(func=ast.Attribute(value=start, attr="joinpath"), args=rest):
            pass
        case ast.BinOp(left=start, op=ast.Div(), right=last):
            rest = [last]
        case ast.BinOp(left=start, op=ast.Add(), right=ast.Constant(value=str(text)) as last) if (
            text.startswith("/")
        ):
            rest = [last]
        case _:
            return None
    found = _from_here(start, here)
    names = [piece.value for piece in rest if isinstance(piece, ast.Constant)]
    if found is None or len(names) < len(rest) or not all(isinstance(n, str) for n in names):
        return None
    return "/".join([found[0], *(str(name).strip("/") for name in names)]), found[1]


def _within_f_string(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    while (parent := parents.get(node)) is not None and not isinstance(parent, ast.stmt):
        if isinstance(parent, ast.JoinedStr):
            return True
        node = parent
    return False


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
        if not (isinstance(left, ast.Call) and called_name(left) in ("Path", "PurePath")):
            return []
        pieces = [*left.args, *pieces]
    elif isinstance(node, ast.Call) and called_name(node) in ("join", "Path", "PurePath"):
        pieces = list(node.args)
    else:
        return []
    found: list[ast.Constant] = []
    for piece in pieces:
        if not (isinstance(piece, ast.Constant) and isinstance(piece.value, str)):
            break
        found.append(piece)
    return found


def _longest_known(pieces: list[ast.Constant], new_path: NewPath) -> tuple[int, str]:
    """Return how many pieces, joined, are a path that has moved, and the new path."""
    for count in range(len(pieces), 1, -1):
        text = "/".join(str(piece.value) for piece in pieces[:count])
        if (new := new_path(text)) != text:
            return count, new
    return 0, ""


def _closed(old: str, new: str) -> str:
    """Return a literal that replaces several joined literals, with the parentheses they closed."""
    quote = old[-1]
    return f"{quote}{new}{quote}" + ")" * (old.count(")") - old.count("("))


def _new_literal(
    node: ast.Constant | ast.JoinedStr,
    literal: str,
    parents: Mapping[ast.AST, ast.AST],
    rule: PathRule,
) -> str:
    """Return the text of a literal with the path in the literal replaced."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) and node.values else node
    if not (isinstance(first, ast.Constant) and isinstance(first.value, str)):
        return literal
    parent, value = parents.get(node), first.value
    if isinstance(parent, ast.JoinedStr) or not _may_be_path(node, value, parents):
        return literal
    if isinstance(parent, ast.Call) and called_name(parent) == "chdir":
        new = rule.new_folder(value)
    elif isinstance(node, ast.JoinedStr):  # the beginning may end in the middle of a name
        folder = value.rpartition("/")[0]
        new = value.replace(folder, rule.new_path(folder), 1) if folder else value
    else:
        new = rule.new_path(value)
    if new != value:
        return literal.replace(value, new, 1) if value in literal else repr(new)
    for quoted in _QUOTED.finditer(value) if "'" in value or '"' in value else ():
        old = quoted[1] or quoted[2]
        literal = literal.replace(old, rule.new_path(old), 1)
    return literal


def _may_be_path(node: ast.AST, value: str, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Return whether a literal stands where a path begins: no joined part, no column's name."""
    parent = parents.get(node)
    if isinstance(parent, ast.Subscript | ast.Compare | ast.Dict | ast.Expr):
        return isinstance(parent, ast.Dict) and node in parent.values and "." in value
    if isinstance(parent, ast.BinOp) and parent.right is node:
        return False
    if isinstance(parent, ast.Call) and called_name(parent) in ("join", "joinpath"):
        is_first = bool(parent.args) and parent.args[0] is node
        return is_first and called_name(parent) == "join"
    if "/" in value or "." in value:
        return True
    match parent:
        case ast.Call():
            return bool(_PATH_CALLS.fullmatch(called_name(parent)))
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return bool(_PATH_NAME.search(name))
        case ast.keyword(arg=str(name)):
            return bool(_PATH_NAME.search(name))
        case ast.BinOp(op=ast.Add(), right=ast.Constant(value=str(rest))):
            return rest.startswith("/")
    return False


def _names_without_suffix(tree: ast.Module) -> Iterator[tuple[ast.expr, Sequence[str]]]:
    """Yield arguments of functions that add a suffix, and the suffixes to be written with them.

    For a variable, the assigned value is yielded, without suffixes: other code may add the suffix
    to that value, too.
    """
    names: set[str] = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in SUFFIX_ADDERS:
            for value in (*call.args, *(keyword.value for keyword in call.keywords)):
                yield value, ADDED_SUFFIXES.get(call.func.attr, ())
                names |= {value.id} if isinstance(value, ast.Name) else set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in names:
                yield value, ()
