"""The benchmark of the engine works; how fast anything is, is no test."""

import json
import os
import subprocess
import sys

import pytest
from conftest import TEMPLATE

CONTESTANTS = ("nb", "dvc", "scripts")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_quick_benchmark_measures_all_and_finds_the_same_results() -> None:
    base = TEMPLATE / "build/bench/engine"
    (base / "results.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.engine", "--quick", "--contestants", *CONTESTANTS]
    done = subprocess.run(
        command, cwd=TEMPLATE, env=os.environ, capture_output=True, text=True, check=False
    )
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
    # A run of `nb run` with nothing to do may be over before the memory is looked at.
    assert all(one["memory"] > 0 for one in taken if one["scenario"] == "cold")
    assert results["checked"] == 13 and results["broken"] == []

    assert "| `nb run` |" in done.stdout and "byte by byte" in done.stdout
    picture = (base / "run-benchmark.svg").read_text(encoding="utf-8")
    assert picture.startswith("<?xml") and "<svg" in picture
