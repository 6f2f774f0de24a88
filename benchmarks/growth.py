"""How the cost of `nb run` grows with the number of stages: a table, and a picture for the docs.

    python -m benchmarks.growth build/demo                     a project that `make demo` made
    python -m benchmarks.growth build/demo --before build/old  and one with other tooling beside
    python -m benchmarks.growth build/demo --publish           and into docs/why/run-benchmark.md

Stages of one `echo` have no work of their own: their CPU seconds are the overhead of a stage. All
contestants take turns at each size. A contestant that took longer than the limit at one size is
left out at larger sizes.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from html import escape
from math import log10
from pathlib import Path

from .engine.layouts import stage, yaml
from .engine.pipelines import Step
from .harness import (
    TEMPLATE,
    Figure,
    copy_project,
    machine_line,
    measured,
    parser,
    publish,
    run,
    write,
)
from .history import TOLERATED

PAGE = TEMPLATE / "docs/why/run-benchmark.md"
PICTURE = "growth-{}.svg"
MARKS = (
    "<!-- measured: `python -m benchmarks.growth --kind {}` writes from here -->",
    "<!-- to here: {} -->",
)
FEW = 2
SIZES = (25, 50, 100, 200, 400, 1000)
SHELL, NOTEBOOKS = "shell", "notebooks"
TITLES = {SHELL: "stages of one `echo`", NOTEBOOKS: "trivial notebooks"}
PLAN, ALL, NOTHING, CHANGED, STATUS = "plan", "all", "nothing changed", "one changed", "status"
OURS, REFERENCE = "nb run", "dvc repro"
TITLE, PEER, BEFORE = "`nb run`", "`dvc repro`", "`nb run`, before"
NO_WORKERS = "which starts no workers and keeps no record of the run"
# The reasons why a contestant may take less CPU than `nb run`.
SAVES = {
    (PEER, ALL): NO_WORKERS,
    (PEER, CHANGED): NO_WORKERS,
    (BEFORE, NOTHING): "whose start imported fewer modules",
}
# Scenarios in the order in which each leaves the project as the next needs it.
COMMANDS = {
    OURS: {PLAN: "nb run -n", ALL: OURS, NOTHING: OURS, CHANGED: OURS, STATUS: "nb status"},
    REFERENCE: {ALL: REFERENCE, NOTHING: REFERENCE, CHANGED: REFERENCE},
}
# Contrast with a light and a dark page.
INK, COLORS = "#767d87", ("#2f81f7", "#8b949e", "#bf8700")


# By contestant and number of stages, the cost of each scenario.
Results = dict[str, dict[int, dict[str, Figure]]]


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
    copy_project(project, folder)
    stages, files = pipeline(kind, count)
    for path, text in files.items():
        write(folder / path, text)
    write(folder / "dvc.yaml", yaml({"stages": stages}))
    for words in (["init", "--quiet"], ["add", "--all"]):
        subprocess.run(["git", *words], cwd=folder, check=True)


def costs(
    contestant: str, project: Path, folder: Path, kind: str, count: int, limit: float
) -> dict[str, Figure]:
    """Return the cost of each scenario for a contestant; none if it takes longer than the limit."""
    prepare(project, folder, kind, count)
    found: dict[str, Figure] = {}
    try:
        for scenario, command in COMMANDS[contestant].items():
            if scenario == CHANGED:
                change(folder, kind, count)
            if scenario == STATUS:
                (folder / ".nb/stamp.json").unlink(missing_ok=True)
            figure = measured(folder, command, limit)
            if figure is None:
                return found
            found[scenario] = figure
    finally:
        shutil.rmtree(folder)
    return found


def change(folder: Path, kind: str, count: int) -> None:
    """Edit the input of the stage in the middle."""
    name = f"s{count // 2:04}"
    if kind == NOTEBOOKS:
        write(folder / f"notebooks/production/{name}.ipynb", Step(name, 1).notebook(2))
    else:
        write(folder / f"config/{name}.txt", "changed\n")


def place(project: Path) -> Path:
    """Return the folder beside a project in which pipelines are measured."""
    return project.with_name(f"{project.name}-growth")


def measure(
    projects: Mapping[str, tuple[str, Path]], kind: str, sizes: Iterable[int], limit: float
) -> Results:
    """Measure all contestants at each size, in turn.

    Args:
        projects: by title, the contestant and the project whose environment it runs in.
        kind: the kind of stages.
        sizes: the numbers of stages.
        limit: a contestant that takes more seconds is left out at larger sizes.
    """
    found: Results = {title: {} for title in projects}
    slow: set[str] = set()
    for contestant, project in projects.values():  # Python compiles what a first run imports
        costs(contestant, project, place(project), kind, FEW, limit)
    for count in sizes:
        for title, (contestant, project) in projects.items():
            if title in slow:
                continue
            taken = costs(contestant, project, place(project), kind, count, limit)
            if ALL not in taken or taken[ALL].wall > limit / 2:
                slow.add(title)
            if ALL in taken:
                found[title][count] = taken
                print(f"{title}, {count} {TITLES[kind]}: {taken[ALL].cpu:.1f} s CPU", flush=True)
    return found


def table(results: Results) -> str:
    """Return the figures as a table in Markdown, a row per contestant and size."""
    names = (PLAN, ALL, NOTHING, CHANGED, STATUS)
    columns = ["stages", "CPU per stage", *(f"{name}, CPU" for name in names), "wall", "memory"]
    rows = [f"|  | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    for title, sizes in results.items():
        for count, taken in sizes.items():
            every = taken[ALL]
            shown = [f"{taken[name].cpu:.2f} s" if name in taken else "" for name in names]
            first = [f"{count:,}", f"{1000 * every.cpu / count:.0f} ms"]
            last = [f"{every.wall:.1f} s", f"{every.memory / 1e6:.0f} MB"]
            rows.append(f"| {title} | {' | '.join([*first, *shown, *last])} |")
    return "\n".join(rows)


def cheaper(results: Results) -> str:
    """Return the contestants that took less CPU than `nb run`, with the reason, as Markdown."""
    lines = []
    for title, sizes in results.items():
        for scenario in (PLAN, ALL, NOTHING, CHANGED, STATUS):
            fewer = [
                f"{n:,}" for n in sizes if takes_less(sizes[n], results[TITLE].get(n), scenario)
            ]
            if fewer:
                reason = SAVES.get((title, scenario), "for no known reason")
                lines.append(f"- {scenario}, at {', '.join(fewer)} stages: {title}, {reason}")
    if not lines:
        return "No contestant took over a tenth less CPU than `nb run`."
    return "Over a tenth less CPU than `nb run`:\n\n" + "\n".join(lines)


def takes_less(
    taken: Mapping[str, Figure], own: Mapping[str, Figure] | None, scenario: str
) -> bool:
    """Return whether a scenario took clearly less CPU than the same of `nb run`."""
    if not own or scenario not in own or scenario not in taken:
        return False
    return own[scenario].cpu > TOLERATED * taken[scenario].cpu


def picture(results: Results) -> str:
    """Return a line per contestant, CPU seconds over stages, both as logarithms, as SVG."""
    width, height, left, line = 620, 340, 60, 18
    points = {
        title: [(count, taken[ALL].cpu) for count, taken in sizes.items()]
        for title, sizes in results.items()
        if sizes
    }
    across = scale([count for each in points.values() for count, _ in each], left, width - 120)
    upward = scale([cpu for each in points.values() for _, cpu in each], height - 40, 20)
    shapes: list[str] = []
    for count in sorted({count for each in points.values() for count, _ in each}):
        shapes.append(f'<text x="{across(count):.0f}" y="{height - 12}">{count}</text>')
    for number, (title, each) in enumerate(points.items()):
        color = COLORS[number % len(COLORS)]
        path = " ".join(f"{across(count):.1f},{upward(cpu):.1f}" for count, cpu in each)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for count, cpu in each:
            label = escape(f"{title}, {count} stages: {cpu:.1f} s")
            place = f'cx="{across(count):.1f}" cy="{upward(cpu):.1f}"'
            shapes.append(f'<circle {place} r="3" fill="{color}"><title>{label}</title></circle>')
        shapes.append(
            f'<text x="{left}" y="{20 + line * number}" fill="{color}">{escape(title)}</text>'
        )
        count, cpu = each[-1]
        place = f'x="{across(count) + 8:.0f}" y="{upward(cpu):.0f}"'
        shapes.append(f'<text {place} fill="{color}">{cpu:.1f} s</text>')
    style = f"font: 13px system-ui, sans-serif; fill: {INK}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
    name = "<title>CPU seconds of a run over the number of stages, both as logarithms</title>"
    return "\n".join([f'{head} width="{width}" style="{style}">', name, *shapes, "</svg>"]) + "\n"


def scale(values: list[float] | list[int], first: float, last: float) -> Callable[[float], float]:
    """Return a function from a value to a place between two, by the logarithm of the value."""
    low, high = log10(min(values)), log10(max(values))
    return lambda value: first + (last - first) * (log10(value) - low) / ((high - low) or 1)


def for_page(results: Results, kind: str) -> str:
    """Return the table below the picture, which is written into the docs."""
    drawn = PAGE.with_name(PICTURE.format(kind))
    drawn.write_text(picture(results), encoding="utf-8")
    image = f"![CPU seconds of a run over the number of {TITLES[kind]}]({drawn.name})"
    return f"{image}\n\n{machine_line()}.\n\n{table(results)}\n\n{cheaper(results)}"


def main() -> None:
    arguments = parser(__doc__, "benchmarks.growth")
    arguments.add_argument("project", type=Path, help="a project that is set up")
    arguments.add_argument("--before", type=Path, metavar="PROJECT", help="one with other tooling")
    arguments.add_argument("--kind", choices=TITLES, default=SHELL, help="the stages (shell)")
    arguments.add_argument("--sizes", type=int, nargs="+", default=SIZES, metavar="N")
    arguments.add_argument("--limit", type=float, default=600, metavar="S", help="seconds (600)")
    arguments.add_argument(
        "--publish", action="store_true", help="write docs/why/run-benchmark.md, too"
    )
    options = arguments.parse_args()
    project = options.project.resolve()
    projects = {TITLE: (OURS, project), PEER: (REFERENCE, project)}
    if options.before:
        projects[BEFORE] = (OURS, options.before.resolve())
    results = measure(projects, options.kind, options.sizes, options.limit)
    print(f"{table(results)}\n\n{cheaper(results)}")
    if options.publish:
        begin, end = (mark.format(options.kind) for mark in MARKS)
        publish(PAGE, (begin, end), for_page(results, options.kind))


if __name__ == "__main__":
    run(main)
