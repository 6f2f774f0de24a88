"""The pipeline as an Airflow DAG: one task per stage of `dvc.yaml`, read when Airflow loads.

A new stage appears by itself. A task runs `nb task STAGE`, which runs the notebook only if it is
stale; where it is not, the task is skipped. (PapermillOperator would run every notebook every time,
in Airflow's environment, and `dvc.lock` would not know.)
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, BaseOperator, BaseOperatorLink, Context, TaskGroup, TriggerRule
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

sys.path.insert(0, str(Path(__file__).parent))

import stages

# When the whole pipeline is brought up to date, once the DAG is switched on in the UI.
SCHEDULE = "0 5 * * *"
# Where reports/site is served, if it is; the link of a task then leads there.
SITE = os.environ.get("NB_SITE_URL", "")


class ExecutedNotebook(BaseOperatorLink):
    """The button of a task that leads to the executed notebook."""

    name = "Executed notebook"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        executed = operator.stage.executed
        if not executed:
            return ""
        if SITE:
            return f"{SITE.rstrip('/')}/notebooks/{Path(executed).stem}.html"
        return (stages.ROOT / executed).as_uri()


class StageOperator(BaseOperator):
    """Brings one stage up to date, as `nb run` would.

    The result of the task is what `nb task --json` says: state, metrics, executed copy.
    """

    operator_extra_links = (ExecutedNotebook(),)

    def __init__(self, *, stage: stages.Stage, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.stage = stage
        self.process: subprocess.Popen[str] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        try:
            result = stages.run(self.stage, self.log.info, self._started)
        except stages.StageError as error:
            raise (AirflowFailException if error.is_hopeless else AirflowException)(error) from None
        if result["state"] == "unchanged":
            context["ti"].xcom_push("return_value", result)
            raise AirflowSkipException(f"{self.stage.name} is unchanged: the notebook was not run")
        self.log.info("%s %s; %s", self.stage.name, result["state"], self.stage.executed)
        return result

    def _started(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def on_kill(self) -> None:
        """Have the stage end with all that it started; `execute` waits for that."""
        if self.process:
            self.process.terminate()


def make_dag() -> DAG:
    """Return the DAG of the pipeline; the values of a matrix are a group of tasks."""
    dag = DAG(
        "{{ cookiecutter.project_slug }}",
        description="The production notebooks, as dvc.yaml declares them",
        schedule=SCHEDULE,
        start_date=datetime(2024, 1, 1),
        catchup=False,
        max_active_runs=1,  # two runs in one folder would do the same work
    )
    groups: dict[str, TaskGroup] = {}
    tasks: dict[str, StageOperator] = {}
    for stage in stages.load():
        group, _, value = stage.name.partition("@")
        if value and group not in groups:
            groups[group] = TaskGroup(id_of(group), dag=dag, tooltip=stage.desc)
        tasks[stage.name] = task_of(stage, id_of(value or group), dag, groups.get(group))
        tasks[stage.name].set_upstream([tasks[name] for name in stage.after])
    return dag


def id_of(name: str) -> str:
    """Return a stage's name as Airflow allows it: `eda/dvc.yaml:clean` is `eda_clean`."""
    return re.sub(r"/dvc\.yaml:|[^\w-]", "_", name)


def task_of(stage: stages.Stage, task_id: str, dag: DAG, group: TaskGroup | None) -> StageOperator:
    """Return the task of a stage."""
    settings = stage.settings
    limit = settings.timeout and timedelta(seconds=settings.timeout + 2 * stages.GRACE_SECONDS)
    queue = {"queue": settings.queue} if settings.queue else {}
    return StageOperator(
        task_id=task_id,
        dag=dag,
        task_group=group,
        stage=stage,
        doc_md=f"{stage.desc}\n\n    {stage.command}",
        retries=settings.retries,
        retry_delay=timedelta(seconds=settings.retry_delay),
        execution_timeout=limit,  # the stage ends itself before; this is for a worker that hangs
        trigger_rule=TriggerRule.NONE_FAILED,  # what comes before may be unchanged, so skipped
        **queue,
    )


dag = make_dag()
