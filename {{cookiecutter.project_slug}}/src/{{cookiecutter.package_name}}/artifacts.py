"""The files that the pipeline declares, for showing them: which there are, and when they change."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from nb.pipeline.stages_file import read_stages

FIGURES = (".png", ".svg", ".jpg", ".jpeg")
TABLES = (".csv", ".parquet")

Stamp = tuple[tuple[str, int, int], ...]


def outputs(root: Path, kinds: tuple[str, ...] = ("",)) -> list[str]:
    """Return the outputs that the stages of `dvc.yaml` declare, relative to the root.

    Args:
        root: the project's root.
        kinds: how their names end, such as `FIGURES`; by default all are returned.
    """
    paths = [artifact.path for stage in read_stages(root) for artifact in stage.writes]
    return [path for path in paths if path.lower().endswith(kinds)]


def missing(root: Path, files: Iterable[str]) -> list[str]:
    """Return those of the files, relative to the root, that are not there."""
    return [file for file in files if not (root / file).exists()]


def stamp(root: Path, files: Iterable[str]) -> Stamp:
    """Return what changes when one of the files does: its time of change (ns) and size (bytes).

    Files that are not there are left out, so a file that comes or goes is a change, too.
    """
    found = ((file, root / file) for file in files)
    states = ((file, path.stat()) for file, path in found if path.exists())
    return tuple((file, state.st_mtime_ns, state.st_size) for file, state in states)


def metrics(root: Path) -> list[pd.DataFrame]:
    """Return the numbers in the metrics files that the stages declare and that are there.

    Files with the same metrics, such as those of a matrix, are the rows of one table; its columns
    are the metrics, `test.recall` for one inside another.
    """
    tables: dict[tuple[str, ...], dict[str, dict[str, float]]] = {}
    for path, numbers in declared.read_metrics(root, read_stages(root)).items():
        tables.setdefault(tuple(numbers), {})[Path(path).stem] = numbers
    return [pd.DataFrame.from_dict(rows, orient="index") for rows in tables.values()]


def read_table(path: Path) -> pd.DataFrame:
    """Read a table that is a CSV or a parquet file, by its name."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
