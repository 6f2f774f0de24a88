"""Measure ``git add`` and ``git status`` on notebooks: our filter, its peers, no filter.

    python -m benchmarks.git_filter [--json FILE] [--full]

Every filter works on the same files in the same run; repetitions alternate between the filters and
the median is shown. ``git status`` runs after every file was touched, so that Git has to filter all
of them. nbstripout takes over a second for each notebook: it is measured once, and for more than
100 notebooks its time is extrapolated, and marked so, unless ``--full`` is given.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import median

TOOLS = Path(__file__).parent.parent / "{{cookiecutter.project_slug}}" / "tools"
sys.path.insert(0, str(TOOLS))

from nb.git import filter  # noqa: E402  (the path is set one line above)

from .harness import run  # noqa: E402

OURS = "this project"
SLOW_LIMIT = 100
COMMANDS = ("git add", "git status")
MARK = "iVBORw0KGgo"  # begins every image; a filter that works leaves none


@dataclass(frozen=True)
class Filter:
    """A filter to measure and how it is set up in a repository."""

    name: str
    setup: Callable[[Path], None]
    missing: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Workload:
    """A number of notebooks, all alike but for a line, and the size of the images in each."""

    name: str
    count: int
    image_size: int


@dataclass(frozen=True)
class Timing:
    """Seconds that a Git command took with a filter, perhaps extrapolated from fewer notebooks."""

    workload: str
    command: str
    filter: str
    seconds: float
    extrapolated: bool = False


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def set_up_nothing(folder: Path) -> None:
    """Leave the repository without a filter."""


def set_up_ours(folder: Path) -> None:
    filter.install(folder / ".git")
    for key, value in filter.WIRING.items():
        git(folder, "config", key, value)
    (folder / ".git/info/attributes").write_text("*.ipynb filter=nbstripout\n")
    git(folder, "hash-object", "notebooks/0000.ipynb")  # Python compiles at the first start only


def set_up_nbstripout_fast(folder: Path) -> None:
    git(folder, "config", "filter.jupyter.clean", "nbstripout-fast")
    git(folder, "config", "filter.jupyter.smudge", "cat")
    (folder / ".git/info/attributes").write_text("*.ipynb filter=jupyter\n")


def set_up_nbstripout(folder: Path) -> None:
    subprocess.run([sys.executable, "-m", "nbstripout", "--install"], cwd=folder, check=True)


def version(package: str) -> str:
    """Return a package's name with its version, if it is installed."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def filters() -> list[Filter]:
    """The filters to compare, installed or not."""
    fast, slow = version("nbstripout-fast"), version("nbstripout")
    no_fast, no_slow = not shutil.which("nbstripout-fast"), slow == "nbstripout"
    return [
        Filter("no filter", set_up_nothing),
        Filter(OURS, set_up_ours),
        Filter(fast, set_up_nbstripout_fast, missing=no_fast),
        Filter(slow, set_up_nbstripout, missing=no_slow, slow=True),
    ]


def notebook(image_size: int) -> str:
    """Return an executed notebook of 30 cells with printed text, tables and images."""
    cells: list[dict[str, object]] = []
    for number in range(30):
        cell = {"id": f"cell-{number}", "metadata": {}}
        if number % 3 == 0:
            cells.append({**cell, "cell_type": "markdown", "source": [f"## Step {number}\n"]})
            continue
        image = {"image/png": MARK + "A" * image_size, "text/plain": ["<Figure>"]}
        table = {"text/html": [f"<tr><td>{row}</td></tr>\n" for row in range(20)]}
        result = {"output_type": "execute_result", "data": table, "metadata": {}}
        outputs: list[dict[str, object]] = [
            {"output_type": "stream", "name": "stdout", "text": ["working\n"] * 10},
            {"output_type": "display_data", "data": image, "metadata": {}},
            {**result, "execution_count": number},
        ]
        source = [f"column_{line} = data['column_{line}'] * {number}\n" for line in range(12)]
        code = {"cell_type": "code", "source": source, "execution_count": number}
        cells.append({**cell, **code, "outputs": outputs})
    about = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": "3.11.0"},
    }
    tree = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(tree, indent=1) + "\n"


