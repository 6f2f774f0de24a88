"""Airflow runs the pipeline of dvc.yaml: the same results as nb run, as tasks of a DAG."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
from scheduled import SCREENSHOTS, Scheduled, break_notebook, make_project, sleep, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]
DAG = "with-airflow"
PORT = 8117
STAGES = {"ingest", "features", "train.logistic", "train.forest", "evaluate"}
EDGES = """
import json
from airflow.dag_processing.dagbag import DagBag
bag = DagBag("orchestration")
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
tasks = {t.task_id: [sorted(t.upstream_task_ids), t.retries, t.doc_md] for t in dag.tasks}
print("\\n" + json.dumps(tasks))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Scheduled:
    made = make_project(tmp_path_factory.mktemp("airflow"), "Airflow")
    airflow(made, "airflow", "db", "migrate")
    return made


@pytest.fixture(scope="module")
def by_nb(project: Scheduled) -> dict[str, bytes]:
    """What a run of `nb run` from nothing leaves."""
    project.start_anew()
    project.run("nb", "run")
    return project.results()


@pytest.fixture(scope="module")
def done(project: Scheduled, by_nb: dict[str, bytes]) -> Scheduled:
    """The project after the DAG ran from nothing."""
    project.start_anew()
    run_dag(project)
    project.git("add", "--all")
    project.git("commit", "--quiet", "--allow-empty", "--message", "Results", "--no-verify")
    return project


@pytest.fixture
def put_back(done: Scheduled) -> Iterator[Scheduled]:
    """The project, for tests that change files that Git keeps."""
    yield done
    done.git("checkout", "--quiet", "--force", "HEAD")
    done.git("clean", "-fdq")


def variables(project: Scheduled) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(project.path / ".nb" / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project.path / "orchestration"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",
        "NO_COLOR": "1",
    }


def airflow(project: Scheduled, *command: str, **options: Any) -> str:
    return project.scheduler_run(*command, **variables(project), **options)


def run_dag(project: Scheduled, code: int | None = 0) -> str:
    return airflow(project, "airflow", "dags", "test", DAG, code=code)


def tasks_of(project: Scheduled) -> dict[str, list[Any]]:
    """Return the tasks of the DAG: what each comes after, its retries, its text."""
    return dict(json.loads(airflow(project, "python", "-c", EDGES).splitlines()[-1]))


def states(output: str) -> dict[str, str]:
    """Return the last state of each task that `airflow dags test` ran."""
    tasks = re.findall(r"end task task_id=(\S+)|new_state=(\w+)", output)
    found: dict[str, str] = {}
    state = ""
    for task, new in tasks:
        state = new or state
        if task:
            found[task] = state
    return found


def test_the_dag_has_the_edges_of_the_pipeline_and_a_new_stage_appears(put_back: Scheduled) -> None:
    put_back.run("nb", "new", "summary", "--production")
    put_back.edit("dvc.yaml", "    meta:\n", "    meta:\n      scheduler: {retries: 2}\n")
    tasks = tasks_of(put_back)
    assert set(tasks) == {*STAGES, "summary"}
    assert tasks["evaluate"][:2] == [["features", "train.forest", "train.logistic"], 2]
    assert tasks["train.forest"][:2] == [["features"], 0]
    put_back.edit("dvc.yaml", "{retries: 2}", "{retires: 2}")
    refused = airflow(put_back, "python", "-c", EDGES, code=1)
    assert "dvc.yaml: stage evaluate: meta.scheduler has no retires; known are retries" in refused


def test_the_dag_gives_what_nb_run_gives(done: Scheduled, by_nb: dict[str, bytes]) -> None:
    assert done.results() == by_nb


def test_a_second_run_runs_no_notebook_and_says_so(done: Scheduled) -> None:
    before = done.executed()
    output = run_dag(done)
    assert done.executed() == before
    assert states(output) == dict.fromkeys(STAGES, "skipped")
    assert "train@forest is unchanged: the notebook was not run" in output


