"""Writer of the site: outdated pages are made anew, the index is written, other files removed."""

from __future__ import annotations

import base64
import json
import posixpath
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.declaration.metrics import read_metrics
from nb.declaration.reader import FILE, Plot, Stage, read_stages
from nb.declaration.tasks import NOT_RUN, UNCHANGED
from nb.execution.copies.failure import INJECTED
from nb.grouping import grouped
from nb.processes.garbage import no_collection
from nb.project import EXECUTED, INDEX, SITE
from nb.run.past_runs import read_past_runs
from nb.run.record import RunRecord
from nb.wording import duration

from . import pages, tables
from .about import read_about
from .charts import Node, line_chart, stage_graph
from .experiments import ExperimentSummary, site_files, write_experiments
from .files import NOTES, PageFiles, is_published, published_path, slug
from .history import Moment, read_history
from .interactive.moments_page import comparison_addresses, write_moments
from .interactive.search_page import SearchedPage, overview_sections, write_search
from .pages import Note
from .stages import Row, read_rows
from .tables import Comparison, Series

# A matrix of more values is a single node of the graph.
MOST_NODES = 6


def make_page(root: Path, copy: Path) -> Path:
    """Write the page of an executed copy, unless the page is up to date; return the path.

    Called at the end of a stage, beside the run.
    """
    note = pages.write_page(root, copy, pages.stage_of(root, copy))
    return root / SITE / "notebooks" / f"{note.name}.html"


def warm_up() -> None:
    """Render a sample page, for the imports and the compiled templates that all pages need."""
    pixel = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    shown = [{"text/html": "<table><tr><td>x</td></tr></table>"}, {"image/png": pixel}]
    outputs: list[dict[str, object]] = [
        {"output_type": "display_data", "data": data | {"text/plain": "x"}, "metadata": {}}
        for data in shown
    ]
    outputs.append({"output_type": "stream", "name": "stdout", "text": "x"})
    cells = [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# A title\n\nA *text*."},
        {"cell_type": "code", "id": "b", "metadata": {"tags": [INJECTED]}, "source": "x = 1"}
        | {"execution_count": 1, "outputs": outputs},
    ]
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    with TemporaryDirectory(prefix="nb-") as folder:
        root = Path(folder)
        copy = root / EXECUTED / "a.ipynb"
        copy.parent.mkdir(parents=True)
        copy.write_text(json.dumps(content), encoding="utf-8")
        command = f"papermill a.ipynb {EXECUTED.as_posix()}/a.ipynb"
        stages = f"stages:\n  a:\n    cmd: {command}\n    outs: [a.json]\n"
        (root / FILE).write_text(stages, encoding="utf-8")
        make_page(root, copy)


@no_collection()  # records and rows are many, and stay to the end
def build(root: Path) -> Path:
    """Write outdated pages and the index; remove the pages of deleted executed copies.

    The index is made of whatever is here: a clone that never ran has metrics, `dvc.lock`, the
    history of Git and fetched artifacts.

    Returns:
        The index.
    """
    copies = sorted((root / EXECUTED).rglob("*.ipynb"))
    runs = read_past_runs(root)
    stages = read_stages(root, _files(stage.name for run in runs for stage in run.stages))
    by_copy = {stage.papermill.executed: stage for stage in stages}
    notes = {}
    for copy in copies:
        path = copy.relative_to(root).as_posix()
        notes[path] = pages.write_page(root, copy, by_copy.get(path))
    rows = read_rows(root, stages, runs, notes)
    kept = {file for note in notes.values() for file in note.files}
    kept |= _publish(root, stages)
    told = [run for run in runs if not _is_idle(run)]
    experiments = write_experiments(root)
    kept |= site_files(experiments, root / SITE)
    metrics = read_metrics(root, stages)
    history = read_history(root, told, [path for stage in stages for path in stage.metrics])
    kept |= _write_index(root, rows, history, metrics, notes, experiments)
    kept |= {_write_run(root, run) for run in told}
    kept.add(write_search(root, _searched(root, rows, metrics, notes, experiments)))
    kept.add(write_moments(root, history))
    _prune(root / SITE, kept)
    _prune(root / NOTES, {f"{note.name}.json" for note in notes.values()})
    return root / INDEX


def _searched(
    root: Path,
    rows: list[Row],
    metrics: dict[str, dict[str, float]],
    notes: dict[str, Note],
    experiments: list[ExperimentSummary],
) -> list[SearchedPage]:
    overview = SearchedPage(
        title=read_about(root).name,
        path="index.html",
        sections=overview_sections(rows, metrics),
    )
    return [
        overview,
        *(
            SearchedPage(
                title=note.title,
                path=f"notebooks/{note.name}.html",
                name=note.name,
                sections=note.sections,
            )
            for note in notes.values()
        ),
        *(SearchedPage(title=each.name, path=each.page, name="experiment") for each in experiments),
    ]


def _files(names: Iterable[str]) -> list[str]:
    """Return the files that declare the named stages."""
    return list(dict.fromkeys([FILE, *(n.rpartition(":")[0] for n in names if ":" in n)]))


