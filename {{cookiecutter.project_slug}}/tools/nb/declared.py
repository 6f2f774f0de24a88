"""The stages as `dvc.yaml` and `dvc.lock` have them, read in milliseconds and without DVC.

For showing only: `pipeline` asks DVC itself. Values that only DVC can resolve (`vars`, imported
parameters) are taken from `dvc.lock`, which holds them once a stage has run.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from .project import FINGERPRINTS, NbError, parse_json
from .yamlfile import read_as_dvc

MAIN = "dvc.yaml"
# Stages of a matrix: one of five rows with 40 values each would stand for a hundred million.
MOST_STAGES = 10_000
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Artifact:
    """A file or folder that a stage reads or writes; its size in bytes, if DVC has seen it."""

    path: str
    size: int | None = None


@dataclass(frozen=True)
class Plot:
    """A plot of `dvc.yaml`: a figure, or a table with the columns to draw.

    Attributes:
        path: the file.
        settings: what `dvc.yaml` says of it: x, y, title, template.
    """

    path: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A stage, one per value of a matrix.

    Attributes:
        name: as DVC addresses it, `train@forest` for a value of a matrix.
        command: what it runs.
        desc: its description.
        reads: its inputs; fingerprints are left out.
        writes: its outputs, metrics and plots included.
        metrics: the outputs that hold metrics.
        plots: the outputs that are plots.
        parameters: their values when it last ran.
    """

    name: str
    command: str
    desc: str = ""
    reads: tuple[Artifact, ...] = ()
    writes: tuple[Artifact, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The stage as `dvc.yaml` names it, without the value of the matrix."""
        return self.name.partition("@")[0]


def read_stages(root: Path, files: Iterable[str] = (MAIN,)) -> list[Stage]:
    """Return the stages of the given files, in their order; a file that cannot be read has none."""
    return [stage for file in files for stage in _stages(root, file)]


def read_metrics(root: Path, stages: Iterable[Stage]) -> dict[str, dict[str, float]]:
    """Return the numbers in each metrics file that is there, by path and dotted name."""
    paths = [path for stage in stages for path in stage.metrics]
    found = {path: _numbers(_load(root / path)) for path in dict.fromkeys(paths)}
    return {path: numbers for path, numbers in found.items() if numbers}


def read_numbers(text: str, name: str) -> dict[str, float]:
    """Return the numbers in the text of a metrics file, by dotted name.

    Args:
        text: what the file holds.
        name: the file, whose suffix tells JSON from YAML.
    """
    return _numbers(_parse(text, Path(name).suffix))


def _numbers(content: Any, prefix: str = "") -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in content.items() if isinstance(content, dict) else ():
        if isinstance(value, dict):
            numbers |= _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers[f"{prefix}{name}"] = value
    return numbers


def _load(path: Path) -> Any:
    """Return the content of a JSON or YAML file; None if it cannot be read."""
    try:
        return _parse(path.read_text(encoding="utf-8"), path.suffix)
    except (OSError, ValueError):
        return None


def _parse(text: str, suffix: str) -> Any:
    """Return what JSON or YAML says; None if it is neither."""
    try:
        return parse_json(text) if suffix == ".json" else read_as_dvc(text, "")
    except (ValueError, RecursionError, NbError):
        return None


def _stages(root: Path, file: str) -> Iterator[Stage]:
    locked = _stages_in((root / file).with_name("dvc.lock"))
    prefix = "" if file == MAIN else f"{file}:"
    for base, spec in _stages_in(root / file).items():
        for name, values in _expand(base, spec, locked):
            body = {**spec, **spec["do"]} if isinstance(spec.get("do"), dict) else spec
            folder = posixpath.join(posixpath.dirname(file), _fill(body.get("wdir", ""), values))
            yield _stage(prefix + name, body, values, locked.get(name) or {}, folder)


def _stages_in(path: Path) -> dict[str, dict[str, Any]]:
    content = _load(path)
    stages = content.get("stages") if isinstance(content, dict) else None
    found = stages if isinstance(stages, dict) else {}
    return {name: spec for name, spec in found.items() if isinstance(spec, dict)}


def stage_count(spec: Any) -> int:
    """Return for how many stages an entry of `dvc.yaml` stands, as far as that is written in it."""
    if not isinstance(spec, dict):
        return 1
    matrix, items = spec.get("matrix"), spec.get("foreach")
    if isinstance(matrix, dict):
        return prod(len(row) for row in matrix.values() if isinstance(row, list))
    return len(items) if isinstance(items, dict | list) else 1


def _expand(
    base: str, spec: Mapping[str, Any], locked: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of each stage that an entry stands for, and the values of its placeholders."""
    matrix, items = spec.get("matrix"), spec.get("foreach")
    if stage_count(spec) > MOST_STAGES:
        return
    if isinstance(matrix, dict) and all(isinstance(row, list) for row in matrix.values()):
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
    elif matrix or items:  # DVC alone can tell the values: those that ran are known
        for name in locked:
            if name.startswith(f"{base}@"):
                yield name, {}
    else:
        yield base, {}


def _word(key: str, number: int, value: Any) -> str:
    """Return how DVC names a value in the name of a stage."""
    if isinstance(value, dict | list):
        return f"{key}{number}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fill(text: Any, values: Mapping[str, Any]) -> str:
    """Put values in the place of `${item.name}`; what is not known stays as it is."""

    def value(match: re.Match[str]) -> str:
        found: Any = values
        for part in match[1].strip().split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if isinstance(found, bool):
            return str(found).lower()
        return match[0] if found is None else str(found)

    return _PLACEHOLDER.sub(value, str(text))


def _stage(
    name: str,
    body: Mapping[str, Any],
    values: Mapping[str, Any],
    lock: Mapping[str, Any],
    folder: str,
) -> Stage:
    def declared(kind: str) -> dict[str, Mapping[str, Any]]:
        return {path(_fill(name, values)): spec for name, spec in _entries(body.get(kind))}

    def path(name: str) -> str:
        return posixpath.normpath(posixpath.join(folder, name))

    def artifacts(kind: str, names: Iterable[str]) -> tuple[Artifact, ...]:
        locked = [Artifact(path(e["path"]), e.get("size")) for e in lock.get(kind) or ()]
        found = locked or [Artifact(name) for name in names]
        return tuple(a for a in found if not a.path.startswith(FINGERPRINTS.as_posix()))

    metrics, plots = declared("metrics"), declared("plots")
    writes = artifacts("outs", [*declared("outs"), *metrics, *plots])
    cmd = lock.get("cmd") or _fill(_command(body), values)
    parameters = {k: v for file in (lock.get("params") or {}).values() for k, v in file.items()}
    return Stage(
        name,
        _command({"cmd": cmd}),
        _fill(body.get("desc", ""), values),
        artifacts("deps", declared("deps")),
        writes,
        tuple(a.path for a in writes if _find(a.path, metrics) is not None),
        tuple(Plot(a.path, s) for a in writes if (s := _find(a.path, plots)) is not None),
        parameters,
    )


def _command(body: Mapping[str, Any]) -> str:
    cmd = body.get("cmd") or ""
    return " && ".join(map(str, cmd)) if isinstance(cmd, list) else str(cmd)


def _entries(entries: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the path and the settings of each entry: a path, or a path with settings."""
    for entry in entries or ():
        if isinstance(entry, dict):
            yield from ((str(path), settings or {}) for path, settings in entry.items())
        else:
            yield str(entry), {}


def _find(path: str, declared: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the settings of a path; a placeholder that is not known stands for any text."""
    for name, settings in declared.items():
        pattern = ".*".join(map(re.escape, _PLACEHOLDER.split(name)[::2]))
        if re.fullmatch(pattern, path):
            return settings
    return None
