"""Repairs by ruff in the files of a promotion, so that the commit hooks accept them."""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nb.notebook.content import load_json
from nb.notebook.file import read_cells
from nb.project import program, program_environment, write_whole
from nb.refactoring.imports_first import with_imports_first

# Repairs that ruff leaves to a person. Here the notebook runs afterwards, as the proof.
_PROVEN_REPAIRS = ["B007", "B905", "C4", "E731", "F841", "SIM"]
_NOQA = re.compile(r"# noqa: ?([A-Z]+\d+(?:, ?[A-Z]+\d+)*)")


def repair_code(root: Path, files: Sequence[str]) -> list[str]:
    """Have ruff repair and format files; mark the findings that are left with `# noqa`.

    Returns:
        the findings that are left, a line each: file, code cell, line, rule, message.
    """
    proven = f"lint.extend-safe-fixes={json.dumps(_PROVEN_REPAIRS)}"
    paths = ["--preview", "--select=PTH", "--unsafe-fixes"]  # `open` and `os.path` by pathlib
    _run(root, ["format", "--quiet", *files])
    _run(root, ["check", "--fix", "--exit-zero", "--quiet", *paths, *files])
    for name in files:
        if name.endswith(".ipynb"):  # ruff imports pathlib wherever there is room
            write_whole(root / name, with_imports_first(read_cells(root / name)).text)
    _run(root, ["check", "--fix", "--exit-zero", "--quiet", "--config", proven, *files])
    _run(root, ["format", "--quiet", *files])
    found = json.loads(_run(root, ["check", "--exit-zero", "--output-format=json", *files]) or "[]")
    by_file: dict[Path, list[Mapping[str, Any]]] = defaultdict(list)
    for one in found:
        by_file[Path(one["filename"])].append(one)
    return [
        f"{path.relative_to(root.resolve()).as_posix()}:{line}"
        for path, findings in by_file.items()
        for line in _marked(path, findings)
    ]


def _marked(path: Path, findings: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Mark findings in a file, and yield each with its place."""
    numbers = _code_cells(path) if path.suffix == ".ipynb" else {}
    codes: dict[tuple[int, int], set[str]] = defaultdict(set)
    for one in findings:
        cell, row = numbers.get(one["cell"] or 0, 0), one["location"]["row"]
        yield (
            f"{cell}:{row}: {one['code']} {one['message']}"
            if cell
            else (f"{row}: {one['code']} {one['message']}")
        )
        if re.fullmatch(r"[A-Z]+\d+", one["code"] or "") and one["noqa_row"]:
            codes[cell, one["noqa_row"]].add(one["code"])
    if path.suffix != ".ipynb":
        rows = {row: found for (_, row), found in codes.items()}
        write_whole(path, with_rules_off(path.read_text(encoding="utf-8"), rows))
        return
    file = read_cells(path)
    sources: dict[int, str | None] = {
        cell.number: with_rules_off(
            cell.source, {row: found for (n, row), found in codes.items() if n == cell.number}
        )
        for cell in file.cells
    }
    write_whole(path, file.edited(sources))


def with_rules_off(source: str, codes: Mapping[int, Iterable[str]]) -> str:
    """Return a source with rules switched off in single lines.

    Args:
        source: the source of a cell or a module.
        codes: the rules by line, from 1. Lines of IPython stay as they are.
    """
    lines = source.split("\n")
    for row, found in codes.items():
        line = lines[row - 1]
        before = _NOQA.search(line)
        known = re.split(r", ?", before[1]) if before else []
        comment = f"# noqa: {', '.join(sorted({*known, *found}))}"
        if before:
            lines[row - 1] = line[: before.start()] + comment + line[before.end() :]
        elif not line.lstrip().startswith(("%", "!", "?")) and not line.endswith("\\"):
            lines[row - 1] = f"{line.rstrip()}  {comment}"
    return "\n".join(lines)


def _code_cells(path: Path) -> dict[int, int]:
    """Return the number of each code cell by its place among all cells, as ruff counts."""
    cells = load_json(path, path.read_text(encoding="utf-8"))["cells"]
    places = [place for place, cell in enumerate(cells, 1) if cell["cell_type"] == "code"]
    return {place: number for number, place in enumerate(places, 1)}


def _run(root: Path, arguments: Sequence[str]) -> str:
    """Run ruff in a folder and return the printed output."""
    done = subprocess.run(
        [program("ruff"), *arguments, "--no-cache"],
        cwd=root,
        env=program_environment(),
        capture_output=True,
        text=True,
    )
    return done.stdout
