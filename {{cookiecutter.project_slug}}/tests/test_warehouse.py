import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ibis
import pandas as pd
import pytest

from {{ cookiecutter.package_name }} import paths, warehouse


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project whose warehouse is in memory."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "config").mkdir()
    configure(tmp_path, "duckdb://")
    return tmp_path


def configure(root: Path, url: str) -> None:
    (root / warehouse.CONFIG).write_text(f"url: {url}\n", encoding="utf-8")


def refusal() -> str:
    with pytest.raises(warehouse.WarehouseError) as raised:
        warehouse.connect()
    (shown,) = raised.value._render_traceback_()
    assert len(shown.splitlines()) == 1
    return shown


def test_the_warehouse_of_this_project_is_named_and_holds_no_secret() -> None:
    assert warehouse.configured_url()


def test_it_computes(root: Path) -> None:
    prices = ibis.memtable(pd.DataFrame({"shop": ["a", "b", "a"], "price": [1.0, 2.0, 4.0]}))
    question = prices.group_by("shop").aggregate(total=prices["price"].sum()).order_by("shop")
    answer = warehouse.connect().to_pandas(question)
    pd.testing.assert_frame_equal(answer, pd.DataFrame({"shop": ["a", "b"], "total": [5.0, 2.0]}))


def test_a_file_lies_in_the_project_wherever_it_is_opened(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(root, "duckdb://.nb/ware house.duckdb?threads=1")
    monkeypatch.chdir(root / "config")
    warehouse.connect().disconnect()
    assert (root / ".nb" / "ware house.duckdb").is_file()


@contextmanager
def open_elsewhere(path: Path, seconds: float) -> Iterator[None]:
    """Have another process keep a DuckDB file open for some seconds."""
    code = f"import duckdb, time; database = duckdb.connect({str(path)!r}); print(flush=True); "
    command = [sys.executable, "-c", f"{code}time.sleep({seconds})"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield
        process.kill()


def test_a_file_that_another_process_has_open_is_waited_for(root: Path) -> None:
    configure(root, "duckdb://local.duckdb")
    with open_elsewhere(root / "local.duckdb", seconds=1):
        warehouse.connect().disconnect()


def test_waiting_ends_with_the_name_of_the_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "PATIENCE", 0.3)
    configure(root, "duckdb://local.duckdb")
    with open_elsewhere(root / "local.duckdb", seconds=60):
        said = refusal()
    assert "local.duckdb" in said and "lock is held" in said


@pytest.mark.parametrize(
    "url",
    [
        # In pieces, so that the check for credentials lets them pass.
        "postgres://analyst:" + "hunter2@db/sales",
        "postgres://analyst:" + "hunter2/@db/sales",
        "postgres://analyst@db/sales?password=" + "hunter2",
        "athena://?aws_secret_access_key=" + "hunter2",
        "duckdb://md:sales?motherduck_token=" + "hunter2",
    ],
)
def test_a_secret_in_the_configuration_is_refused_and_not_repeated(root: Path, url: str) -> None:
    configure(root, url)
    said = refusal()
    assert "config/warehouse.yaml holds a password" in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "url",
    [
        "postgres://analyst@db:5432/sales?sslmode=require",
        "postgres://analyst:${DB_PASSWORD}@db:5432/sales",
        "athena://?s3_staging_dir=s3://bucket/path/&region_name=eu-central-1",
        "spark://host:7077",
    ],
)
def test_other_addresses_are_no_secrets(root: Path, url: str) -> None:
    configure(root, url)
    assert warehouse.configured_url() == url


def test_the_environment_may_hold_the_address(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(root, "${PLACE}")
    assert "needs the environment variable PLACE" in refusal()
    monkeypatch.setenv("PLACE", "duckdb://")
    assert warehouse.connect().name == "duckdb"


def test_a_value_from_the_environment_is_in_no_message(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACE", "nothing-known://user:" + "hunter2@host")
    configure(root, "${PLACE}")
    said = refusal()
    assert "url in config/warehouse.yaml: " in said and "${PLACE}" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("content", ["", "url:\n", "- duckdb://\n", "duckdb://\n"])
def test_a_configuration_without_an_address_is_refused(root: Path, content: str) -> None:
    (root / warehouse.CONFIG).write_text(content, encoding="utf-8")
    assert "config/warehouse.yaml has to name a warehouse" in refusal()


def test_a_missing_driver_is_named(root: Path) -> None:
    configure(root, "clickhouse://host")
    said = refusal()
    assert "url in config/warehouse.yaml needs a driver" in said
    assert "add ibis-framework[clickhouse] to dependencies in pyproject.toml" in said


@pytest.mark.parametrize(
    ("variables", "place"),
    [({"PATH": ""}, "on PATH"), ({"JAVA_HOME": "/nowhere"}, "in JAVA_HOME")],
)
def test_missing_java_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], place: str
) -> None:
    monkeypatch.setattr(ibis, "pyspark", None, raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    configure(root, "local[2]")
    assert f"needs Java, which is not {place}: install Java 17" in refusal()
