"""Templates of `dvc.yaml`: stages of a `matrix` or `foreach`, and values in place of `${…}`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
# The largest matrix that is expanded; of a larger matrix only stages in `dvc.lock` are known.
MOST_STAGES = 10_000


def as_glob(path: str) -> str:
    """Return a path of `dvc.yaml` as a glob pattern, with `*` for each template."""
    pieces = (re.sub(r"([*?[])", r"[\1]", piece) for piece in PLACEHOLDER.split(path)[::2])
    return "*".join(pieces)


def expand(
    base: str, spread: Mapping[str, object], locked: Iterable[str] = ()
) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the name of each stage of an entry, and the values of the placeholders.

    Args:
        base: the name of the entry.
        spread: the `matrix` or `foreach` with its value; empty for a single stage.
        locked: the stages in `dvc.lock`, which count where only DVC can resolve the values.
    """
    matrix, items = spread.get("matrix"), spread.get("foreach")
    if not spread:
        yield base, {}
    elif isinstance(matrix, dict) and _lists_values(matrix):
        for row in product(*(list(enumerate(values)) for values in matrix.values())):
            words = [_word(key, *cell) for key, cell in zip(matrix, row, strict=True)]
            values = {key: cell[1] for key, cell in zip(matrix, row, strict=True)}
            yield f"{base}@{'-'.join(words)}", {"item": values, "key": "-".join(words)}
    elif isinstance(items, dict):
        for key, item in items.items():
            yield f"{base}@{key}", {"item": item, "key": key}
    elif isinstance(items, list):
        for number, item in enumerate(items):
            yield f"{base}@{_word('', number, item)}", {"item": item}
    else:
        yield from ((name, {}) for name in locked if name.startswith(f"{base}@"))


def stage_count(spread: Mapping[str, object]) -> int:
    """Return the number of stages of a `matrix` or `foreach`, as far as the values are listed."""
    matrix, items = spread.get("matrix"), spread.get("foreach")
    if isinstance(matrix, dict):
        return _product(matrix)
    return len(items) if isinstance(items, dict | list) else 1


def _product(matrix: Mapping[str, object]) -> int:
    return math.prod(len(row) for row in matrix.values() if isinstance(row, list))


def _lists_values(matrix: Mapping[str, object]) -> bool:
    """Return whether a matrix lists all values, at most `MOST_STAGES` of them."""
    rows = list(matrix.values())
    return all(isinstance(row, list) for row in rows) and _product(matrix) <= MOST_STAGES


def _word(key: str, number: int, value: object) -> str:
    """Return the text for a value of a matrix in the name of a stage."""
    return f"{key}{number}" if isinstance(value, dict | list) else _shown(value)


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fill(text: object, values: Mapping[str, object]) -> str:
    """Fill in values for `${item.name}`; unknown templates stay as they are."""

    def value(match: re.Match[str]) -> str:
        found: object = values
        for part in match[1].strip().split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return match[0] if found is None else _shown(found)

    return PLACEHOLDER.sub(value, str(text))
