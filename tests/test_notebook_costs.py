"""The breakdown of a notebook's CPU time: each second counts once, and the figures are shown."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks import notebook_costs, process_costs

PARTS = {"DVC: the worker": 40.0, "kernel: cells <&>": 50.0, "page": 10.0}


def test_the_time_of_an_inner_function_counts_as_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(process_costs.time, "process_time", lambda: now[0])
    monkeypatch.setattr(process_costs, "clock", process_costs.Clock())

    def inner() -> None:
        now[0] += 2

    def outer() -> None:
        now[0] += 1
        process_costs.measured(inner, "inner")()
        now[0] += 4
        with pytest.raises(ZeroDivisionError):
            process_costs.measured(lambda: 1 / 0, "inner")()
        now[0] += 8

    process_costs.measured(outer, "outer")()
    now[0] += 16
    process_costs.clock.enter("")
    assert process_costs.clock.seconds == {"": 16, "inner": 2, "outer": 13}


def test_the_parts_are_a_table_and_a_picture() -> None:
    text = notebook_costs.table(PARTS)
    assert "| page | 10 ms | 10% |" in text
    assert "| **all** | **100 ms** | |" in text
    bars = ElementTree.fromstring(notebook_costs.picture(PARTS)).findall("{*}rect[{*}title]")
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert widths == [304.0, 380.0, 76.0]
