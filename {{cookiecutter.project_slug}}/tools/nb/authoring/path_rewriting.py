"""Path literals of a notebook, rewritten for another working directory."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb.notebook.file import CellFile
from nb.notebook.magics import mask
from nb.notebook.parameters import TAG

from .promotion import FIGURES

# A path inside a longer text, such as a query.
_QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"")
# A word of a shell line that may be a path. The name before a `=` of an option is not part of one.
_WORD = re.compile(r"(?<![\w./~*-])[\w./~*][\w./~*-]*")
# Functions that write a file under a longer name than they are given: `np.save("a")` writes a.npy.
# Those of the table take the whole name as well, and write no other.
ADDED_SUFFIXES: dict[str, tuple[str, ...]] = {
    "save": (".npy",),
    "savefig": FIGURES,
    "savez": (".npz",),
    "savez_compressed": (".npz",),
}
SUFFIX_ADDERS = {*ADDED_SUFFIXES, "make_archive", "render", "open"}
# Functions that take the path of a file, as text or as a Path.
PATH_TAKERS = {
    *("Path", "open", "dump", "imsave", "save", "savefig", "savetxt", "savez", "savez_compressed"),
    *("to_csv", "to_excel", "to_feather", "to_html", "to_json", "to_parquet", "to_pickle"),
    *("write_csv", "write_parquet", "write_table"),
}
LONGEST_PATH = 500


@dataclass(frozen=True)
class Paths:
    """The rule by which path literals are rewritten for another working directory.

    Attributes:
        root: the project's root.
        folder: the notebook's present working directory.
        target: the prefix for the root in the result; empty for paths relative to the root.
        used: the files that the notebook uses, relative to the root, each with the new path.
    """

    root: Path
    folder: Path
    target: str = ""
    used: Mapping[str, str] | None = None

    def written(self, text: str) -> str:
        """Return the rewritten path for a text that is a path of the project; else the text."""
        if not text or "\n" in text or len(text) > LONGEST_PATH:
            return text
        name = self._relative(text)
        if name is None:
            return text
        name = (self.used or {}).get(name, name)
        return self._prefixed(name, text)

    def of_longer_name(self, text: str, suffixes: Sequence[str]) -> str:
        """Return the rewritten path for a text to which a library adds the suffix.

        Args:
            text: the path without suffix.
            suffixes: those that the library may add, to be written, too; empty for any suffix,
                which the library goes on to add.
        """
        if self.target or not text or "\n" in text or len(text) > LONGEST_PATH:
            return text
        name = self._inside(self.folder / text)
        used = self.used or {}
        if name is None or name in used:
            return text
        longer = {
            new if suffixes else new.removesuffix(suffix)
            for old, new in used.items()
            if old.startswith(f"{name}.")
            and new.endswith(suffix := old.removeprefix(name))
            and (not suffixes or suffix in suffixes)
        }
        return self._prefixed(longer.pop(), text) if len(longer) == 1 else text

    def _prefixed(self, name: str, text: str) -> str:
        if self.target:
            name = f"{self.target}/{name}" if name != "." else self.target
        return f"{name}/" if text.endswith("/") else name

    def _relative(self, text: str) -> str | None:
        path = Path(text).expanduser() if text.startswith("~/") else Path(text)
        if path.is_absolute():
            return self._inside(path) or self._foreign(path)
        if self.target:  # relative paths are valid in a copy, too
            return None
        name = self._inside(self.folder / path)
        if name is None:
            return None
        known = any(use == name or use.startswith(f"{name}/") for use in self.used or ())
        dotted = re.match(r"\.\.?(/|$)", text) and (self.root / name).exists()
        # A single dot is more often a separator than a folder.
        return name if text not in (".", "./") and (known or dotted) else None

    def _inside(self, path: Path) -> str | None:
        path = Path(os.path.normpath(path))
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        resolved = path.parent.resolve() / path.name
        if resolved.is_relative_to(self.root):
            return resolved.relative_to(self.root).as_posix()
        return None

    def _foreign(self, path: Path) -> str | None:
        """Return the project path that matches the end of another machine's absolute path."""
        if path.exists():
            return None
        for start in range(1, len(path.parts) - 1):
            tail = Path(*path.parts[start:])
            if (self.root / tail).exists() or (
                len(tail.parts) > 1 and (self.root / tail.parent).is_dir()
            ):
                return tail.as_posix()
        return None


def with_paths(file: CellFile, paths: Paths) -> dict[int, str]:
    """Return the new source of each cell in which path literals change."""
    changed = {cell.number: _rewritten(cell.source, paths) for cell in file.cells}
    sources = {cell.number: cell.source for cell in file.cells}
    return {number: text for number, text in changed.items() if text != sources[number]}


