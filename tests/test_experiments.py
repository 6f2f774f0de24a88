"""`nb experiment`: many parameter values in one schedule; nothing of the project changes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import Project
from nb.run.copy_notes import locked_copies, valid_note
from test_faults import Processes
from test_run import Pipeline, pipeline, wait

__all__ = ["pipeline"]  # a fixture

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stages run one by one there")
KILLS = int(os.environ.get("FAULT_RUNS", "2"))
# The moments of kills lie between nothing and so many seconds after the start.
SECONDS = float(os.environ.get("FAULT_SECONDS", "8"))
SIGNALS = [signal.SIGINT, signal.SIGTERM, *[signal.SIGKILL] * 3]
# Appends a line to a file outside the project copies, so that executions can be counted.
COUNT = "open({log!r}, 'a').write('{name}\\n')"
EXAMPLE = ("train.folds=2,3", "evaluate.min_recall=0.95,0.99")


def write_notebook(path: Path, *cells: str) -> None:
    """Write a production notebook with one parameter, `value`."""
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    parameters = nbformat.v4.new_code_cell("value: int = 1", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "language": "python", "display_name": ""}}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[parameters, *made], metadata=kernel), path)


def declare(pipeline: Pipeline, log: Path, seconds: float = 0) -> None:
    """Declare three notebooks in a row, each with a parameter of its own."""
    stages: dict[str, dict[str, Any]] = {}
    before: list[str] = []
    for name in ("first", "second", "third"):
        path = f"notebooks/production/{name}.ipynb"
        read = f"text = open({before[0]!r}).read()" if before else "text = ''"
        wait_a_little = f"import time; time.sleep({seconds})"
        write = f"open('{name}.txt', 'w').write(f'{{text}}{name}={{value}} ')"
        number = f"import json; json.dump({{'value': value}}, open('{name}.json', 'w'))"
        tell_values = f"open('{values_log(log)}', 'a').write(f'{{text}}{name}={{value}}\\n')"
        cells = [COUNT.format(log=str(log), name=name), read, tell_values]
        cells += [wait_a_little, write, number]
        write_notebook(pipeline.path / path, *cells)
        (pipeline.path / "config").mkdir(exist_ok=True)
        (pipeline.path / "reports" / "notebooks").mkdir(parents=True, exist_ok=True)
        pipeline.write(f"config/{name}.yaml", f"# The value of {name}.\nvalue: 1\n")
        stages[name] = {
            "cmd": f"papermill {path} reports/notebooks/{name}.ipynb --engine nb -k python3"
            f" -f config/{name}.yaml",
            "deps": [path, *before],
            "params": [{f"config/{name}.yaml": None}],
            "outs": [f"{name}.txt"],
            "metrics": [{f"{name}.json": {"cache": False}}],
        }
        before = [f"{name}.txt"]
    pipeline.declare(**stages)


def table(project: Project, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.run("nb", "experiments", "--json", *arguments))
    return found


def files(root: Path) -> dict[str, str]:
    """Return the hash of each file of a project that is nobody's machinery."""
    found = {}
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        machinery = (".nb/", ".venv", ".dvc/tmp", ".dvc/cache", ".git/", "reports/site/")
        if path.is_file() and not name.startswith(machinery):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def executions(log: Path) -> Counter[str]:
    """Return how often each notebook, or with the log of values each variant, was executed."""
    return Counter(log.read_text().splitlines()) if log.exists() else Counter()


def values_log(log: Path) -> Path:
    """Return the log of the values that each execution of a notebook had."""
    return log.with_name("values")


