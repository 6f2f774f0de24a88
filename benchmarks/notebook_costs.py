"""Where the CPU of a trivial notebook goes in `nb run`: a table, and a picture for the docs.

    python -m benchmarks.notebook_costs build/demo               a project that `make demo` made
    python -m benchmarks.notebook_costs build/demo --publish     and into docs/why/run-benchmark.md

A pipeline of few notebooks and one of many run in turn, some rounds. Part by part, the difference
divided by the number of notebooks is the cost of a notebook; imports and planning cancel out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from html import escape
from pathlib import Path
from statistics import median

from . import process_costs
from .engine.contestants import stage, yaml
from .engine.pipelines import Step, write
from .engine.run import machine

TEMPLATE = Path(__file__).resolve().parent.parent
PAGE = TEMPLATE / "docs/why/run-benchmark.md"
PICTURE = TEMPLATE / "docs/why/notebook-costs.svg"
BEGIN = "<!-- measured: `python -m benchmarks.notebook_costs` writes from here -->"
END = "<!-- to here -->"
MEASURE = TEMPLATE / "benchmarks/engine/measure.py"
SECONDS = "600"
REST = "shell, fork client and runner"
# Contrast with a light and a dark page; shades of a color for the parts of a process.
COLORS = {"DVC": "#bf8700", "fork": "#8b949e", "papermill": "#2f81f7", "kernel": "#2da44e"}
OTHER_COLORS = {"page": "#a371f7"}
INK = "#767d87"


def prepare(project: Path, folder: Path, count: int) -> None:
    """Make a project of so many trivial notebooks beside one that is set up."""
    shutil.rmtree(folder, ignore_errors=True)
    others = (".venv", ".git", ".nb", "cache", "reports", "*.ipynb", "*.lock")
    left_out = shutil.ignore_patterns(*others)
    shutil.copytree(project, folder, ignore=left_out, symlinks=True)
    (folder / ".venv").symlink_to(project / ".venv")
    steps = [Step(f"n{number:03}", 1) for number in range(count)]
    for step in steps:
        write(folder / f"notebooks/production/{step.name}.ipynb", step.notebook(1))
    write(folder / "dvc.yaml", yaml({"stages": {s.name: stage(s, "--engine nb ") for s in steps}}))
    (folder / "data/processed").mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)


def costs(folder: Path, hook: Path) -> Counter[str]:
    """Run all notebooks of a project; return CPU seconds by part."""
    shutil.rmtree(hook, ignore_errors=True)
    hook.mkdir()
    programs = str(folder / ".venv/bin")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    report = folder / "costs.json"
    command = [str(MEASURE), str(report), str(folder / "run.log"), SECONDS, "nb", "run", "--force"]
    subprocess.run(
        [f"{programs}/python", *command],
        cwd=folder,
        env={**kept, "PATH": os.pathsep.join([programs, os.environ["PATH"]])},
        check=True,
    )
    total = json.loads(report.read_text(encoding="utf-8"))
    if total["code"] != 0:
        sys.exit((folder / "run.log").read_text(encoding="utf-8"))
    found: Counter[str] = Counter()
    for file in hook.iterdir():
        for line in file.read_text(encoding="utf-8").splitlines():
            found.update(json.loads(line))
    found[REST] = total["cpu"] - sum(found.values())
    return found


def measure(project: Path, few: int, many: int, rounds: int) -> dict[str, float]:
    """Return the CPU milliseconds of a notebook by part, medians of rounds."""
    (packages,) = (project / ".venv").glob("lib/python*/site-packages")
    module = packages / Path(process_costs.__file__).name
    starter = module.with_suffix(".pth")
    hook = packages / module.stem
    folders = {count: project.with_name(f"{project.name}-{count}") for count in (few, many)}
    taken: list[Counter[str]] = []
    try:
        for count, folder in folders.items():
            prepare(project, folder, count)
        shutil.copyfile(process_costs.__file__, module)
        starter.write_text(f"import {module.stem}\n", encoding="utf-8")
        for _ in range(rounds):
            difference = costs(folders[many], hook)
            difference.subtract(costs(folders[few], hook))
            taken.append(difference)
    finally:
        for path in (*folders.values(), hook):
            shutil.rmtree(path, ignore_errors=True)
        module.unlink(missing_ok=True)
        starter.unlink(missing_ok=True)
    parts = sorted({part for each in taken for part in each})
    scale = 1000 / (many - few)
    return {part: scale * median(each[part] for each in taken) for part in parts}


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


def publish(parts: dict[str, float]) -> None:
    """Write table and picture into the docs."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PICTURE.write_text(picture(parts), encoding="utf-8")
    shown = f"![CPU milliseconds of a trivial notebook, by part]({PICTURE.name})"
    about = machine()
    where = f"{about['cores']} cores, {about['system']}, Python {about['python']}."
    text = f"{before}{BEGIN}\n\n{shown}\n\n{where}\n\n{table(parts)}\n\n{END}{after}"
    PAGE.write_text(text, encoding="utf-8")


def main() -> None:
    summary, _, examples = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.notebook_costs",
        description=summary,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, help="a project that is set up")
    parser.add_argument("--few", type=int, default=10, metavar="N", help="notebooks (10)")
    parser.add_argument("--many", type=int, default=50, metavar="N", help="notebooks (50)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="rounds (3)")
    parser.add_argument("--publish", action="store_true", help=f"write {PAGE.name}, too")
    options = parser.parse_args()
    parts = measure(options.project.resolve(), options.few, options.many, options.rounds)
    print(table(parts))
    if options.publish:
        publish(parts)


if __name__ == "__main__":
    main()
