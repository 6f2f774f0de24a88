"""Path literals of a notebook, rewritten from the project's root or as calls of `paths.output`."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from nb.notebook.file import CellFile
from nb.notebook.magics import mask
from nb.notebook.parameters import TAG
from nb.notebook.path_literals import (
    LONGEST_PATH,
    PathRule,
    called_name,
    rewrite_paths,
    working_directory_variables,
)
from nb.notebook.source_edits import Edit, byte_offsets, byte_span, with_edits

# Functions that take the path of a file, as text or as a Path.
_PATH_TAKERS = {
    *("Path", "open", "dump", "imsave", "save", "savefig", "savetxt", "savez", "savez_compressed"),
    *("to_csv", "to_excel", "to_feather", "to_html", "to_json", "to_parquet", "to_pickle"),
    *("write_csv", "write_parquet", "write_table"),
}


@dataclass(frozen=True)
class PathsFromRoot:
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
        if name is None and (pattern := self._pattern(text)):
            return pattern
        if name is None:  # the name of a file that is completed at run time, or a whole folder's
            folder, _, rest = text.rpartition("/")
            start = self.written(folder) if rest else folder
            return text if start == folder else f"{start}/{rest}"
        return self._prefixed(self._moved(name), text)

    def _moved(self, name: str) -> str:
        """Return the new path of a file, or of a folder beside the notebook that moves whole."""
        used = self.used or {}
        if self.folder not in (self.root / name).parents:
            return used.get(name, name)
        files = [
            (new, old.removeprefix(name)) for old, new in used.items() if old.startswith(f"{name}/")
        ]
        folders = {new.removesuffix(rest) if new.endswith(rest) else name for new, rest in files}
        return folders.pop() if len(folders) == 1 else used.get(name, name)

    def _pattern(self, text: str) -> str:
        """Return the pattern of files that move to one folder; empty for any other text."""
        pattern = self._inside(self.folder / text) if re.search(r"[*?[]", text) else None
        found = [
            (old, new) for old, new in (self.used or {}).items() if fnmatchcase(old, pattern or "")
        ]
        folders = {PurePosixPath(new).parent for _, new in found}
        same_names = all(PurePosixPath(old).name == PurePosixPath(new).name for old, new in found)
        return f"{folders.pop()}/{Path(text).name}" if len(folders) == 1 and same_names else ""

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


def rewrite_from_root(file: CellFile, paths: PathsFromRoot) -> dict[int, str]:
    """Return the new source of each cell in which path literals change."""
    rule = PathRule(
        new_path=paths.written,
        new_folder=paths.written,
        longer_name=paths.of_longer_name,
        here=working_directory_variables(cell.source for cell in file.cells),
    )
    changed = {cell.number: rewrite_paths(cell.source, rule) for cell in file.cells}
    sources = {cell.number: cell.source for cell in file.cells}
    return {number: text for number, text in changed.items() if text != sources[number]}


def write_through_outputs(file: CellFile, outputs: Collection[str]) -> dict[int, str]:
    """Return the new source of each cell that writes any of some outputs, by `paths.output`.

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
    text, lines = masked.text, byte_offsets(masked.text)
    edits: list[Edit] = []
    for call in (node for node in ast.walk(masked.tree) if isinstance(node, ast.Call)):
        if called_name(call) not in _PATH_TAKERS:
            continue
        for value in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(value, ast.Constant) and _is_output(value.value, outputs):
                start, end = byte_span(value, lines)
                new = f"paths.output({text.encode()[start:end].decode()})"
                # `paths.output` returns a Path: `Path("a")` and `open("a"` are replaced as well.
                if ast.unparse(call) in (
                    f"Path({value.value!r})",
                    f"pathlib.Path({value.value!r})",
                ):
                    start, end = byte_span(call, lines)
                elif ast.unparse(call.func) == "open" and call.args and call.args[0] is value:
                    start = byte_span(call, lines)[0]
                    after = byte_span(call.args[1], lines)[0] if len(call.args) > 1 else end
                    new, end = f"{new}.open(", after
                edits.append((start, end, new))
    return masked.unmask(with_edits(text, edits))


def _is_output(value: object, outputs: Collection[str]) -> bool:
    """Return whether a value is the path of an output, or that path without the suffix."""
    if not isinstance(value, str):
        return False
    return any(out == value or out.startswith(f"{value}.") for out in outputs)
