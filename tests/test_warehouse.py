"""The option *warehouse*: what it adds, and that a notebook's answer is the same everywhere."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import PYTHON_VERSION, TEMPLATE, Bake, Project
from cookiecutter.main import cookiecutter
from ruamel.yaml import YAML

EXTRAS = {
    "DuckDB": "duckdb",
    "Spark": "duckdb,pyspark",
    "PostgreSQL": "duckdb,postgres",
    "BigQuery": "bigquery,duckdb",
    "Athena": "athena,duckdb",
}
LOCAL = "duckdb://.nb/warehouse.duckdb"
CONFIG = "config/warehouse.yaml"
ANSWER = "data/processed/sizes.parquet"
PASSWORD = "only in the environment"


@pytest.mark.parametrize(("warehouse", "extras"), EXTRAS.items())
def test_each_warehouse_gets_its_driver_and_its_line(
    bake: Bake, warehouse: str, extras: str
) -> None:
    project = bake(warehouse=warehouse)
    assert f'"ibis-framework[{extras}]>=12"' in project.read("pyproject.toml")
    # The local file, until somebody takes the line below for it.
    assert YAML(typ="safe").load(project.read(CONFIG)) == {"url": LOCAL}
    assert len(re.findall("^# url: ", project.read(CONFIG), re.M)) == (warehouse != "DuckDB")


@pytest.mark.parametrize("example", [True, False])
def test_code_is_clean_whatever_the_package_is_called(bake: Bake, example: bool) -> None:
    project = bake(warehouse="DuckDB", example=example, package_name="a" * 40)
    assert (CONFIG in project.read("dvc.yaml")) == example
    for command in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *command, "--no-cache")


@pytest.mark.parametrize("environment", ["uv", "conda"])
def test_without_a_warehouse_nothing_is_said_of_one(bake: Bake, environment: str) -> None:
    project = bake(environment=environment)
    for name in project.files():
        if not name.startswith(("tools/", ".cruft.json")):  # the record holds all answers
            text = f"{name} {project.read(name)}".lower()
            assert not re.search("warehouse|ibis|duckdb|spark", text), name


def test_conda_brings_the_java_that_spark_needs(bake: Bake) -> None:
    for warehouse, java in {"Spark": True, "DuckDB": False}.items():
        project = bake(environment="conda", warehouse=warehouse, project_slug=f"on-{warehouse}")
        names = YAML(typ="safe").load(project.read("environment.yml"))["dependencies"]
        assert ("openjdk=17" in names) == java


def configure(project: Project, url: str) -> None:
    project.write(CONFIG, re.sub("^url: .*", f"url: {url}", project.read(CONFIG), flags=re.M))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a warehouse and all drivers that are tested, run once and committed."""
    answers = {
        "project_name": "Ran",
        "package_name": "biopsies",
        "python_version": PYTHON_VERSION,
        "warehouse": "PostgreSQL",
    }
    folder = tmp_path_factory.mktemp("Daten für Ärzte")
    made = cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder))
    project = Project(Path(made))
    project.edit("pyproject.toml", "[duckdb,postgres]", "[duckdb,postgres,pyspark]")
    project.make("run-notebooks")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "The example")
    return project


@pytest.mark.slow
def test_its_own_tests_need_no_driver_of_another_warehouse(ran: Project, tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ModuleNotFoundError", encoding="utf-8")
    ran.run("pytest", "tests/test_warehouse.py", PYTHONPATH=str(tmp_path))


@pytest.fixture
def project(ran: Project) -> Iterator[Project]:
    """The shared project; what a test changed is put back."""
    yield ran
    ran.git("checkout", "--quiet", "--", ".")
    ran.git("clean", "--quiet", "--force", "-d")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server that asks for a password; it ends with the tests."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("PostgreSQL's server is not installed (apt: postgresql)")
    # It refuses to run as root, and its user may not look into the folders of pytest.
    user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="warehouse-"))
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def run(program: str, *arguments: str) -> None:
        command = [str(Path(initdb).with_name(program)), "-D", str(folder / "data"), *arguments]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, check=True, **user)

    run("initdb", "--username=analyst", "--auth=scram-sha-256", f"--pwfile={folder}/password")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    yield f"postgres://analyst@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-m", "fast", "stop")
    shutil.rmtree(folder)


COMPARE = """
import sys
import pandas as pd
first, *others = map(pd.read_parquet, sys.argv[1:])
for other in others:
    pd.testing.assert_frame_equal(first, other, check_exact=True)
print(*first.shape, first["biopsies"].sum(), first["malignant"].sum())
"""