def _rewritten(source: str, paths: Paths) -> str:
    masked = mask(source)
    if masked is None:
        return _WORD.sub(lambda found: paths.written(found[0]), source)
    hidden = tuple(_WORD.sub(lambda found: paths.written(found[0]), line) for line in masked.hidden)
    text = _edited(masked.text, _edits(masked.text, _line_starts(masked.text), paths))
    return type(masked)(text, hidden).unmask(text)


def _line_starts(text: str) -> list[int]:
    """Return the place of each line in a text, in bytes, as syntax trees count."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    return starts


def _edited(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """Return a text with replacements: start and end, in bytes, and the new text."""
    content = text.encode()
    for start, end, new in sorted(edits, reverse=True):
        content = content[:start] + new.encode() + content[end:]
    return content.decode()


def _span(node: ast.expr, lines: Sequence[int]) -> tuple[int, int]:
    """Return start and end of an expression, in bytes."""
    end = lines[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
    return lines[node.lineno - 1] + node.col_offset, end


def with_output_paths(file: CellFile, outputs: Collection[str]) -> dict[int, str]:
    """Return the new source of each cell that writes one of some outputs, by `paths.output`.

    Only literals in calls that are known to take a path are changed: in another place, the text
    may be compared, printed or extended.
    """
    changed: dict[int, str] = {}
    for cell in file.cells:
        source = cell.source if TAG in cell.tags else _through_output(cell.source, outputs)
        if source != cell.source:
            changed[cell.number] = source
    return changed


def _through_output(source: str, outputs: Collection[str]) -> str:
    masked = mask(source)
    if masked is None:
        return source
    text, lines = masked.text, _line_starts(masked.text)
    edits: list[tuple[int, int, str]] = []
    for call in (node for node in ast.walk(masked.tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        if name.rpartition(".")[2] not in PATH_TAKERS:
            continue
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(value, ast.Constant) and _is_output(value.value, outputs):
                # `Path("a")` is replaced as a whole: `paths.output` returns a Path.
                whole = name in ("Path", "pathlib.Path") and len(call.args) == 1
                literal = text.encode()[slice(*_span(value, lines))].decode()
                edits.append((*_span(call if whole else value, lines), f"paths.output({literal})"))
    return masked.unmask(_edited(text, edits))


def _is_output(value: object, outputs: Collection[str]) -> bool:
    """Whether a value is the path of an output, or that path without the suffix."""
    if not isinstance(value, str):
        return False
    return any(out == value or out.startswith(f"{value}.") for out in outputs)


def _edits(text: str, lines: list[int], paths: Paths) -> Iterator[tuple[int, int, str]]:
    """Yield replacements of literals: start and end, in bytes, and the new text."""
    content = text.encode()
    tree = ast.parse(text)
    inner = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
        if part is not node
    }
    # The right side of a sum, `root + "/data"`, is only part of a path.
    added = (node for node in ast.walk(tree) if isinstance(node, ast.BinOp))
    inner |= {id(node.right) for node in added if isinstance(node.op, ast.Add)}
    shortened = {id(value): suffixes for value, suffixes in _names_without_suffix(tree)}
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        match node:
            case (
                ast.Constant(value=str(value))
                | ast.JoinedStr(values=[ast.Constant(value=str(value)), *_])
            ):
                start, end = _span(node, lines)
            case _:
                continue
        old = content[start:end].decode()
        new = old
        for part, changed in _parts(value, paths):
            new = new.replace(part, changed, 1)
        if new == old and id(node) in shortened:
            longer = paths.of_longer_name(value, shortened[id(node)])
            new = old.replace(value, longer, 1)
        if new != old:
            yield start, end, new


def _names_without_suffix(tree: ast.Module) -> Iterator[tuple[ast.expr, Sequence[str]]]:
    """Yield arguments of functions that add a suffix, and the suffixes to be written with them.

    Of a name among the arguments, the value where it is assigned counts; other code may add the
    suffix to that value, too.
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


def _parts(value: str, paths: Paths) -> Iterator[tuple[str, str]]:
    """Yield changed paths, old and new, in a literal: the whole literal, or quoted parts."""
    candidates = [value]
    if any(mark in value for mark in "'\""):
        candidates += [one or two for one, two in _QUOTED.findall(value)]
    for text in candidates:
        # The beginning of an f-string may end in the middle of a name.
        folder, slash, rest = text.rpartition("/")
        whole = paths.written(text)
        if whole != text:
            yield text, whole
            return
        if slash and rest and (start := paths.written(folder)) != folder and folder:
            yield f"{folder}/", f"{start}/"
            return
