"""Fingerprints of notebooks (code, kernel, imported modules) for DVC, and explanations of changes.

Standard library only. The *fingerprint* of a notebook is a small text: the source and tags of the
code cells, the kernel, and a hash of every module of `src/` that the notebook imports, directly or
through other modules. The text changes when the results may change, and stays when outputs, counts,
Markdown or metadata do.

DVC depends on these files; a copy of each state that `dvc.lock` names is kept in `.nb/history`
under the MD5, so that a change can be explained cell by cell.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path

from nb.printable import printable
from nb.project import (
    FINGERPRINTS,
    PRODUCTION,
    NbError,
    from_root,
    one_line,
    text_of,
    warn,
    write_whole,
)

from .content import Cell, Notebook, notebooks_below, read_notebook
from .modules import SourcePackages

# The first line of a fingerprint, up to the kernel's name. From format 2 on, the number is between.
# DVC hashes the file: another first line makes every notebook of every project stale.
KERNEL_LINE = "# kernel "
CELL = "# %% code cell"
MODULE_LINE = "# module"
HISTORY = Path(".nb/history")
# How the fingerprint of a notebook that cannot be read begins.
UNREADABLE_LINE = "# unreadable: "
CHANGED = "its code, or a module that it imports, changed"


def fingerprint_text(notebook: Notebook, sources: SourcePackages) -> str:
    """Return the fingerprint of a notebook: equal texts promise equal computations."""
    used, top = sources.used_by(notebook), sources.folder.parent
    files = [sources.modules[name] for name in sorted(used)] + (sources.data_files if used else [])
    return "".join(
        [
            f"{KERNEL_LINE}{notebook.kernel}\n",
            *(_cell_text(cell) for cell in notebook.cells if cell.source),
            *(
                f"{MODULE_LINE} {path.relative_to(top).as_posix()} {sources.hash_of(path)}\n"
                for path in files
            ),
        ]
    )


def _cell_text(cell: Cell) -> str:
    tags = f" [{', '.join(cell.tags)}]" if cell.tags else ""
    # Indented, so that no line of source can look like a header.
    lines = "".join(f" {line}\n" for line in cell.source.split("\n"))
    return f"{CELL}{tags}\n{lines}"


def refresh(root: Path) -> list[Path]:
    """Bring all fingerprints up to date and return those that changed, relative to the root.

    A file with equal content is not touched, so DVC does not hash the file again. For a notebook
    that cannot be read the reason is the fingerprint, so the stage is stale, and a warning.
    """
    sources = SourcePackages(root / "src")
    texts = {
        FINGERPRINTS / path.relative_to(root / PRODUCTION).with_suffix(".txt"): _text(
            root, path, sources
        )
        for path in notebooks_below(root / PRODUCTION)
    }
    (root / FINGERPRINTS).mkdir(parents=True, exist_ok=True)
    changed = [path for path, text in texts.items() if _write_changed(root / path, text)]
    for path in (root / FINGERPRINTS).rglob("*.txt"):
        if path.relative_to(root) not in texts:
            path.unlink(missing_ok=True)
    _keep_history(root, texts.values())
    return changed


def _text(root: Path, path: Path, sources: SourcePackages) -> str:
    try:
        return fingerprint_text(read_notebook(path), sources)
    except NbError as error:
        reason = from_root(one_line(error), root)
        warn(reason)
        return f"{UNREADABLE_LINE}{printable(reason)}\n"


def _write_changed(path: Path, text: str) -> bool:
    content = text.encode("utf-8", "surrogatepass")
    if path.exists() and path.read_bytes() == content:
        return False
    write_whole(path, content, path.with_name(f".{os.getpid()}.draft"))
    return True


def _keep_history(root: Path, texts: Iterable[str]) -> None:
    current = {
        hashlib.md5(t.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest(): t
        for t in texts
    }
    for digest, text in current.items():
        _write_changed(root / HISTORY / f"{digest}.txt", text)
    named = text_of(root / "dvc.lock")
    for path in (root / HISTORY).glob("*.txt"):
        if path.stem not in current and path.stem not in named:
            path.unlink(missing_ok=True)


def explain(root: Path, path: Path, old_md5: str | None) -> list[str]:
    """Say in words how a fingerprint differs from that with the given MD5.

    Args:
        path: the fingerprint, relative to the root.
        old_md5: the MD5 of the fingerprint in `dvc.lock`; None if there is none.

    Returns:
        A phrase per change; `CHANGED` alone where this machine never saw the old state.
    """
    if not (root / path).exists():
        name = path.relative_to(FINGERPRINTS).with_suffix(".ipynb")
        return [f"{(PRODUCTION / name).as_posix()} is missing"]
    now = _read(root / path)
    if now.startswith(UNREADABLE_LINE):
        return [now.removeprefix(UNREADABLE_LINE).strip()]
    old = root / HISTORY / f"{old_md5}.txt"
    if not old.exists():
        return [CHANGED]
    try:
        before, after = _parse(_read(old)), _parse(now)
    except (ValueError, IndexError):  # another version of the tooling wrote the old state
        return [CHANGED]
    kernel = ["its kernel changed"] if before[0] != after[0] else []
    return [*kernel, *_cell_changes(before[1], after[1]), *_module_changes(before[2], after[2])]


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogatepass")


def _parse(text: str) -> tuple[str, list[str], dict[str, str]]:
    """Split a fingerprint into kernel line, cells and hashes of files by their path.

    Raises:
        ValueError, IndexError: if the text has another format.
    """
    kernel, *lines = io.StringIO(text, newline="\n")  # form feeds end no line here
    if not kernel.startswith(KERNEL_LINE) or kernel.count(" ") != KERNEL_LINE.count(" "):
        raise ValueError("the first line is another format's")
    cells: list[str] = []
    files: dict[str, str] = {}
    for line in lines:
        if line.startswith(CELL):
            cells.append(line)
        elif line.startswith(MODULE_LINE):
            name, digest = line.removeprefix(MODULE_LINE).strip().rsplit(" ", 1)
            files[name] = digest
        else:
            cells[-1] += line
    return kernel, cells, files


def _cell_changes(before: list[str], after: list[str]) -> Iterator[str]:
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            continue
        common = min(old_to - old_from, new_to - new_from)
        yield from (f"code cell {new_from + i + 1} changed" for i in range(common))
        yield from (f"code cell {n + 1} was added" for n in range(new_from + common, new_to))
        removed = old_to - old_from - common
        if removed:
            yield f"{removed} code cell{'s were' if removed > 1 else ' was'} removed"


def _module_changes(before: dict[str, str], after: dict[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"{name} is imported now"
        elif name not in after:
            yield f"{name} is no longer imported"
        elif before[name] != after[name]:
            yield f"{name} changed"
