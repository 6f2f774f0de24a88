"""New notebooks from a template, with file name and first cells; in production, also a stage."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.editor import add_stage
from nb.declaration.naming import numbers_in, production_name, slug_of, title_of
from nb.declaration.reader import FILE
from nb.git.command import git
from nb.notebook.modules import package_with_paths
from nb.notebook.new_cell import new_cell, new_notebook_text
from nb.notebook.parameters import TAG
from nb.project import UsageError, write_whole

EXPLORATORY = Path("notebooks/exploratory")
PARAMETERS = "# Seed of everything random.\nseed: int = 42"
PURPOSE = "Which question this answers, from which inputs, and who uses its outputs."
FILES = """\
Inputs and outputs, each as it is declared in `dvc.yaml`: an input is
`paths.ROOT / "data/raw/sales.csv"`, an output `paths.output("data/interim/sales.csv")`."""
CONFIG_TEXT = "# Seed of everything random.\nseed: 42\n"


@dataclass(frozen=True)
class NewNotebook:
    """The files made for a new notebook.

    Attributes:
        notebook: the notebook, relative to the root.
        others: further files made or changed, each with a description.
    """

    notebook: Path
    others: tuple[tuple[str, str], ...] = ()


def new_exploratory(root: Path, name: str) -> NewNotebook:
    """Make an exploratory notebook file, `<number>-<initials>-<slug>.ipynb`.

    Raises:
        NbError: if the name cannot be used (exit code 2).
    """
    slug, who = slug_of(name), initials(root)
    taken = numbers_in(root / EXPLORATORY)
    for path in (root / EXPLORATORY).glob(f"*-{who}-{slug}.ipynb"):
        raise UsageError(f"{path.name} exists; choose another name.")
    notebook = EXPLORATORY / f"{max(taken, default=0) + 1:02}-{who}-{slug}.ipynb"
    _save(root, notebook, _exploratory_cells(title_of(name), package_with_paths(root)))
    return NewNotebook(notebook)


def new_production(root: Path, name: str) -> NewNotebook:
    """Make a production notebook, `<two digits>-<slug>.ipynb`, with its parameters and stage.

    Raises:
        NbError: if the name cannot be used, or `dvc.yaml` cannot be edited (exit code 2); nothing
            is made then.
    """
    made = production_name(root, name)
    title = title_of(name)
    add_stage(root, made.stage, made.notebook, desc=title)
    _save(root, made.notebook, _production_cells(title, package_with_paths(root)))
    write_whole(root / made.config, CONFIG_TEXT)
    others = ((made.config.as_posix(), "its parameters"), (FILE, f"its stage, {made.stage}"))
    return NewNotebook(made.notebook, others)


def initials(root: Path) -> str:
    """Return the author's initials: from Git's `user.name`, else from the login name.

    Raises:
        NbError: if neither is known (exit code 2).
    """
    import getpass

    name = git(root, "config", "user.name", check=False).strip()
    words = _ascii_words(name or os.environ.get("GIT_AUTHOR_NAME", ""))
    if words:
        return "".join(word[0] for word in words)
    try:
        login = "".join(_ascii_words(getpass.getuser()))
    except (KeyError, OSError, ImportError):
        login = ""
    if not login:
        raise UsageError('whose notebook is it? Say so once: git config user.name "Dana Miller".')
    return login


def _ascii_words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.findall(r"[a-z]+", plain)


Cells = list[tuple[str, str, str]]


def _exploratory_cells(title: str, package: str) -> Cells:
    imports = ["import matplotlib.pyplot as plt", "import pandas as pd"]
    imports += ["", f"from {package} import paths"] if package else []
    return [
        ("title", "markdown", f"# {title}\n\n**Question.** What shall be known at the end?"),
        ("imports", "code", "\n".join(imports)),
        ("look", "markdown", "## A first look"),
        ("learnt", "markdown", "## What was learnt\n\nAnd what goes on to production."),
    ]


def _production_cells(title: str, package: str) -> Cells:
    """Return the template's cells, which run unchanged and declare only outputs that they write."""
    imported = f"from {package} import paths" if package else "from pathlib import Path"
    root = "paths.ROOT" if package else "Path.cwd()"
    return [
        ("title", "markdown", f"# {title}\n\n{PURPOSE}"),
        ("imports", "code", imported),
        ("parameters", "code", PARAMETERS),
        ("files-note", "markdown", f"## Files\n\n{FILES}"),
        ("files", "code", f"root = {root}"),
        ("work-note", "markdown", "## Work"),
        ("work", "code", 'print(f"Runs in {root.name} with seed {seed}.")'),
    ]


def _save(root: Path, notebook: Path, cells: Cells) -> None:
    made = [
        new_cell(source, kind=kind, name=name, tags=[TAG] if name == TAG else ())
        for name, kind, source in cells
    ]
    write_whole(root / notebook, new_notebook_text(made))
