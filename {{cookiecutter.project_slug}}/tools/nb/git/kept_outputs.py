"""Outputs of notebooks, kept while a Git command changes the work tree: pull, checkout, commit.

Git refuses to pull over a notebook of which only outputs changed, by a run. A checkout and a stash
drop outputs, and so does pre-commit before a commit. This module first copies outputs aside, to
`.nb/outputs`, and then puts them back where the code is unchanged. A copy stays until the notebook
can take the outputs, so an interruption loses nothing: the next call puts back the copies that are
left. Outputs of edited cells wait in `.nb/outputs-of-edits` for the edits to return.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from nb.notebook.content import source_text
from nb.notebook.new_cell import notebook_text
from nb.notebook.strip import RefusedError
from nb.project import NbError, parse_json, write_whole
from nb.surroundings import find_repository

from .attributes import filtered_notebooks
from .command import git, git_list, nothing_to_pull
from .filter import clean
from .index import index_ids, unmerged
from .wiring import hook_projects

ASIDE = Path(".nb/outputs")
# Outputs of cells that are gone with their edits, into a stash or another branch.
LATER = Path(".nb/outputs-of-edits")
# Suffix of a file there that another version of the tooling wrote.
NOT_READ = ".not-read"
# Commands after which cells that are gone have been replaced for good.
REPLACING = ("pull", "merge", "rebase", "cherry-pick")


@dataclass
class KeptOutputs:
    """Result of putting back the outputs that were set aside.

    Attributes:
        restored: the notebooks with outputs that were put back.
        waiting: the notebooks that are missing or in conflict; the outputs wait in `.nb/outputs`.
        later: the notebooks without their edited cells; the outputs of these wait for the edits.
        dropped: the notebooks with replaced cells, whose outputs are gone, too.
    """

    restored: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)


def run_git(root: Path, command: Sequence[str]) -> KeptOutputs:
    """Run a Git command that changes the work tree, and keep outputs.

    Args:
        command: the words after `git`, such as `["pull"]`.

    Raises:
        NbError: if there is no branch to pull from, or Git fails. Outputs are put back as far as
            possible before.
    """
    why_not = nothing_to_pull(root) if [*command] == ["pull"] else ""
    if why_not:
        raise NbError(why_not)
    with keep_outputs_in_repository(root, edits_return=command[0] not in REPLACING) as kept:
        # Git takes such notebooks for changed by hand, and would refuse to replace them.
        for project in _projects(root):
            unchanged = _only_outputs_differ(project)
            if unchanged:
                git(project, "checkout", "--", *unchanged)
        code = subprocess.run(["git", *command], cwd=root).returncode
    if code:
        words = " ".join(command)
        raise NbError(f"git {words} failed; its message is above. No output was lost.", code)
    return kept


@contextmanager
def keep_outputs_in_repository(root: Path, *, edits_return: bool = True) -> Iterator[KeptOutputs]:
    """Keep the outputs of notebooks in all projects of the repository, as `keep_outputs` does.

    A Git command changes the whole work tree, so notebooks of other projects lose outputs, too.
    """
    with ExitStack() as stack:
        for project in _projects(root):
            kept = stack.enter_context(keep_outputs(project, edits_return=edits_return))
        yield kept


def _projects(root: Path) -> list[Path]:
    """Return the roots of the projects in the repository, this project's last."""
    top = find_repository(root) or root
    others = (top / folder for folder in hook_projects(root))
    there = [path for path in others if (path / "tools" / "nb").is_dir()]
    return [*(path for path in there if path.resolve() != root.resolve()), root]


@contextmanager
def keep_outputs(root: Path, *, edits_return: bool) -> Iterator[KeptOutputs]:
    """Copy the outputs of all notebooks aside, and put them back when the block ends.

    Args:
        edits_return: keep the outputs of cells that are gone after the block, as after a stash,
            until these cells are back.
    """
    for name in _differing(root):
        copy = root / ASIDE / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_whole(copy, (root / name).read_bytes())
    kept = KeptOutputs()
    try:
        yield kept
    finally:
        _put_all_back(root, kept, edits_return=edits_return)
        _put_later_back(root, kept)


def _differing(root: Path) -> list[str]:
    """Return the notebooks whose files differ, byte for byte, from the index."""
    ids = index_ids(root)
    names = [name for name in filtered_notebooks(root, ids) if (root / name).is_file()]
    return [name for name in names if ids[name] != _blob_id(root / name, len(ids[name]))]


