"""Data for tables and charts of the index: metrics, a matrix, series over time, plots.

Few rows, so plain Python: pandas would take longer to import than the whole index to write.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from pathlib import Path

from nb.declaration.reader import Stage
from nb.project import parse_json
from nb.run.record import RunRecord

from . import format
from .history import Moment
from .pages import Note
from .stages import Row

# Charts with more lines, and lines with more points, cannot be read.
MOST_SERIES = 12
MOST_POINTS = 2000
# A browser is slow with more charts over time, and with more points in each.
MOST_CHARTS = 120
MOST_MOMENTS = 100
PLOT_BYTES = 5_000_000


@dataclass(frozen=True, kw_only=True)
class MatrixValue:
    """A value of a matrix: the stage's time, parameters, metrics and page."""

    value: str
    seconds: float | None
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    note: Note | None


@dataclass(frozen=True, kw_only=True)
class MetricsTable:
    """The numbers of a metrics file.

    Attributes:
        path: the file.
        stage: the stage that writes the file.
        rows: name, present value, and the value before the last change, of each metric.
    """

    path: str
    stage: str
    rows: list[tuple[str, float, float | None]]

    @property
    def changed(self) -> bool:
        return any(before is not None for *_, before in self.rows)


@dataclass
class Comparison:
    """The comparison of the stages of a matrix, a row per value.

    Attributes:
        name: the name of the stage in `dvc.yaml`.
        columns: the names of the metrics.
        parameters: the parameters in which the values differ.
        rows: the values.
        gallery: for each figure number, the figures of all values.
    """

    name: str
    columns: list[str]
    parameters: list[str]
    rows: list[MatrixValue]
    gallery: list[list[tuple[str, str]]]


def matrix_table(
    name: str, values: Sequence[Row], metrics: Mapping[str, Mapping[str, float]]
) -> Comparison:
    """Return the comparison of the stages of a matrix.

    Args:
        values: the rows of the stage, a row per value.
        metrics: the numbers of each metrics file.
    """
    rows = [
        MatrixValue(
            value=row.name.partition("@")[2],
            seconds=row.last.seconds if row.last else None,
            parameters=row.parameters,
            metrics={k: v for path in row.stage.metrics for k, v in metrics.get(path, {}).items()},
            note=row.note,
        )
        for row in values
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row.metrics))
    names = list(dict.fromkeys(key for row in rows for key in row.parameters))
    differing = [n for n in names if len({repr(row.parameters.get(n)) for row in rows}) > 1]
    figures = [(row.value, row.note.figures) for row in rows if row.note]
    most = max((len(found) for _, found in figures), default=0)
    gallery = [[(v, f[number]) for v, f in figures if len(f) > number] for number in range(most)]
    return Comparison(name, columns, differing, rows, gallery)


def state_counts(run: RunRecord) -> list[tuple[str, int]]:
    """Return the number of stages of a run by state."""
    return list(Counter(stage.state for stage in run.stages).items())


def metrics_tables(
    stages: Iterable[Stage], now: Mapping[str, Mapping[str, float]], history: Sequence[Moment]
) -> list[MetricsTable]:
    """Return the metrics files with present values, and the values before the last change."""
    makers = {path: stage.name for stage in stages for path in stage.metrics}
    made = []
    for path, numbers in now.items():
        rows = []
        for name, value in numbers.items():
            known = (moment.metrics.get(path, {}).get(name) for moment in reversed(history))
            earlier = (old for old in known if old is not None and not _is_same(old, value))
            rows.append((name, value, next(earlier, None)))
        made.append(MetricsTable(path=path, stage=makers.get(path, ""), rows=rows))
    return made


def _is_same(old: float, new: float) -> bool:
    return old == new or (isnan(old) and isnan(new))


@dataclass(frozen=True)
class Series:
    """A metric over time: points of moment (from 0) and value, and tooltips of the points."""

    path: str
    name: str
    points: list[tuple[float, float]]
    titles: list[str]


def metrics_over_time(history: Sequence[Moment]) -> list[Series]:
    """Return the metrics that differ between the newest moments of the history."""
    history = history[-MOST_MOMENTS:]
    names = dict.fromkeys(
        (path, name)
        for moment in history
        for path, numbers in moment.metrics.items()
        for name in numbers
    )
    found = []
    for path, name in names:
        values = [moment.metrics.get(path, {}).get(name) for moment in history]
        points = [
            (float(at), float(v)) for at, v in enumerate(values) if v is not None and isfinite(v)
        ]
        if len({value for _, value in points}) > 1:
            titles = [f"{format.number(v)}, {_told(history[int(at)])}" for at, v in points]
            found.append(Series(path, name, points, titles))
    return found


def _told(at: Moment) -> str:
    kind = "run" if at.run else "commit"
    return f"{kind} of {format.moment(at.when)} UTC" + (f", {at.commit[:7]}" if at.commit else "")


Table = list[dict[str, object]]


def read_table(path: Path) -> Table | None:
    """Return the rows of a CSV, TSV or JSON file; None without a table, or above `PLOT_BYTES`."""
    try:
        if not path.is_file() or path.stat().st_size > PLOT_BYTES:
            return None
        if path.suffix == ".json":
            content = parse_json(path.read_text(encoding="utf-8"))
            lists = [content, *(content.values() if isinstance(content, dict) else ())]
            table = next((rows for rows in lists if isinstance(rows, list)), None)
            return table if table and all(isinstance(row, dict) for row in table) else None
        if path.suffix in (".csv", ".tsv"):
            separator = "\t" if path.suffix == ".tsv" else ","
            with path.open(encoding="utf-8-sig", newline="") as file:
                return list(csv.DictReader(file, delimiter=separator))
    except (OSError, ValueError, csv.Error):
        pass
    return None


def confusion_matrix(table: Table, settings: Mapping[str, object]) -> dict[str, object]:
    """Return a confusion matrix: the counts of pairs of values of two columns."""
    x, y = str(settings.get("x", "actual")), str(settings.get("y", "predicted"))
    pairs = Counter((str(row.get(x, "")), str(row.get(y, ""))) for row in table)
    names = sorted({name for pair in pairs for name in pair})
    rows = [(name, [pairs[name, other] for other in names]) for name in names]
    most = max(pairs.values(), default=1)
    return {"names": names, "rows": rows, "x": x, "y": y, "most": most}


def curves(table: Table, settings: Mapping[str, object]) -> dict[str, list[tuple[float, float]]]:
    """Return the lines of a plot: y over x, a line per value of the first column of text."""
    x, y = settings.get("x"), settings.get("y")
    columns = list(table[0]) if table else []
    if not isinstance(y, str):
        y = next((c for c in reversed(columns) if _finite(table[0][c]) is not None), None)
    if y not in columns or (x is not None and x not in columns):
        return {}
    rest = [name for name in columns if name not in (x, y)]
    by = next((name for name in rest if _finite(table[0][name]) is None), None)
    series: dict[str, list[tuple[float, float]]] = {}
    for number, row in enumerate(table):
        at, height = _finite(number if x is None else row.get(x)), _finite(row.get(y))
        if at is not None and height is not None:
            name = str(row.get(by, "")) if by else y
            series.setdefault(name, []).append((at, height))
    if len(series) > MOST_SERIES:
        return {}
    return {name: points[:: len(points) // MOST_POINTS + 1] for name, points in series.items()}


def _finite(value: object) -> float | None:
    """Return the number that a cell of a table holds; None for text and for infinity."""
    try:
        number = float(value) if isinstance(value, str | int | float) else float("nan")
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
