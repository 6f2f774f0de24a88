"""Adopted code made fit for the commit hooks: formatted, and each finding left beside a `noqa`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nb.notebook.content import source_text
from nb.notebook.file import source_lines
from nb.project import program, write_whole

# Code that is no Python, in the words of two versions of ruff.
NO_PYTHON = (None, "invalid-syntax")
_NOQA = re.compile(r"#\s*noqa:\s*([A-Z0-9, ]+)")


def tidy_code(root: Path, files: Sequence[str]) -> set[str]:
    """Format notebooks and modules; return those that are no Python for ruff.

    A finding that ruff cannot repair gets a comment beside the line, and no exception for a folder:
    new notebooks are still checked, and a notebook that is promoted later passes the hooks.

    Args:
        root: the root of a project.
        files: notebooks and modules, relative to the root.
    """
    found = _findings(root, files)
    broken = {file for file, finding in found if finding["code"] in NO_PYTHON}
    fine = [file for file in files if file not in broken]
    _ruff(root, "check", "--fix", "--quiet", "--exit-zero", *fine)
    # Formatting may divide a line, which takes the comment away from the finding.
    for _ in range(2):
        _ruff(root, "format", "--quiet", *fine)
        _silence(root, fine)
    return broken


def _silence(root: Path, files: Sequence[str]) -> None:
    _ruff(root, "check", "--add-noqa", "--quiet", *(f for f in files if f.endswith(".py")))
    by_file: dict[str, list[dict[str, Any]]] = {}
    for file, finding in _findings(root, [file for file in files if file.endswith(".ipynb")]):
        by_file.setdefault(file, []).append(finding)
    for file, findings in by_file.items():  # ruff adds no comments to notebooks
        content = json.loads((root / file).read_text(encoding="utf-8"))
        for finding in findings:
            cell = content["cells"][finding["cell"] - 1]
            lines = source_text(cell).split("\n")
            row = finding["noqa_row"] - 1
            lines[row] = with_noqa(lines[row], finding["code"])
            cell["source"] = source_lines("\n".join(lines))
        text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_whole(root / file, text.encode("utf-8", "surrogatepass"))


def with_noqa(line: str, code: str) -> str:
    """Return a line with a code added to the comment that silences findings."""
    present = _NOQA.search(line)
    if not present:
        return f"{line.rstrip()}  # noqa: {code}"
    codes = dict.fromkeys([*re.findall(r"[A-Z]+\d+", present[1]), code])
    rest = line[present.end() :]
    return f"{line[: present.start()]}# noqa: {', '.join(codes)}{f' {rest}' if rest else ''}"


def _findings(root: Path, files: Iterable[str]) -> list[tuple[str, dict[str, Any]]]:
    text = _ruff(root, "check", "--output-format", "json", *files)
    listed: list[dict[str, Any]] = json.loads(text or "[]")
    base = root.resolve()
    return [(Path(f["filename"]).resolve().relative_to(base).as_posix(), f) for f in listed]


def _ruff(root: Path, *arguments: str) -> str:
    if not any(word.endswith((".py", ".ipynb")) for word in arguments):
        return ""
    command = [program("ruff"), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8").stdout