def _blob_id(path: Path, length: int) -> str:
    """Return the blob id of a file without any filter, in SHA-1 or SHA-256 by the length."""
    content = path.read_bytes()
    new = hashlib.sha1 if length == 40 else hashlib.sha256
    return new(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _only_outputs_differ(root: Path) -> list[str]:
    changed = set(git_list(root, "diff", "--name-only", "--relative", "-z"))
    return [name for name in _differing(root) if name not in changed]


def _put_all_back(root: Path, kept: KeptOutputs, *, edits_return: bool) -> None:
    conflicts = unmerged(root)
    for copy in sorted((root / ASIDE).rglob("*.ipynb")):
        name = copy.relative_to(root / ASIDE).as_posix()
        target = root / name if (root / name).is_file() else _renamed(root, copy)
        if target is None or name in conflicts or _is_foreign(copy, target):
            kept.waiting.append(name)
            continue
        restored = _with_outputs(target, copy)
        if restored is not None:
            write_whole(target, restored)
            kept.restored.append(target.relative_to(root).as_posix())
        if gone := _gone(target, copy):
            (kept.later if edits_return else kept.dropped).append(name)
            if edits_return:
                _keep_for_later(root / LATER / name, gone)
        copy.unlink()


def _is_foreign(copy: Path, target: Path) -> bool:
    """Return whether a copy differs and is in another nbformat, so its outputs cannot be moved."""
    content = copy.read_bytes()
    try:
        return bool(content != target.read_bytes() and parse_json(content)["nbformat"] != 4)
    except (ValueError, KeyError, TypeError):
        return False


def _gone(target: Path, copy: Path) -> list[dict[str, object]]:
    """Return the cells of a copy that have outputs and are not in the notebook."""
    try:
        new, old = (_code_cells(parse_json(path.read_bytes())) for path in (target, copy))
        there = {source_text(cell) for cell in new}
        return [cell for cell in old if cell["outputs"] and source_text(cell) not in there]
    except (ValueError, KeyError, TypeError):
        return []


def _keep_for_later(path: Path, cells: list[dict[str, object]]) -> None:
    """Add cells to those whose outputs wait for their edits; a newer output takes the place.

    The file is a notebook, so Jupyter opens it. Any other file there is moved aside, not replaced.
    """
    try:
        known = _code_cells(parse_json(path.read_bytes())) if path.exists() else []
        latest = {source_text(cell): cell for cell in (*known, *cells)}
    except (ValueError, KeyError, TypeError):
        path.replace(path.with_name(f"{path.name}{NOT_READ}"))
        latest = {source_text(cell): cell for cell in cells}
    content = {"cells": list(latest.values()), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    write_whole(path, json.dumps(content))


def _put_later_back(root: Path, kept: KeptOutputs) -> None:
    """Give edited cells that are there again the outputs that were kept for them."""
    conflicts = unmerged(root)
    for path in sorted((root / LATER).rglob("*.ipynb")):
        name = path.relative_to(root / LATER).as_posix()
        is_there = (root / name).is_file() and name not in conflicts
        restored = _with_moved_outputs(root / name, path) if is_there else None
        if restored is None:
            continue
        write_whole(root / name, restored)
        left = _gone(root / name, path)
        path.unlink()
        if left:
            _keep_for_later(path, left)
        kept.later = [later for later in kept.later if later != name or left]
        kept.restored = sorted({*kept.restored, name})


def _renamed(root: Path, copy: Path) -> Path | None:
    """Return a notebook of another name with the content of a copy: the notebook was renamed."""
    wanted = _stripped(copy)
    names = filtered_notebooks(root, index_ids(root))
    paths = (root / name for name in names if (root / name).is_file())
    return next((path for path in paths if wanted and path.read_bytes() == wanted), None)


def _stripped(path: Path) -> bytes | None:
    try:
        return clean(path.read_bytes(), path.name)
    except RefusedError:
        return None


def _with_outputs(target: Path, copy: Path) -> bytes | None:
    """Return the notebook with the outputs of the copy; None if there is nothing to put back."""
    content = copy.read_bytes()
    if target.read_bytes() == content:
        return None
    wanted = _stripped(copy)
    if wanted and wanted == _stripped(target):
        return content
    return _with_moved_outputs(target, copy)


def _with_moved_outputs(target: Path, copy: Path) -> bytes | None:
    """Return the notebook with the outputs of a copy's equal cells; None if there are none."""
    try:
        new, old = (parse_json(path.read_bytes()) for path in (target, copy))
        moved = _move_outputs(_code_cells(old), _code_cells(new))
    except (ValueError, KeyError, TypeError):
        return None  # no notebook any more: the file of Git stays
    return notebook_text(new).encode() if moved else None


def _code_cells(notebook: dict[str, Any]) -> list[dict[str, object]]:
    """Return the code cells of a notebook's JSON.

    Raises:
        ValueError, KeyError, TypeError: if the JSON is not a notebook in nbformat 4.
    """
    cells = notebook["cells"]
    if notebook.get("nbformat", 4) != 4:  # the first files of LATER held cells only
        raise ValueError("the notebook is not in nbformat 4")
    return [cell for cell in cells if cell["cell_type"] == "code"]


def _move_outputs(old: list[dict[str, object]], new: list[dict[str, object]]) -> bool:
    sources = [[source_text(cell) for cell in cells] for cells in (old, new)]
    matches = SequenceMatcher(a=sources[0], b=sources[1], autojunk=False).get_matching_blocks()
    pairs = [(old[m.a + i], new[m.b + i]) for m in matches for i in range(m.size)]
    for before, after in pairs:
        if not after["outputs"]:
            after["outputs"] = before["outputs"]
            after["execution_count"] = before["execution_count"]
    return any(before["outputs"] for before, _ in pairs)
