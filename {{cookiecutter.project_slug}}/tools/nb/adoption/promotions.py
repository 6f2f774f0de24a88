"""Promotion of adopted notebooks in order, each proven and committed; readers get the new paths."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from nb.authoring.promote import promote_notebook
from nb.authoring.promotion import Promotion, proposal
from nb.git.command import git
from nb.notebook.file import read_cells
from nb.notebook.path_literals import rewrite_paths
from nb.project import NbError, write_whole

from .overview import Overview, save_overview
from .preparing import require_clean
from .rewriting import Relocation


def promote_in_order(
    root: Path, overview: Overview, *, tell: Callable[[str], None]
) -> list[Promotion]:
    """Promote the proposed notebooks; stop at the first that fails and keep all before.

    Args:
        overview: the overview; promoted notebooks are noted and saved.
        tell: called with a line about each step.

    Raises:
        NbError: if a notebook cannot be promoted; the message names it.
    """
    done: list[Promotion] = []
    require_clean(root)
    for name in overview.proposed():
        try:
            found = _promote(root, name, tell)
        except NbError as error:
            kept = f"{len(done)} promoted before it {'is' if len(done) == 1 else 'are'} kept"
            raise NbError(f"{name}: {error} ({kept}; nothing of this one was changed)") from None
        _follow(root, overview, name, found)
        overview.promoted.append(name)
        save_overview(root, overview)
        _commit(root, f"Promote {Path(name).stem}")
        done.append(found)
    return done


def _promote(root: Path, name: str, tell: Callable[[str], None]) -> Promotion:
    path = root / name
    found = promote_notebook(
        root, path, proposal(root, path), tell=tell, agree=lambda promotion: not promotion.differs
    )
    if found.differs:
        row = next(row for row in found.rows if row.difference)
        raise NbError(f"the output {row.output} differs: {row.difference}")
    return found


def _commit(root: Path, message: str) -> None:
    """Commit everything through the hooks.

    Raises:
        NbError: if a hook refuses; the promotion stays in the work tree.
    """
    git(root, "add", "--all")
    command = ["git", "commit", "--quiet", "-m", message]
    done = subprocess.run(command, cwd=root, capture_output=True, encoding="utf-8")
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines()
        said = [line for line in lines if line.strip() and not line.endswith(("Passed", "Skipped"))]
        raise NbError(
            "a hook refuses the commit; repair it, git commit, then nb adopt --promote goes on:\n"
            + "\n".join(said[:12])
        )


def _follow(root: Path, overview: Overview, name: str, found: Promotion) -> None:
    """Point notebooks that read the outputs of a promoted notebook to the new paths."""
    moved = {old: new for old, new in found.writes.items() if old != new}
    for row in overview.rows if moved else ():
        if row.notebook == name or name not in row.after:
            continue
        folder = Path(row.notebook).parent.as_posix()
        rule = Relocation(moved, base=folder, home=folder)
        file = read_cells(root / row.notebook)
        new = {cell.number: rewrite_paths(cell.source, rule.paths) for cell in file.cells}
        write_whole(root / row.notebook, file.edited(new))