def _prune(folder: Path, kept: set[str]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(folder).as_posix() not in kept:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _publish(root: Path, stages: Iterable[Stage]) -> set[str]:
    """Copy small artifacts that a browser shows, so that links work wherever the site is."""
    paths = {a.path for stage in stages for a in (*stage.reads, *stage.writes)}
    files = PageFiles(root, "index.html")
    for path in sorted(paths):
        if is_published(root, path):
            files.save(published_path(path), (root / path).read_bytes())
    return set(files.written)


def _write_index(
    root: Path,
    rows: list[Row],
    history: list[Moment],
    metrics: dict[str, dict[str, float]],
    notes: dict[str, Note],
    experiments: list[ExperimentSummary],
) -> set[str]:
    stages = [row.stage for row in rows]
    runs = [at.run for at in history if at.run]
    series = tables.metrics_over_time(history)
    shown = {row.note.name for row in rows if row.note}
    files = PageFiles(root, "index.html")
    files.write_page(
        "index.html.j2",
        run=runs[-1] if runs else None,
        history=[
            (at, tables.state_counts(at.run) if at.run else [], pair)
            for at, pair in zip(history[::-1], comparison_addresses(history)[::-1], strict=True)
        ],
        rows=rows,
        broken=[row for row in rows if row.is_broken],
        waiting=[row for row in rows if row.state == NOT_RUN],
        graph=_graph(rows),
        comparisons=_comparisons(rows, metrics),
        metrics=tables.metrics_tables(stages, metrics, history),
        series=[_chart(s) for s in series[: tables.MOST_CHARTS]],
        changed=len(series),
        plots=[p for row in rows for plot in row.stage.plots if (p := _plot(root, plot, files))],
        others=[note for note in notes.values() if note.name not in shown],
        executed=EXECUTED.as_posix(),
        experiments=experiments,
    )
    return set(files.written)


def _is_idle(run: RunRecord) -> bool:
    """Return whether a run found everything up to date: no news for the history."""
    return run.exit_code == 0 and all(stage.state == UNCHANGED for stage in run.stages)


def _write_run(root: Path, run: RunRecord) -> str:
    """Write the page of a run, unless the page is up to date; return the path in the site."""
    files = PageFiles(root, f"runs/{run.id}.html")
    # Not the time of the record's file: the key is in the page, which is the same in every clone.
    key = pages.key_of(run, read_about(root))
    if files.is_current(key):
        return files.page
    home, counts = files.relative("index.html"), tables.state_counts(run)
    files.write_page("run.html.j2", key=key, run=run, counts=counts, home=home)
    return files.page


def _graph(rows: list[Row]) -> str:
    """Return the graph of the pipeline; a matrix of many values is a single node."""
    sizes = Counter(row.stage.group for row in rows)
    node_of = {
        row.name: row.stage.group if sizes[row.stage.group] > MOST_NODES else row.name
        for row in rows
    }
    makers = {a.path: row.name for row in rows for a in row.stage.writes}
    edges: dict[str, set[str]] = {node: set() for node in node_of.values()}
    for row in rows:
        needed = {node_of[m] for a in row.stage.reads if (m := _maker(a.path, makers))}
        edges[node_of[row.name]] |= needed - {node_of[row.name]}
    members = grouped((node_of[row.name], row) for row in rows)
    return stage_graph([_node(name, found) for name, found in members.items()], edges)


def _maker(path: str, makers: dict[str, str]) -> str | None:
    """Return the stage that writes a path, or a folder above the path."""
    while path:
        if path in makers:
            return makers[path]
        path = posixpath.dirname(path)
    return None


def _node(name: str, rows: list[Row]) -> Node:
    if len(rows) == 1:
        row = rows[0]
        took = duration(row.last.seconds) if row.last else ""
        return Node(name, row.state, took, f"#stage-{slug(name)}")
    worst = min(rows, key=lambda row: (not row.is_broken, row.state != NOT_RUN))
    count = sum(row.state == worst.state for row in rows)
    return Node(name, worst.state, f"{count} of {len(rows)}", f"#stage-{slug(rows[0].name)}")


def _comparisons(rows: list[Row], metrics: dict[str, dict[str, float]]) -> list[Comparison]:
    groups = grouped((row.stage.group, row) for row in rows if "@" in row.name)
    return [tables.matrix_table(name, g, metrics) for name, g in groups.items() if len(g) > 1]


def _chart(series: Series) -> dict[str, object]:
    points = {series.name: series.points}
    first, last = series.points[0][1], series.points[-1][1]
    label = f"{series.name}, {len(series.points)} times, from {first:.6g} to {last:.6g}"
    picture = line_chart(points, label=label, size=(300, 120), dots=series.titles, ticks_x=False)
    return {"name": series.name, "path": series.path, "svg": picture}


def _plot(root: Path, plot: Plot, files: PageFiles) -> dict[str, object] | None:
    """Return the data of a plot of `dvc.yaml` for the template; None without the file."""
    href, _ = files.artifact(plot.path)
    if not href:
        return None
    shown: dict[str, object] = {
        "title": str(plot.settings.get("title") or posixpath.basename(plot.path)),
        "path": plot.path,
        "href": href,
        "kind": "link",
    }
    if plot.path.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".svg")):
        return shown | {"kind": "image"}
    table = tables.read_table(root / plot.path)
    if table is None:
        return shown
    if str(plot.settings.get("template", "")).startswith("confusion"):
        return shown | {"kind": "confusion", **tables.confusion_matrix(table, plot.settings)}
    series = tables.curves(table, plot.settings)
    if not series:
        return shown
    x, y = (str(plot.settings.get(f"{a}_label") or plot.settings.get(a) or "") for a in "xy")
    label = f"{shown['title']}: {y} over {x or 'rows'}, {', '.join(series)}"
    picture = line_chart(series, label=label, size=(460, 340), x_title=x, y_title=y)
    return shown | {"kind": "lines", "svg": picture, "legend": list(series)}
