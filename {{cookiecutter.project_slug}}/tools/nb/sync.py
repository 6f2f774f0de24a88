"""Pull, check out or stash without losing outputs.

Git refuses to pull over a notebook that was run, though nothing that it stores of it changed, and a
stash or checkout drops its outputs. Here they are set aside first, and put back where the code is
unchanged.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from .gitfilter import clean
from .gitwiring import git
from .notebook import source_text
from .project import NbError
from .staged import filtered, index_ids
from .strip import RefusedError

ASIDE = Path(".nb/outputs")


def keep_outputs(root: Path, command: Sequence[str]) -> list[str]:
    """Run a Git command that changes the work tree; return the notebooks whose outputs came back.

    The outputs are copied to `.nb/outputs` and that copy goes only when they are back, so an
    interruption loses nothing: the next call takes up what it finds there.

    Args:
        root: the project's root.
        command: the words after `git`, `["pull"]` for one.

    Raises:
        NbError: if Git fails. What could be put back is back then.
    """
    _set_aside(root, _only_outputs_differ(root))
    try:
        done = subprocess.run(["git", *command], cwd=root)
    finally:
        kept = [name for name in _aside(root) if _put_back(root, name)]
    if done.returncode:
        words = " ".join(command)
        raise NbError(
            f"git {words} failed; its message is above, outputs are kept.", done.returncode
        )
    return kept


def _only_outputs_differ(root: Path) -> list[str]:
    """Return the notebooks of which Git stores what it would store now, though the files differ."""
    ids = index_ids(root)
    changed = set(git(root, "diff", "--name-only", "-z").split("\0"))
    names = [n for n in filtered(root, ids) if n not in changed and (root / n).is_file()]
    listed = "".join(f"{name}\n" for name in names)
    hashes = git(root, "hash-object", "--no-filters", "--stdin-paths", stdin=listed).split()
    return [name for name, digest in zip(names, hashes, strict=True) if ids[name] != digest]


def _set_aside(root: Path, names: Sequence[str]) -> None:
    for name in names:
        copy = root / ASIDE / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        draft = copy.with_suffix(".draft")
        draft.write_bytes((root / name).read_bytes())
        draft.replace(copy)
    if names:
        git(root, "checkout", "--", *names)


def _aside(root: Path) -> list[str]:
    return sorted(p.relative_to(root / ASIDE).as_posix() for p in (root / ASIDE).rglob("*.ipynb"))


def _put_back(root: Path, name: str) -> bool:
    """Give a notebook its outputs back; tell whether any came back."""
    copy, target = root / ASIDE / name, root / name
    restored = _with_outputs(target, copy)
    if restored is not None:
        draft = target.with_suffix(".draft")
        draft.write_bytes(restored)
        draft.replace(target)
    copy.unlink()
    return restored is not None


def _with_outputs(target: Path, copy: Path) -> bytes | None:
    """Return the notebook with the outputs of the copy; None if there is nothing to put back."""
    if not target.is_file():
        return None
    try:
        if clean(copy.read_bytes(), copy.name) == clean(target.read_bytes(), target.name):
            return copy.read_bytes()
        new, old = (json.loads(path.read_bytes()) for path in (target, copy))
        moved = _move_outputs(_code_cells(old), _code_cells(new))
    except (RefusedError, ValueError, KeyError, TypeError):
        return None  # a conflict, or no notebook any more: it stays as Git left it
    text = json.dumps(new, indent=1, ensure_ascii=False, sort_keys=True)
    return f"{text}\n".encode() if moved else None


def _code_cells(notebook: Any) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _move_outputs(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> bool:
    sources = [[source_text(cell) for cell in cells] for cells in (old, new)]
    matches = SequenceMatcher(a=sources[0], b=sources[1], autojunk=False).get_matching_blocks()
    pairs = [(old[m.a + i], new[m.b + i]) for m in matches for i in range(m.size)]
    for before, after in pairs:
        if not after["outputs"]:
            after["outputs"] = before["outputs"]
            after["execution_count"] = before["execution_count"]
    return any(before["outputs"] for before, _ in pairs)
