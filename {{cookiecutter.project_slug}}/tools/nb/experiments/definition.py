"""Definitions of experiments, from arguments or a YAML file: the variants and the best metric.

A file, by convention in `experiments/`, holds any of `grid`, `zip`, `sample` and `variants`, and
`best`, the metric to sort by:

    grid:
      train.folds: [3, 5, 10]
    variants:
      strict: {evaluate.min_recall: 0.99}
    best: max:evaluate.test.roc_auc
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from nb.declaration.reader import read_entries
from nb.notebook.yaml_file import read_yaml
from nb.project import NbError, UsageError, one_line, read_regular
from nb.wording import did_you_mean

from .space import (
    MOST_VARIANTS,
    Axis,
    Settings,
    axis_of,
    canonical,
    grid,
    read_axis,
    sample,
    zipped,
)

PARTS = ("grid", "zip", "sample", "variants", "best")


@dataclass(frozen=True, kw_only=True)
class Variation:
    """A variant as it is asked for: settings, and a name if a person gave one."""

    settings: Settings
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class BestMetric:
    """The metric that tells good variants from bad.

    Attributes:
        metric: the dotted name, with or without the file it is in.
        is_max: a higher value is better.
    """

    metric: str
    is_max: bool

    def __str__(self) -> str:
        return f"{'max' if self.is_max else 'min'}:{self.metric}"


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment as it is asked for.

    Attributes:
        name: the name in the table: of the file, or the parameters that vary.
        variations: the variants, without repetition.
        best: the metric to sort by, if any.
    """

    name: str
    variations: list[Variation]
    best: BestMetric | None = None


def experiment_from_arguments(axes: Sequence[str], count: int | None, seed: int) -> Experiment:
    """Return the experiment that `nb experiment` was asked for without a file.

    Args:
        axes: texts such as `train.folds=3,5`.
        count: the size of a random sample; None for every combination.
        seed: the seed of the sample.

    Raises:
        NbError: with exit code 2 and a line per text that is not right.
    """
    read = _all_axes(partial(read_axis, text) for text in axes)
    chosen = grid(read) if count is None else sample(read, count, seed)
    name = ", ".join(axis.parameter for axis in read)
    return Experiment(name=name, variations=[Variation(settings=each) for each in chosen])


def experiment_from_file(path: Path) -> Experiment:
    """Return the experiment that a file defines.

    Raises:
        NbError: with exit code 2, if the file cannot be read or defines no variant.
    """
    where = path.as_posix()
    try:
        text = read_regular(path).decode("utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(f"{where} cannot be read: {one_line(error)}") from None
    content = read_yaml(text, where)
    if not isinstance(content, dict):
        raise UsageError(f"{where}: write {', '.join(PARTS[:-1])} or {PARTS[-1]}")
    try:
        _require_known(content)
        variations = list(islice(_distinct(_variations(content)), MOST_VARIANTS + 1))
        best = read_best(content["best"]) if "best" in content else None
    except NbError as error:
        lines = str(error).splitlines()
        raise UsageError("\n".join(f"{where}: {line}" for line in lines)) from None
    if not 1 <= len(variations) <= MOST_VARIANTS:
        count = "no variant" if not variations else f"more than {MOST_VARIANTS:,} variants"
        raise UsageError(f"{where} defines {count}")
    return Experiment(name=path.stem, variations=variations, best=best)


def read_best(text: object) -> BestMetric:
    """Return the metric that is written as `max:evaluate.test.roc_auc`.

    Raises:
        NbError: with exit code 2, if the text is no such thing.
    """
    direction, colon, metric = str(text).partition(":")
    if direction not in ("max", "min") or not (colon and metric.strip()):
        raise UsageError(f"best: write max:METRIC or min:METRIC, not {text}")
    return BestMetric(metric=metric.strip(), is_max=direction == "max")


def declared_best(root: Path) -> BestMetric | None:
    """Return the metric that a stage in `dvc.yaml` names; None if none does.

    A stage names one of its metrics below `meta`, which DVC leaves alone:

        meta: {nb: {best: max:test.roc_auc}}

    Raises:
        NbError: with exit code 2, if `dvc.yaml` cannot be read, or the name is not written so.
    """
    for entry in read_entries(root):
        meta = entry.body.get("meta")
        own = meta.get("nb") if isinstance(meta, dict) else None
        if isinstance(own, dict) and "best" in own:
            best = read_best(own["best"])
            files = [PurePosixPath(path).stem for path, _ in entry.artifacts("metrics")]
            is_plain = len(files) == 1 and "$" not in files[0]
            return replace(best, metric=f"{files[0]}.{best.metric}") if is_plain else best
    return None


def _require_known(content: Mapping[str, object]) -> None:
    for part in content:
        if part not in PARTS:
            hint = did_you_mean(str(part), PARTS, f"there are {', '.join(PARTS)}")
            raise UsageError(f"{part} is no part of an experiment; {hint}")


def _variations(content: Mapping[str, object]) -> Iterator[Variation]:
    for name, settings in _names(content, "variants").items():
        for parameter in settings:
            _require_parameter(parameter)
        yield Variation(settings=settings, name=str(name))
    for part, combine in (("grid", grid), ("zip", zipped)):
        if content.get(part):
            yield from (Variation(settings=each) for each in combine(_axes(content, part)))
    if content.get("sample"):
        axes = dict(_names(content, "sample"))
        count, seed = _whole(axes, "count"), _whole(axes, "seed", 1)
        drawn = sample(_axes({"sample": axes}, "sample"), count, seed)
        yield from (Variation(settings=each) for each in drawn)


def _names(content: Mapping[str, object], part: str) -> Mapping[str, Any]:
    found = content.get(part) or {}
    if not isinstance(found, dict):
        raise UsageError(f"{part}: write names and values below it")
    if part == "variants":
        for name, settings in found.items():
            if not isinstance(settings, dict):
                raise UsageError(f"variants: give {name} parameters and values")
    return found


def _axes(content: Mapping[str, object], part: str) -> list[Axis]:
    return _all_axes(partial(_axis, *given) for given in _names(content, part).items())


def _axis(parameter: str, written: object) -> Axis:
    _require_parameter(parameter)
    return axis_of(parameter, written)


def _require_parameter(parameter: str) -> None:
    if not all(parameter.rpartition(".")):
        raise UsageError(f"{parameter}: write the parameter as stage.parameter")


def _all_axes(readers: Iterable[Callable[[], Axis]]) -> list[Axis]:
    """Return all axes, or raise the problems of all of them together."""
    axes: list[Axis] = []
    problems: list[str] = []
    for read in readers:
        try:
            axes.append(read())
        except NbError as error:
            problems.append(str(error))
    counts = Counter(axis.parameter for axis in axes)
    problems += [f"{name} is given twice" for name, count in counts.items() if count > 1]
    if problems:
        raise UsageError("\n".join(problems))
    return axes


def _whole(sample: dict[str, object], key: str, default: int | None = None) -> int:
    """Take a whole number out of a sample's names."""
    value = sample.pop(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UsageError(f"sample: {key} has to be a whole number")
    return value


def _distinct(variations: Iterator[Variation]) -> Iterator[Variation]:
    """Yield variations once each; the name of the first counts."""
    seen: dict[str, Variation] = {}
    for each in variations:
        if seen.setdefault(canonical(each.settings), each) is each:
            yield each
