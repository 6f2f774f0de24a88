"""The benchmark of growth: pipelines, tables and pictures of the sizes that were measured."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import growth
from benchmarks.growth import ALL, BEFORE, NOTHING, PLAN, TITLE
from benchmarks.harness import Figure

RESULTS = {
    "`nb run`": {
        100: {PLAN: Figure(0.5, 1, 1), ALL: Figure(4, 2.5, 90_000_000)},
        1000: {ALL: Figure(40, 25, 200_000_000)},
    },
    "`dvc repro` <&>": {100: {ALL: Figure(16, 16.25, 80_000_000)}},
    "too slow": {},
}


@pytest.mark.parametrize("kind", growth.TITLES)
def test_a_pipeline_has_as_many_stages_each_with_an_input_of_its_own(kind: str) -> None:
    stages, files = growth.pipeline(kind, 12)
    assert len(stages) == len(files) == 12


def test_the_table_has_a_row_for_each_size_and_contestant() -> None:
    rows = growth.table(RESULTS).splitlines()
    assert rows[2] == "| `nb run` | 100 | 40 ms | 0.50 s | 4.00 s |  |  |  | 2.5 s | 90 MB |"
    assert [row.split(" | ")[:3] for row in rows[3:]] == [
        ["| `nb run`", "1,000", "40 ms"],
        ["| `dvc repro` <&>", "100", "160 ms"],
    ]


def cpu(**seconds: float) -> dict[str, Figure]:
    return {name.replace("_", " "): Figure(value, 1, 1) for name, value in seconds.items()}


def test_the_sizes_at_which_a_contestant_took_less_are_named_with_the_reason() -> None:
    results = {
        TITLE: {25: cpu(all=1, nothing_changed=0.12), 1000: cpu(all=9, nothing_changed=0.3)},
        BEFORE: {25: cpu(all=0.95, nothing_changed=0.1, status=1), 1000: cpu(nothing_changed=0.1)},
        "`dvc repro`": {50: cpu(all=0.1)},
    }
    reason = growth.SAVES[BEFORE, NOTHING]
    assert growth.cheaper(results).splitlines()[2:] == [
        f"- nothing changed, at 25, 1,000 stages: `nb run`, before, {reason}"
    ]


def test_a_table_in_which_nobody_took_less_says_so() -> None:
    assert growth.cheaper(RESULTS) == "No contestant took over a tenth less CPU than `nb run`."


def test_the_first_run_in_a_project_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: set[Path] = set()

    def compiling(_: str, project: Path, *__: object) -> dict[str, Figure]:
        seconds = 1 if project in first else 5
        first.add(project)
        return cpu(all=seconds)

    monkeypatch.setattr(growth, "costs", compiling)
    found = growth.measure({TITLE: (growth.OURS, tmp_path)}, growth.SHELL, [25], 600)
    assert found[TITLE][25][ALL].cpu == 1


def test_equal_ratios_are_equal_distances_in_the_picture() -> None:
    drawn = ElementTree.fromstring(growth.picture(RESULTS))
    lines = [line.attrib["points"].split() for line in drawn.findall("{*}polyline")]
    (first, second), (other,) = [[tuple(map(float, p.split(","))) for p in line] for line in lines]
    assert other[0] == first[0]
    assert first[1] > other[1] > second[1]  # upward: 4 s, 16 s, 40 s
    assert len(drawn.findall("{*}circle")) == 3