def workloads(counts: list[int], megabytes: int) -> list[Workload]:
    """The notebooks to measure with: few to many of an ordinary size, then a big one."""
    size = len(notebook(3_000)) // 1000
    ordinary = [
        Workload(f"{count:,} notebook{'s' if count > 1 else ''} of {size} kB", count, 3_000)
        for count in sorted(counts)
    ]
    return [*ordinary, Workload(f"1 notebook of {megabytes} MB", 1, megabytes * 1_000_000 // 20)]


def write_notebooks(folder: Path, workload: Workload) -> None:
    (folder / "notebooks").mkdir(parents=True)
    text = notebook(workload.image_size)
    for number in range(workload.count):
        changed = text.replace("## Step 0", f"## Notebook {number}")
        (folder / f"notebooks/{number:04}.ipynb").write_text(changed)


def measure_once(folder: Path, tried: Filter) -> tuple[float, float]:
    """Return the seconds of ``git add`` and ``git status`` in a new repository over a folder."""
    shutil.rmtree(folder / ".git", ignore_errors=True)
    git(folder, "init", "--quiet")
    (folder / ".git/info").mkdir(exist_ok=True)
    tried.setup(folder)
    adding = seconds(folder, "add", "notebooks")
    stored = git(folder, "ls-files", "--stage").split()[1]
    if (MARK in git(folder, "cat-file", "blob", stored)) == (tried.setup is not set_up_nothing):
        raise SystemExit(f"{tried.name} is not set up as it should be")
    for file in folder.glob("notebooks/*"):
        os.utime(file)
    return adding, seconds(folder, "status", "--porcelain")


def seconds(folder: Path, *arguments: str) -> float:
    start = time.perf_counter()
    git(folder, *arguments)
    return time.perf_counter() - start


def measure(workload: Workload, measured: list[Filter], repeats: int) -> list[Timing]:
    """Measure filters, alternating between them; the slow ones only once."""
    runs: dict[str, list[tuple[float, float]]] = {tried.name: [] for tried in measured}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_notebooks(folder, workload)
        for repetition in range(repeats):
            for tried in measured:
                if not (tried.slow and repetition):
                    runs[tried.name].append(measure_once(folder, tried))
    return [
        Timing(workload.name, command, name, median(run[index] for run in taken))
        for name, taken in runs.items()
        for index, command in enumerate(COMMANDS)
    ]


def extrapolate(fewer: list[Timing], from_count: int, workload: Workload) -> list[Timing]:
    """Scale what slow filters took for fewer notebooks."""
    factor = workload.count / from_count
    return [
        Timing(workload.name, timing.command, timing.filter, timing.seconds * factor, True)
        for timing in fewer
    ]


def measure_all(loads: list[Workload], repeats: int, full: bool) -> list[Timing]:
    timings: list[Timing] = []
    present = [tried for tried in filters() if not tried.missing]
    slow_names = {tried.name for tried in present if tried.slow}
    last_slow: tuple[list[Timing], int] = ([], 0)
    for workload in loads:
        print(f"measuring {workload.name} …", file=sys.stderr)
        skip_slow = not full and workload.count > SLOW_LIMIT and bool(last_slow[1])
        chosen = [tried for tried in present if not (tried.slow and skip_slow)]
        new = measure(workload, chosen, repeats)
        if skip_slow:
            new += extrapolate(*last_slow, workload)
        elif workload.count <= SLOW_LIMIT:
            last_slow = ([t for t in new if t.filter in slow_names], workload.count)
        timings += new
    return timings


def duration(value: float) -> str:
    return (
        f"{value:,.0f} s" if value >= 10 else f"{value:.2f} s" if value >= 1 else f"{value:.3f} s"
    )


def table(timings: list[Timing]) -> str:
    """Return a Markdown table: a row for each workload and command, a column for each filter."""
    names = [tried.name for tried in filters()]
    missing = {tried.name for tried in filters() if tried.missing}
    peers = names[2:]
    head = ["", *names, *(f"{peer} / ours" for peer in peers)]
    rows = [head, ["---"] * len(head)]
    found = {(t.workload, t.command, t.filter): t for t in timings}
    for workload, command in dict.fromkeys((t.workload, t.command) for t in timings):
        row = [f"{workload}: `{command}`"]
        for name in names:
            timing = found.get((workload, command, name))
            mark = "≈ " if timing and timing.extrapolated else ""
            row.append(f"{mark}{duration(timing.seconds)}" if timing else "not installed")
        ours = found[workload, command, OURS].seconds
        for peer in peers:
            timing = found.get((workload, command, peer))
            row.append(f"{timing.seconds / ours:,.1f} times" if timing else "")
        rows.append(row)
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    if any(timing.extrapolated for timing in timings):
        lines += ["", "≈: extrapolated from fewer notebooks (`--full` measures)."]
    if missing:
        lines += ["", f"Not installed, so not measured: {', '.join(sorted(missing))}."]
    return "\n".join(lines)


def machine() -> dict[str, str]:
    """What the figures depend on."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "git": git(Path(), "version").split()[2],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "load": f"{load:.1f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--full", action="store_true", help="measure nbstripout at all sizes")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 100, 1000], metavar="N")
    parser.add_argument("--megabytes", type=int, default=50, metavar="N")
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    options = parser.parse_args()
    about = machine()
    loads = workloads(options.counts, options.megabytes)
    timings = measure_all(loads, options.repeats, options.full)
    print(", ".join(f"{key} {value}" for key, value in about.items()), end="\n\n")
    print(table(timings))
    if options.json:
        figures = {"machine": about, "timings": [asdict(timing) for timing in timings]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    run(main)
