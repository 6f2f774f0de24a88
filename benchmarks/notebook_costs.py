"""Where the CPU of a trivial notebook goes in `nb run`: a table, and a picture for the docs.

    python -m benchmarks.notebook_costs build/demo               a project that `make demo` made
    python -m benchmarks.notebook_costs build/demo --publish     and into docs/why/run-benchmark.md

A pipeline of few notebooks and one of many run in turn, some rounds. Part by part, the difference
divided by the number of notebooks is the cost of a notebook; imports and planning cancel out.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from html import escape
from pathlib import Path
from statistics import median

from . import process_costs
from .growth import NOTEBOOKS, prepare
from .harness import TEMPLATE, CommandFailed, machine_line, measured, parser, publish, run

PAGE = TEMPLATE / "docs/why/run-benchmark.md"
PICTURE = TEMPLATE / "docs/why/notebook-costs.svg"
MARKS = (
    "<!-- measured: `python -m benchmarks.notebook_costs` writes from here -->",
    "<!-- to here -->",
)
REST = "shell, fork client and runner"
# Contrast with a light and a dark page; shades of a color for the parts of a process.
COLORS = {"DVC": "#bf8700", "fork": "#8b949e", "papermill": "#2f81f7", "kernel": "#2da44e"}
OTHER_COLORS = {"page": "#a371f7"}
INK = "#767d87"


def costs(folder: Path, hook: Path) -> dict[str, float]:
    """Run all notebooks of a project; return CPU seconds by part."""
    shutil.rmtree(hook, ignore_errors=True)
    hook.mkdir()
    total = measured(folder, "nb run --force", limit=600)
    if total is None:
        raise CommandFailed("`nb run --force` took longer than 600 s")
    found: dict[str, float] = defaultdict(float)
    for file in hook.iterdir():
        for line in file.read_text(encoding="utf-8").splitlines():
            for part, seconds in json.loads(line).items():
                found[part] += seconds
    found[REST] = total.cpu - sum(found.values())
    return found


def measure(project: Path, few: int, many: int, rounds: int) -> dict[str, float]:
    """Return the CPU milliseconds of a notebook by part, medians of rounds."""
    (packages,) = (project / ".venv").glob("lib/python*/site-packages")
    module = packages / Path(process_costs.__file__).name
    starter = module.with_suffix(".pth")
    hook = packages / module.stem
    folders = {count: project.with_name(f"{project.name}-{count}") for count in (few, many)}
    taken: list[dict[str, float]] = []
    try:
        for count, folder in folders.items():
            prepare(project, folder, NOTEBOOKS, count)
        shutil.copyfile(process_costs.__file__, module)
        starter.write_text(f"import {module.stem}\n", encoding="utf-8")
        for _ in range(rounds):
            of_many, of_few = costs(folders[many], hook), costs(folders[few], hook)
            taken.append({part: of_many[part] - of_few.get(part, 0) for part in of_many})
    finally:
        for path in (*folders.values(), hook):
            shutil.rmtree(path, ignore_errors=True)
        module.unlink(missing_ok=True)
        starter.unlink(missing_ok=True)
    parts = sorted({part for each in taken for part in each})
    scale = 1000 / (many - few)
    return {part: scale * median(each.get(part, 0) for each in taken) for part in parts}


def table(parts: dict[str, float]) -> str:
    """Return the parts as a table in Markdown."""
    total = sum(parts.values())
    rows = [f"| {part} | {value:.0f} ms | {value / total:.0%} |" for part, value in parts.items()]
    head = ["| part | CPU per notebook | share |", "| --- | ---: | ---: |"]
    return "\n".join([*head, *rows, f"| **all** | **{total:.0f} ms** | |"])


def color(part: str) -> str:
    """Return the color of the process that a part belongs to."""
    return (COLORS | OTHER_COLORS).get(part.partition(":")[0].split(" ")[0], "#57606a")


def picture(parts: dict[str, float]) -> str:
    """Return a stacked bar with a line of text per part, as SVG."""
    width, height, bar = 760, 24, 40
    scale = width / sum(parts.values())
    shapes, at = [], 0.0
    for number, (part, value) in enumerate(parts.items()):
        y = bar + 22 + height * number
        label = f"{value:.0f} ms  {part}"
        shapes += [
            f'<rect x="{at:.1f}" width="{value * scale:.1f}" height="{bar}" fill="{color(part)}"'
            f' stroke="#fff" stroke-width="1"><title>{escape(label)}</title></rect>',
            f'<rect x="0" y="{y - 11}" width="12" height="12" fill="{color(part)}"/>',
            f'<text x="20" y="{y}">{escape(label)}</text>',
        ]
        at += value * scale
    tall = bar + 22 + height * len(parts)
    style = f"font: 13px system-ui, sans-serif; fill: {INK}"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {tall}" role="img"'
    title = f"<title>CPU of a trivial notebook: {sum(parts.values()):.0f} ms</title>"
    lines = [f'{head} width="{width}" style="{style}">', title, *shapes, "</svg>"]
    return "\n".join(lines) + "\n"


def for_page(parts: dict[str, float]) -> str:
    """Return the table below the picture, which is written into the docs."""
    PICTURE.write_text(picture(parts), encoding="utf-8")
    image = f"![CPU milliseconds of a trivial notebook, by part]({PICTURE.name})"
    return f"{image}\n\n{machine_line()}.\n\n{table(parts)}"


def main() -> None:
    arguments = parser(__doc__, "benchmarks.notebook_costs")
    arguments.add_argument("project", type=Path, help="a project that is set up")
    arguments.add_argument("--few", type=int, default=10, metavar="N", help="notebooks (10)")
    arguments.add_argument("--many", type=int, default=50, metavar="N", help="notebooks (50)")
    arguments.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (3)")
    arguments.add_argument("--publish", action="store_true", help=f"write {PAGE.name}, too")
    options = arguments.parse_args()
    parts = measure(options.project.resolve(), options.few, options.many, options.rounds)
    print(table(parts))
    if options.publish:
        publish(PAGE, MARKS, for_page(parts))


if __name__ == "__main__":
    run(main)
