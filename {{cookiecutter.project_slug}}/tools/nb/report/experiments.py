"""Pages of experiments: the table of variants, a chart of any two columns, figures side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb.declaration.reader import Stage, read_stages
from nb.experiments import store
from nb.experiments.store import FIGURE_SUFFIXES, FINISHED, VariantRecord
from nb.experiments.table import (
    VariantRow,
    VariantTable,
    best_first,
    project_table,
    short_names,
)
from nb.grouping import grouped
from nb.project import INDEX
from nb.wording import value_text

from .files import PUBLISHED_BYTES, PageFiles, slug

PLACE = "experiments"


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """A column of the table.

    Attributes:
        name: the full name.
        short: the name as it is shown.
        is_metric: a metric, not a parameter.
    """

    name: str
    short: str
    is_metric: bool


@dataclass(frozen=True, kw_only=True)
class ExperimentSummary:
    """The line of the index for an experiment."""

    name: str
    page: str
    count: int
    states: Mapping[str, int]
    when: str


def write_experiments(root: Path) -> list[ExperimentSummary]:
    """Write a page for each experiment that has variants, and return what the index shows."""
    records = store.with_dead_runs_ended(root, store.read_variants(root))
    groups = grouped((record.experiment, record) for record in records)
    stages = read_stages(root) if groups else []
    taken: set[str] = set()
    return [_write(root, name, records, stages, taken) for name, records in groups.items()]


def site_files(overviews: Iterable[ExperimentSummary], site: Path) -> set[str]:
    """Return the files of the pages, relative to the site."""
    kept = {overview.page for overview in overviews}
    folders = [site / page.removesuffix(".html") for page in kept]
    return kept | {
        path.relative_to(site).as_posix() for folder in folders for path in folder.rglob("*")
    }


def _write(
    root: Path,
    name: str,
    records: Sequence[VariantRecord],
    stages: Sequence[Stage],
    taken: set[str],
) -> ExperimentSummary:
    base = slug(name)[:80] or "experiment"
    # Names that differ in punctuation alone have one slug.
    numbered = (f"{base}-{number}" for number in range(2, len(taken) + 3))
    place = f"{PLACE}/{base if base not in taken else next(n for n in numbered if n not in taken)}"
    taken.add(place.removeprefix(f"{PLACE}/"))
    files = PageFiles(root, f"{place}.html")
    table = project_table(root, records)
    rows = best_first(table)
    # Without the result of a stage, the copy of a variant has the project's figures.
    done = [row for row in rows if row.state == FINISHED]
    states = {state: sum(r.state == state for r in records) for state in _states(records)}
    files.write_page(
        "experiment.html.j2",
        experiment=name,
        home=files.relative("index.html") if (root / INDEX).exists() else "",
        run=max(records, key=lambda record: record.started),
        states=states,
        table=table,
        rows=rows,
        names=any(row.name for row in table.rows),
        columns=_columns(table),
        sites={row.number: _site(root, row.number, files) for row in table.rows},
        galleries=_galleries(root, done, table, stages, place, files),
    )
    when = max(record.ended or record.started for record in records)
    return ExperimentSummary(
        name=name, page=f"{place}.html", count=len(records), states=states, when=when
    )


def _states(records: Sequence[VariantRecord]) -> list[str]:
    return list(dict.fromkeys(record.state for record in records))


def _columns(table: VariantTable) -> list[TableColumn]:
    short = short_names([*table.parameters, *table.metrics])
    parameters = [TableColumn(name=n, short=short[n], is_metric=False) for n in table.parameters]
    return parameters + [TableColumn(name=n, short=short[n], is_metric=True) for n in table.metrics]


def _site(root: Path, number: int, files: PageFiles) -> str:
    """Return the link to a variant's own site; empty until somebody makes it."""
    index = store.variant_copy(root, number).relative_to(root) / INDEX
    return files.link(index.as_posix()) if (root / index).is_file() else ""


def _galleries(
    root: Path,
    rows: Sequence[VariantRow],
    table: VariantTable,
    stages: Sequence[Stage],
    place: str,
    files: PageFiles,
) -> list[dict[str, object]]:
    """Return the figures of the same name, in the order of the table; those that differ only."""
    found: list[dict[str, object]] = []
    for path in dict.fromkeys(a.path for stage in stages for a in stage.writes):
        if not path.lower().endswith(FIGURE_SUFFIXES):
            continue
        contents = {row.number: _figure(root, row.number, path) for row in rows}
        if len({content for content in contents.values() if content}) < 2:
            continue
        shown = [
            (_caption(row, table), files.save(f"{place}/{row.number}/{path}", content))
            for row in rows
            if (content := contents[row.number])
        ]
        found.append({"path": path, "figures": shown})
    return found


def _figure(root: Path, number: int, path: str) -> bytes | None:
    try:
        content = (store.variant_copy(root, number) / path).read_bytes()
    except OSError:
        return None
    return content if 0 < len(content) <= PUBLISHED_BYTES else None


def _caption(row: VariantRow, table: VariantTable) -> str:
    if row.name:
        return f"#{row.number} {row.name}"
    short = short_names(table.parameters)
    asked = [(short[n], row.parameters[n]) for n in table.parameters if n in row.parameters]
    values = (f"{name} {value_text(value)}" for name, value in asked)
    return ", ".join([f"#{row.number}", *values])
