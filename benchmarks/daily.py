"""CPU of the commands of every day, in a default project of this version and of a baseline.

    python -m benchmarks.daily                       against the last release
    python -m benchmarks.daily --baseline 1a2b3c4    against a commit
    python -m benchmarks.daily --all --publish       the long rows, too; docs/why/daily-commands.md

Both versions are generated, set up and run in build/bench/daily; then the commands are measured in
turn, so that other load meets both alike. Exits with 1 if a command became slower by over a tenth.
Ctrl-C keeps what was measured.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from . import harness
from .growth import NOTEBOOKS, SHELL, prepare
from .harness import (
    INTERRUPTED,
    TEMPLATE,
    CommandFailed,
    machine_line,
    measured,
    parser,
    publish,
    run,
    say,
    variables,
)
from .history import TOLERATED, add_to_history, commit_of, last_release, slower

BASE = harness.BASE / "daily"
PAGE = TEMPLATE / "docs/why/daily-commands.md"
NOTHING_SLOWER = "Nothing became slower by over a tenth."
# The baseline until there is a release.
FIRST_MEASURED = "953f147"
MARKS = (
    "<!-- measured: `make bench-daily` writes from here -->",
    "<!-- to here -->",
)
NOTEBOOK = "notebooks/production/30-train.ipynb"
FIRST_LOOK = "notebooks/exploratory/01-dm-first-look.ipynb"
TRIVIAL = "notebooks/exploratory/02-trivial.ipynb"
TRIVIAL_TEXT = json.dumps(
    {
        "cells": [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": "write",
                "metadata": {},
                "outputs": [],
                "source": 'from pathlib import Path\nPath("one.json").write_text("1")',
            }
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)
# A differing comment in the last cell: the notebook is stale for Git, and runs as before.
EDIT = f"""python - <<'END'
import json, pathlib, re, time
path = pathlib.Path("{NOTEBOOK}")
notebook = json.loads(path.read_text())
cell = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][-1]
source = re.sub(r"  # \\d+$", "", "".join(cell["source"]).rstrip())
cell["source"] = [*source.splitlines(True), f"  # {{time.time_ns()}}"]
path.write_text(json.dumps(notebook, indent=1))
END
"""
# Git looks again at files that are as new as its index.
SETTLE = "; sleep 1.1; git update-index --refresh"


class Daily(NamedTuple):
    """A command of every day.

    Attributes:
        name: the row of the table.
        command: the command, for a shell; it must succeed.
        before: the preparation of each measurement, not measured.
        long: measured once, and only with `--all`.
        wanted: the aim in CPU seconds on two cores; 0 without an aim.
        pipeline: the kind and number of stages of a pipeline to measure in; else the example.
        costs: the reason why the command may take more than the baseline; empty where unknown.
    """

    name: str
    command: str
    before: str = ""
    long: bool = False
    wanted: float = 0
    pipeline: tuple[str, int] | None = None
    costs: str = ""


START = "the start of `nb` imports modules of completion, tasks and records, too"
COMMANDS = (
    Daily("`nb --help`", "nb --help", wanted=0.08, costs=START),
    Daily("`nb params`", f"nb params {NOTEBOOK}", wanted=0.12, costs=START),
    Daily("`nb stages`", "nb stages", wanted=0.3),
    Daily("`nb doctor`", "nb doctor", wanted=0.8),
    Daily("`nb status`, nothing changed", "nb status", "nb status", wanted=0.15),
    Daily(
        "`nb status` after a commit",
        "nb status",
        "nb status; git commit --quiet --no-verify --allow-empty --message empty",
        wanted=0.15,
    ),
    Daily("`git add` of one notebook", f"git add {NOTEBOOK}", f"touch {NOTEBOOK}"),
    Daily(
        "`git add` without the filter",
        f"git -c core.attributesFile= -c filter.nbstripout.process= -c filter.nbstripout.clean= "
        f"-c filter.nbstripout.required=false add {NOTEBOOK}",
        f"touch {NOTEBOOK}",
    ),
    Daily(
        "`git commit` of one changed notebook",
        "git commit --quiet --message edit",
        f"{EDIT}git add --all{SETTLE}",
        wanted=0.8,
    ),
    Daily(
        "`make setup`, nothing to do",
        "make setup",
        wanted=0.25,
        costs="asks the Python of the environment for `nb`, before and after uv",
    ),
    Daily(
        "`nb run`, 40 stages of one `echo`",
        "nb run --force",
        wanted=1.6,
        pipeline=(SHELL, 40),
    ),
    Daily(
        "`nb run`, 20 trivial notebooks",
        "nb run --force",
        wanted=2,
        pipeline=(NOTEBOOKS, 20),
    ),
    Daily(
        "first commit of a project",
        "git commit --quiet --message first",
        f"rm -rf .git; nb setup; git add --all{SETTLE}",
        long=True,
        wanted=2.5,
    ),
    Daily(
        "`nb promote --dry-run` of a trivial notebook",
        f"nb promote --dry-run {TRIVIAL}",
        f"printf %s '{TRIVIAL_TEXT}' > {TRIVIAL}",
        long=True,
        wanted=5,
    ),
    Daily("`make setup`, warm cache", "make setup", "rm -rf .venv", long=True),
    Daily(
        "`nb promote --dry-run` of the example's first look",
        f"nb promote --dry-run {FIRST_LOOK}",
        long=True,
        wanted=10,
    ),
    Daily("`make test`", "make test", long=True, wanted=20),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both versions and report.

    Returns:
        1 if something became slower, 2 if there is no baseline, 130 if interrupted.
    """
    options = _parse(arguments)
    try:
        baseline = commit_of(options.baseline or last_release() or FIRST_MEASURED)
    except ValueError as error:
        say(f"daily: {error}")
        return 2
    projects = {
        "baseline": _project(_checkout(baseline), "baseline"),
        "now": _project(TEMPLATE, "now"),
    }
    chosen = [daily for daily in COMMANDS if options.all or not daily.long]
    taken: dict[str, tuple[float, float]] = {}
    interrupted = False
    try:
        for name, before, now in _measure(projects, chosen, options.rounds):
            say(f"daily: {name}: {before:.3f} -> {now:.3f}")
            taken[name] = (before, now)
    except KeyboardInterrupt:
        interrupted = True
        say("daily: interrupted; what was measured is kept")
    ratios = {name: now / before for name, (before, now) in taken.items() if before and now}
    shown = "\n\n".join([table(taken, baseline), reasons(ratios)])
    print(shown)
    if not options.no_history:
        add_to_history("daily", baseline, ratios)
    if options.publish and not interrupted:
        publish(PAGE, MARKS, f"{machine_line()}.\n\n{shown}")
    sentences = slower(ratios)
    say("\n".join(sentences) or NOTHING_SLOWER)
    return INTERRUPTED if interrupted else 1 if sentences else 0


