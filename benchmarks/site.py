"""How long the site of results takes: stages, past runs and pictures, built and opened in Chromium.

    make demo                          # its environment builds the site
    python -m benchmarks.site [PROJECT]

`make_project` makes the project that the tests look at, too.
"""

from __future__ import annotations

import base64
import json
import random
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .harness import run

STAGES, RUNS, PICTURES, ROUNDS = 300, 1000, 2000, 5
COLUMNS = 10
FIRST_RUN = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
SITE = Path("reports/site")
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
# Prints the CPU seconds that the index takes where the pages are there, as after a run.
BUILD = """
import sys, time
from pathlib import Path
from nb.report import build
began = time.process_time()
build(Path(sys.argv[1]))
print(time.process_time() - began)
"""


def make_project(root: Path, stages: int, runs: int, pictures: int = 0) -> None:
    """Write the sources of a report: stages in columns, each with metrics, and past runs.

    Args:
        root: the folder of the project.
        stages: the number of stages.
        runs: the number of records.
        pictures: the number of figures in all executed copies together.
    """
    names = [f"s{number:03}" for number in range(stages)]
    declared, locked = {}, {}
    for number, name in enumerate(names):
        command = f"papermill notebooks/production/{name}.ipynb reports/notebooks/{name}.ipynb"
        needs = [f"data/{names[number - COLUMNS]}.csv"] if number >= COLUMNS else []
        made, metrics = f"data/{name}.csv", f"reports/metrics/{name}.json"
        declared[name] = {"cmd": command, "deps": needs, "outs": [made], "metrics": [metrics]}
        locked[name] = {
            "cmd": command,
            "deps": [{"path": path, "size": 1000} for path in needs],
            "params": {f"config/{name}.yaml": {"seed": number, "rate": 0.1}},
            "outs": [{"path": path, "size": 1000} for path in (made, metrics)],
        }
        _write(root / metrics, {"score": number + runs, "loss": 1 / (number + runs)})
        _write(root / f"reports/notebooks/{name}.ipynb", _executed_copy(name, pictures // stages))
    _write(root / "dvc.yaml", {"stages": declared})
    _write(root / "dvc.lock", {"schema": "2.0", "stages": locked})
    for number in range(runs):
        record = _record(number, names)
        _write(root / "reports/runs" / f"{record['id']}.json", record)


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _executed_copy(name: str, pictures: int) -> dict[str, Any]:
    table = "".join(f"<tr><th>{row}</th><td>{row * row}</td></tr>" for row in range(20))
    output = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": f"<table>{table}</table>", "text/plain": "a table"},
    }
    cells = [
        {
            "cell_type": "markdown",
            "id": "a",
            "metadata": {},
            "source": f"# Stage {name}\n\n## Part",
        },
        {
            "cell_type": "code",
            "id": "b",
            "metadata": {},
            "source": "table",
            "execution_count": 1,
            "outputs": [output, *(_picture(number) for number in range(pictures))],
        },
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


def _picture(number: int) -> dict[str, Any]:
    """Return a figure of the size that matplotlib makes, each with other bytes."""
    noise = random.Random(number).randbytes(20_000)
    image = base64.b64encode(b"\x89PNG\r\n\x1a\n" + noise).decode()
    data = {"image/png": image, "text/plain": "a figure"}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def _record(number: int, names: list[str]) -> dict[str, Any]:
    moment = FIRST_RUN + timedelta(hours=number)
    when = moment.isoformat(timespec="milliseconds")
    stages = [
        {"name": name, "state": "ran", "started": when, "ended": when, "seconds": 1.5}
        | {"peak_memory": 2 * 10**8, "parameters": {"seed": number}}
        for number, name in enumerate(names)
    ]
    scores = {
        f"reports/metrics/{name}.json": {"score": at + number, "loss": 1 / (at + number + 1)}
        for at, name in enumerate(names)
    }
    return {
        "schema": 1,
        "id": f"{moment:%Y%m%dT%H%M%S}.000000Z",
        "arguments": {},
        "jobs": 2,
        "started": when,
        "ended": when,
        "seconds": 75.0,
        "state": "done",
        "exit_code": 0,
        "commit": f"{number:040x}",
        "stages": stages,
        "metrics": scores,
    }


def build_seconds(python: Path, root: Path) -> float:
    """Return the CPU seconds that the environment of a project takes to build a site."""
    done = subprocess.run(
        [python, "-c", BUILD, str(root)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def load_seconds(page: Path) -> list[float]:
    """Return how long Chromium takes to load a page, a figure for each round."""
    from playwright.sync_api import sync_playwright

    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from browsing import find_chromium, launch  # type: ignore[import-not-found]  # in tests

    if find_chromium() is None:
        sys.exit("benchmarks.site: needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = launch(playwright)
        seconds = []
        for _ in range(ROUNDS):
            opened = browser.new_page()
            opened.goto(page.as_uri())
            seconds.append(opened.evaluate(LOADED) / 1000)
            opened.close()
        browser.close()
    return seconds


def main(project: Path) -> None:
    """Measure and print, each figure the median of the rounds."""
    python = project / ".venv" / "bin" / "python"
    if not python.exists():
        sys.exit(f"benchmarks.site: {project} has no environment; run: make demo")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root, STAGES, RUNS, PICTURES)
        first = build_seconds(python, root)
        index = root / SITE / "index.html"
        again = statistics.median(build_seconds(python, root) for _ in range(ROUNDS))
        loaded = statistics.median(load_seconds(index))
        size = index.stat().st_size / 1000
    print(
        f"{STAGES} stages, {RUNS} past runs, {PICTURES} pictures; medians of {ROUNDS}, CPU seconds"
    )
    print(f"all pages and the index    {first:6.2f} s")
    print(f"the index, after a run     {again:6.2f} s")
    print(f"load in Chromium           {loaded:6.2f} s")
    print(f"size of the index          {size:6.0f} kB")


if __name__ == "__main__":
    run(lambda: main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo").absolute()))
