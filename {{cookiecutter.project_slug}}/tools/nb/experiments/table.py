"""Table of variants: parameters and metrics that differ; columns, sorting and filters."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import accumulate
from math import isfinite, isnan
from pathlib import Path, PurePosixPath

from nb.declaration.metrics import read_metrics
from nb.declaration.reader import read_stages
from nb.grouping import grouped
from nb.notebook.yaml_file import read_value
from nb.project import NbError, UsageError, warn
from nb.wording import did_you_mean, enumerated

from .definition import BestMetric, declared_best
from .space import canonical
from .store import VariantRecord
from .values import public_parameters

_FILTER = re.compile(r"(?P<column>[^=!<>]+?)\s*(?P<operator>==|!=|<=|>=|=|<|>)\s*(?P<value>.+)")
_COMPARE: dict[str, Callable[..., bool]] = {
    **{"=": operator.eq, "==": operator.eq, "!=": operator.ne},
    **{"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge},
}


@dataclass(frozen=True, kw_only=True)
class VariantTable:
    """The variants of experiments as rows.

    Attributes:
        parameters: the parameters that differ, as `stage.parameter`.
        metrics: the metrics that differ, as `file.dotted.name`.
        rows: a row for each variant.
        best: the number of the best variant; None without a metric to tell.
        judge: the metric that tells, under the name of its column.
    """

    parameters: list[str]
    metrics: list[str]
    rows: list[VariantRow]
    best: int | None = None
    judge: BestMetric | None = None


@dataclass(frozen=True, kw_only=True)
class VariantRow:
    """A variant in the table; `changes` holds each metric's difference to the project's own."""

    number: int
    experiment: str
    name: str
    state: str
    cause: str
    seconds: float
    parameters: Mapping[str, object]
    metrics: Mapping[str, float]
    changes: Mapping[str, float]

    def value(self, column: str) -> object:
        """Return the value in a column; None if the variant has none."""
        for own in (self.metrics, self.parameters, vars(self)):
            if column in own:
                return own[column]
        return None


def make_table(
    records: Sequence[VariantRecord],
    project: Mapping[str, Mapping[str, float]],
    best: BestMetric | None = None,
) -> VariantTable:
    """Return the table of variants.

    Args:
        project: the metrics of the project itself, by file.
        best: the metric that tells the best variant.

    Raises:
        NbError: with exit code 2, if no variant has the metric, or several metrics are meant.
    """
    own = flat_metrics(project)
    shown = public_parameters(records)
    rows = [_row(*each, own) for each in zip(records, shown, strict=True)]
    asked = {name for record in records for name in record.settings}
    parameters = _differing([record.all_parameters for record in records], asked)
    numbers = [row.metrics for row in rows if row.metrics]
    metrics = _differing(numbers, {name for row in numbers for name in row})
    winner = judge = None
    if best:
        column = _metric(best.metric, [row.metrics for row in rows])
        metrics = [column, *(name for name in metrics if name != column)]
        ranked = [row for row in rows if not _is_missing(row.metrics.get(column))]
        choose = max if best.is_max else min
        winner = choose(ranked, key=lambda row: row.metrics[column]).number if ranked else None
        judge = replace(best, metric=column)
    return VariantTable(parameters=parameters, metrics=metrics, rows=rows, best=winner, judge=judge)


def select_metrics(table: VariantTable, names: Sequence[str]) -> VariantTable:
    """Return the table with the metrics that are asked for, in that order.

    Raises:
        NbError: with exit code 2, if a name is not that of a single metric.
    """
    chosen = [_metric(name, [row.metrics for row in table.rows]) for name in names]
    return replace(table, metrics=list(dict.fromkeys(chosen)))


def metric_first(table: VariantTable, column: str) -> VariantTable:
    """Return the table with a metric before the others, where a narrow terminal shows it."""
    name = find_column(table, column)
    first = [metric for metric in table.metrics if metric == name]
    return replace(table, metrics=list(dict.fromkeys([*first, *table.metrics])))


def best_first(table: VariantTable) -> list[VariantRow]:
    """Return the rows, the best first; in the order of numbers without a metric to tell."""
    if not table.judge:
        return table.rows
    return sort_rows(table, table.judge.metric, descending=table.judge.is_max)


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return the shortest end of each dotted name that no other of the names has."""
    short: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        ends = (".".join(parts[-count:]) for count in range(1, len(parts)))
        others = [f".{other}" for other in names if other != name]
        free = (end for end in ends if not any(other.endswith(f".{end}") for other in others))
        short[name] = next(free, name)
    return short


def fitting_columns(widths: Sequence[int], needed: int, space: int | None) -> int:
    """Return how many columns fit beside those that are needed, at least the first.

    Args:
        widths: the widths of the columns, the most important first, each with the gap before it.
        needed: the width of the columns that are always there.
        space: the width of the terminal; None for no limit.
    """
    if space is None:
        return len(widths)
    totals = accumulate(widths, initial=needed)
    return max(1, sum(total <= space for total in totals) - 1)


