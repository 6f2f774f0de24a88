"""Dagster runs the pipeline of dvc.yaml: the same results as nb run, shown as assets."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from conftest import PYTHON_VERSION, TEMPLATE
from cookiecutter.main import cookiecutter
from scheduled import (
    MAKE_ENVIRONMENT,
    SCREENSHOTS,
    Scheduled,
    break_notebook,
    make_project,
    sleep,
    until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]
DEFINITIONS = ("-f", "orchestration/dagster_definitions.py")
MATERIALISE = ("dagster", "asset", "materialize", "--select", "*", *DEFINITIONS)
PORT = 3117
# What Dagster keeps of each asset: its last materialisation and observation.
EVENTS = """
import json, sys
import dagster as dg
shown = {}
with dg.DagsterInstance.get() as instance:
    for key in instance.all_asset_keys():
        kind = getattr(dg.DagsterEventType, sys.argv[1])
        records = instance.get_event_records(dg.EventRecordsFilter(kind, asset_key=key), limit=1)
        for record in records:
            event = record.event_log_entry.dagster_event.event_specific_data
            found = getattr(event, "materialization", None) or event.asset_observation
            metadata = {k: str(v.value) for k, v in found.metadata.items()}
            metadata |= {"version": (found.tags or {}).get("dagster/data_version", "")}
            shown[key.to_user_string()] = metadata
print(json.dumps(shown))
"""
GRAPH = "{assetNodes{assetKey{path} groupName dependencyKeys{path} description}}"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Scheduled:
    return make_project(tmp_path_factory.mktemp("dagster"), "Dagster")


@pytest.fixture(scope="module")
def by_nb(project: Scheduled) -> dict[str, bytes]:
    """What a run of `nb run` from nothing leaves."""
    project.start_anew()
    project.run("nb", "run")
    return project.results()


@pytest.fixture(scope="module")
def materialised(project: Scheduled, by_nb: dict[str, bytes]) -> Scheduled:
    """The project after all assets were materialised from nothing."""
    project.start_anew()
    dagster(project, *MATERIALISE)
    return project


@pytest.fixture
def put_back(materialised: Scheduled) -> Iterator[Scheduled]:
    """The materialised project, for tests that change files that Git keeps."""
    materialised.git("add", "--all")
    materialised.git("commit", "--quiet", "--allow-empty", "--message", "Results", "--no-verify")
    yield materialised
    materialised.git("checkout", "--quiet", "--force", "HEAD")
    materialised.git("clean", "-fdq")


def dagster(project: Scheduled, *command: str, **options: Any) -> str:
    home = project.path / ".nb" / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    options = {"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1", **options}
    return project.scheduler_run(*command, **options)


def events(project: Scheduled, kind: str) -> dict[str, dict[str, str]]:
    """Return the metadata of each asset's last event of a kind."""
    found = dagster(project, "python", "-W", "ignore", "-c", EVENTS, kind)
    return dict(json.loads(found.splitlines()[-1]))


def test_dvc_repro_gives_what_nb_run_gives(project: Scheduled, by_nb: dict[str, bytes]) -> None:
    project.start_anew()
    project.run("dvc", "repro")
    assert project.results() == by_nb


def test_materialising_everything_gives_what_nb_run_gives(
    materialised: Scheduled, by_nb: dict[str, bytes]
) -> None:
    assert materialised.results() == by_nb


def test_an_asset_shows_its_notebook_its_metrics_and_its_plots(materialised: Scheduled) -> None:
    shown = events(materialised, "ASSET_MATERIALIZATION")
    assert set(shown) == {"ingest", "features", "train__logistic", "train__forest", "evaluate"}
    copy = materialised.path / "reports/notebooks/30-train-forest.ipynb"
    assert shown["train__forest"]["executed notebook"] == str(copy)
    assert float(shown["train__forest"]["validation_roc_auc"]) > 0.9
    assert "data:image/png;base64," in shown["evaluate"]["reports/figures/threshold.png"]
    assert shown["evaluate"]["reports/plots/roc.csv"].endswith("reports/plots/roc.csv")


def test_materialising_again_runs_no_notebook_and_says_so(materialised: Scheduled) -> None:
    before = materialised.executed()
    first = events(materialised, "ASSET_MATERIALIZATION")
    dagster(materialised, *MATERIALISE)
    assert materialised.executed() == before
    second = events(materialised, "ASSET_MATERIALIZATION")
    assert {k: v["version"] for k, v in first.items()} == {
        k: v["version"] for k, v in second.items()
    }
    states = {shown["state"] for shown in second.values()}
    assert states == {"unchanged: the notebook was not run"}


