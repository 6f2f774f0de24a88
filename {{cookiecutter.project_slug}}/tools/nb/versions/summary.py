"""Differences between two versions as text for a terminal or Markdown, and as a page."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import PurePosixPath

from nb.pipeline import Change
from nb.report.files import filled_template
from nb.report.format import number, value
from nb.terminal import in_columns

from .differences import Differences, StageDifference

# A comment on GitHub holds 65,536 characters.
MOST_CHARACTERS = 60_000
MOST_LINES = 300
NO_DIFFERENCES = "No differences."
MORE = "*More differs: the whole is in the artifacts of the job.*"
LINE = "\n"
IMAGE_TYPES = {".jpg": "jpeg", ".jpeg": "jpeg", ".svg": "svg+xml", ".gif": "gif", ".png": "png"}


def change_row(change: Change) -> tuple[str, ...]:
    """Return file or stage, name, value before, value now and difference of a change."""
    before, now = change.before, change.now
    numbers = [n for n in (before, now) if isinstance(n, int | float) and not isinstance(n, bool)]
    difference = f"{numbers[1] - numbers[0]:+.6g}" if len(numbers) == 2 and before != now else ""
    return change.path, change.name, _shown(before), _shown(now), difference


def stage_words(stage: StageDifference) -> str:
    """Return the difference of a stage in words."""
    if stage.only_in:
        return f"only in {stage.only_in}"
    inputs, outputs = (", ".join(paths) for paths in (stage.inputs, stage.outputs))
    words = {"changed": inputs, "other results": outputs}
    return "; ".join(f"{word}: {paths}" for word, paths in words.items() if paths)


def as_text(found: Differences) -> str:
    """Return the differences as plain text."""
    parts = [f"{found.before} → {found.now}"]
    for title, rows in (_tables(found) | _lists(found)).items():
        parts.append("\n  ".join([title, *in_columns(rows)]))
    parts += [f"{file.path}\n{file.words}" for file in found.code]
    return "\n\n".join(parts if len(parts) > 1 else [*parts, NO_DIFFERENCES])


def as_markdown_summary(found: Differences) -> str:
    """Return the differences as Markdown for a pull request, bounded in size."""
    text = "\n\n".join(_blocks(found))
    if len(text) > MOST_CHARACTERS:
        text = f"{text[:MOST_CHARACTERS].rpartition(LINE)[0]}\n\n{MORE}"
    size = len(text)
    for block in _code_blocks(found):
        size += len(block)
        if size > MOST_CHARACTERS:
            return f"{text}\n\n{MORE}\n"
        text = f"{text}\n\n{block}"
    return f"{text}\n"


def as_page(found: Differences, project: str) -> str:
    """Return the differences as a page without requests, with figures beside each other."""
    figures = [
        (path, *(_data_uri(path, content) for content in contents))
        for path, *contents in found.figures
    ]
    code = [(file.path, list(map(_marked, file.words.splitlines()))) for file in found.code]
    return filled_template(
        "compare.html.j2",
        found=found,
        project=project,
        tables=_tables(found),
        lists=_lists(found),
        figures=figures,
        code=code,
        same=NO_DIFFERENCES,
    )


def _tables(found: Differences) -> dict[str, list[tuple[str, ...]]]:
    """Return the metrics and parameters that changed, by title."""
    metrics = [change for change in found.metrics if change.before != change.now]
    tables = {"Metrics": metrics, "Parameters": found.parameters}
    return {title: list(map(change_row, rows)) for title, rows in tables.items() if rows}


def _lists(found: Differences) -> dict[str, list[tuple[str, ...]]]:
    """Return names with differences in words, by title."""
    lists: dict[str, list[tuple[str, ...]]] = {
        "Stages": [(stage.name, stage_words(stage)) for stage in found.stages],
        "Artifacts": [(file.path, file.words) for file in found.artifacts],
        "Stale": [(name, "; ".join(reasons)) for name, reasons in found.stale.items()],
    }
    return {title: rows for title, rows in lists.items() if rows}


def _blocks(found: Differences) -> Iterator[str]:
    yield f"**{_cell(found.before)} → {_cell(found.now)}**"
    tables, lists = _tables(found), _lists(found)
    if found.metrics and "Metrics" not in tables:
        yield f"Metrics: {len(found.metrics)}, none changed."
    for title, rows in tables.items():
        head = ("", "", "before", "now", "change")
        yield f"### {title}\n\n{_table([head, *rows])}"
    for title, rows in lists.items():
        yield f"### {title}\n\n{_table([('', ''), *rows])}"
    if not (tables or lists or found.code):
        yield NO_DIFFERENCES


def _code_blocks(found: Differences) -> Iterator[str]:
    for file in found.code:
        lines = file.words.splitlines()
        cut = [f"… {len(lines) - MOST_LINES} more lines"] if len(lines) > MOST_LINES else []
        diff = "\n".join([*lines[:MOST_LINES], *cut])
        fence = "`" * max(3, *(len(run) + 1 for run in ["", *re.findall("`+", diff)]))
        yield (
            f"<details><summary>{escape(file.path)}</summary>\n\n"
            f"{fence}diff\n{diff}\n{fence}\n\n</details>"
        )


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]])


def _cell(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line: names and values are anybody's."""
    text = re.sub(r"([\\`*_\[\]<>#!|~&$])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)@", "@\u200b", text)  # a comment must not call people


def _shown(found: object) -> str:
    if found is None:
        return "-"
    return number(found) if isinstance(found, float) else value(found)


def _marked(line: str) -> tuple[str, str]:
    """Return the kind of a line of a diff, and the line."""
    kinds = {"+": "added", "-": "removed", "@": "place"}
    return ("place" if line[:3] in ("+++", "---") else kinds.get(line[:1], "")), line


def _data_uri(path: str, content: bytes) -> str:
    kind = IMAGE_TYPES[PurePosixPath(path).suffix.lower()]
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
