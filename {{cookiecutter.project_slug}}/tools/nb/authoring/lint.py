"""Lint of promoted and adopted code: repairs, `# noqa`, undefined names, and lines that install."""

from __future__ import annotations

import ast
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nb.check.call_order import OPAQUE_MAGICS
from nb.check.findings import Finding
from nb.check.rules.running import is_install
from nb.notebook.code import imports_of, names_in_texts, trees_of
from nb.notebook.content import load_json
from nb.notebook.file import CellFile, parse_cells, read_cells
from nb.notebook.magics import Escape, foreign_cell, mask
from nb.programs import run_program
from nb.project import NbError, write_whole
from nb.refactoring.imports_first import with_imports_first
from nb.wording import place_in_file

# Repairs that ruff leaves to a person. Here the notebook runs afterwards, as the proof.
_PROVEN_REPAIRS = ["B007", "B905", "C4", "E731", "F841", "SIM"]
# Rules to be switched off, by cell and line; the cell is 0 in a module.
_Codes = defaultdict[int, defaultdict[int, set[str]]]
# Rules of nb check for lines that the proof has seen to work, or not to run: paths to nothing,
# shell lines, and addresses. In a shell line, the mark is a comment; ruff does not look there.
_OF_PROVEN_LINES = {"NB302", "NB304", "NB306"}
# Names that nothing defines: mistakes that no run came across. A promotion never hides them.
_UNDEFINED = ("F821", "F822", "F823")
_NOQA = re.compile(r"# noqa: ?([A-Z]+\d+(?:, ?[A-Z]+\d+)*)")


def repair_code(root: Path, files: Sequence[str]) -> list[str]:
    """Have ruff repair and format files; mark the findings that are left with `# noqa`.

    Returns:
        the findings that are left, a line each: file, cell, line, rule, message.

    Raises:
        NbError: if a name is nowhere defined.
    """
    proven = f"lint.extend-safe-fixes={json.dumps(_PROVEN_REPAIRS)}"
    paths = ["--preview", "--select=PTH", "--unsafe-fixes"]  # `open` and `os.path` by pathlib
    run_ruff(root, "format", "--quiet", *files)
    run_ruff(root, "check", "--fix", "--exit-zero", "--quiet", *paths, *files)
    for name in files:
        if name.endswith(".ipynb"):  # ruff imports pathlib wherever there is room
            write_whole(root / name, with_imports_first(read_cells(root / name)).text)
    run_ruff(root, "check", "--fix", "--exit-zero", "--quiet", "--config", proven, *files)
    for name in files:
        if name.endswith(".ipynb"):  # ruff leaves nothing of a cell of unused imports
            write_whole(root / name, without_empty_cells(read_cells(root / name)))
    run_ruff(root, "format", "--quiet", *files)
    require_defined_names(root, files)
    return mark_findings(root, files)


def without_installs(file: CellFile) -> tuple[CellFile, list[str]]:
    """Return a notebook without lines that install packages, and a sentence for each.

    The exploratory notebook ran in the environment of the project, which has the packages.
    """
    sources: dict[int, str | None] = {}
    left_out: list[str] = []
    for cell in file.cells:
        left, lines = take_out_installs(cell.source)
        if lines:
            sources[cell.number] = left or None
            left_out += [f"{line} is left out: pyproject.toml names the packages" for line in lines]
    return parse_cells(file.path, file.edited(sources)), left_out


def take_out_installs(source: str) -> tuple[str, list[str]]:
    """Return the source of a cell without lines that install packages, and those lines."""
    masked = mask(source)
    lines = source.split("\n")
    taken: list[str] = []
    for escape in masked.escapes() if masked else ():
        if is_install(escape) and not (escape.assigned or re.search("[;&|]", escape.text)):
            first, count = escape.line - 1, escape.text.count("\n") + 1
            indent = re.match(r"\s*", lines[first])
            kept = f"{indent[0]}pass" if indent and escape.nested else ""
            lines[first : first + count] = [kept, *[""] * (count - 1)]
            taken.append(escape.text)
    return ("\n".join(lines).strip("\n"), taken) if taken else (source, [])


