"""The benchmark of daily commands keeps a history, and names what became slower."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from benchmarks import daily, harness, history


def test_only_what_became_slower_by_over_a_tenth_is_named() -> None:
    ratios = {"a": 0.5, "b": 1.09, "c": 1.2}
    assert history.slower(ratios) == ["c: 1.20 times the baseline"]


def test_the_history_gets_a_line_without_a_path_of_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    history.add_to_history("daily", "1a2b3c4", {"nb status": 0.5}, file)
    history.add_to_history("daily", "1a2b3c4", {"nb status": 0.61234}, file)
    first, second = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    assert (first["schema"], first["baseline"]) == (history.SCHEMA, "1a2b3c4")
    assert second["ratios"] == {"nb status": 0.612}
    assert "/" not in first["machine"] and str(Path.home()) not in file.read_text()


def test_an_unknown_baseline_is_named_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert daily.main(["--baseline", "no-such-commit"]) == 2
    assert "no-such-commit is no commit" in capsys.readouterr().err


def test_the_table_shows_both_versions_and_the_aim() -> None:
    taken = {
        "`make test`": (50.0, 17.0),
        "`git add` of one notebook": (0.04, 0.03),
        "`nb stages`": (0, 0.5),
    }
    rows = daily.table(taken, "1a2b3c4").splitlines()[2:]
    assert rows[0] == "| `make test` | 50.000 | 17.000 | 0.34 | 20 |"
    assert rows[1] == "| `git add` of one notebook | 0.040 | 0.030 | 0.75 |  |"
    assert rows[2] == "| `nb stages` | failed | 0.500 |  | 0.3 |"


def test_rows_that_became_slower_are_named_with_the_reason() -> None:
    ratios = {"`nb --help`": 1.5, "`nb stages`": 1.05, "`nb doctor`": 1.2}
    assert daily.reasons(ratios).splitlines()[2:] == [
        f"- `nb --help`, 1.50 times: {daily.START}",
        "- `nb doctor`, 1.20 times: for no known reason",
    ]
    assert daily.reasons({"`nb stages`": 0.9}) == daily.NOTHING_SLOWER


@pytest.mark.parametrize("name", ["daily", "engine", "experiments", "growth", "notebook_costs"])
def test_ctrl_c_in_any_step_ends_a_benchmark_with_a_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(harness, "parser", interrupted)
    for module in (f"benchmarks.{name}", f"benchmarks.{name}.__main__"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert ended.value.code == harness.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_an_interrupted_measurement_is_not_published(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measured(*_: object) -> object:
        yield "`nb stages`", 0.5, 0.1
        raise KeyboardInterrupt

    published: list[object] = []
    for part in ("_checkout", "_project"):
        monkeypatch.setattr(daily, part, lambda *_: Path())
    monkeypatch.setattr(daily, "_measure", measured)
    monkeypatch.setattr(daily, "publish", lambda *given: published.append(given))
    code = daily.main(["--baseline", "HEAD", "--publish", "--no-history"])
    assert (code, published) == (harness.INTERRUPTED, [])
    assert "| `nb stages` | 0.500 | 0.100 |" in capsys.readouterr().out
