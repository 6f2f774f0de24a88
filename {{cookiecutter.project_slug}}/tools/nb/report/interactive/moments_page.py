"""Comparison page of the site: metrics and parameters of any two of the newest runs and commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite
from pathlib import Path

from nb.report.files import PageFiles, inline_script
from nb.report.format import moment as as_moment
from nb.report.format import value as as_text
from nb.report.history import Moment

MOMENTS = "compare.html"

# The page has to load on a phone: as many moments, the newest, can be compared.
MOST_COMPARED = 100

# Values by the number of their name.
_Values = dict[int, object]


def moment_id(moment: Moment) -> str:
    """Return the name of a moment in the address of the comparison page."""
    return moment.run.id if moment.run else moment.commit


def comparison_addresses(history: Sequence[Moment]) -> list[str]:
    """Return the addresses of comparisons with the moment before; empty for the first moment.

    They are empty for moments that are too old for the page, too.
    """
    names = [moment_id(moment) for moment in history[-MOST_COMPARED:]]
    compared = [f"{before}..{now}" for before, now in pairwise(names)]
    return [""] * (len(history) - len(compared)) + compared


def write_moments(root: Path, history: Sequence[Moment]) -> str:
    """Write the comparison page of the site; return the path in the site.

    Args:
        history: runs and commits in chronological order.
    """
    files = PageFiles(root, MOMENTS)
    names: dict[str, int] = {}
    moments = _moments(history[-MOST_COMPARED:], names, files)
    files.write_page(
        "interactive/moments.html.j2",
        history={"names": list(names), "moments": moments},
        **inline_script("interactive/moments.js"),
    )
    return MOMENTS


def _moments(
    history: Sequence[Moment], names: dict[str, int], files: PageFiles
) -> list[dict[str, object]]:
    """Return the moments, each with the values that differ from the moment before.

    Most values stay as they are from run to run; all values of all runs would be megabytes.

    Args:
        history: runs and commits in chronological order.
        names: gets a number for the name of each value.
        files: the page.
    """
    shown: list[dict[str, object]] = []
    metrics: _Values = {}
    parameters: _Values = {}
    for moment in history:
        now = _numbered(moment.metrics, names)
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
            values: _Values = {n: as_text(v) for n, v in _numbered(stages, names).items()}
            made["parameters"] = value_changes(parameters, values)
            parameters = values
        shown.append(made)
    return shown


def _label(moment: Moment) -> str:
    if moment.run:
        commit = f" on {moment.commit[:7]}" if moment.commit else ""
        return f"{as_moment(moment.run.started)}, run{commit}, {moment.run.state}"
    return f"{as_moment(moment.when)}, commit {moment.commit[:7]}: {moment.subject[:60]}"


def _numbered(groups: Mapping[str, Mapping[str, object]], names: dict[str, int]) -> _Values:
    """Return the values by the number of group and name; numbers that JSON lacks as texts."""
    return {
        names.setdefault(f"{group}\n{name}", len(names)): str(v)
        if isinstance(v, float) and not isfinite(v)
        else v
        for group, values in groups.items()
        for name, v in values.items()
    }


def value_changes(before: _Values, now: _Values) -> _Values:
    """Return the values that differ; None for those that are gone."""
    keys = dict.fromkeys([*now, *before])
    return {key: now.get(key) for key in keys if before.get(key) != now.get(key)}
