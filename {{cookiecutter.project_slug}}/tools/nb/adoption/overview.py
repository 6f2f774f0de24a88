"""Overview of adopted notebooks: trials, parameters, readiness, order to promote; kept as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from nb.authoring.propose import proposed_parameters
from nb.declaration.tasks import NOT_RUN, TIMED_OUT
from nb.grouping import grouped
from nb.notebook.code import names_of_notebook
from nb.notebook.file import read_cells
from nb.project import UsageError, parse_json, write_whole
from nb.refactoring.duplicates import find_duplicates
from nb.typed_json import read_fields

from .trials import Trial

OVERVIEW = Path(".nb/adoption.json")
OVERVIEW_SCHEMA = 1
# States of a notebook, beside those of stages: timed out, and not run.
DOES_RUN, FAILS = "runs", "fails"
# Kinds of needs, by the errors that tell of them. The first that fits is taken.
NEEDS = (
    ("package", re.compile(r"ModuleNotFoundError: No module named '([^']+)'")),
    ("Colab, Kaggle or Databricks", re.compile(r"google\.colab|kaggle_secrets|dbutils")),
    (
        "credential",
        re.compile(
            r"NoCredentials|Credentials?Error|AuthenticationError|401 Client|403 Client|"
            r"Unauthorized|KeyError: '[A-Z_]*(?:KEY|TOKEN|SECRET|PASSWORD|USER)[A-Z_]*'"
        ),
    ),
    (
        "network",
        re.compile(
            r"URLError|ConnectionError|gaierror|NameResolution|Max retries|ConnectTimeout|"
            r"Network is unreachable|Temporary failure in name|ConnectError|socket\.timeout"
        ),
    ),
    ("file", re.compile(r"(?:FileNotFoundError|No such file or directory).*?'([^']+)'")),
    ("file", re.compile(r"FileNotFoundError|OSError: .* (?:not found|does not exist)")),
)
# Names that a library had in an older version.
DRIFT = re.compile(
    r"AttributeError: (?:module '(?:numpy|pandas|scipy|sklearn|matplotlib|torch|tensorflow|keras)|"
    r"'(?:DataFrame|Series|Index|CountVectorizer|TfidfVectorizer|Axes|Figure)\w*' object has no)|"
    r"ImportError: cannot import name '\w+' from '(?:sklearn|scipy|pandas|numpy|keras|tensorflow)|"
    r"ModuleNotFoundError: No module named '(?:sklearn\.externals|sklearn\.cross_validation|"
    r"pandas\.util\.testing|keras\.layers\.|distutils)|unexpected keyword argument"
)


@dataclass
class AdoptedRow:
    """A row of the overview.

    Attributes:
        notebook: the path, relative to the root.
        state: runs, fails, timed out or not run.
        problem: the error in one line, or the reason.
        cell: the code cell that failed, from 1.
        needs: the missing thing and its kind, such as `package lightgbm`.
        drift: a library has changed since the notebook was written.
        seconds: the duration of the run.
        reads: the files of the project that the notebook read.
        writes: the files that the notebook wrote.
        after: the notebooks whose files this notebook reads.
        parameters: the names of the parameters that a promotion would propose.
        duplicates: the notebooks with which this notebook shares code.
        readiness: `promote`, `looks only`, or why the notebook is not ready.
    """

    notebook: str
    state: str
    problem: str = ""
    cell: int | None = None
    needs: str = ""
    drift: bool = False
    seconds: float = 0.0
    reads: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    readiness: str = ""


@dataclass
class Overview:
    """The overview of an adoption.

    Attributes:
        source: the name of the adopted folder.
        rows: a row for each notebook.
        moves: the new path of each file by the old.
        left: by file that stayed behind, the reason.
        base: the commit before.
        unknown: the imports whose distribution no list knows, with the files.
        promoted: the notebooks that were promoted since.
    """

    source: str
    rows: list[AdoptedRow]
    moves: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    base: str = ""
    unknown: dict[str, list[str]] = field(default_factory=dict)
    promoted: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """Return the overview as JSON."""
        content = {"schema": OVERVIEW_SCHEMA, **asdict(self), "promote": self.proposed()}
        return json.dumps(content, indent=2, ensure_ascii=False)

    def proposed(self) -> list[str]:
        """Return the notebooks to promote, each after those whose files it reads."""
        ready = {row.notebook for row in self.rows if row.readiness == "promote"}
        order = promotion_order({row.notebook: row.after for row in self.rows})
        return [name for name in order if name in ready and name not in self.promoted]

    def advice(self) -> str:
        """Return the next step where no notebook is ready for promotion."""
        states = {row.state for row in self.rows}
        if states <= {NOT_RUN}:
            return "No notebook was run; nb promote --dry-run NOTEBOOK tries a notebook."
        if states & {FAILS, TIMED_OUT}:
            return (
                "No notebook is ready for promotion. Mend a cell that the table names, then try "
                "again: nb promote --dry-run NOTEBOOK"
            )
        return "No notebook is ready for promotion; those that only look stay exploratory."

    def edges(self) -> dict[str, set[str]]:
        """Return, for each notebook, those whose files it reads."""
        return {row.notebook: set(row.after) for row in self.rows}


def outcome_row(trial: Trial) -> AdoptedRow:
    """Return the row of a trial, with the need and the drift that the error tells of."""
    state = TIMED_OUT if trial.timed_out else FAILS if trial.problem else DOES_RUN
    row = AdoptedRow(trial.notebook, state, trial.problem, trial.cell, seconds=trial.seconds)
    row.reads, row.writes = list(trial.reads), list(trial.writes)
    row.drift = bool(DRIFT.search(trial.problem))
    if not row.drift:
        row.needs = needed_by(trial.problem)
    return row


def needed_by(problem: str) -> str:
    """Return the thing whose absence an error tells of, such as `file prices.csv`; or nothing."""
    for kind, pattern in NEEDS:
        found = pattern.search(problem)
        if found:
            named = found[1] if pattern.groups else ""
            return f"{kind} {named}".strip()
    return ""


def note_predecessors(rows: Sequence[AdoptedRow]) -> None:
    """Note in each row whose files the notebook reads, or failed to read."""
    makers = grouped((path, row.notebook) for row in rows for path in row.writes)
    by_name = {Path(path).name: path for path in makers}
    for row in rows:
        missing = Path(row.needs.removeprefix("file ")).name if row.needs[:5] == "file " else ""
        wanted = {*row.reads, *([by_name[missing]] if missing in by_name else [])}
        found = {maker for path in wanted for maker in makers.get(path, ())}
        row.after = sorted(found - {row.notebook})


def rate_readiness(rows: Iterable[AdoptedRow]) -> None:
    """Note in each row whether the notebook is ready for promotion, or why not."""
    for row in rows:
        if row.state != DOES_RUN:
            where = f"code cell {row.cell}: " if row.cell else ""
            cause = "a library has changed: " if row.drift else ""
            need = f"needs {row.needs}" if row.needs else f"{cause}{row.problem}"
            row.readiness = f"{where}{need}"
        else:
            row.readiness = "promote" if row.writes else "looks only"


def add_details(root: Path, rows: Sequence[AdoptedRow]) -> None:
    """Note parameters and duplicated code in each row of a Python notebook."""
    for row in rows:
        if row.state != NOT_RUN:
            file = read_cells(root / row.notebook)
            proposed = proposed_parameters(file, names_of_notebook(file))
            row.parameters = [parameter.name for parameter in proposed]
    mine = {row.notebook: row for row in rows}
    for duplicate in find_duplicates(root):
        places = {place.path for place in duplicate.places} & mine.keys()
        for name in places:
            others = {*mine[name].duplicates, *places} - {name}
            mine[name].duplicates = sorted(others)


def promotion_order(after: Mapping[str, Iterable[str]]) -> list[str]:
    """Return notebooks so that each comes after those whose files it reads.

    Notebooks that read each other's files in a circle come in the order of their names.
    """
    try:
        sorter = TopologicalSorter({name: sorted(after[name]) for name in sorted(after)})
        return [name for name in sorter.static_order() if name in after]
    except CycleError:
        return sorted(after)


def save_overview(root: Path, overview: Overview) -> None:
    """Write the overview for `nb adopt --report`."""
    write_whole(root / OVERVIEW, overview.as_json())


def read_overview(root: Path) -> Overview:
    """Return the overview of the last adoption.

    Raises:
        NbError: if there is none that this version can read (exit code 2).
    """
    try:
        content: dict[str, Any] = parse_json((root / OVERVIEW).read_text(encoding="utf-8"))
        if content.pop("schema") != OVERVIEW_SCHEMA:
            raise ValueError("another schema")
        content.pop("promote", None)
        return read_fields(Overview, content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError(
            f"{OVERVIEW.as_posix()} is missing or of another version; "
            "nb adopt SOURCE makes it, for example: nb adopt ../old-repository"
        ) from None
