"""The option *warehouse*: what it adds, and that a notebook's answer is the same on every engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
POSTGRES = Path("/usr/lib/postgresql/15/bin")


@pytest.mark.parametrize(("warehouse", "extras"), EXTRAS.items())
@pytest.mark.parametrize("example", [True, False])
def test_each_warehouse_is_configured_and_clean(
    bake: Bake, warehouse: str, extras: str, example: bool
) -> None:
    project = bake(warehouse=warehouse, example=example, package_name="a" * 20)
    assert f'"ibis-framework[{extras}]>=12"' in project.read("pyproject.toml")
    # The local file until somebody names a server, in the line below.
    assert YAML(typ="safe").load(project.read(CONFIG)) == {"url": LOCAL}
    (proposed,) = re.findall("^# url: (.+)$", project.read(CONFIG), re.M) or [LOCAL]
    assert (proposed == LOCAL) == (warehouse == "DuckDB")
    assert ("config/warehouse.yaml:" in project.read("dvc.yaml")) == example
    for command in (["check"], ["format", "--check"]):
        project.run(sys.executable, "-m", "ruff", *command, "--no-cache")


@pytest.mark.parametrize("environment", ["uv", "conda"])
def test_without_a_warehouse_nothing_is_said_of_one(bake: Bake, environment: str) -> None:
    project = bake(environment=environment)
    for name in project.files():
        if not name.startswith("tools/"):
            text = f"{name} {project.read(name)}".lower()
            assert not re.search("warehouse|ibis|duckdb|spark", text), name


def test_conda_brings_the_java_that_spark_needs(bake: Bake) -> None:
    for warehouse, java in {"Spark": True, "DuckDB": False}.items():
        project = bake(environment="conda", warehouse=warehouse, project_slug=f"on-{warehouse}")
        names = YAML(typ="safe").load(project.read("environment.yml"))["dependencies"]
        assert ("openjdk=17" in names) == java
