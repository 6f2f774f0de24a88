"""Files that a notebook reads by a constant path, and whether Git, DVC or a stage shares them."""

from __future__ import annotations

import ast
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from nb.declaration.templates import as_glob
from nb.git.command import git, git_list

from .source import CheckedCell

READS = re.compile(
    r"read_(?:csv|excel|feather|file|fwf|hdf|html|ipc|json|ndjson|orc|parquet|pickle|sas|spss|stata|"
    r"table|text|bytes|xml)|scan_(?:csv|parquet|ndjson|ipc)|loadtxt|genfromtxt|fromfile|imread"
)
# Libraries whose `load` takes a path.
LOADERS = {"np", "numpy", "joblib", "torch"}
ROOTS = {"ROOT", "PROJECT_ROOT"}


def is_read(call: ast.Call) -> bool:
    """Return whether a call reads the file that the first argument, or the object, names."""
    match call.func:
        case ast.Name(id="open"):
            return not _writes(call.args[1:2], call)
        case ast.Attribute(value=ast.Name(id=module), attr="load"):
            return module in LOADERS
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return bool(READS.fullmatch(name))
    return False


def _writes(modes: list[ast.expr], call: ast.Call) -> bool:
    modes = [*modes, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    texts = (mode.value if isinstance(mode, ast.Constant) else "w" for mode in modes)
    return any(isinstance(text, str) and set(text) & set("wax+") for text in texts)


def first_argument(call: ast.Call) -> ast.expr | None:
    """Return the expression that names the file: the object of `read_text`, or an argument."""
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("read_text", "read_bytes"):
        return call.func.value
    return call.args[0] if call.args else None


class Constants:
    """Texts and paths that are the same in every run.

    Args:
        cells: the cells whose assignments count; a name that is assigned twice does not.
    """

    def __init__(self, cells: Iterable[CheckedCell]) -> None:
        self._cells = cells

    @cached_property
    def _values(self) -> dict[str, ast.expr | None]:
        values: dict[str, ast.expr | None] = {}
        for cell in self._cells:
            names = cell.nodes(ast.Name)
            stores = Counter(n.id for n in names if not isinstance(n.ctx, ast.Load))
            values.update(dict.fromkeys(stores))
            for statement in cell.tree.body if cell.tree and stores else ():
                name, value = _assigned(statement)
                if name:
                    values[name] = value if stores[name] == 1 else None
        return values

    def text(self, node: ast.expr | None, depth: int = 3) -> str | None:
        """Return the text of a constant, or of a name for a constant."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name) if depth:
                return self.text(self._values.get(name), depth - 1)
        return None

    def path(self, node: ast.expr | None, depth: int = 8) -> str | None:
        """Return a constant path from the root of the project; None for any other expression."""
        if not depth:
            return None
        match node:
            case ast.Constant(value=str(text)):
                is_path = text and not re.search(r"[*?\[\]{}\n]|://|\A[/~\\]|\A\w:|\.\.", text)
                return text.replace("\\", "/").removeprefix("./").rstrip("/") if is_path else None
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in ROOTS:
                return "."
            case ast.Name(id=name):
                return self.path(self._values.get(name), depth - 1)
            case ast.Call(func=ast.Name(id="Path") | ast.Attribute(attr="Path"), args=[inner]):
                return self.path(inner, depth - 1)
            case ast.BinOp(op=ast.Div(), left=left, right=right):
                folder, last = self.path(left, depth - 1), self.path(right, depth - 1)
                if folder is None or last is None:
                    return None
                return last if folder == "." else f"{folder}/{last}"
        return None


def _assigned(statement: ast.stmt) -> tuple[str, ast.expr | None]:
    """Return the name that a statement assigns, and the value; or no name."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return name, value
    return "", None


class SharedFiles:
    """Files that everybody with the repository has: in Git, under DVC, or declared by a stage.

    Args:
        declared: the dependencies and outputs of all stages.
    """

    def __init__(self, root: Path, declared: Iterable[str]) -> None:
        self.root = root
        self.declared = {path.rstrip("/") for path in declared}
        self._problems: dict[tuple[str, Path], str] = {}

    @cached_property
    def _tracked(self) -> set[str]:
        """The files in the index and all their folders; nothing where Git has none."""
        files = set(git_list(self.root, "ls-files", "-z", check=False))
        return files.union(*(map(str, Path(name).parents) for name in files))

    def problem(self, path: str, folder: Path) -> str:
        """Return the reason why a run elsewhere lacks a file, with the remedy; empty if none.

        Args:
            path: the file, from the root.
            folder: the folder of the notebook that reads the file.
        """
        if (path, folder) not in self._problems:
            self._problems[path, folder] = self._problem(path, folder)
        return self._problems[path, folder]

    def _problem(self, path: str, folder: Path) -> str:
        places = [path, *(parent.as_posix() for parent in Path(path).parents)][:-1]
        is_held = any(self.root.joinpath(f"{place}.dvc").is_file() for place in places)
        if is_held or self._is_declared(path, places) or path in self._tracked:
            return ""
        if self.root.joinpath(path).exists():
            # Nothing is in the index of a project that was just made.
            is_left_out = self._tracked or git(self.root, "check-ignore", path, check=False)
            advice = f"{path} is only on this machine: dvc add {shlex.quote(path)}"
            return advice if is_left_out else ""
        if folder.joinpath(path).exists():
            return f"{path} is beside the notebook, but a run starts in the root; move it to data/"
        return f"{path} does not exist, and no stage declares it"

    def _is_declared(self, path: str, places: list[str]) -> bool:
        if not self.declared.isdisjoint(places):
            return True
        if any(each.startswith(f"{path}/") for each in self.declared):
            return True
        patterns = [as_glob(each) for each in self.declared if "$" in each]
        return any(fnmatchcase(place, pattern) for place in places for pattern in patterns)