def _parse(given: Sequence[str] | None) -> argparse.Namespace:
    arguments = parser(__doc__, "benchmarks.daily")
    arguments.add_argument("--baseline", metavar="COMMIT", help="the version to compare with")
    arguments.add_argument("--rounds", type=int, default=3, metavar="N", help="measurements (3)")
    arguments.add_argument("--all", action="store_true", help="measure what takes long, too")
    arguments.add_argument("--publish", action="store_true", help=f"write docs/{PAGE.name}, too")
    arguments.add_argument("--no-history", action="store_true", help="leave history.jsonl alone")
    return arguments.parse_args(given)


def _checkout(commit: str) -> Path:
    """Lay the files of a commit beside this checkout; return the folder."""
    folder = BASE / "templates" / commit
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    done = subprocess.run(["git", "archive", commit], cwd=TEMPLATE, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    return folder


def _project(template: Path, name: str) -> Path:
    """Generate a default project, set it up, run and commit it; return the folder."""
    project = BASE / name / "biopsies"
    shutil.rmtree(project, ignore_errors=True)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    answers = ("project_name=Biopsies", "project_slug=biopsies", f"python_version={version}")
    cookiecutter = (sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir")
    bake = [*cookiecutter, str(project.parent), str(template), *answers]
    say(f"daily: making the project of {name}")
    environment = variables(project)
    # Elsewhere: in this folder the extensions of this version would be imported for the baseline.
    subprocess.run(bake, cwd=BASE, env=environment, check=True)
    for command in ("make run-notebooks", "git add --all", "git commit --quiet --message all"):
        subprocess.run(
            command.split(), cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL
        )
    return project


def _measure(
    projects: Mapping[str, Path], commands: Iterable[Daily], rounds: int
) -> Iterator[tuple[str, float, float]]:
    """Yield each command with the median CPU seconds of the baseline and of now.

    A command that fails, as one that a version does not have, counts as 0.
    """
    for daily in commands:
        taken: dict[str, list[float]] = {version: [] for version in projects}
        folders = {version: _place(daily, project) for version, project in projects.items()}
        for number in range(1 if daily.long else rounds + 1):
            for version, folder in folders.items():
                seconds = _cpu(daily, folder)
                if daily.long or number:  # the first time Python compiles what a command imports
                    taken[version].append(seconds)
        before, now = (statistics.median(taken[version]) for version in ("baseline", "now"))
        yield daily.name, before, now


def _place(daily: Daily, project: Path) -> Path:
    """Return the folder to measure in: the project, or a pipeline beside it."""
    if not daily.pipeline:
        return project
    folder = project.with_name("pipeline")
    prepare(project, folder, *daily.pipeline)
    return folder


def _cpu(daily: Daily, folder: Path) -> float:
    """Return the CPU seconds of a command; 0 if it fails."""
    if daily.before:
        with (BASE / "log").open("a", encoding="utf-8") as log:
            subprocess.run(
                daily.before, shell=True, cwd=folder, env=variables(folder), stdout=log, stderr=log
            )
    try:
        figure = measured(folder, daily.command)
    except CommandFailed as error:
        say(f"daily: {error}")
        return 0
    return figure.cpu if figure else 0


def table(taken: Mapping[str, tuple[float, float]], baseline: str) -> str:
    """Return a Markdown table of the CPU seconds of the baseline and of now."""
    wanted = {daily.name: daily.wanted for daily in COMMANDS}
    lines = [f"| command | {baseline} | now | ratio | wanted |", "|---|---|---|---|---|"]
    for name, (before, now) in taken.items():
        ratio = f"{now / before:.2f}" if before and now else ""
        seconds = [f"{value:.3f}" if value else "failed" for value in (before, now)]
        aim = f"{wanted[name]:g}" if wanted.get(name) else ""
        lines.append(f"| {name} | {' | '.join(seconds)} | {ratio} | {aim} |")
    return "\n".join(lines)


def reasons(ratios: Mapping[str, float]) -> str:
    """Return the rows that take over a tenth more than the baseline, with the known reasons."""
    known = {daily.name: daily.costs or "for no known reason" for daily in COMMANDS}
    lines = [
        f"- {name}, {ratio:.2f} times: {known[name]}"
        for name, ratio in ratios.items()
        if ratio > TOLERATED
    ]
    return "\n".join(["Slower than the baseline:", "", *lines]) if lines else NOTHING_SLOWER


if __name__ == "__main__":
    run(main)
