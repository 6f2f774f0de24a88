"""Comparison page of the site: metrics and parameters of any two runs or commits of the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path

from nb.report.files import Files, inline_script
from nb.report.format import moment as as_moment
from nb.report.format import value as as_text
from nb.report.history import Moment

MOMENTS = "compare.html"

# A value by the file or stage, and the name.
_Values = dict[str, object]


def moment_id(moment: Moment) -> str:
    """Return the name of a moment in the address of the comparison page."""
    return moment.run.id if moment.run else moment.commit


def pairs(history: Sequence[Moment]) -> list[str]:
    """Return the addresses of comparisons with the moment before; empty for the first moment."""
    names = [moment_id(moment) for moment in history]
    return ["", *(f"{before}..{now}" for before, now in pairwise(names))][: len(names)]


def write_moments(root: Path, history: Sequence[Moment]) -> str:
    """Write the comparison page of the site; return the path in the site.

    Args:
        root: the project's root.
        history: runs and commits in chronological order.
    """
    files = Files(root, MOMENTS)
    files.write_page(
        "interactive/moments.html.j2",
        moments=_moments(history, files),
        **inline_script("interactive/moments.js"),
    )
    return MOMENTS


def _moments(history: Sequence[Moment], files: Files) -> list[dict[str, object]]:
    """Return the moments, each with the values that differ from the moment before.

    Most values stay as they are from run to run; all values of all runs would be megabytes.
    """
    shown: list[dict[str, object]] = []
    metrics: _Values = {}
    parameters: _Values = {}
    for moment in history:
        now = _flat(moment.metrics)
        made: dict[str, object] = {
            "id": moment_id(moment),
            "label": _label(moment),
            "href": files.relative(f"runs/{moment.run.id}.html") if moment.run else "",
            "metrics": value_changes(metrics, now),
            "parameters": None,
        }
        metrics = now
        if moment.run:
            stages = {stage.name: stage.parameters for stage in moment.run.stages}
            values: _Values = {key: as_text(value) for key, value in _flat(stages).items()}
            made["parameters"] = value_changes(parameters, values)
            parameters = values
        shown.append(made)
    return shown


def _label(moment: Moment) -> str:
    if moment.run:
        commit = f" on {moment.commit[:7]}" if moment.commit else ""
        return f"{as_moment(moment.run.started)}, run{commit}, {moment.run.state}"
    return f"{as_moment(moment.when)}, commit {moment.commit[:7]}: {moment.subject[:60]}"


def _flat(groups: Mapping[str, Mapping[str, object]]) -> _Values:
    """Return the values by group and name in a text; numbers that JSON lacks as texts."""
    return {
        f"{group}\n{name}": str(v) if isinstance(v, float) and not isfinite(v) else v
        for group, values in groups.items()
        for name, v in values.items()
    }


def value_changes(before: _Values, now: _Values) -> _Values:
    """Return the values that differ; None for those that are gone."""
    keys = dict.fromkeys([*now, *before])
    return {key: now.get(key) for key in keys if before.get(key) != now.get(key)}
