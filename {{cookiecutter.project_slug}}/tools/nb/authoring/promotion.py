"""Records of a promotion: names (typed or proposed), folders, proof and result."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nb.declaration.naming import ascii_slug, module_name, module_of_stage, production_name
from nb.project import EXECUTED, PRODUCTION, NbError, UsageError
from nb.tracing.footprint import Forks


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The names for a promotion's notebook and module; given by the user or proposed.

    Attributes:
        name: of the production notebook, `50-first-look`.
        module: where functions go, `package.first_look`; empty to leave them in the notebook.
        seed: the seed for a notebook that draws random numbers without any; None to add none.
    """

    name: str
    module: str = ""
    seed: int | None = None

    @property
    def stage(self) -> str:
        """The name of the stage: the notebook's name without the number."""
        return re.sub(r"^\d+-", "", self.name)

    @property
    def notebook(self) -> str:
        """The path of the production notebook, relative to the root."""
        return (PRODUCTION / f"{self.name}.ipynb").as_posix()


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folders of a promotion, and the forks that run notebooks there.

    Attributes:
        root: the project's root, of which nothing is changed.
        copy: the private copy of the project.
        source: the exploratory notebook, relative to either.
        forks: forks with the libraries of the notebook; None if runs start anew.
    """

    root: Path
    copy: Path
    source: Path
    forks: Forks | None = None

    @property
    def originals(self) -> Path:
        """The folder of the outputs of the exploratory notebook, set aside for the proof."""
        return self.copy.parent / "originals"

    @property
    def calls(self) -> Path:
        """The folder of the recorded calls of moved functions."""
        return self.copy.parent / "calls"

    @property
    def executed_original(self) -> Path:
        """The executed copy of the exploratory notebook."""
        return self.copy.parent / "original.ipynb"

    @property
    def repeated_original(self) -> Path:
        """The executed copy of the exploratory notebook's second run."""
        return self.copy.parent / "repeated.ipynb"

    def executed(self, choices: Choices) -> Path:
        """Return the executed copy of the production notebook."""
        return self.copy / EXECUTED / f"{choices.name}.ipynb"


@dataclass(frozen=True)
class ProofRow:
    """An output in the proof: the method of comparison and the difference (empty: equal)."""

    output: str
    by: str
    difference: str


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The result of a promotion.

    Attributes:
        choices: the names.
        reads: the inputs in the contract.
        writes: the outputs, by their paths in the exploratory notebook.
        parameters: the names of the parameters.
        moved: the functions and classes that moved to the module.
        kept: by name of a definition left in the notebook, the reason.
        untested: by name of a function without a test, the reason.
        rows: the proof.
        files: the files that are new or changed, outputs left out.
        hidden: undefined names that a `# noqa` hides, a line each.
        stale: the stages that become stale, since a module that they use changes.
        notes: open tasks, a line each.
        unseeded: calls of the notebook whose results differ in each run, each with the cell.
        seedable: whether a seed would make all of them repeatable.
        unrepeated: the first difference between two runs of the exploratory notebook.
        diff: the changes, as a unified diff.
    """

    choices: Choices
    reads: Sequence[str] = ()
    writes: Mapping[str, str] = field(default_factory=dict)
    parameters: Sequence[str] = ()
    moved: Sequence[str] = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    untested: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[ProofRow] = ()
    files: Sequence[str] = ()
    hidden: Sequence[str] = ()
    stale: Sequence[str] = ()
    notes: Sequence[str] = ()
    unseeded: Sequence[str] = ()
    seedable: bool = False
    unrepeated: str = ""
    diff: str = ""

    @property
    def differs(self) -> bool:
        """Return whether an output differs from the exploratory notebook's."""
        return any(row.difference for row in self.rows)


def proposal(
    root: Path,
    notebook: Path,
    name: str = "",
    module: str = "",
    *,
    leave_functions: bool = False,
    seed: int | None = None,
) -> Choices:
    """Return default names for the production notebook and the module.

    Args:
        notebook: the exploratory notebook.
        name: the name of the production notebook, if it is given.
        module: the module for functions, if it is given.
        leave_functions: leave functions and classes in the notebook.
        seed: the seed for a notebook that has none.

    Raises:
        NbError: if the notebook is a production notebook already, or the name is taken or invalid.
    """
    relative = Path(os.path.relpath(notebook.resolve(), root))
    if relative.is_relative_to(PRODUCTION):
        raise UsageError(f"{relative.as_posix()} is a production notebook already")
    if relative.parts[0] == "..":
        raise UsageError(f"{notebook} is outside the project; copy it to notebooks/exploratory")
    without_number = re.sub(r"^\d+[-_]([a-z]{2,3}[-_])?", "", notebook.stem.lower())
    try:
        made = production_name(root, name or without_number, numbered=bool(name))
    except NbError as error:
        stage = ascii_slug(Choices(name=name or without_number).stage) or "sales"
        free = re.search(r"\b\d\d-[a-z0-9-]+(?=\.?$)", str(error))
        hint = f"name it with --as, such as --as {free[0] if free else f'{stage}-2'}"
        raise UsageError(f"{str(error).partition(';')[0].rstrip('.')}; {hint}") from None
    chosen = module_name(root, module) if module else module_of_stage(root, made.stage)
    return Choices(name=made.stem, module="" if leave_functions else chosen, seed=seed)
