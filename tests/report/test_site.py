"""The report without a project: how values are written, which files go along, tables and charts."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib.util import cache_from_source
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import pytest
from nb.declaration.reader import Stage
from nb.project import write_whole
from nb.report import build, charts, files, format, tables
from nb.report.files import PUBLISHED_BYTES, PageFiles, is_published, slug
from nb.report.history import Moment
from nb.report.pages import Note
from nb.report.stages import LATER_SECONDS, Row, read_rows
from nb.run.record import RunRecord, StageRecord
from nb.wording import byte_size

NAN = float("nan")
SIZE = (320, 160)


# Values ------------------------------------------------------------------------------------------


def test_values_are_written_as_people_write_them() -> None:
    assert format.moment("2026-11-22T12:34:56.789+01:00") == "22 Nov 2026, 11:34"
    assert format.moment("2026-11-22T11:34:56Z") == "22 Nov 2026, 11:34"
    assert format.moment(None) == format.moment("soon") == ""
    assert [format.number(n) for n in (None, 3, 0.1234567, 1e-9)] == ["", "3", "0.123457", "1e-09"]
    assert [format.value(v) for v in (True, None, 1.5, "a")] == ["true", "null", "1.5", "a"]
    assert format.value("x" * 200) == "x" * 200
    assert format.value("x" * 201) == "x" * 199 + "…"
    sizes = [byte_size(n) for n in (0, 999, 1000, 10_500_000, 2e9, 3e12)]
    assert sizes == ["0 B", "999 B", "1 kB", "10.5 MB", "2 GB", "3e+03 GB"]
    assert slug("a b/c.ipynb") == "a-b-c-ipynb"


# Files -------------------------------------------------------------------------------------------


def test_small_harmless_results_go_with_the_site(tmp_path: Path) -> None:
    for folder in ("reports/deep", "data"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("reports/a.csv", "reports/deep/b.PNG", "reports/run.html", "data/c.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "reports/large.csv").write_bytes(b"x" * (PUBLISHED_BYTES + 1))
    (tmp_path / "reports/limit.csv").write_bytes(b"x" * PUBLISHED_BYTES)
    goes = ["reports/a.csv", "reports/deep/b.PNG", "reports/limit.csv"]
    stays = ["reports/run.html", "data/c.csv", "reports/large.csv", "reports/none.csv", "reports"]
    assert [is_published(tmp_path, name) for name in goes] == [True] * 3
    assert not any(is_published(tmp_path, name) for name in stays)
    page = PageFiles(tmp_path, "pages/one.html")
    assert page.artifact("reports/a.csv") == ("../files/a.csv", True)
    assert page.artifact("data/c.csv") == ("../../../data/c.csv", False)
    assert page.artifact("data/none.csv") == ("", False)


def test_a_file_is_written_when_it_changes(tmp_path: Path) -> None:
    page = PageFiles(tmp_path, "index.html")
    assert page.save("deep/a b.txt", b"1") == "deep/a%20b.txt"
    path = tmp_path / "reports/site/deep/a b.txt"
    os.utime(path, ns=(0, 0))
    page.save("deep/a b.txt", b"1")
    assert path.stat().st_mtime_ns == 0
    page.save("deep/a b.txt", b"2")
    assert path.read_bytes() == b"2"


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[object]]:
    """The templates that are compiled, where no template was compiled before."""
    found: list[object] = []
    compile_template = jinja2.Environment.compile

    def noted(self: jinja2.Environment, source: str, *names: str | None) -> object:
        found.append(names)
        return compile_template(self, source, *names)

    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "bytecode"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(jinja2.Environment, "compile", noted)
    yield found
    begin_anew()


def begin_anew() -> None:
    files._environment.cache_clear()
    files.compiled_templates.cache_clear()


def written_index(root: Path) -> bytes:
    """Return the index of a site as another process would write it."""
    begin_anew()
    build(root)
    return (root / "reports/site/index.html").read_bytes()


def test_templates_are_compiled_once_and_anew_where_that_was_not_kept(
    compiled: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    write_whole(root / "dvc.yaml", b"stages: {}")
    store = Path(cache_from_source(files.__file__)).parent
    first = written_index(root)
    assert compiled  # where the store's folder cannot be made
    store.mkdir(parents=True, exist_ok=True)
    assert written_index(root) == first
    kept = list(store.glob("jinja-*.cache"))
    assert kept

    compiled.clear()
    assert written_index(root) == first
    assert not compiled

    content = kept[0].read_bytes()
    for damaged in (b"", b"x", content[: len(content) // 2], content[:8] + b"x" * 50):
        kept[0].write_bytes(damaged)
        assert written_index(root) == first
        assert compiled
        compiled.clear()

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for path in kept:
        path.unlink()
    assert written_index(root) == first
    assert not list(store.iterdir())


# Rows --------------------------------------------------------------------------------------------

COMMAND = "papermill notebooks/production/a.ipynb reports/notebooks/a.ipynb"
COPY = "reports/notebooks/a.ipynb"
ENDED = "2026-01-01T10:00:00.000+00:00"


def run(*states: str, cause: str = "", name: str = "a") -> list[RunRecord]:
    """Return a record for each state of a stage, the oldest first."""
    made = []
    for number, state in enumerate(states):
        stage = StageRecord(name, state, cause, ended=ENDED, seconds=number + 1.0)
        made.append(RunRecord(str(number), {}, 1, ENDED, stages=[stage]))
    return made


def row(root: Path, runs: list[RunRecord], notes: dict[str, Note] | None = None) -> Row:
    (found,) = read_rows(root, [Stage("a", COMMAND)], runs, notes or {})
    return found


def test_the_last_run_that_ran_tells_of_a_stage(tmp_path: Path) -> None:
    assert row(tmp_path, []).state == "not recorded"
    found = row(tmp_path, run("ran", "unchanged"))
    assert (found.state, found.last and found.last.seconds) == ("unchanged", 1.0)
    assert not found.is_restored
    assert row(tmp_path, run("ran", "restored", "unchanged")).is_restored
    assert not row(tmp_path, run("restored", "ran")).is_restored
    broken = row(tmp_path, run("ran", "failed", cause="code cell 3"))
    assert (broken.state, broken.cause, broken.is_broken) == ("failed", "code cell 3", True)


def test_what_broke_before_it_was_declared_is_shown_first(tmp_path: Path) -> None:
    others = run("failed", name="fingerprints") + run("ran", name="gone")
    found = read_rows(tmp_path, [Stage("a", COMMAND)], others, {})
    assert [each.name for each in found] == ["fingerprints", "a"]


@pytest.mark.parametrize(
    ("states", "error", "later", "state", "keeps_record"),
    [
        (("ran",), "", False, "ran", True),
        (("failed",), "E: x", False, "failed", True),
        (("failed",), "", True, "ran", False),  # mended by dvc repro
        (("ran",), "E: x", True, "failed", False),  # and broken by it
        ((), "", True, "ran", False),
        (("unchanged",), "", True, "ran", False),
    ],
)
def test_a_later_copy_corrects_the_record(
    tmp_path: Path, states: tuple[str, ...], error: str, later: bool, state: str, keeps_record: bool
) -> None:
    copy = tmp_path / COPY
    copy.parent.mkdir(parents=True)
    copy.write_text("{}")
    when = datetime.fromisoformat(ENDED).timestamp() + LATER_SECONDS * (2 if later else 0.5)
    os.utime(copy, (when, when))
    found = row(tmp_path, run(*states), {COPY: Note("", "a", "A", error)})
    assert (found.state, found.last is not None) == (state, keeps_record)


# Tables and charts -------------------------------------------------------------------------------


def moments(*values: float | None) -> list[Moment]:
    metrics = [{} if v is None else {"m.json": {"score": v}} for v in values]
    return [Moment(ENDED, found, f"{n:07}") for n, found in enumerate(metrics)]


@pytest.mark.parametrize(
    ("history", "now", "before"),
    [
        ((), 1.0, None),
        ((1.0,), 1.0, None),
        ((1.0, 2.0, 3.0), 3.0, 2.0),
        ((1.0, None, 3.0), 3.0, 1.0),
        ((NAN,), NAN, None),
        ((1.0, NAN), NAN, 1.0),
        ((NAN,), 1.0, NAN),
    ],
)
def test_a_metric_is_set_beside_what_it_was_before_it_changed(
    history: tuple[float | None, ...], now: float, before: float | None
) -> None:
    stages = [Stage("a", COMMAND, metrics=("m.json",))]
    (table,) = tables.metrics_tables(stages, {"m.json": {"score": now}}, moments(*history))
    assert repr(table.rows) == repr([("score", now, before)])
    assert (table.stage, table.changed) == ("a", before is not None)


def test_only_numbers_that_change_are_drawn() -> None:
    assert tables.metrics_over_time(moments(1.0, 1.0)) == []
    assert tables.metrics_over_time(moments(1.0, NAN)) == []
    (series,) = tables.metrics_over_time(moments(1.0, NAN, None, 2.0, float("inf")))
    assert series.points == [(0.0, 1.0), (3.0, 2.0)]
    assert series.titles[1].startswith("2, commit of 1 Jan 2026, 10:00 UTC, 0000003")
    drawn = charts.line_chart(
        {"score": series.points}, label="score", dots=series.titles, size=SIZE
    )
    assert "nan" not in drawn and "inf" not in drawn
    assert charts.line_chart({}, label="none", size=SIZE) == ""


def test_a_curve_leaves_out_what_is_no_number() -> None:
    rows = [
        {"x": "0", "y": "1"},
        {"x": "nan", "y": "2"},
        {"x": "1", "y": "inf"},
        {"x": "2", "y": "4"},
    ]
    assert tables.curves(rows, {"x": "x", "y": "y"}) == {"y": [(0.0, 1.0), (2.0, 4.0)]}
    by_name = [{"m": name, "x": 1, "y": 2} for name in "ab"]
    assert tables.curves(by_name, {"x": "x"}) == {"a": [(1.0, 2.0)], "b": [(1.0, 2.0)]}
    many = [{"m": f"m{n}", "x": 1, "y": 2} for n in range(tables.MOST_SERIES + 1)]
    assert tables.curves(many, {"x": "x"}) == {}
    assert len(tables.curves(many[:-1], {"x": "x"})) == tables.MOST_SERIES
    assert tables.curves(rows, {"y": "z"}) == {}
    uneven = [{"x": 0, "y": 1}, {"x": 1}, {"y": 2}, {"x": 10**400, "y": 1}]
    assert tables.curves(uneven, {"x": "x", "y": "y"}) == {"y": [(0.0, 1.0)]}
    long = [{"x": n, "y": n} for n in range(3 * tables.MOST_POINTS)]
    (points,) = tables.curves(long, {"x": "x", "y": "y"}).values()
    assert len(points) <= tables.MOST_POINTS
    assert points[0] == (0.0, 0.0)


def test_a_line_of_one_value_has_room_above_and_below() -> None:
    drawn = charts.line_chart({"a": [(0.0, 5.0), (1.0, 5.0)]}, label="a", size=SIZE)
    (points,) = re.findall(r'points="([^"]+)"', drawn)
    heights = {float(point.partition(",")[2]) for point in points.split()}
    assert len(heights) == 1
    assert 10 < heights.pop() < 134
    assert ">4.5<" in drawn and ">5.5<" in drawn


def test_tables_are_read_from_csv_and_json(tmp_path: Path) -> None:
    rows = [{"a": "1", "b": "2"}]
    (tmp_path / "t.csv").write_text("\ufeffa,b\n1,2\n", encoding="utf-8")
    (tmp_path / "t.tsv").write_text("a\tb\n1\t2\n")
    (tmp_path / "t.json").write_text(json.dumps({"other": 1, "rows": rows}))
    assert [tables.read_table(tmp_path / f"t.{end}") for end in ("csv", "tsv", "json")] == [
        rows
    ] * 3
    for name, text in (("n.json", "[1]"), ("e.json", "[]"), ("b.json", "{"), ("x.txt", "a")):
        (tmp_path / name).write_text(text)
        assert tables.read_table(tmp_path / name) is None
    (tmp_path / "l.csv").write_bytes(b"a\n" + b"1\n" * (tables.PLOT_BYTES // 2))
    assert tables.read_table(tmp_path / "l.csv") is None
    assert tables.read_table(tmp_path / "none.csv") is None


def test_confusion_counts_pairs() -> None:
    rows = [{"actual": "b", "predicted": p} for p in "abb"] + [{"actual": "a", "predicted": "a"}]
    found = tables.confusion_matrix(rows, {})
    assert found["names"] == ["a", "b"]
    assert found["rows"] == [("a", [1, 0]), ("b", [1, 2])]
    assert found["most"] == 2


def test_the_values_of_a_matrix_differ_in_some_parameters(tmp_path: Path) -> None:
    rows = []
    for value, figures in (("p", ["1.png"]), ("q", ["1.png", "2.png"])):
        parameters = {"model": value, "seed": 1}
        stage = Stage(f"t@{value}", "x", metrics=(f"{value}.json",), parameters=parameters)
        rows.append(Row(stage, note=Note("", value, value, figures=figures)))
    found = tables.matrix_table(
        "t", rows, {"p.json": {"auc": 1.0}, "q.json": {"auc": NAN, "f1": 0.5}}
    )
    assert found.parameters == ["model"]
    assert found.columns == ["auc", "f1"]
    assert [each.value for each in found.rows] == ["p", "q"]
    assert found.gallery == [[("p", "1.png"), ("q", "1.png")], [("q", "2.png")]]


def test_a_pipeline_without_stages_is_an_empty_picture() -> None:
    assert charts.layers({}) == []
    assert charts.layers({"b": {"a"}, "a": set(), "c": {"b", "a"}}) == [["a"], ["b"], ["c"]]
    assert charts.layers({"a": {"b"}, "b": {"a"}}) == [["a"], ["b"]]  # a circle is shown as well


def test_charts_hold_any_number_of_lines_any_text_and_zeros() -> None:
    flat = [(0.0, 0.0), (1.0, 0.0)]
    series = {str(n): flat for n in range(charts.COLORS + 1)}
    drawn = charts.line_chart(series, label='<"&>', x_title="<x>", size=SIZE)
    assert ">-1<" in drawn and ">1<" in drawn
    assert drawn.count('class="c0"') == 2
    assert f'class="c{charts.COLORS}"' not in drawn
    picture = charts.stage_graph([charts.Node("<a&b>", "<s>", "", '"#')], {})
    for text in (drawn, picture):
        assert ElementTree.fromstring(text).tag == "svg"
