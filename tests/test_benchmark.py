"""The benchmark of the engine works; how fast anything is, is no test."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE

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


BUSY = "import time\nwhile time.process_time() < 0.5: pass"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")
def test_processor_time_of_orphans_counts(tmp_path: Path) -> None:
    report, log = tmp_path / "report.json", tmp_path / "log"
    program = TEMPLATE / "benchmarks/engine/measure.py"
    orphan = f"({sys.executable} -c '{BUSY}' &)"
    command = [sys.executable, program, report, log, "30", "bash", "-c", orphan]
    subprocess.run(command, check=True)
    figures = json.loads(report.read_text())
    assert figures["cpu"] >= 0.5 and figures["wall"] < 0.5


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