@pytest.mark.slow
def test_the_same_notebook_gives_equal_tables_on_every_engine(
    project: Project, server: str, tmp_path: Path
) -> None:
    if not shutil.which("java"):
        pytest.skip("Spark needs Java (apt: default-jre-headless)")
    answers = [tmp_path / "duckdb.parquet", tmp_path / "postgres.parquet", tmp_path / "s.parquet"]
    shutil.copy(project.path / ANSWER, answers[0])
    for url, answer in ((server, answers[1]), ("local[2]", answers[2])):
        configure(project, url)
        assert f"url in {CONFIG} changed" in project.run("nb", "status")
        (project.path / ANSWER).unlink()
        said = project.run("nb", "run", PGPASSWORD=PASSWORD)
        assert re.findall(r"^(\S+) +ran ", said, re.M) == ["sizes"]
        shutil.copy(project.path / ANSWER, answer)
    # 569 biopsies, 212 of them malignant, in the bands of the default width.
    assert project.run("python", "-c", COMPARE, *map(str, answers)) == "12 4 569 212\n"
    assert PASSWORD not in "".join(
        path.read_text(encoding="utf-8")
        for folder in ("config", "reports")
        for path in (project.path / folder).rglob("*")
        if path.suffix in (".json", ".ipynb", ".yaml", ".html")
    )
    # Nothing but what DVC and the machine keep was left behind.
    changed = {line.split()[-1] for line in project.git("status", "--short").splitlines()}
    assert changed <= {CONFIG, "dvc.lock"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("url", "environment", "sentence"),
    [
        (
            "postgres://analyst@127.0.0.1:1/postgres",
            {},
            r"url in config/warehouse.yaml or PGPASSWORD: .*"
            r"port 1 failed: Connection refused",
        ),
        (
            "SERVER",
            {"PGPASSWORD": "wrong"},
            r"url in config/warehouse.yaml or PGPASSWORD: .*"
            r"password authentication failed for user \"analyst\"",
        ),
        (
            "clickhouse://host",
            {},
            r"url in config/warehouse.yaml needs a driver that is not installed: add "
            r"ibis-framework\[clickhouse\] to dependencies in pyproject.toml, then make setup",
        ),
        (
            "local[2]",
            {"JAVA_HOME": "/nowhere"},
            r"url in config/warehouse.yaml needs Java, which is not in JAVA_HOME: install Java 17, "
            r"or change it, for example to duckdb://.nb/warehouse.duckdb",
        ),
        (
            "postgres://analyst:" + "secret@127.0.0.1/postgres",
            {},
            r"url in config/warehouse.yaml holds a password or key, which Git would never forget: "
            r"write \$\{NAME\} in its place and set the environment variable NAME",
        ),
    ],
    ids=["server down", "wrong password", "missing driver", "missing Java", "password in Git"],
)
def test_a_warehouse_that_cannot_be_used_is_one_sentence(
    project: Project, request: pytest.FixtureRequest, url: str, environment: Any, sentence: str
) -> None:
    configure(project, request.getfixturevalue("server") if url == "SERVER" else url)
    # Forced: the answer of a warehouse that was asked before would be restored.
    said = project.run("nb", "run", "--force", "--downstream", "sizes", code=1, **environment)
    assert re.search(
        rf"^sizes · 15-sizes · code cell 4 · WarehouseError: {sentence}", said, re.M
    ), said
    assert "Traceback" not in said
    assert "Traceback" not in project.read("reports/notebooks/15-sizes.ipynb")


@pytest.mark.slow
def test_stages_that_use_one_duckdb_file_take_turns(project: Project) -> None:
    notebook = project.read("notebooks/production/15-sizes.ipynb")
    stage = re.search(r"^  sizes:\n.*?\n\n", project.read("dvc.yaml"), re.M | re.S)
    assert stage is not None
    # The connection is held for longer than kernels differ in when they start.
    slow = notebook.replace(
        "warehouse.connect()", "warehouse.connect(); __import__('time').sleep(3)"
    )
    assert slow != notebook
    for number in ("15", "16"):
        text = slow.replace("processed/sizes.parquet", f"processed/sizes-{number}.parquet")
        project.write(f"notebooks/production/{number}-sizes.ipynb", text)
    project.write("config/16-sizes.yaml", project.read("config/15-sizes.yaml"))
    twins = [
        stage[0]
        .replace("sizes:", f"sizes{number}:")
        .replace("15-sizes", f"{number}-sizes")
        .replace("sizes.parquet", f"sizes-{number}.parquet")
        for number in ("15", "16")
    ]
    project.edit("dvc.yaml", stage[0], "".join(twins))
    said = project.run("nb", "run", "--jobs", "2", "sizes15", "sizes16")
    assert set(re.findall(r"^(\S+) +ran ", said, re.M)) == {"sizes15", "sizes16"}


@pytest.mark.slow
def test_the_project_passes_its_own_tests_and_checks(project: Project) -> None:
    assert "Nothing found" in project.run("nb", "check")
    project.make("lint")
    project.run("pre-commit", "run", "--all-files")
    project.run("pytest", "-q", "tests/test_warehouse.py", "tests/test_notebooks.py")
    said = project.run("nb", "run", "--verify", "--force", "sizes")
    assert "verified the contract of" in said


@pytest.mark.slow
def test_without_the_example_its_tests_pass_too(ran: Project, bake: Bake) -> None:
    project = bake(warehouse="Spark", example=False, package_name="biopsies")
    python = f"{ran.path}/.venv/bin/python"
    project.run(python, "-m", "pytest", "-q", PYTHONPATH=f"{project.path}/src")
