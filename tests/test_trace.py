"""Tracing sees each way of reading and writing a file, and stages are held to their contracts."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from nb.tracing import footprint, inotify, log, strace, trace

from tests.conftest import Project

PREPARE = """
import numpy, os, sqlite3, joblib, h5py, pandas
pandas.DataFrame({"x": [1, 2]}).to_csv("in/pandas.csv", index=False)
for name in ("open", "pathlib", "os.open", "mmap", "cat", "copy"):
    open(f"in/{name}", "w").write("text")
pandas.DataFrame({"x": [1, 2]}).to_parquet("in/arrow.parquet")
pandas.DataFrame({"x": [1, 2]}).to_parquet("in/duckdb.parquet")
pandas.DataFrame({"x": [1, 2]}).to_parquet("in/polars.parquet")
joblib.dump([1], "in/joblib")
numpy.save("in/numpy.npy", numpy.zeros(2))
with h5py.File("in/h5py", "w") as file:
    file["x"] = [1]
with sqlite3.connect("in/sqlite") as database:
    database.execute("create table t (x)")
"""
# For each way: how it reads `in/<name>`, and how it writes `out/<name>`.
WAYS = {
    "open": ("open('in/open').read()", "open('out/open', 'w').write('x')"),
    "pathlib": (
        "from pathlib import Path; Path('in/pathlib').read_text()",
        "from pathlib import Path; Path('out/pathlib').write_text('x')",
    ),
    "pandas.csv": (
        "import pandas; pandas.read_csv('in/pandas.csv')",
        "import pandas; pandas.DataFrame({'x': [1]}).to_csv('out/pandas.csv')",
    ),
    "arrow.parquet": (
        "import pyarrow.parquet as pq; pq.read_table('in/arrow.parquet')",
        "import pyarrow as pa, pyarrow.parquet as pq;"
        "pq.write_table(pa.table({'x': [1]}), 'out/arrow.parquet')",
    ),
    "duckdb.parquet": (
        "import duckdb; duckdb.sql(\"select * from 'in/duckdb.parquet'\").fetchall()",
        "import duckdb; duckdb.sql(\"copy (select 1 as x) to 'out/duckdb.parquet'\")",
    ),
    "polars.parquet": (
        "import polars; polars.read_parquet('in/polars.parquet')",
        "import polars; polars.DataFrame({'x': [1]}).write_parquet('out/polars.parquet')",
    ),
    "joblib": (
        "import joblib; joblib.load('in/joblib')",
        "import joblib; joblib.dump([1], 'out/joblib')",
    ),
    "numpy.npy": (
        "import numpy; numpy.load('in/numpy.npy')",
        "import numpy; numpy.save('out/numpy.npy', numpy.zeros(2))",
    ),
    "sqlite": (
        "import sqlite3; sqlite3.connect('in/sqlite').execute('select * from t').fetchall()",
        "import sqlite3\nwith sqlite3.connect('out/sqlite') as d: d.execute('create table t (x)')",
    ),
    "cat": (
        "import subprocess; subprocess.run(['cat', 'in/cat'], capture_output=True)",
        "import subprocess; subprocess.run('echo x > out/cat', shell=True)",
    ),
    "copy": (
        "import shutil, tempfile; shutil.copy('in/copy', tempfile.mkdtemp())",
        "import shutil; shutil.copy('/etc/hosts', 'out/copy')",
    ),
    "os.open": (
        "import os; os.read(os.open('in/os.open', os.O_RDONLY), 9)",
        "import os; os.write(os.open('out/os.open', os.O_WRONLY | os.O_CREAT), b'x')",
    ),
    "mmap": (
        "import mmap\nwith open('in/mmap') as f: mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)",
        "import mmap\nwith open('out/mmap', 'wb+') as f:\n"
        "    f.truncate(4); mmap.mmap(f.fileno(), 4)[:] = b'abcd'",
    ),
    "h5py": (
        "import h5py; h5py.File('in/h5py')['x'][:]",
        "import h5py\nwith h5py.File('out/h5py', 'w') as f: f['x'] = [1]",
    ),
}
VIEWS = [
    pytest.param(
        log.STRACE, marks=pytest.mark.skipif(not strace.strace_is_available(), reason="strace")
    ),
    pytest.param(
        log.EVENTS, marks=pytest.mark.skipif(not inotify.inotify_is_available(), reason="inotify")
    ),
    log.ARGUMENTS,
]


@pytest.fixture(scope="module")
def inputs(
    ready: Project, libraries: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A folder with an input per way of reading."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    project = Project(folder)
    python = f"{ready.path}/.venv/bin/python"
    project.run(python, "-c", PREPARE, PYTHONPATH=str(libraries))
    yield project


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_each_way_of_reading_and_writing_is_seen(
    ready: Project, inputs: Project, libraries: Path, view: str
) -> None:
    for path in (inputs.path / "out").iterdir():
        path.unlink()
    script = "\n".join(line for way in WAYS.values() for line in way)
    python = f"{ready.path}/.venv/bin/python"
    environment = {"PYTHONPATH": str(libraries), "PATH": "/usr/bin:/bin"}
    traced = trace.run_under_trace(
        [python, "-c", script], inputs.path, environment=environment, view=view
    )
    assert traced.code == 0
    assert set(traced.reads) == {f"in/{name}" for name in WAYS}
    assert set(traced.writes) == {f"out/{name}" for name in WAYS}


def test_what_the_hook_cannot_see(inputs: Project, view: str) -> None:
    (inputs.path / "out" / "hidden").unlink(missing_ok=True)
    script = "open('in/open').read(); open('out/hidden', 'w').write('x')"
    traced = trace.run_under_trace([sys.executable, "-I", "-c", script], inputs.path, view=view)
    assert traced.reads == ([] if view == log.ARGUMENTS else ["in/open"])
    assert traced.writes == ["out/hidden"]
    (inputs.path / "out" / "hidden").unlink()


def test_what_a_program_opens_by_itself(inputs: Project, view: str) -> None:
    (inputs.path / "list.txt").write_text("in/open")
    script = "import subprocess; subprocess.run('cat $(cat list.txt) > /dev/null', shell=True)"
    traced = trace.run_under_trace([sys.executable, "-c", script], inputs.path, view=view)
    assert ("in/open" in traced.reads) == (view != log.ARGUMENTS)
    assert bool(traced.unseen) == (view == log.ARGUMENTS)
    (inputs.path / "list.txt").unlink()


def test_what_is_written_first_is_no_input(inputs: Project, view: str) -> None:
    script = "open('in/open', 'w').write('text'); open('in/open').read()"
    traced = trace.run_under_trace([sys.executable, "-c", script], inputs.path, view=view)
    assert traced.writes == ["in/open"]
    assert traced.reads == []


def test_what_comes_and_goes_is_no_output(inputs: Project, view: str) -> None:
    script = "import os; open('out/x', 'w').write('x'); os.remove('out/x')"
    traced = trace.run_under_trace([sys.executable, "-c", script], inputs.path, view=view)
    assert traced.accesses == []


def test_a_copy_may_not_write_to_the_tree_it_was_made_of(inputs: Project, tmp_path: Path) -> None:
    script = f"open('{inputs.path}/in/open', 'w')"
    traced = trace.run_under_trace(
        [sys.executable, "-c", script], tmp_path, forbidden=inputs.path, view=log.ARGUMENTS
    )
    assert traced.code == 1
    assert inputs.read("in/open") == "text"


def test_the_hook_leaves_the_sitecustomize_of_the_environment_alone(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.there = 1")
    command = [sys.executable, "-c", "assert there; import sys; assert 'HOOK' not in globals()"]
    traced = trace.run_under_trace(command, tmp_path, environment={"PYTHONPATH": str(tmp_path)})
    assert traced.code == 0


@pytest.fixture
def pipeline(ready: Project) -> Iterator[Project]:
    """The project; its pipeline is restored afterwards."""
    yield ready
    ready.git("checkout", "--quiet", "--", "dvc.yaml", "dvc.lock")
    ready.git("clean", "--quiet", "--force", "-d", "-x", "data/ways", "ways")
    ready.run("dvc", "checkout", "--quiet")


def add_stage(project: Project, name: str, command: str, *outs: str) -> None:
    (project.path / "data" / "ways").mkdir(exist_ok=True)
    declared = "".join(f"\n      - {out}" for out in outs)
    stage = f"\n  {name}:\n    cmd: {command}\n" + (f"    outs:{declared}\n" if outs else "")
    project.write("dvc.yaml", project.read("dvc.yaml") + stage)


def test_a_stage_that_breaks_its_contract_fails_and_leaves_no_result(pipeline: Project) -> None:
    code = "open('data/raw/biopsies.csv').read(); open('data/ways/b', 'w'); open('data/ways/a','w')"
    add_stage(pipeline, "leaky", f'python -c "{code}"', "data/ways/a")
    output = pipeline.run("nb", "run", "--verify", "leaky", code=3)
    assert "leaky  broken contract" in output
    assert (
        "reads data/raw/biopsies.csv, which leaky does not declare; "
        "add to its deps in dvc.yaml: - data/raw/biopsies.csv" in output
    )
    assert "writes data/ways/b, which leaky does not declare" in output
    assert "data/ways/a, which" not in output
    assert "leaky" not in pipeline.read("dvc.lock")


@pytest.mark.slow
def test_stages_that_keep_their_contracts_pass(pipeline: Project) -> None:
    output = pipeline.run("nb", "run", "--verify", "--force", "features")
    assert "verified the contract of 2 stages" in output


@pytest.mark.slow
def test_a_notebook_that_reads_what_it_does_not_declare_is_caught(pipeline: Project) -> None:
    pipeline.edit("dvc.yaml", "      - data/processed/validation.parquet\n    params", "    params")
    output = pipeline.run("nb", "run", "--verify", "--force", "train@logistic", code=3)
    assert "reads data/processed/validation.parquet, which train@logistic does not" in output


def test_without_system_calls_stages_run_one_at_a_time(pipeline: Project) -> None:
    add_stage(pipeline, "leaky", "cat data/raw/biopsies.csv > data/ways/a", "data/ways/a")
    output = pipeline.run("nb", "run", "--verify", "leaky", code=3, NB_TRACE_VIEW=log.EVENTS)
    assert "one stage at a time" in output
    assert "reads data/raw/biopsies.csv" in output


@pytest.mark.slow
@pytest.mark.parametrize("view", VIEWS)
def test_verify_catches_each_way_of_reading_and_writing(
    pipeline: Project, libraries: Path, view: str
) -> None:
    (pipeline.path / "ways").mkdir(exist_ok=True)
    (pipeline.path / "data" / "ways" / "in").mkdir(parents=True)
    (pipeline.path / "data" / "ways" / "out").mkdir()
    pipeline.run(
        "python", "-c", PREPARE, cwd=pipeline.path / "data/ways", PYTHONPATH=str(libraries)
    )
    for name, (reading, writing) in WAYS.items():
        for what, code in (("reads-in", reading), ("writes-out", writing)):
            script = f"ways/{what}-{name}.py"
            pipeline.write(
                script, code.replace("in/", "data/ways/in/").replace("out/", "data/ways/out/")
            )
            stage = f"{what}-{name}".replace(".", "-")
            add_stage(pipeline, stage, f"python {script}\n    deps: [{script}]")
    stages = [
        f"{what}-{name}".replace(".", "-") for name in WAYS for what in ("reads-in", "writes-out")
    ]
    output = pipeline.run(
        "nb",
        "run",
        "--verify",
        "-k",
        *stages,
        code=3,
        PYTHONPATH=str(libraries),
        NB_TRACE_VIEW=view,
    )
    for name in WAYS:
        assert f"reads data/ways/in/{name}, which" in output
        assert f"writes data/ways/out/{name}, which" in output
    assert len(re.findall(r"^[\w-]+ {2,}broken contract", output, re.M)) == 2 * len(WAYS)


def test_trace_lists_what_a_notebook_reads_and_writes(ready: Project) -> None:
    output = ready.run("nb", "trace", "20-features")
    assert "reads   data/interim/biopsies.parquet" in output
    assert "writes  data/processed/test.parquet" in output
    assert "src/" not in output
    assert ready.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        (
            "import sys; sys.exit(f'nb: {sys.argv[1]}: parameters cell, line 2: invalid syntax.')",
            "a.ipynb could not be run: parameters cell, line 2: invalid syntax.",
        ),
        ("import os; os._exit(3)", "a.ipynb could not be run: its command exited with 3"),
        ("raise OSError('no room')", "a.ipynb could not be run: OSError: no room"),
    ],
)
def test_the_reason_why_papermill_does_not_run_a_notebook_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, problem: str
) -> None:
    command = [sys.executable, "-c", program]
    monkeypatch.setattr(footprint, "module_command", lambda _: command)
    notebook = tmp_path / "a.ipynb"
    done = footprint.run_traced(tmp_path, notebook, tmp_path / "made.ipynb", tmp_path)
    assert done.problem == problem
