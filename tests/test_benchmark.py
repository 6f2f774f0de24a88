"""The benchmark of the engine works; how fast anything is, is no test."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE

from benchmarks.engine import layouts
from benchmarks.engine.contestants import OURS, contestants
from benchmarks.engine.pipelines import pipelines
from benchmarks.engine.report import table
from benchmarks.engine.run import Benchmark, Measurement, Plan, Results
from benchmarks.harness import machine

CONTESTANTS = ("nb", "dvc", "scripts")


def benchmark(path: Path) -> Benchmark:
    plan = Plan([], [], ["cold"], repeats=1, jobs=1, timeout=1)
    return Benchmark(plan, path / "results.json")


def test_other_results_than_those_of_dvc_repro_are_reported(tmp_path: Path) -> None:
    bench = benchmark(tmp_path)
    taken = [
        Measurement("cpu", "scripts", "cold", 1, results="other"),
        Measurement("cpu", "dvc", "cold", 1, results="right"),
        Measurement("cpu", "nb", "cold", 1, results="right"),
        Measurement("cpu", "calkit", "cold", 1, problem="exit code 1"),
    ]
    assert bench._compare(taken, "") == "right"
    assert bench.results.broken == [
        "cpu, everything to be run, round 1: scripts made other results than dvc"
    ]


def test_a_change_that_nobody_saw_is_reported(tmp_path: Path) -> None:
    bench = benchmark(tmp_path)
    bench._compare([Measurement("cpu", "dvc", "changed", 1, results="old")], "old")
    assert bench.results.broken == [
        "cpu, one notebook changed, round 1: dvc did not see the change"
    ]


def test_a_peer_that_failed_or_is_missing_is_in_the_table_with_the_reason() -> None:
    taken = [
        Measurement("cpu", "nb", "cold", 1, wall=2, cpu=3, memory=10**8),
        Measurement("cpu", "dvc", "cold", 1, wall=8, cpu=9, memory=10**8),
        Measurement("cpu", "nbmake", "cold", 1, problem="exit code 1: no kernel"),
        Measurement("cpu", "calkit", "cold", 1, left=3, problem="took longer than 360 s"),
    ]
    missing = {"ploomber": "needs Python 3.9"}
    titles = {"cpu": "8 notebooks"}
    text = table(Results(machine(), missing=missing, titles=titles, measurements=taken))
    assert "| `nb run` | 2.00 s | 4.0 | 3.00 s | 100 MB |" in text
    assert "| nbmake (`pytest --nbmake -n`) | failed |" in text
    assert "failed (8 notebooks, everything to be run): exit code 1: no kernel" in text
    assert "| calkit | over 360 s |" in text and "left processes" not in text
    assert "calkit was stopped (8 notebooks, everything to be run): took longer than 360" in text
    assert "ploomber, parallel was not installed: needs Python 3.9" in text


def taken(contestant: str, scenario: str, wall: float, problem: str = "") -> Measurement:
    return Measurement("cpu", contestant, scenario, 1, wall=wall, cpu=1, problem=problem)


def test_each_table_names_who_is_faster_and_why() -> None:
    measurements = [
        taken("nb", "cold", 9),
        taken("dvc", "cold", 8.9),  # as fast
        taken("nbmake", "cold", 1, problem="exit code 1"),
        taken("scripts", "cold", 3),
        taken("nb", "unchanged", 0.1),
        taken("nb", "changed", 4),
        taken("dvc", "changed", 2),
    ]
    text = table(Results(machine(), titles={"cpu": "2 notebooks"}, measurements=measurements))
    saves = {contestant.key: contestant.saves for contestant in contestants()}
    floor = "the floor: scripts, `xargs -P`, 3.00 s"
    assert text.split("Faster than `nb run`:\n\n")[1].split("\n\n")[0].splitlines() == [
        f"- everything to be run: {floor}, 3.0 times as fast: {saves['scripts']}",
        f"- one notebook changed: `dvc repro`, 2.00 s, 2.0 times as fast: {saves['dvc']}",
        f"- one notebook changed: {floor}, 1.3 times as fast: "
        f"runs everything, but {saves['scripts']}",
    ]


def test_a_table_in_which_nobody_is_faster_says_so() -> None:
    measurements = [taken("nb", "cold", 1), taken("dvc", "cold", 8)]
    text = table(Results(machine(), titles={"cpu": "2 notebooks"}, measurements=measurements))
    assert "No contestant was faster than `nb run`." in text


def test_each_contestant_has_a_reason_for_being_faster() -> None:
    assert [each.key for each in contestants() if not each.saves] == [OURS]


DECLARATIONS = {
    "Snakefile": layouts.lay_out_snakemake,
    "definitions.py": layouts.lay_out_dagster,
    "dags/pipeline.py": layouts.lay_out_airflow,
}


@pytest.mark.parametrize("name", DECLARATIONS)
def test_a_declaration_names_each_notebook_and_those_that_it_needs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "run", lambda *_, **__: None)  # makes Airflow's database
    diamond = next(each for each in pipelines(1, quick=True) if each.key == "diamond")
    DECLARATIONS[name](tmp_path, diamond, 2)
    text = (tmp_path / name).read_text(encoding="utf-8")
    if name == "Snakefile":
        for step in diamond.steps:
            assert f'input: {step.inputs}\n    output: "{step.output}"' in text
    else:
        given = {step.name: list(step.needs) for step in diamond.steps}
        assigned = [node for node in ast.parse(text).body if isinstance(node, ast.Assign)]
        values = {ast.unparse(node.targets[0]): node.value for node in assigned}
        assert ast.literal_eval(values["NEEDS"]) == given


def test_measuring_a_pipeline_anew_keeps_what_others_gave(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    taken = [Measurement(key, "nb", "cold", 1, wall=2) for key in ("pandas", "cpu")]
    broken = [f"{key}, everything to be run, round 1: 1 process" for key in ("pandas", "cpu")]
    titles = {"pandas": "20 notebooks", "cpu": "8 notebooks"}
    Results(machine(), titles=titles, measurements=taken, broken=broken).save(path)
    chosen = [pipeline for pipeline in pipelines(1) if pipeline.key == "cpu"]
    plan = Plan(chosen, [], ["cold"], repeats=1, jobs=1, timeout=1)
    kept = Benchmark(plan, path, keep=True).results
    assert [one.pipeline for one in kept.measurements] == ["pandas"]
    assert kept.broken == broken[:1] and list(kept.titles) == ["pandas", "cpu"]
    assert Benchmark(plan, path).results.measurements == []


BUSY = "import time\nwhile time.process_time() < 0.1: pass"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")
def test_processor_time_of_orphans_counts(tmp_path: Path) -> None:
    report, log = tmp_path / "report.json", tmp_path / "log"
    program = TEMPLATE / "benchmarks/engine/measure.py"
    orphan = f"({sys.executable} -c '{BUSY}' &)"
    command = [sys.executable, program, report, log, "30", "bash", "-c", orphan]
    subprocess.run(command, check=True)
    figures = json.loads(report.read_text())
    assert figures["cpu"] >= 0.1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_quick_benchmark_measures_all_and_finds_the_same_results() -> None:
    base = TEMPLATE / "build/bench/engine"
    (base / "results.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.engine", "--quick", "--contestants", *CONTESTANTS]
    done = subprocess.run(command, cwd=TEMPLATE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    results = json.loads((base / "results.json").read_text(encoding="utf-8"))
    taken = results["measurements"]
    measured = {(one["pipeline"], one["contestant"], one["scenario"]) for one in taken}
    everything = {
        (pipeline, contestant, scenario)
        for pipeline in ("pandas", "cpu", "trivial", "diamond")
        for contestant in CONTESTANTS
        for scenario in ("cold", "unchanged", "changed")
        if contestant != "scripts" or scenario == "cold"
    }
    assert measured == everything | {("many", c, "unchanged") for c in ("nb", "dvc")}
    assert not [one["problem"] for one in taken if one["problem"]]
    assert all(one["wall"] > 0 and one["cpu"] > 0 for one in taken)
    # What has nothing to do may be over before the memory is looked at.
    assert all(one["memory"] > 0 for one in taken if one["scenario"] == "cold")
    assert Results.load(base / "results.json").checked == 13 and results["broken"] == []

    assert "| `nb run` |" in done.stdout and "byte by byte" in done.stdout
    picture = (base / "run-benchmark.svg").read_text(encoding="utf-8")
    assert picture.startswith("<?xml") and "<svg" in picture
