"""Search spaces: the values that an experiment gives to parameters, as a person writes them.

`train.folds=3,5,10` lists values, `train.C=0.1:1:0.1` is a range with its step, and
`train.C=log:0.01..100` an interval that samples are drawn from. A space becomes settings, the
values of a variant by parameter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice, product
from random import Random

from nb.notebook.yaml_file import read_value
from nb.project import UsageError

# More variants than anybody looks at: a grid this large is a typing error.
MOST_VARIANTS = 10_000
# Sampled numbers are rounded, so that a config file shows them as a person would write them.
DIGITS = 6
_NUMBER = r"[-+]?\d{1,30}(?:\.\d{1,30})?(?:[eE][-+]?\d{1,3})?"
_RANGE = re.compile(rf"({_NUMBER}):({_NUMBER}):({_NUMBER})")
_INTERVAL = re.compile(rf"(log:)?({_NUMBER})\.\.({_NUMBER})")

# The values of a variant, by parameter: {"train.folds": 5}.
Settings = dict[str, object]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An interval that samples are drawn from.

    Attributes:
        low: the smallest value.
        high: the largest value.
        is_log: the logarithm of the value is spread evenly, not the value.
    """

    low: int | float
    high: int | float
    is_log: bool = False

    def draw(self, random: Random) -> int | float:
        """Return a value; a whole number, if both ends of an even interval are whole."""
        if self.is_log:
            exponent = random.uniform(math.log(self.low), math.log(self.high))
            return self._rounded(math.exp(exponent))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return random.randint(self.low, self.high)
        return self._rounded(random.uniform(self.low, self.high))

    def _rounded(self, value: float) -> float:
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """The values of a parameter in a search space.

    Attributes:
        parameter: the parameter with its stage, `train.folds`.
        values: a list of values, or an interval.
    """

    parameter: str
    values: list[object] | Interval


def read_axis(text: str) -> Axis:
    """Return the axis that a person typed as `stage.parameter=values`.

    Raises:
        NbError: with exit code 2, if the text is no such thing.
    """
    parameter, equals, written = text.partition("=")
    if not (equals and written.strip() and all(parameter.rpartition("."))):
        raise UsageError(f"{text}: write it as stage.parameter=value,value (nb params lists all)")
    return axis_of(parameter.strip(), written.strip())


def axis_of(parameter: str, written: object) -> Axis:
    """Return the axis of a parameter.

    Args:
        parameter: the parameter with its stage.
        written: a list of values, or a text as on the command line.

    Raises:
        NbError: with exit code 2, if a range or an interval cannot be counted through, or no value
            is given.
    """
    if isinstance(written, str):
        interval, stepped = _INTERVAL.fullmatch(written), _RANGE.fullmatch(written)
        if interval:
            return Axis(parameter=parameter, values=_interval(parameter, *interval.groups()))
        found = _range(parameter, written) if stepped else read_value(f"[{written}]", parameter)
        values = found if isinstance(found, list) else [found]
    else:
        values = list(written) if isinstance(written, list | tuple) else [written]
    if not values:
        raise UsageError(f"{parameter}: give at least one value")
    return Axis(
        parameter=parameter,
        values=[each["x"] for each in distinct({"x": value} for value in values)],
    )


def grid(axes: Sequence[Axis]) -> Iterator[Settings]:
    """Yield every combination of values; the last parameter changes fastest.

    Raises:
        NbError: with exit code 2, if there are too many, or an axis is an interval.
    """
    lists = [_listed(axis) for axis in axes]
    _require_few(math.prod(map(len, lists)))
    for combination in product(*lists):
        yield dict(zip((axis.parameter for axis in axes), combination, strict=True))


def zipped(axes: Sequence[Axis]) -> Iterator[Settings]:
    """Yield the first values of all parameters, then the second values, and so on.

    Raises:
        NbError: with exit code 2, if the lists differ in length, or an axis is an interval.
    """
    lists = [_listed(axis) for axis in axes]
    lengths = {axis.parameter: len(values) for axis, values in zip(axes, lists, strict=True)}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name} has {count}" for name, count in lengths.items())
        raise UsageError(f"zip needs as many values of each parameter; {counts}")
    _require_few(max(lengths.values(), default=0))
    for combination in zip(*lists, strict=True):
        yield dict(zip(lengths, combination, strict=True))


def sample(axes: Sequence[Axis], count: int, seed: int) -> Iterator[Settings]:
    """Yield distinct random settings: the same for the same axes and seed.

    A longer sample begins with the shorter sample of the same seed. A space with fewer combinations
    than asked for gives all of them.
    """
    _require_few(count)
    random = Random(seed)
    sizes = [1 if isinstance(a.values, Interval) else len(a.values) for a in axes]
    is_finite = not any(isinstance(axis.values, Interval) for axis in axes)
    wanted = min(count, math.prod(sizes)) if is_finite else count
    # A narrow interval of whole numbers has few values, too: an end for the search of new values.
    draws = ({a.parameter: _draw(a, random) for a in axes} for _ in range(100 * count + 1000))
    yield from islice(distinct(draws), wanted)


def distinct(settings: Iterator[Settings]) -> Iterator[Settings]:
    """Yield settings without those that came before."""
    seen: set[str] = set()
    for each in settings:
        key = canonical(each)
        if key not in seen:
            seen.add(key)
            yield each


def canonical(settings: Mapping[str, object]) -> str:
    """Return settings as a text that is equal for equal settings, and tells 1 from 1.0 and true."""
    return json.dumps(settings, sort_keys=True, default=str)


def _draw(axis: Axis, random: Random) -> object:
    values = axis.values
    return values.draw(random) if isinstance(values, Interval) else random.choice(values)


def _listed(axis: Axis) -> list[object]:
    if isinstance(axis.values, Interval):
        hint = "--sample COUNT draws from it, a step makes it a range: from:to:step"
        raise UsageError(f"{axis.parameter} is an interval; {hint}")
    return axis.values


def _require_few(count: int) -> None:
    if count > MOST_VARIANTS:
        raise UsageError(f"{count:,} variants are more than {MOST_VARIANTS:,}")


def _interval(parameter: str, log: str | None, low: str, high: str) -> Interval:
    found = Interval(low=_number(low), high=_number(high), is_log=bool(log))
    if not found.low < found.high < math.inf:
        raise UsageError(f"{parameter}: the interval {low}..{high} is empty")
    if log and found.low <= 0:
        raise UsageError(f"{parameter}: log:{low}..{high} has to begin above 0")
    return found


def _range(parameter: str, written: str) -> list[object]:
    """Return the numbers of `from:to:step`, both ends included, without errors of rounding."""
    first, last, step = map(Decimal, written.split(":"))
    steps = (last - first) / step if step else Decimal(-1)
    if steps < 0:
        raise UsageError(f"{parameter}: the range {written} holds no value")
    if steps >= MOST_VARIANTS:
        problem = f"holds more than {MOST_VARIANTS:,} values"
        raise UsageError(f"{parameter}: the range {written} {problem}")
    is_whole = not re.search(r"[.eE]", written)
    numbers = (first + number * step for number in range(int(steps) + 1))
    return [int(number) if is_whole else float(number) for number in numbers]


def _number(text: str) -> int | float:
    return float(text) if re.search(r"[.eE]", text) else int(text)