def with_imports_of_texts(file: CellFile) -> CellFile:
    """Keep ruff from taking out imports that only texts use, such as `"np.log(price) ~ rooms"`."""
    trees = trees_of(file)
    used = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    wanted = set[str]().union(*map(names_in_texts, trees)) - used
    marked: dict[int, str | None] = {}
    for cell in file.cells:
        masked = mask(cell.source)
        codes = {
            statement.lineno: ["F401"]
            for statement in (masked.tree.body if masked else ())
            if wanted.intersection(one.binds for one in imports_of(statement))
        }
        marked |= {cell.number: with_rules_off(cell.source, codes)} if codes else {}
    return parse_cells(file.path, file.edited(marked))


def without_empty_cells(file: CellFile) -> str:
    """Return the text of a notebook without code cells that are blank and have no tag."""
    empty = [cell.number for cell in file.cells if not cell.source.strip() and not cell.tags]
    return file.edited(dict.fromkeys(empty))


def require_defined_names(root: Path, files: Sequence[str]) -> None:
    """Refuse code with a name that nothing defines, unless a `# noqa` is there already.

    Raises:
        NbError: with the place of the first.
    """
    for line in undefined_names(root, files):
        raise NbError(
            f"{line}, which the run did not come across: define the name, or delete the line; if a "
            "magic defines the name, end the line with # noqa: F821. Nothing was changed."
        )


def undefined_names(root: Path, files: Sequence[str], *options: str) -> list[str]:
    """Return the uses of names that nothing defines, a line each: file, cell, line, rule, name.

    Names that a magic may define are left out: `%%capture out` defines `out`.
    """
    found = ruff_findings(root, files, f"--select={','.join(_UNDEFINED)}", *options)
    given = {str((root / name).resolve()): _names_of_magics(root / name) for name in files}
    return [
        _line(one, root)
        for one in found
        if one["code"] in _UNDEFINED and not given[one["filename"]].search(one["message"])
    ]


def _names_of_magics(path: Path) -> re.Pattern[str]:
    """Return the pattern of messages about names that magics of a notebook may define."""
    cells = read_cells(path).cells if path.suffix == ".ipynb" else ()
    found = [escape for cell in cells for escape in _escapes(cell.source) if escape.magic]
    if any(escape.magic in OPAQUE_MAGICS for escape in found):
        return re.compile("")
    names = sorted(set[str]().union(*(escape.names for escape in found)))
    return re.compile("|".join(f"`{name}`" for name in names) or r"(?!)")


def _escapes(source: str) -> Iterable[Escape]:
    masked = mask(source)
    foreign = None if masked else foreign_cell(source)
    return [foreign] if foreign else masked.escapes() if masked else ()


def mark_findings(root: Path, files: Sequence[str]) -> list[str]:
    """Mark each finding of ruff with `# noqa`; return the findings as `repair_code` does."""
    by_file: dict[Path, list[Mapping[str, object]]] = defaultdict(list)
    for one in ruff_findings(root, files):
        by_file[Path(one["filename"])].append(one)
    for path, findings in by_file.items():
        _mark(path, findings)
    return [_line(one, root) for found in by_file.values() for one in found]


def _line(finding: Mapping[str, Any], root: Path) -> str:
    """Return a finding of ruff as `nb check` writes its own."""
    file = Path(finding["filename"]).relative_to(root.resolve()).as_posix()
    place = place_in_file(file, finding["cell"], finding["location"]["row"])
    return f"{place}: {finding['code']} {finding['message']}"


def _mark(path: Path, findings: Iterable[Mapping[str, Any]]) -> None:
    codes: _Codes = defaultdict(lambda: defaultdict(set))
    for one in findings:
        if re.fullmatch(r"[A-Z]+\d+", one["code"] or "") and one["noqa_row"]:
            codes[one["cell"] or 0][one["noqa_row"]].add(one["code"])
    if path.suffix == ".ipynb":
        _mark_cells(path, codes)
    else:
        write_whole(path, with_rules_off(path.read_text(encoding="utf-8"), codes[0]))