def project_table(
    root: Path, records: Sequence[VariantRecord], best: BestMetric | None = None
) -> VariantTable:
    """Return the table of variants of a project, held against the metrics that it has now.

    Args:
        best: the metric to judge by; None for that which `dvc.yaml` declares.

    Raises:
        NbError: with exit code 2, if no variant has the metric, or several metrics are meant.
    """
    own = read_metrics(root, read_stages(root))
    if best or not any(record.metrics for record in records):
        return make_table(records, own, best if any(r.metrics for r in records) else None)
    declared = declared_best(root)
    try:
        return make_table(records, own, declared)
    except NbError as error:
        warn(f"best in dvc.yaml: {error}")
        return make_table(records, own)


def flat_metrics(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return metrics by `file.dotted.name`: `reports/metrics/evaluate.json` is `evaluate`."""
    return {
        f"{PurePosixPath(path).stem}.{name}": number
        for path, numbers in metrics.items()
        for name, number in numbers.items()
    }


def sort_rows(table: VariantTable, column: str, *, descending: bool = False) -> list[VariantRow]:
    """Return the rows in the order of a column; rows without a value, or with NaN, come last.

    Raises:
        NbError: with exit code 2, if there is no such column.
    """
    name = find_column(table, column)
    there = [row for row in table.rows if not _is_missing(row.value(name))]
    there.sort(key=lambda row: _rank(row.value(name)), reverse=descending)
    return there + [row for row in table.rows if _is_missing(row.value(name))]


def filter_rows(table: VariantTable, condition: str) -> list[VariantRow]:
    """Return the rows for which a condition such as `train.folds>3` or `state=failed` holds.

    Raises:
        NbError: with exit code 2, if the condition cannot be read, or there is no such column.
    """
    match = _FILTER.fullmatch(condition.strip())
    if not match:
        raise UsageError(f"--filter {condition}: write it as COLUMN=VALUE or COLUMN>VALUE")
    column = find_column(table, match["column"])
    wanted = read_value(match["value"], f"--filter {condition}")
    return [row for row in table.rows if _holds(row.value(column), match["operator"], wanted)]


def find_column(table: VariantTable, column: str) -> str:
    """Return a column by its name, or by the end of its name if no other ends so.

    Raises:
        NbError: with exit code 2, if there is none, or there are several.
    """
    parameters = [name for row in table.rows for name in row.parameters]
    metrics = [name for row in table.rows for name in row.metrics]
    fields = ["number", "experiment", "name", "state", "cause", "seconds"]
    return _only(column.strip(), dict.fromkeys([*fields, *parameters, *metrics]))


def _only(name: str, names: Mapping[str, None]) -> str:
    ends = [name] if name in names else [each for each in names if each.endswith(f".{name}")]
    if len(ends) == 1:
        return ends[0]
    hint = did_you_mean(name, names, f"there are {enumerated(names, 8)}")
    known = f"is it {' or '.join(ends)}?" if ends else hint
    raise UsageError(f"{name} is not the name of one column; {known}")


def _metric(name: str, metrics: Sequence[Mapping[str, float]]) -> str:
    return _only(name, dict.fromkeys(each for numbers in metrics for each in numbers))


def _row(
    record: VariantRecord, parameters: Mapping[str, object], project: Mapping[str, float]
) -> VariantRow:
    metrics = flat_metrics(record.metrics)
    changes = {name: value - project[name] for name, value in metrics.items() if name in project}
    changes = {name: change for name, change in changes.items() if isfinite(change)}
    return VariantRow(
        number=record.number,
        experiment=record.experiment,
        name=record.name,
        state=record.state,
        cause=record.cause,
        seconds=round(record.seconds, 3),
        parameters=parameters,
        metrics=metrics,
        changes=changes,
    )


def _differing(rows: Sequence[Mapping[str, object]], asked: Set[str]) -> list[str]:
    """Return the names whose values are not the same in all rows, in the order they appear.

    A variant has no value of a stage that it took over; that is a difference only for names asked.
    """
    values = grouped((name, canonical({"x": value})) for row in rows for name, value in row.items())
    return [
        name
        for name, found in values.items()
        if len(set(found)) > 1 or (name in asked and len(found) < len(rows))
    ]


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and isnan(value))


def _rank(value: object) -> tuple[bool, str | float]:
    """Return a key that sorts numbers among themselves, then texts."""
    return (False, value) if isinstance(value, int | float) else (True, str(value))


def _holds(value: object, sign: str, wanted: object) -> bool:
    try:
        return value is not None and _COMPARE[sign](value, wanted)
    except TypeError:
        return False
