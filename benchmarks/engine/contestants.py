"""What is compared: how each contestant lays out a pipeline, and the command its user types."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..harness import copy_project, write
from .environments import BASE, PROJECT
from .layouts import (
    lay_out_airflow,
    lay_out_calkit,
    lay_out_dagster,
    lay_out_ploomber,
    lay_out_project,
    lay_out_snakemake,
)
from .pipelines import DATA, Pipeline, Step

OURS = "nb"
REFERENCE = "dvc"
FLOOR = "scripts"


@dataclass(frozen=True)
class Contestant:
    """A way to run a pipeline.

    Attributes:
        key: its name on the command line.
        title: its name in the table.
        environment: the name of the environment it runs in.
        packages: what is installed there, besides what the notebooks import.
        notebook: where a step's notebook is, with `{}` for the step's name.
        command: returns the shell lines that run a pipeline on so many cores.
        lay_out: writes what it needs besides the notebooks, and wires the folder.
        parameters: the cell of parameters that it asks of a notebook; takes a step.
        incremental: whether it knows what changed; others run everything each time.
        saves: the reason why it may be faster than `nb run`, as the end of a sentence.
    """

    key: str
    title: str
    environment: str
    command: Callable[[Pipeline, int], str]
    packages: tuple[str, ...] = ()
    notebook: str = "{}.ipynb"
    lay_out: Callable[[Path, Pipeline, int], None] = lambda folder, pipeline, jobs: None
    parameters: str = ""
    incremental: bool = False
    saves: str = ""

    def write_step(self, folder: Path, step: Step, version: int) -> None:
        """Write the notebook of a step, or its script."""
        path = folder / self.notebook.format(step.name)
        script = path.suffix == ".py"
        text = step.script(version) if script else step.notebook(version, self.parameters)
        write(path, text)

    def prepare(self, folder: Path, pipeline: Pipeline, jobs: int) -> None:
        """Make a folder in which nothing has run yet."""
        shutil.rmtree(folder, ignore_errors=True)
        if self.environment == PROJECT:
            copy_project(BASE / "env" / PROJECT, folder)
        (folder / DATA).mkdir(parents=True, exist_ok=True)
        for step in pipeline.steps:
            self.write_step(folder, step, 1)
        self.lay_out(folder, pipeline, jobs)
        write(folder / "run.sh", f"set -e\n{self.command(pipeline, jobs)}\n")


def names(pipeline: Pipeline, suffix: str) -> str:
    return " ".join(f"{step.name}.{suffix}" for step in pipeline.steps)


def papermill_loop(pipeline: Pipeline, jobs: int) -> str:
    line = 'papermill "$notebook" "executed/$notebook" -k python3'
    loop = f"for notebook in {names(pipeline, 'ipynb')}; do\n  {line}\ndone"
    return f"mkdir -p executed\n{loop}"


def nbconvert(pipeline: Pipeline, jobs: int) -> str:
    options = "--to notebook --execute --output-dir executed"
    return f"jupyter nbconvert {options} {names(pipeline, 'ipynb')}"


def nbmake(pipeline: Pipeline, jobs: int) -> str:
    """Return a call of pytest; one process where a notebook needs what another writes."""
    side_by_side = jobs if len(pipeline.layers()) == 1 else 0
    return f"pytest --nbmake -n {side_by_side} {names(pipeline, 'ipynb')}"


def dagster(pipeline: Pipeline, jobs: int) -> str:
    """Return a call that materializes all assets; the definitions say how many at a time."""
    return 'DAGSTER_HOME="$PWD" dagster asset materialize --select "*" -f definitions.py'


def scripts(pipeline: Pipeline, jobs: int) -> str:
    """Return a call of xargs for each layer of the pipeline."""
    lines = [
        f"printf '%s\\n' {' '.join(f'{step.name}.py' for step in layer)} | "
        f"xargs -P{jobs} -n1 python"
        for layer in pipeline.layers()
    ]
    return "\n".join(["export MPLBACKEND=Agg", *lines])


PLOOMBER_PARAMETERS = "upstream = None\nproduct = None\n"
PRODUCTION = "notebooks/production/{}.ipynb"


def _in_project(
    key: str,
    title: str,
    command: Callable[[Pipeline, int], str],
    engine: str = "--engine nb ",
    saves: str = "",
) -> Contestant:
    """Return a contestant that runs the pipeline of a generated project."""
    return Contestant(
        key=key,
        title=title,
        environment=PROJECT,
        notebook=PRODUCTION,
        lay_out=lay_out_project(engine),
        command=command,
        incremental=True,
        saves=saves,
    )


def contestants() -> list[Contestant]:
    """Return all contestants, in the order of the table."""
    return [
        _in_project(OURS, "`nb run`", lambda pipeline, jobs: f"nb run -j {jobs}"),
        _in_project(
            "nb-spawn",
            "`nb run`, fresh processes as on Windows",
            lambda pipeline, jobs: f"NB_START_METHOD=spawn nb run -j {jobs}",
            saves="imports no libraries ahead of the notebooks",
        ),
        _in_project(
            REFERENCE,
            "`dvc repro`",
            lambda pipeline, jobs: "dvc repro",
            saves="starts no processes ahead of the notebooks, and keeps no record of the run",
        ),
        _in_project(
            "dvc-papermill",
            "`dvc repro`, papermill's own engine",
            lambda pipeline, jobs: "dvc repro",
            engine="",
            saves="starts no processes ahead of the notebooks, and keeps no record of the run",
        ),
        Contestant(
            key="papermill",
            title="papermill, a loop",
            saves="hashes nothing, and keeps no record of the run",
            environment="papermill",
            packages=("papermill",),
            command=papermill_loop,
        ),
        Contestant(
            key="nbconvert",
            title="`jupyter nbconvert --execute`",
            saves="executes all notebooks in one process, and hashes nothing",
            environment="nbconvert",
            packages=("jupyter-core", "nbconvert"),
            command=nbconvert,
        ),
        Contestant(
            key="nbmake",
            title="nbmake (`pytest --nbmake -n`)",
            saves="keeps no executed notebooks, and hashes nothing",
            environment="nbmake",
            packages=("nbmake", "pytest-xdist"),
            command=nbmake,
        ),
        Contestant(
            key="ploomber",
            title="ploomber, parallel",
            saves="imports papermill once per worker, and hashes no data",
            environment="ploomber",
            packages=("ploomber",),
            parameters=PLOOMBER_PARAMETERS,
            lay_out=lay_out_ploomber,
            command=lambda pipeline, jobs: "ploomber build",
            incremental=True,
        ),
        Contestant(
            key="calkit",
            title="calkit",
            saves="keeps no record of the run",
            environment="calkit",
            packages=("calkit-python", "uv"),
            lay_out=lay_out_calkit,
            command=lambda pipeline, jobs: "calkit run",
            incremental=True,
        ),
        Contestant(
            key="snakemake",
            title="snakemake, notebook rules",
            saves="looks at times of files first, and hashes no large ones",
            environment="snakemake",
            packages=("snakemake", "papermill"),
            lay_out=lay_out_snakemake,
            command=lambda pipeline, jobs: f"snakemake --cores {jobs}",
            incremental=True,
        ),
        Contestant(
            key="dagster",
            title="Dagster, dagstermill",
            saves="hashes nothing, and looks for no results",
            environment="dagster",
            packages=("dagster", "dagstermill"),
            lay_out=lay_out_dagster,
            command=dagster,
        ),
        Contestant(
            key="airflow",
            title="Airflow, PapermillOperator",
            saves="imports papermill once for all tasks, and hashes nothing",
            environment="airflow",
            packages=("apache-airflow", "apache-airflow-providers-papermill"),
            lay_out=lay_out_airflow,
            command=lambda pipeline, jobs: 'AIRFLOW_HOME="$PWD" airflow dags test pipeline',
        ),
        Contestant(
            key=FLOOR,
            title="the floor: scripts, `xargs -P`",
            saves="starts no kernels, keeps no executed notebooks, and hashes nothing",
            environment="scripts",
            notebook="{}.py",
            command=scripts,
        ),
    ]