def mark_proven_lines(path: Path, findings: Iterable[Finding], root: Path) -> None:
    """Mark the findings of `nb check` in lines that the proof covers.

    A path out of the project that leads to something here may lead to nothing on another machine:
    no run here proves such a line, and the commit goes on to be refused.
    """
    cells = read_cells(path).cells
    codes: _Codes = defaultdict(lambda: defaultdict(set))
    for one in findings:
        source = cells[one.cell - 1].source if one.cell else ""
        if one.code in _OF_PROVEN_LINES and not (
            one.code == "NB302" and _leads_somewhere(source, one.line, root)
        ):
            codes[one.cell or 0][one.line].add(one.code)
    if codes:
        _mark_cells(path, codes)


def _leads_somewhere(source: str, line: int, root: Path) -> bool:
    """Return whether a text, or a word of a command, in a line leads out of the project."""
    tree = masked.tree if (masked := mask(source)) else ast.Module([], [])
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.lineno == line
    ]
    commands = (escape.text for escape in _escapes(source) if escape.line == line)
    texts += [word.strip("\"'") for command in commands for word in command.split()]
    # Unlike those of pathlib, these functions take any text, also one that cannot be a path.
    places = (root / os.path.expanduser(text) for text in texts)  # noqa: PTH111
    there = (place.resolve() for place in places if os.path.exists(place))  # noqa: PTH110
    return not all(place.is_relative_to(root.resolve()) for place in there)


def _mark_cells(path: Path, codes: _Codes) -> None:
    """Switch rules off in lines of a notebook, by the number of the code cell."""
    file = read_cells(path)
    sources: dict[int, str | None] = {
        cell.number: marked
        for cell in file.cells
        if _says_the_same(cell.source, marked := with_rules_off(cell.source, codes[cell.number]))
    }
    write_whole(path, file.edited(sources))


def _says_the_same(old: str, new: str) -> bool:
    """Return whether the marks are comments: a line may belong to a text of several lines."""
    trees = [masked.tree if (masked := mask(source)) else None for source in (old, new)]
    return len({ast.dump(tree) for tree in trees if tree}) < 2


def with_rules_off(source: str, codes: Mapping[int, Iterable[str]]) -> str:
    """Return a source with rules switched off in single lines.

    Args:
        source: the source of a cell or a module.
        codes: the rules by line, from 1. Lines of IPython stay as they are.
    """
    lines = source.split("\n")
    for row, found in codes.items():
        unmarked = ("%", "?") if {*found} <= _OF_PROVEN_LINES else ("%", "?", "!")
        line = lines[row - 1]
        before = _NOQA.search(line)
        known = re.split(r", ?", before[1]) if before else []
        comment = f"# noqa: {', '.join(sorted({*known, *found}))}"
        if before:
            lines[row - 1] = line[: before.start()] + comment + line[before.end() :]
        elif not line.lstrip().startswith(unmarked) and not line.endswith("\\"):
            lines[row - 1] = f"{line.rstrip()}  {comment}"
    return "\n".join(lines)


def ruff_findings(root: Path, files: Sequence[str], *options: str) -> list[dict[str, Any]]:
    """Return the findings of ruff in files, as ruff describes them; `cell` counts code cells."""
    words = ("check", "--exit-zero", "--output-format=json", *options)
    listed = run_ruff(root, *words, *files) if files else ""
    found: list[dict[str, Any]] = json.loads(listed or "[]")
    for one in found:
        if one["cell"]:
            one["cell"] = _code_cells_until(Path(one["filename"]), one["cell"])
    return found


def _code_cells_until(path: Path, place: int) -> int:
    """Return the number of the code cell that ruff names by the place among all cells."""
    cells = load_json(path, path.read_text(encoding="utf-8"))["cells"][:place]
    return sum(cell["cell_type"] == "code" for cell in cells)


def run_ruff(root: Path, *arguments: str) -> str:
    """Run ruff in a folder and return the printed output."""
    return run_program(root, "ruff", *arguments, "--no-cache").stdout
