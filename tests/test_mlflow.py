"""Variants in MLflow: logged once each, to a server with a store of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE
from nb.experiments import store
from nb.experiments.store import VariantRecord
from nb.run.record import StageRecord

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="ends a group of processes"),
]
TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
METRICS = "reports/metrics/evaluate.json"
DECLARED = f"""\
stages:
  evaluate:
    cmd: "true"
    metrics: [{METRICS}]
    plots: [reports/figures/roc.png]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the tooling and MLflow; returns the folder of its programs."""
    folder = tmp_path_factory.mktemp("mlflow")
    tools = shutil.copytree(TOOLS, folder / "tools")
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run(["uv", "pip", "install", "-q", "--python", python, tools, "mlflow"], check=True)
    return python.parent


@pytest.fixture
def server(environment: Path, tmp_path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "server").mkdir()
    command = [environment / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", "sqlite:///runs.db", "--workers", "1"]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    process = subprocess.Popen(command, cwd=tmp_path / "server", env=env, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"{address}/health"):
                break
            assert process.poll() is None, "the server ended"
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the server and its workers
        process.wait(timeout=60)


def ask(address: str, path: str, **body: Any) -> dict[str, Any]:
    """Ask MLflow's REST interface."""
    request = urllib.request.Request(
        f"{address}/api/2.0/mlflow/{path}",
        json.dumps(body).encode() if body else None,
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def write_variants(root: Path) -> None:
    (root / "tools" / "nb").mkdir(parents=True)
    (root / "dvc.yaml").write_text(DECLARED, encoding="utf-8")
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    for number, state in ((1, "ran"), (2, "ran"), (3, "failed")):
        record = VariantRecord(
            number=number,
            experiment="folds",
            settings={"train@forest.folds": number},
            source="s",
            started="2026-11-27T00:00:00+00:00",
            ended="2026-11-27T00:00:02+00:00",
            stages=[StageRecord("evaluate", state=state, seconds=0.5)],
            metrics={METRICS: {"auc": 0.9 + number / 100}},
        )
        record.save(root)
        figure = store.variant_copy(root, number) / "reports" / "figures" / "roc.png"
        figure.parent.mkdir(parents=True)
        figure.write_bytes(b"figure")


def test_each_finished_variant_is_logged_once(
    environment: Path, server: str, tmp_path: Path
) -> None:
    root = tmp_path / "shop"
    write_variants(root)
    command = [environment / "nb", "experiments", "export", "--mlflow", server]
    said = [
        subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert "Logged 2 variants; 0 had been logged before." in said[0]
    assert "Logged 0 variants; 2 had been logged before." in said[1]
    known = ask(server, "experiments/get-by-name?experiment_name=shop:%20folds")
    number = known["experiment"]["experiment_id"]
    runs = ask(server, "runs/search", experiment_ids=[number])["runs"]
    assert len(runs) == 2
    logged = {}
    for run in runs:
        metrics = {each["key"]: each["value"] for each in run["data"]["metrics"]}
        (parameter,) = run["data"]["params"]
        logged[parameter["value"]] = metrics["evaluate.auc"]
        assert parameter["key"] == "train-forest.folds"
        assert run["info"]["status"] == "FINISHED"
        listed = ask(server, f"artifacts/list?run_id={run['info']['run_id']}&path=reports/figures")
        assert [file["path"] for file in listed["files"]] == ["reports/figures/roc.png"]
    assert logged == {"1": pytest.approx(0.91), "2": pytest.approx(0.92)}


def test_a_server_that_is_not_there_is_one_line(environment: Path, tmp_path: Path) -> None:
    root = tmp_path / "shop"
    write_variants(root)
    command = [environment / "nb", "experiments", "export", "--mlflow", "http://127.0.0.1:9"]
    env = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "PATH": str(environment)}
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("nb: MLflow at http://127.0.0.1:9: ")
    assert len(done.stderr.splitlines()) == 1
