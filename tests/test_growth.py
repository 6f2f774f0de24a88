"""The benchmark of growth: pipelines, tables and pictures of the sizes that were measured."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks import growth
from benchmarks.growth import ALL, PLAN
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


def test_equal_ratios_are_equal_distances_in_the_picture() -> None:
    drawn = ElementTree.fromstring(growth.picture(RESULTS))
    lines = [line.attrib["points"].split() for line in drawn.findall("{*}polyline")]
    (first, second), (other,) = [[tuple(map(float, p.split(","))) for p in line] for line in lines]
    assert other[0] == first[0]
    assert first[1] > other[1] > second[1]  # upward: 4 s, 16 s, 40 s
    assert len(drawn.findall("{*}circle")) == 3
