"""Data dictionary: columns, types and ranges of the outputs that `dvc.yaml` declares.

Parquet files keep rows, missing values and ranges in their footer, so no data are read. Of a CSV
file the first rows are a sample. Values of text columns are never shown: they may name persons.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from nb.declaration.reader import Stage, read_stages
from nb.experiments.store import FIGURE_SUFFIXES
from nb.grouping import grouped
from nb.project import UsageError, write_whole
from nb.wording import byte_size, did_you_mean

from . import format

if TYPE_CHECKING:
    from _typeshed import SupportsRichComparison

DESCRIBED_ROWS = 10_000
DELIMITERS = {".csv": ",", ".tsv": "\t"}
# Types of the columns of a text file, and how a cell is read; the first that fits all cells counts.
PARSERS: dict[str, Callable[[str], int | float | datetime]] = {
    "int": int,
    "float": float,
    "time": datetime.fromisoformat,
}
# The words by which a page is known as one that may be written anew.
SIGN = "Written by `nb describe`"
DICTIONARY_HEADER = f"""\
# Data dictionary

{SIGN} from the files that `dvc.yaml` declares as outputs. Do not edit.
"""
# Characters that mean something in the cell of a Markdown table.
SPECIAL = re.compile(r"[\\`*<>|\[\]]|(?<![^\W_])_|_(?![^\W_])")


@dataclass(frozen=True)
class Column:
    """A column of a table: type, number of missing values, and range of numbers and times."""

    name: str
    type: str
    missing: int | None = None
    lowest: str = ""
    highest: str = ""


@dataclass(frozen=True)
class DescribedOutput:
    """An output of the pipeline, described from its file.

    Attributes:
        path: the file or folder, relative to the root.
        kind: table, metrics, plot, figure, folder or file.
        stage: the stage that makes the output.
        inputs: the inputs of that stage.
        bytes: the size; None if the file is not here.
        rows: the number of rows of a table, as far as known.
        columns: the columns of a table.
        note: the limit of this description, in words.
    """

    path: str
    kind: str
    stage: str
    inputs: tuple[str, ...] = ()
    bytes: int | None = None
    rows: int | None = None
    columns: tuple[Column, ...] = ()
    note: str = ""


class ChunkStatistics(Protocol):
    """Statistics of a column in a group of rows, as pyarrow reads them from the footer."""

    has_null_count: bool
    null_count: int
    has_min_max: bool
    min: SupportsRichComparison
    max: SupportsRichComparison


@dataclass(frozen=True)
class _Table:
    rows: int | None
    columns: tuple[Column, ...]
    note: str = ""


def describe_outputs(root: Path, paths: Sequence[str] = ()) -> list[DescribedOutput]:
    """Return the descriptions of the outputs in `dvc.yaml`, in its order.

    Args:
        paths: outputs to describe; empty for all.

    Raises:
        NbError: if a path is no output (exit code 2).
    """
    makers = {artifact.path: stage for stage in read_stages(root) for artifact in stage.writes}
    for path in paths:
        if path not in makers:
            others = "nb stages --json lists the outputs" if makers else "it declares none yet"
            hint = did_you_mean(path, makers, others)
            raise UsageError(f"dvc.yaml declares no output {path}; {hint}")
    chosen = {path: stage for path, stage in makers.items() if not paths or path in paths}
    return [_described(root, path, stage) for path, stage in chosen.items()]


def write_dictionary(page: Path, outputs: Iterable[DescribedOutput]) -> None:
    """Write the descriptions as a page of Markdown; a page with other words is left alone.

    Raises:
        NbError: if the file is there and was not written by this function (exit code 2).
    """
    if page.is_dir() or (page.exists() and SIGN not in page.read_text("utf-8", "replace")):
        raise UsageError(f"{page} is there and no data dictionary: -o needs another name")
    write_whole(page, as_markdown(outputs))


def as_markdown(outputs: Iterable[DescribedOutput]) -> str:
    """Return the descriptions as a page of Markdown."""
    return "\n".join([DICTIONARY_HEADER, *("\n".join(_section(output)) for output in outputs)])


def _described(root: Path, path: str, stage: Stage) -> DescribedOutput:
    file = root / path
    inputs = tuple(artifact.path for artifact in stage.reads)
    if file.is_dir():
        files = [found for found in file.rglob("*") if found.is_file()]
        size = sum(found.stat().st_size for found in files)
        note = f"{len(files)} files"
        return DescribedOutput(path, "folder", stage.name, inputs, size, note=note)
    if not file.is_file():
        note = "not here: nb pull fetches it, nb run makes it"
        return DescribedOutput(path, _kind(path, stage), stage.name, inputs, note=note)
    table = _read(file)
    return DescribedOutput(
        path,
        "table" if table.columns else _kind(path, stage),
        stage.name,
        inputs,
        file.stat().st_size,
        table.rows,
        table.columns,
        table.note,
    )


def _kind(path: str, stage: Stage) -> str:
    suffix = Path(path).suffix.lower()
    if path in stage.metrics:
        return "metrics"
    if any(plot.path == path for plot in stage.plots) and suffix not in FIGURE_SUFFIXES:
        return "plot"
    if suffix in FIGURE_SUFFIXES:
        return "figure"
    return "table" if suffix in {".parquet", *DELIMITERS} else "file"


def _read(file: Path) -> _Table:
    """Return the table in a file; without columns for any other file, or one that is broken."""
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            return _read_parquet(file)
        if suffix in DELIMITERS:
            return _read_text(file, DELIMITERS[suffix])
    except ImportError:
        return _Table(None, (), "pyarrow, which reads this file, is not installed")
    # pyarrow's errors are kinds of these.
    except (OSError, ValueError, NotImplementedError, csv.Error) as error:
        return _Table(None, (), f"cannot be read: {str(error).splitlines()[0][:100]}")
    return _Table(None, ())


def _read_parquet(file: Path) -> _Table:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(file) as opened:
        footer, schema = opened.metadata, opened.schema_arrow
    groups = map(footer.row_group, range(footer.num_row_groups))
    parts = (group.column(number) for group in groups for number in range(footer.num_columns))
    chunks = grouped((chunk.path_in_schema, chunk.statistics) for chunk in parts)
    columns = (_parquet_column(f.name, str(f.type), chunks.get(f.name, [])) for f in schema)
    return _Table(footer.num_rows, tuple(columns))


def _parquet_column(name: str, kind: str, chunks: Sequence[ChunkStatistics | None]) -> Column:
    """Return a column from the statistics of its chunks, which a writer may have left out."""
    known = [chunk for chunk in chunks if chunk is not None]
    complete = bool(known) and len(known) == len(chunks)
    counted = complete and all(chunk.has_null_count for chunk in known)
    missing = sum(chunk.null_count for chunk in known) if counted else None
    limits = [(chunk.min, chunk.max) for chunk in known if chunk.has_min_max]
    if not complete or not limits or any(isinstance(limits[0][0], t) for t in (str, bytes, bool)):
        return Column(name, kind, missing)
    lowest, highest = _limits([value for pair in limits for value in pair])
    return Column(name, kind, missing, lowest, highest)


def _read_text(file: Path, delimiter: str) -> _Table:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=delimiter)
        names = next(reader, [])
        rows = list(islice(reader, DESCRIBED_ROWS))
        is_whole = next(reader, None) is None
    values = (
        [row[number] if number < len(row) else "" for row in rows] for number in range(len(names))
    )
    columns = tuple(_text_column(name, cells) for name, cells in zip(names, values, strict=True))
    note = "" if is_whole else f"of the first {DESCRIBED_ROWS:,} rows"
    return _Table(len(rows) if is_whole else None, columns, note)


def _text_column(name: str, cells: Sequence[str]) -> Column:
    given = [cell for cell in cells if cell.strip().lower() not in ("", "nan", "null", "na")]
    missing = len(cells) - len(given)
    for kind, read in PARSERS.items():
        try:
            found = [read(cell) for cell in given]
        except ValueError:
            continue
        if found and all(value == value for value in found):
            lowest, highest = _limits(found)
            return Column(name, kind, missing, lowest, highest)
    kind = "bool" if given and {c.lower() for c in given} <= {"true", "false"} else "text"
    return Column(name, kind, missing)


def _limits(values: Sequence[SupportsRichComparison]) -> tuple[str, str]:
    try:
        lowest, highest = min(values), max(values)
    except TypeError:  # times with and without a zone
        return "", ""
    return format.number(lowest), format.number(highest)


def _section(output: DescribedOutput) -> Iterator[str]:
    facts = [output.kind]
    facts += [f"{output.rows:,} rows"] if output.rows is not None else []
    facts += [f"{len(output.columns)} columns"] if output.columns else []
    facts += [byte_size(output.bytes)] if output.bytes is not None else []
    facts += [output.note] if output.note else []
    inputs = ", ".join(f"`{path}`" for path in output.inputs)
    made = f"Made by the stage `{output.stage}`" + (f" from {inputs}" if inputs else "")
    told = _escaped(", ".join(facts))
    yield f"## `{output.path}`\n\n{told[0].upper()}{told[1:]}. {made}.\n"
    if output.columns:
        yield "| column | type | missing | lowest | highest |\n|---|---|---|---|---|"
        for column in output.columns:
            missing = "" if column.missing is None else str(column.missing)
            cells = (column.name, column.type, missing, column.lowest, column.highest)
            yield f"| {' | '.join(map(_escaped, cells))} |"
        yield ""


def _escaped(text: str) -> str:
    return SPECIAL.sub(r"\\\g<0>", " ".join(text.split()))
