"""What is compared: how each contestant lays out a pipeline, and the command its user types."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ..harness import copy_project, write
from .environments import BASE, LIBRARIES, PROJECT, programs, run
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
        ordered: whether it knows what depends on what; others are given the right order.
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
    ordered: bool = False

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


def yaml(tree: Any) -> str:
    """Return data as YAML."""
    stream = StringIO()
    YAML().dump(tree, stream)
    return stream.getvalue()


def outputs(names: Sequence[str]) -> list[str]:
    return [f"{DATA}/{name}.json" for name in names]


def stage(step: Step, engine: str) -> dict[str, Any]:
    """Return a stage as the template writes it."""
    source = f"notebooks/production/{step.name}.ipynb reports/notebooks/{step.name}.ipynb"
    return {
        "cmd": f"papermill {source} {engine}-k python3",
        "deps": [f".nb/fingerprints/{step.name}.txt", *outputs(step.needs)],
        "outs": [step.output],
    }


def dvc_project(engine: str) -> Callable[[Path, Pipeline, int], None]:
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
            "inputs": outputs(step.needs),
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
) -> Contestant:
    """Return a contestant that runs the pipeline of a generated project."""
    return Contestant(
        key=key,
        title=title,
        environment=PROJECT,
        notebook=PRODUCTION,
        lay_out=dvc_project(engine),
        command=command,
        incremental=True,
        ordered=True,
    )


def contestants() -> list[Contestant]:
    """Return all contestants, in the order of the table."""
    return [
        _in_project(OURS, "`nb run`", lambda pipeline, jobs: f"nb run -j {jobs}"),
        _in_project(
            "nb-spawn",
            "`nb run`, fresh processes as on Windows",
            lambda pipeline, jobs: f"NB_START_METHOD=spawn nb run -j {jobs}",
        ),
        _in_project(REFERENCE, "`dvc repro`", lambda pipeline, jobs: "dvc repro"),
        _in_project(
            "dvc-papermill",
            "`dvc repro`, papermill's own engine",
            lambda pipeline, jobs: "dvc repro",
            engine="",
        ),
        Contestant(
            key="papermill",
            title="papermill, a loop",
            environment="papermill",
            packages=("papermill",),
            command=papermill_loop,
        ),
        Contestant(
            key="nbconvert",
            title="`jupyter nbconvert --execute`",
            environment="nbconvert",
            packages=("jupyter-core", "nbconvert"),
            command=nbconvert,
        ),
        Contestant(
            key="nbmake",
            title="nbmake (`pytest --nbmake -n`)",
            environment="nbmake",
            packages=("nbmake", "pytest-xdist"),
            command=nbmake,
        ),
        Contestant(
            key="ploomber",
            title="ploomber, parallel",
            environment="ploomber",
            packages=("ploomber",),
            parameters=PLOOMBER_PARAMETERS,
            lay_out=lay_out_ploomber,
            command=lambda pipeline, jobs: "ploomber build",
            incremental=True,
            ordered=True,
        ),
        Contestant(
            key="calkit",
            title="calkit",
            environment="calkit",
            packages=("calkit-python", "uv"),
            lay_out=lay_out_calkit,
            command=lambda pipeline, jobs: "calkit run",
            incremental=True,
            ordered=True,
        ),
        Contestant(
            key=FLOOR,
            title="the floor: scripts, `xargs -P`",
            environment="scripts",
            notebook="{}.py",
            command=scripts,
        ),
    ]
