"""Declarations of a pipeline: the files that each contestant needs besides the notebooks."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ..harness import write
from .environments import LIBRARIES, PROJECT, programs, run
from .pipelines import Pipeline, Step

SNAKEMAKE_RULE = """\
rule {step.name}:
    input: {inputs}
    output: "{step.output}"
    log: notebook="executed/{step.name}.ipynb"
    notebook: "{step.name}.ipynb"
"""
DAGSTER_DEFINITIONS = """\
from pathlib import Path

from dagster import Definitions, multiprocess_executor
from dagstermill import ConfigurableLocalOutputNotebookIOManager, define_dagstermill_asset

FOLDER = Path(__file__).parent
NEEDS = {needs}
executed = ConfigurableLocalOutputNotebookIOManager(base_dir=str(FOLDER / "executed"))
definitions = Definitions(
    assets=[
        define_dagstermill_asset(name, str(FOLDER / (name + ".ipynb")), deps=deps)
        for name, deps in NEEDS.items()
    ],
    executor=multiprocess_executor.configured(dict(max_concurrent={jobs})),
    resources=dict(output_notebook_io_manager=executed),
)
"""
AIRFLOW_DAG = """\
from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.sdk import DAG

NEEDS = {needs}
with DAG("pipeline", schedule=None):
    tasks = dict()
    for name, needs in NEEDS.items():
        tasks[name] = PapermillOperator(
            task_id=name,
            input_nb=name + ".ipynb",
            output_nb="executed/" + name + ".ipynb",
            kernel_name="python3",
        )
        tasks[name].set_upstream([tasks[need] for need in needs])
"""


def yaml(tree: Any) -> str:
    """Return data as YAML."""
    stream = StringIO()
    YAML().dump(tree, stream)
    return stream.getvalue()


def stage(step: Step, engine: str) -> dict[str, Any]:
    """Return a stage as the template writes it."""
    source = f"notebooks/production/{step.name}.ipynb reports/notebooks/{step.name}.ipynb"
    return {
        "cmd": f"papermill {source} {engine}-k python3",
        "deps": [f".nb/fingerprints/{step.name}.txt", *step.inputs],
        "outs": [step.output],
    }


def lay_out_project(engine: str) -> Callable[[Path, Pipeline, int], None]:
    """Return what lays out a generated project whose stages use an engine of papermill."""

    def lay_out(folder: Path, pipeline: Pipeline, jobs: int) -> None:
        stages = {step.name: stage(step, engine) for step in pipeline.steps}
        write(folder / "dvc.yaml", yaml({"stages": stages}))
        nb = programs(PROJECT) / "nb"
        run(nb, "setup", name=PROJECT, cwd=folder)
        commit(folder, PROJECT)
        if pipeline.prepared:
            adopt_results(folder, pipeline)

    return lay_out


def commit(folder: Path, name: str) -> None:
    """Commit all files of a Git repository."""
    run("git", "add", "--all", name=name, cwd=folder)
    words = ("commit", "--quiet", "--no-verify", "--message", "The pipeline")
    run("git", *words, name=name, cwd=folder)


def adopt_results(folder: Path, pipeline: Pipeline) -> None:
    """Make the results in one process and have DVC take them for those of the stages."""
    scripts = "\n".join(step.script(1) for step in pipeline.steps)
    run(programs(PROJECT) / "python", "-", name=PROJECT, cwd=folder, stdin=scripts)
    run(programs(PROJECT) / "dvc", "commit", "--force", "--quiet", name=PROJECT, cwd=folder)


def lay_out_ploomber(folder: Path, pipeline: Pipeline, jobs: int) -> None:
    tasks = [
        {
            "source": f"{step.name}.ipynb",
            "name": step.name,
            "product": {"nb": f"executed/{step.name}.ipynb", "data": step.output},
            "upstream": list(step.needs) or None,
        }
        for step in pipeline.steps
    ]
    parallel = {"dotted_path": "ploomber.executors.Parallel", "processes": jobs}
    tree = {"meta": {"extract_upstream": False}, "executor": parallel, "tasks": tasks}
    write(folder / "pipeline.yaml", yaml(tree))


def lay_out_calkit(folder: Path, pipeline: Pipeline, jobs: int) -> None:
    stages = {
        step.name: {
            "kind": "jupyter-notebook",
            "environment": "main",
            "notebook_path": f"{step.name}.ipynb",
            "inputs": step.inputs,
            "outputs": [step.output],
        }
        for step in pipeline.steps
    }
    environments = {"main": {"kind": "uv-venv", "path": "requirements.txt", "prefix": ".venv"}}
    about = {"owner": "bench", "name": "pipeline", "environments": environments}
    write(folder / "calkit.yaml", yaml({**about, "pipeline": {"stages": stages}}))
    write(folder / "requirements.txt", "\n".join(LIBRARIES) + "\n")
    write(folder / ".gitignore", ".venv/\nrun.sh\n")
    run("git", "init", "--quiet", name="calkit", cwd=folder)
    run("dvc", "init", "--quiet", name="calkit", cwd=folder)
    run("calkit", "check", "env", "--name", "main", name="calkit", cwd=folder)
    commit(folder, "calkit")


def lay_out_snakemake(folder: Path, pipeline: Pipeline, jobs: int) -> None:
    everything = [step.output for step in pipeline.steps]
    rules = [f"rule all:\n    input: {everything}\n"]
    rules += [SNAKEMAKE_RULE.format(step=step, inputs=step.inputs) for step in pipeline.steps]
    write(folder / "Snakefile", "\n".join(rules))


def lay_out_dagster(folder: Path, pipeline: Pipeline, jobs: int) -> None:
    write(folder / "definitions.py", DAGSTER_DEFINITIONS.format(needs=needs(pipeline), jobs=jobs))
    write(folder / "dagster.yaml", yaml({"telemetry": {"enabled": False}}))


def lay_out_airflow(folder: Path, pipeline: Pipeline, jobs: int) -> None:
    write(folder / "dags/pipeline.py", AIRFLOW_DAG.format(needs=needs(pipeline)))
    (folder / "executed").mkdir()
    home = f"AIRFLOW_HOME={folder}"
    run("env", home, "airflow", "db", "migrate", name="airflow", cwd=folder)


def needs(pipeline: Pipeline) -> dict[str, list[str]]:
    """Return the names of the steps that each step needs, by its name."""
    return {step.name: list(step.needs) for step in pipeline.steps}