def test_a_failing_notebook_fails_its_task_and_nothing_downstream_runs(put_back: Scheduled) -> None:
    before = put_back.executed()
    break_notebook(put_back, "20-features")
    output = run_dag(put_back, code=None)
    error = "features · 20-features · code cell 1 · NameError: name 'no_such_name' is not defined"
    assert error in output
    found = states(output)
    assert found == {"ingest": "skipped", "features": "failed"}
    after = put_back.executed()
    assert {name for name in before if before[name] != after[name]} == {"20-features.ipynb"}


def test_ending_a_run_leaves_no_process(put_back: Scheduled) -> None:
    sleep(put_back, "20-features")
    others = put_back.processes()
    run = subprocess.Popen(
        [str(put_back.path / ".venv-airflow/bin/airflow"), "dags", "test", DAG],
        cwd=put_back.path,
        env={"PATH": "/usr/bin:/bin", **variables(put_back)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: (put_back.path / "data/asleep").exists(), 120)
    run.send_signal(signal.SIGTERM)
    run.wait(60)
    until(lambda: set(put_back.processes()) <= set(others), 30)


@pytest.fixture(scope="module")
def server(done: Scheduled) -> Iterator[tuple[str, str]]:
    """The address of `make airflow`, and the password of its user admin."""
    with done.serving(PORT, "/api/v2/monitor/health") as url:
        passwords = done.path / ".nb/airflow/simple_auth_manager_passwords.json.generated"
        yield url, json.loads(until(passwords.read_text))["admin"]
    until(lambda: not [c for c in done.processes().values() if "airflow" in c], 60)


def test_the_ui_shows_the_stages(server: tuple[str, str], browser: Any) -> None:
    photograph(browser, *server)


def test_the_screen_has_the_address_and_the_password(
    done: Scheduled, server: tuple[str, str]
) -> None:
    url, password = server
    shown = (done.path / ".nb/server.log").read_text()
    assert f"airflow: {url}, as admin with the password {password}; Ctrl-C ends it\n" in shown
    assert "warning" not in shown.lower()


def test_cancelling_a_run_in_the_ui_leaves_no_process(
    put_back: Scheduled, server: tuple[str, str]
) -> None:
    url, password = server
    token = ask(f"{url}/auth/token", "POST", {"username": "admin", "password": password})
    key = str(token["access_token"])
    ask(f"{url}/api/v2/dags/{DAG}", "PATCH", {"is_paused": False}, key)
    sleep(put_back, "20-features")
    (put_back.path / "data/asleep").unlink(missing_ok=True)
    address = f"{url}/api/v2/dags/{DAG}/dagRuns"
    ask(address, "POST", {"logical_date": None}, key)
    until(lambda: (put_back.path / "data/asleep").exists(), 180)
    assert notebooks(put_back)
    # Switched on, Airflow begins the run of this morning by itself, and the other one waits for it.
    for run in ask(address, "GET", None, key)["dag_runs"]:
        ask(f"{address}/{run['dag_run_id']}", "PATCH", {"state": "failed"}, key)
    until(lambda: not notebooks(put_back), 90)


def notebooks(project: Scheduled) -> list[str]:
    """Return the processes that run a notebook, or wait for one."""
    words = ("nb task", "papermill", "kernel")
    return [c for c in project.processes().values() if any(word in c for word in words)]


def ask(address: str, method: str, content: dict[str, Any] | None, key: str = "") -> dict[str, Any]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    body = None if content is None else json.dumps(content).encode()
    request = Request(address, body, headers, method=method)
    return dict(json.load(urlopen(request, timeout=60)))


def photograph(browser: Any, url: str, password: str) -> None:
    """Log in and look at the stages of the last run, as a person would."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = browser.new_page(viewport={"width": 1500, "height": 900})
    page.goto(url)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.keyboard.press("Enter")
    page.get_by_text("Active DAGs").first.wait_for(timeout=60_000)
    until(lambda: _appears(page, f"{url}/dags/{DAG}"), 120)
    page.screenshot(path=SCREENSHOTS / "airflow-graph.png")
    page.close()


def _appears(page: Any, address: str) -> bool:
    page.goto(address)
    page.wait_for_timeout(3000)
    return page.get_by_text("features").count() > 0
