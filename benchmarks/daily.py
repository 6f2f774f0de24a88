"""CPU of the commands of every day, in a default project of this version and of a baseline.

    python -m benchmarks.daily                       against the last release
    python -m benchmarks.daily --baseline 1a2b3c4    against a commit
    python -m benchmarks.daily --publish             writes docs/why/daily-commands.md, too

Both versions are generated, set up and run in build/bench/daily; then the commands are measured in
turn, so that other load meets both alike. Exits with 1 if a command became slower by over a tenth.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from .history import TEMPLATE, add_to_history, commit_of, last_release, slower

BASE = TEMPLATE / "build/bench/daily"
PAGE = TEMPLATE / "docs/why/daily-commands.md"
# The baseline until there is a release.
FIRST_MEASURED = "8b9a5f5"
MARK = "<!-- measured: `make bench-quick BENCH=--publish` writes from here -->\n"
NOTEBOOK = "notebooks/production/30-train.ipynb"
# A differing comment in the last cell: the notebook is stale for Git, and runs as before.
EDIT = f"""python - <<'END'
import json, pathlib, time
path = pathlib.Path("{NOTEBOOK}")
notebook = json.loads(path.read_text())
cell = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][-1]
cell["source"] = [*"".join(cell["source"]).rstrip().splitlines(True), f"  # {{time.time_ns()}}"]
path.write_text(json.dumps(notebook, indent=1))
END
"""
# Git looks again at files that are as new as its index.
SETTLE = "; sleep 1.1; git update-index --refresh"


class Daily(NamedTuple):
    """A command of every day.

    Attributes:
        name: the row of the table.
        command: the command, for a shell.
        before: what happens before each measurement, not measured.
        once: measured in the first round only, because it takes long.
        wanted: the CPU seconds it may take on two cores; 0 if nobody said.
    """

    name: str
    command: str
    before: str = ""
    once: bool = False
    wanted: float = 0


COMMANDS = (
    Daily("`nb --help`", "nb --help", wanted=0.08),
    Daily("`nb params`", f"nb params {NOTEBOOK}", wanted=0.12),
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
        "first commit of a project",
        "git commit --quiet --message first",
        f"rm -rf .git; nb setup; git add --all{SETTLE}",
        once=True,
        wanted=2.5,
    ),
    Daily("`make setup`, nothing to do", "make setup", once=True),
    Daily("`make test`", "make test", once=True, wanted=20),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both versions and report; 1 if something became slower, 2 if there is no baseline."""
    options = _parse(arguments)
    try:
        baseline = commit_of(options.baseline or last_release() or FIRST_MEASURED)
    except ValueError as error:
        print(f"daily: {error}", file=sys.stderr)
        return 2
    projects = {
        "baseline": _project(_checkout(baseline), "baseline"),
        "now": _project(TEMPLATE, "now"),
    }
    taken = _measure(projects, options.rounds)
    ratios = {name: now / before for name, (before, now) in taken.items() if before}
    shown = table(taken, baseline)
    print(shown)
    if not options.no_history:
        add_to_history("daily", baseline, ratios)
    if options.publish:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(text[: text.index(MARK)] + f"{MARK}\n{shown}\n", encoding="utf-8")
    sentences = slower(ratios)
    print("\n".join(sentences) or "Nothing became slower by over a tenth.", file=sys.stderr)
    return 1 if sentences else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    summary, _, rest = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.daily",
        description=summary,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--baseline", metavar="COMMIT", help="the version to compare with")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="measurements (5)")
    parser.add_argument("--publish", action="store_true", help=f"write docs/{PAGE.name}, too")
    parser.add_argument("--no-history", action="store_true", help="leave history.jsonl alone")
    return parser.parse_args(arguments)


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
    print(f"daily: making the project of {name}", file=sys.stderr, flush=True)
    environment = _variables(project)
    subprocess.run(bake, env=environment, check=True)
    for command in ("make run-notebooks", "git add --all", "git commit --quiet --message all"):
        subprocess.run(
            command.split(), cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL
        )
    return project


def _variables(project: Path) -> dict[str, str]:
    """Return an environment for a project: its programs first, and a name for Git's commits."""
    left_out = ("PYTHONPYCACHEPREFIX", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV")
    kept = {key: value for key, value in os.environ.items() if key not in left_out}
    person = {
        f"GIT_{role}_{part}": f"daily{'@example.org' if part == 'EMAIL' else ''}"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    return {**kept, **person, "PATH": f"{project / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"}


def _measure(projects: Mapping[str, Path], rounds: int) -> dict[str, tuple[float, float]]:
    """Return the median CPU seconds of each command, those of the baseline first."""
    figures: dict[str, tuple[float, float]] = {}
    for daily in COMMANDS:
        taken: dict[str, list[float]] = {version: [] for version in projects}
        for _ in range(1 if daily.once else rounds):
            for version, project in projects.items():
                taken[version].append(_cpu(daily, project))
        figures[daily.name] = (
            statistics.median(taken["baseline"]),
            statistics.median(taken["now"]),
        )
        before, now = figures[daily.name]
        print(f"daily: {daily.name}: {before:.3f} -> {now:.3f}", file=sys.stderr, flush=True)
    return figures


def _cpu(daily: Daily, project: Path) -> float:
    """Return the CPU seconds of a command and of all processes that it waits for."""

    def run(command: str) -> None:
        with (BASE / "log").open("a", encoding="utf-8") as log:
            subprocess.run(
                command, shell=True, cwd=project, env=_variables(project), stdout=log, stderr=log
            )

    if daily.before:
        run(daily.before)
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(daily.command)
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


def table(taken: Mapping[str, tuple[float, float]], baseline: str) -> str:
    """Return a Markdown table of the CPU seconds of the baseline and of now."""
    wanted = {daily.name: daily.wanted for daily in COMMANDS}
    lines = [f"| command | {baseline} | now | ratio | wanted |", "|---|---|---|---|---|"]
    for name, (before, now) in taken.items():
        ratio = f"{now / before:.2f}" if before else ""
        aim = f"{wanted[name]:g}" if wanted.get(name) else ""
        lines.append(f"| {name} | {before:.3f} | {now:.3f} | {ratio} | {aim} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