def test_stages_that_variants_have_in_common_run_once(pipeline: Pipeline, tmp_path: Path) -> None:
    log = tmp_path / "log"
    declare(pipeline, log)
    before = files(pipeline.path)
    command = ("nb", "experiment", "third.value=1,2,3", "second.value=5:6:1")
    assert "won't be created" not in pipeline.run(*command), "DVC warns of outputs yet to be made"
    assert executions(log) == {"first": 1, "second": 2, "third": 6}
    assert files(pipeline.path).keys() - {"dvc.lock"} == before.keys() - {"dvc.lock"}
    assert {k: v for k, v in files(pipeline.path).items() if k in before} == before
    assert not pipeline.has("dvc.lock")
    rows = table(pipeline)
    assert [row["state"] for row in rows] == ["done"] * 6
    assert [row["metrics"]["third.value"] for row in rows] == [1, 1, 2, 2, 3, 3]

    pipeline.run(*command)
    assert executions(log) == {"first": 1, "second": 2, "third": 6}, "nothing is missing"
    pipeline.run("nb", "experiment", "third.value=3,4", "second.value=5")
    assert executions(log) == {"first": 1, "second": 2, "third": 7}, "only 4 with 5 is new"
    assert [row["number"] for row in table(pipeline)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_variant_is_byte_for_byte_that_of_set(pipeline: Pipeline, tmp_path: Path) -> None:
    declare(pipeline, tmp_path / "log")
    pipeline.run("nb", "experiment", "third.value=2,3", "first.value=7,8")
    pipeline.run("nb", "run", "--set", "third.value=3", "--set", "first.value=8")
    (alone,) = (pipeline.path / ".nb" / "what-if").iterdir()
    (number,) = [
        row["number"]
        for row in table(pipeline)
        if row["parameters"] == row["parameters"] | {"third.value": 3, "first.value": 8}
    ]
    ours, theirs = files(pipeline.path / f".nb/experiments/{number}/project"), files(alone)
    for name in ("dvc.lock", "first.txt", "second.txt", "third.txt", "third.json"):
        assert ours[name] == theirs[name], name


def test_a_stage_that_is_restored_has_the_executed_copy_of_the_same_result(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Equal inputs of the second stage: DVC's run cache has the outputs, and no executed copy."""
    declare(pipeline, tmp_path / "log")
    equal = ("open('first.txt', 'w').write('x')", "open('first.json', 'w').write('{}')")
    write_notebook(pipeline.path / "notebooks/production/first.ipynb", *equal)
    pipeline.run("nb", "run")
    pipeline.run("nb", "experiment", "first.value=2,3", "second.value=7", "-j1")
    kept, restored = (pipeline.path / f".nb/experiments/{number}" for number in (1, 2))
    states = {
        s["name"]: s["state"] for s in json.loads((restored / "variant.json").read_text())["stages"]
    }
    assert states == {"first": "ran", "second": "restored", "third": "restored"}
    for name in ("second", "third"):
        path = f"project/reports/notebooks/{name}.ipynb"
        assert (restored / path).read_bytes() == (kept / path).read_bytes()
    assert "value = 7" in (restored / "project/reports/notebooks/second.ipynb").read_text()


def test_all_mistakes_are_named_before_anything_runs(pipeline: Pipeline, tmp_path: Path) -> None:
    declare(pipeline, tmp_path / "log")
    said = pipeline.run(
        *("nb", "experiment", "third.valu=1", "nobody.x=2", "first.value=many"), code=2
    )
    lines = [line for line in said.splitlines() if line.startswith("nb: ")]
    assert len(lines) == 3
    for word in ("third", "nobody", "first"):
        assert any(word in line for line in lines), said
    assert not executions(tmp_path / "log")
    assert "Traceback" not in said


def test_a_variant_that_fails_is_a_row_and_ends_no_other(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    declare(pipeline, tmp_path / "log")
    write_notebook(
        pipeline.path / "notebooks/production/second.ipynb",
        "assert value != 2, 'two is bad'",
        "open('second.txt', 'w').write(str(value))",
        "open('second.json', 'w').write('{}')",
    )
    said = pipeline.run("nb", "experiment", "second.value=1,2,3", code=1)
    rows = {row["parameters"]["second.value"]: row for row in table(pipeline)}
    assert {value: row["state"] for value, row in rows.items()} == {
        1: "done",
        2: "failed",
        3: "done",
    }
    assert "two is bad" in rows[2]["cause"]
    assert "nb experiments show 2" in said
    pipeline.run("nb", "experiments", "show", "2")


def test_a_notebook_that_writes_to_its_input_harms_no_cache(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Root can write to files that DVC has protected; others get an error from the notebook."""
    declare(pipeline, tmp_path / "log")
    pipeline.run("nb", "run")
    spoil = "open('first.txt', 'r+').write('spoilt')"
    write = "open('second.txt', 'w').write('x'); open('second.json', 'w').write('{}')"
    write_notebook(pipeline.path / "notebooks/production/second.ipynb", spoil, write)
    pipeline.run("nb", "experiment", "second.value=1,2", code=None)
    objects = [p for p in (pipeline.path / ".dvc/cache/files").rglob("*") if p.is_file()]
    for path in objects:
        content = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        assert path.parent.name + path.name == content
    assert len(objects) >= 3
    assert (pipeline.path / "first.txt").read_text() == "first=1 "


@pytest.mark.parametrize("size", [20, 10_000_001], ids=["copied", "brought by DVC"])
def test_variants_take_results_as_they_were_computed(
    pipeline: Pipeline, tmp_path: Path, size: int
) -> None:
    """A stage that spoils the input in its own copy, which root can, spoils that of no other."""
    declare(pipeline, tmp_path / "log")
    write = f"open('first.txt', 'w').write('x' * {size}); open('first.json', 'w').write('{{}}')"
    write_notebook(pipeline.path / "notebooks/production/first.ipynb", write)
    read = "text = open('first.txt').read()\nopen('first.txt', 'r+').write('spoilt')"
    write = "open('second.txt', 'w').write(text[:9]); open('second.json', 'w').write('{}')"
    write_notebook(pipeline.path / "notebooks/production/second.ipynb", read, write)
    pipeline.run("nb", "experiment", "second.value=1,2,3,4", "-j1", code=None)
    places = [pipeline.path / f".nb/experiments/{number}" for number in (1, 2, 3, 4)]
    for place in places:
        stages = json.loads((place / "variant.json").read_text())["stages"]
        own = "ran" if place == places[0] else "restored"
        assert (stages[0]["name"], stages[0]["state"]) == ("first", own)
        assert (place / "project/second.txt").read_text() == "x" * 9
        copy = place / "project/reports/notebooks/first.ipynb"
        assert copy.read_bytes() == (places[0] / copy.relative_to(place)).read_bytes()
    kept = [path.name for path in (pipeline.path / ".nb/experiments/snapshots").iterdir()]
    assert not [name for name in kept if name.startswith("results")]


def test_a_variant_without_other_values_is_the_project_itself(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    declare(pipeline, log)
    (pipeline.path / "experiments").mkdir()
    pipeline.write("experiments/base.yaml", "variants: {base: {}, high: {third.value: 9}}\n")
    command = ("nb", "experiment", "--file", "experiments/base.yaml")
    for _ in range(2):
        pipeline.run("nb", "run")
        said = pipeline.run(*command)
        rows = {row["name"]: row for row in table(pipeline)}
        assert {name: row["state"] for name, row in rows.items()} == {
            "base": "done",
            "high": "done",
        }
        assert rows["base"]["metrics"]["third.value"] == 1
        assert rows["base"]["changes"]["third.value"] == 0
    assert "2 variants had been run before" in said
    assert executions(log) == {"first": 1, "second": 1, "third": 2}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(600 + 60 * KILLS)
def test_killed_at_any_moment_the_same_command_completes_the_table(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """Any process of the run is killed and then the runner, again and again."""
    declare(pipeline, tmp_path / "log", seconds=0.2)
    log = values_log(tmp_path / "log")
    before = files(pipeline.path)
    chance = random.Random(os.environ.get("FAULT_SEED", "1"))
    expected: set[str] = set()
    for number in range(KILLS):
        done = finished(pipeline)
        if done == expected:  # go on with others: DVC's cache has the results of these
            values = range(10 * number, 10 * number + 6)
            command = ("nb", "experiment", f"third.value={values[0]}:{values[-1]}:1", "-j2")
            command = (*command, "first.value=1,2")
            expected |= {f"first={a} second=1 third={b}" for a in (1, 2) for b in values}
        counted = executions(log)
        process = pipeline.begin(*command)
        time.sleep(chance.uniform(0.2, SECONDS))
        for victim in (chance.choice(list(pipeline.processes()) or [process.pid]), process.pid):
            with suppress(ProcessLookupError):  # as may be, the process has ended meanwhile
                os.kill(victim, chance.choice(SIGNALS))
            time.sleep(chance.uniform(0, 1))
        process.communicate(timeout=120)
        pipeline.is_gone()
        assert not done & (executions(log) - counted).keys(), f"{number}: run again after its end"
        after = files(pipeline.path)
        assert {name: after.get(name) for name in before} == before, number
    done, counted = finished(pipeline), executions(log)
    pipeline.run(*command)
    again = executions(log) - counted
    assert not again.keys() & done
    assert all(count == 1 for count in again.values())
    assert finished(pipeline) == expected
    after = files(pipeline.path)
    assert {name: after.get(name) for name in before} == before
    assert not pipeline.has("dvc.lock")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.timeout(600 + 120 * KILLS)
def test_the_example_s_experiment_is_completed_after_a_kill_at_any_moment(
    project: Project, tmp_path: Path
) -> None:
    """Moments are spread evenly over the life of the experiment, as a whole run has shown it."""
    log = tmp_path / "log"
    pipeline = Pipeline(project.path, mark=f"{os.getpid()}-{time.monotonic_ns()}")
    tell_the_end_of_notebooks(pipeline, log)
    forget_results(pipeline)
    before, seconds = files(pipeline.path), -time.monotonic()
    pipeline.run("nb", "experiment", *EXAMPLE)
    seconds += time.monotonic()
    expected = results(pipeline)
    assert len(expected) == 4
    chance = random.Random(os.environ.get("FAULT_SEED", "1"))
    moments = [seconds * (0.02 + 0.93 * (n + chance.random()) / KILLS) for n in range(KILLS)]
    chance.shuffle(moments)
    interrupted = 0
    for number, moment in enumerate(moments):
        forget_results(pipeline)
        log.unlink(missing_ok=True)
        process = pipeline.begin("nb", "experiment", *EXAMPLE)
        kind, sent = VICTIMS[number % len(VICTIMS)]
        time.sleep(moment)
        kind, victim = find_victim(pipeline, process, kind)
        with suppress(ProcessLookupError):  # the run may have ended in the meantime
            os.kill(victim, sent)
        output, _ = process.communicate(timeout=300)
        case = f"kill {number}: {sent.name} of the {kind} after {moment:.1f} of {seconds:.1f} s"
        pipeline.is_gone()
        assert "Traceback" not in output, f"{case}\n{output}"
        if kind == "runner":
            assert process.returncode in (0, *EXIT_CODES[sent]), f"{case}\n{output}"
        done, first = results(pipeline), executions(log)
        interrupted += len(done) < 4
        print(f"{case}: exit code {process.returncode}, {len(done)} of 4 done", flush=True)
        pipeline.run("nb", "experiment", *EXAMPLE)
        assert results(pipeline) == expected, case
        again = executions(log)
        for variant in done:
            assert of_variant(again, variant) == of_variant(first, variant), f"{case}: {variant}"
        after = files(pipeline.path)
        assert {name: after.get(name) for name in before} == before, case
    assert interrupted >= KILLS // 2, "most kills came too late"


VICTIMS = [
    (kind, number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    for kind in ("runner", "worker", "kernel", "runner")
]
# SIGTERM has no handler before the first stage starts; a shell shows 143 for that as well.
EXIT_CODES = {signal.SIGINT: (130,), signal.SIGTERM: (143, -15), signal.SIGKILL: (-9,)}


def tell_the_end_of_notebooks(project: Project, log: Path) -> None:
    """Have each production notebook tell of its end, with the folder that it works in."""
    for path in sorted((project.path / "notebooks" / "production").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        line = f"os.getcwd() + ' {path.stem}-' + globals().get('model', '') + '\\n'"
        tell = f"import os; open({str(log)!r}, 'a').write({line})"
        notebook.cells.append(nbformat.v4.new_code_cell(tell))
        nbformat.write(notebook, path)


def find_victim(pipeline: Pipeline, process: subprocess.Popen[str], kind: str) -> tuple[str, int]:
    """Return a process of a kind; the runner if there is none of that kind for two seconds."""
    end = time.monotonic() + 2
    while kind != "runner" and process.poll() is None and time.monotonic() < end:
        found = Processes(pipeline, process.pid).find(kind)
        if found:
            return kind, found
    return "runner", process.pid


def forget_results(project: Project) -> None:
    """Remove the variants, and the memory of DVC that they have been computed."""
    for folder in (".nb/experiments", ".dvc/cache/runs"):
        shutil.rmtree(project.path / folder, ignore_errors=True)


def of_variant(counted: Counter[str], number: int) -> dict[str, int]:
    """Return what the log has of a variant."""
    folder = f"/.nb/experiments/{number}/project "
    return {line: count for line, count in counted.items() if folder in line}


def results(project: Project) -> dict[int, dict[str, str]]:
    """Return the hashes of the finished variants' results, by number."""
    found = {}
    for row in table(project):
        if row["state"] == "done":
            copy = project.path / f".nb/experiments/{row['number']}/project"
            found[row["number"]] = {
                name: hashlib.sha256((copy / name).read_bytes()).hexdigest()
                for name in ("dvc.lock", "reports/metrics/evaluate.json", "models/forest.joblib")
            }
    return found


def finished(pipeline: Pipeline) -> set[str]:
    """Return the finished variants as the log of values names them; their results are right."""
    found: set[str] = set()
    for row in table(pipeline):
        if row["state"] != "done":
            continue
        folder = pipeline.path / f".nb/experiments/{row['number']}/project"
        values = {"first": 1, "second": 1} | {
            name.partition(".")[0]: value for name, value in row["parameters"].items()
        }
        text = (folder / "third.txt").read_text()
        assert text.split() == [f"{name}={values[name]}" for name in ("first", "second", "third")]
        assert row["metrics"]["third.value"] == values["third"]
        found.add(text.strip())
    return found


def test_a_scheduler_starts_a_file_without_any_environment(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    declare(pipeline, tmp_path / "log")
    (pipeline.path / "experiments").mkdir()
    pipeline.write("experiments/two.yaml", "grid: {third.value: [1, 2]}\n")
    command = f"cd '{pipeline.path}' && .venv/bin/nb experiment --file experiments/two.yaml --json"
    done = subprocess.run(
        ["env", "-i", f"HOME={tmp_path}", "/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [row["metrics"]["third.value"] for row in json.loads(done.stdout)] == [1, 2]


def test_two_at_once_wait_for_each_other(pipeline: Pipeline, tmp_path: Path) -> None:
    log = tmp_path / "log"
    declare(pipeline, log)
    go = tmp_path / "go"
    wait_for_go = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)"
    write = "open('first.txt', 'w').write('x'); open('first.json', 'w').write('{}')"
    count = COUNT.format(log=str(log), name="first")
    write_notebook(pipeline.path / "notebooks/production/first.ipynb", count, wait_for_go, write)
    first = pipeline.begin("nb", "experiment", "third.value=1,2")
    wait(lambda: bool(executions(log)), 60, "nothing ran")
    refused = pipeline.run("nb", "experiment", "third.valu=2", code=2)
    assert "waiting for another" not in refused
    second = pipeline.begin("nb", "experiment", "third.value=2,3")
    assert second.stdout
    assert any("waiting for another" in line for line in second.stdout)
    go.touch()
    for run in (first, second):
        run.communicate(timeout=60)
    assert executions(log) == {"first": 1, "second": 1, "third": 3}
    assert [row["state"] for row in table(pipeline)] == ["done"] * 3


def test_the_table_is_sorted_filtered_exported_and_emptied(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    declare(pipeline, tmp_path / "log")
    assert "no experiment yet" in pipeline.run("nb", "experiments")
    pipeline.run("nb", "experiment", "third.value=1,2,3")
    rows = table(pipeline, "--sort", "-number", "--filter", "number>1")
    assert [row["number"] for row in rows] == [3, 2]
    lines = pipeline.run("nb", "experiments", "--csv").splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("number,experiment,name,")
    best = table(pipeline, "--best", "max:third.value")
    assert [row["number"] for row in best if row["best"]] == [3]
    assert "no variant 9" in pipeline.run("nb", "experiments", "show", "9", code=2)
    pipeline.run("nb", "experiments", "remove", "2")
    assert [row["number"] for row in table(pipeline)] == [1, 3]
    pipeline.run("nb", "experiments", "remove", "--older-than", "1d")
    assert len(table(pipeline)) == 2
    pipeline.run("nb", "experiments", "remove", "--all")
    assert table(pipeline) == []
    assert not list((pipeline.path / ".nb/experiments/snapshots").iterdir())


def test_apply_makes_a_variant_the_project_s_own(project: Project) -> None:
    forget_results(project)  # of other tests
    project.run("nb", "experiment", "train.folds=2,3")
    (number,) = [r["number"] for r in table(project) if r["parameters"]["train.folds"] == 2]
    assert [row["best"] for row in table(project)].count(True) == 1, "dvc.yaml names the metric"

    before = project.git("status", "--porcelain")
    assert "Saved few" in project.run("nb", "experiments", "save", str(number), "few")
    assert "already" in project.run("nb", "experiments", "save", str(number), "few", code=1)
    project.run("nb", "experiments", "save", str(number), "../main", code=2)
    assert project.git("status", "--porcelain") == before
    shown = json.loads(project.run("dvc", "exp", "show", "--json"))
    (saved,) = [each for rev in shown for each in rev["experiments"] or ()]
    assert saved["name"] == "few"
    data = saved["revs"][0]["data"]
    assert data["params"]["config/30-train.yaml"]["data"]["folds"] == 2
    metrics = data["metrics"]["reports/metrics/evaluate.json"]["data"]
    (row,) = [row for row in table(project) if row["number"] == number]
    assert metrics["test"]["roc_auc"] == row["metrics"]["evaluate.test.roc_auc"]

    project.edit("config/30-train.yaml", "seed: 42", "seed: 42  # mine")
    said = project.run("nb", "experiments", "apply", str(number), code=1)
    assert "config/30-train.yaml: changed since the last commit" in said
    project.git("checkout", "--", "config/30-train.yaml")
    project.run("nb", "experiments", "apply", str(number))
    config = project.read("config/30-train.yaml")
    assert "folds: 2" in config
    assert "# Number of parts of the training table" in config
    for _, path, key in locked_copies(project.path):
        assert valid_note(project.path, path, key), f"nb push would not send {path}"
    assert "Nothing to run" in project.run("nb", "run")
    assert "up to date" in project.run("dvc", "status")