def test_a_failing_notebook_fails_its_asset_and_nothing_downstream_runs(
    put_back: Scheduled,
) -> None:
    before = put_back.executed()
    break_notebook(put_back, "20-features")
    output = dagster(put_back, *MATERIALISE, code=1)
    error = "features · 20-features · code cell 1 · NameError: name 'no_such_name' is not defined"
    assert error in output
    after = put_back.executed()
    ran = {name for name in before if before[name] != after[name]}
    assert ran == {"20-features.ipynb"}
    assert "evaluate - STEP_START" not in output


def test_other_parameters_run_in_a_copy_and_leave_the_assets_as_they_are(
    materialised: Scheduled,
) -> None:
    materialised.run("nb", "run")
    before = materialised.results()
    config = {"ops": {"train__logistic": {"config": {"folds": 3}}}}
    given = ("--config-json", json.dumps(config))
    dagster(materialised, *MATERIALISE, *given)
    assert materialised.results() == before
    seen = events(materialised, "ASSET_OBSERVATION")
    assert set(seen) == {"train__logistic", "evaluate"}
    assert seen["evaluate"]["run apart with"] == "{'train@logistic.folds': 3}"
    folder = materialised.path / seen["train__logistic"]["folder"]
    assert "folds: 3" in (folder / "config/30-train.yaml").read_text()
    assert folder.as_posix() in seen["train__logistic"]["executed notebook"]


def test_ending_a_run_leaves_no_process(put_back: Scheduled) -> None:
    sleep(put_back, "20-features")
    home = str(put_back.path / ".nb" / "dagster")
    command = put_back.path / ".venv-dagster/bin/dagster"
    others = put_back.processes()
    run = subprocess.Popen(
        [str(command), *MATERIALISE[1:]],
        cwd=put_back.path,
        env={"PATH": "/usr/bin:/bin", "DAGSTER_HOME": home, "DAGSTER_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: (put_back.path / "data/asleep").exists(), 120)
    run.send_signal(signal.SIGTERM)
    assert run.wait(60) != 0
    until(lambda: set(put_back.processes()) <= set(others), 30)


def test_the_ui_shows_the_graph_and_a_new_stage_by_itself(
    put_back: Scheduled, browser: Any
) -> None:
    put_back.run("nb", "new", "summary", "--production")
    with put_back.serving(PORT, "/server_info") as url:
        nodes = ask(url, GRAPH)["assetNodes"]
        edges = {
            "/".join(node["assetKey"]["path"]): {
                "/".join(k["path"]) for k in node["dependencyKeys"]
            }
            for node in nodes
        }
        assert edges["evaluate"] == {"features", "train__logistic", "train__forest"}
        assert edges["features"] == {"ingest"}
        assert "summary" in edges
        photograph(browser, url)
    shown = (put_back.path / ".nb/server.log").read_text()
    assert f"dagster: {url}; Ctrl-C ends it\ndagster: ended\n" in shown
    assert "warning" not in shown.lower()
    until(lambda: not [c for c in put_back.processes().values() if "dagster" in c], 60)


def test_pip_makes_the_environment_too_and_holds_it_to_its_versions(tmp_path: Path) -> None:
    answers = {"project_name": "With pip", "environment": "pip", "scheduler": "Dagster"}
    answers["python_version"] = PYTHON_VERSION
    made = cookiecutter(
        str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(tmp_path)
    )
    project = Scheduled(Path(made), "dagster")
    project.run(sys.executable, "-m", "venv", "--without-pip", ".venv")
    make = (sys.executable, "-c", MAKE_ENVIRONMENT.replace('"uv"', '"pip"'), "dagster")
    project.run(*make)
    assert "1." in project.scheduler_run("dagster", "--version")
    assert re.search(r"^dagster==1", project.read("requirements-dagster.lock"), re.M)
    assert "pip install" not in project.run(*make)


def ask(url: str, query: str) -> Any:
    body = json.dumps({"query": query}).encode()
    request = Request(f"{url}/graphql", body, {"content-type": "application/json"})
    return json.load(urlopen(request, timeout=60))["data"]


def photograph(browser: Any, url: str) -> None:
    """Look at the graph and at an asset's notebook, as a person would."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1500, "height": 900})
    page.goto(f"{url}/asset-groups/")
    for name in ("ingest", "features", "evaluate", "summary"):
        page.get_by_text(name, exact=True).first.wait_for(timeout=60_000)
    page.screenshot(path=SCREENSHOTS / "dagster-graph.png")
    page.goto(f"{url}/assets/evaluate")
    page.get_by_text("40-evaluate.ipynb").first.wait_for(timeout=60_000)
    page.screenshot(path=SCREENSHOTS / "dagster-asset.png")
    page.close()
