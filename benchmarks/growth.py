"""How the cost of `nb run` grows with the number of stages: a table, and a picture for the docs.

    python -m benchmarks.growth build/demo                     a project that `make demo` made
    python -m benchmarks.growth build/demo --before build/old  and one with other tooling beside
    python -m benchmarks.growth build/demo --publish           and into docs/why/run-benchmark.md

Stages of one `echo` have no work of their own: their CPU seconds are the overhead of a stage. All
contestants take turns at each size. A contestant that took longer than the limit at one size is
left out at larger sizes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .engine.contestants import stage, yaml
from .engine.pipelines import Step, write

TEMPLATE = Path(__file__).resolve().parent.parent
PAGE = TEMPLATE / "docs/why/run-benchmark.md"
PICTURE = TEMPLATE / "docs/growth.svg"
BEGIN = "<!-- measured: `python -m benchmarks.growth` writes from here -->"
END = "<!-- to here -->"
MEASURE = TEMPLATE / "benchmarks/engine/measure.py"
SIZES = (25, 50, 100, 200, 400, 1000)
SHELL, NOTEBOOKS = "shell", "notebooks"
TITLES = {SHELL: "stages of one `echo`", NOTEBOOKS: "trivial notebooks"}
ALL, NOTHING, CHANGED, PLAN, STATUS = "all", "nothing changed", "one changed", "plan", "status"
COMMANDS = {
    "nb run": {
        ALL: "nb run -j2", NOTHING: "nb run -j2", CHANGED: "nb run -j2",
        PLAN: "nb run -n", STATUS: "nb status",
    },
    "dvc repro": {ALL: "dvc repro", NOTHING: "dvc repro", CHANGED: "dvc repro"},
}  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """The cost of a command: CPU and wall time in seconds, the peak of memory in bytes."""

    cpu: float
    wall: float
    memory: int


def pipeline(kind: str, count: int) -> tuple[dict[str, object], dict[str, str]]:
    """Return the stages of a pipeline, and the files that they read, by path."""
    names = [f"s{number:04}" for number in range(count)]
    if kind == NOTEBOOKS:
        steps = [Step(name, 1) for name in names]
        notebooks = {f"notebooks/production/{step.name}.ipynb": step.notebook(1) for step in steps}
        return {step.name: stage(step, "--engine nb ") for step in steps}, notebooks
    stages: dict[str, object] = {
        name: {
            "cmd": f"echo 1 > data/processed/{name}.txt",
            "deps": [f"config/{name}.txt"],
            "outs": [f"data/processed/{name}.txt"],
        }
        for name in names
    }
    return stages, {f"config/{name}.txt": f"{name}\n" for name in names}


def prepare(project: Path, folder: Path, kind: str, count: int) -> None:
    """Make a project of so many stages beside one that is set up."""
    shutil.rmtree(folder, ignore_errors=True)
    others = (".venv", ".git", ".nb", "cache", "reports", "*.ipynb", "*.lock")
    left_out = shutil.ignore_patterns(*others)
    shutil.copytree(project, folder, ignore=left_out, symlinks=True)
    (folder / ".venv").symlink_to(project / ".venv")
    stages, files = pipeline(kind, count)
    for path, text in files.items():
        write(folder / path, text)
    write(folder / "dvc.yaml", yaml({"stages": stages}))
    (folder / "data/processed").mkdir(parents=True, exist_ok=True)
    for words in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def measured(folder: Path, command: str, limit: float) -> Figure | None:
    """Run a command in a project; return the cost, or None if the limit was exceeded."""
    programs = str(folder / ".venv/bin")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    report, log = folder / ".nb/growth.json", folder / ".nb/growth.log"
    report.parent.mkdir(exist_ok=True)
    subprocess.run(
        [f"{programs}/python", str(MEASURE), str(report), str(log), str(limit), *command.split()],
        cwd=folder,
        env={**kept, "PATH": os.pathsep.join([programs, os.environ["PATH"]])},
        check=True,
    )
    found = json.loads(report.read_text(encoding="utf-8"))
    if found["late"]:
        return None
    if found["code"] != 0:
        sys.exit(f"{command} failed in {folder}:\n{log.read_text(encoding='utf-8')}")
    return Figure(found["cpu"], found["wall"], found["memory"])
