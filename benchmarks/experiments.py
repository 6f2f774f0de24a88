"""How long 20 variants of a notebook take: `nb experiment` beside DVC's queue, loops and scripts.

    make demo                                          # its environment runs every contestant
    python -m benchmarks.experiments [PROJECT] [--only nb,scripts] [--variants 20]

A first notebook makes a table with pandas, a second has a parameter and reads the table. Each
contestant begins in a folder of its own in which nothing has run. CPU is that of all processes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from .harness import TEMPLATE, Figure, copy_project, measured, parser, run, variables

PROJECT = TEMPLATE / "build/demo"
TABLE = """\
import pandas as pd
table = pd.DataFrame({"group": [n % 7 for n in range(50_000)], "value": range(50_000)})
table.to_csv("data/processed/table.csv", index=False)
"""
PARAMETER = "value: int = 1  # rows to leave out"
MODEL = """\
import json
from pathlib import Path
import pandas as pd
table = pd.read_csv("data/processed/table.csv").iloc[value:]
score = float(table.groupby("group")["value"].mean().std())
Path("reports/metrics").mkdir(parents=True, exist_ok=True)
Path("reports/metrics/model.json").write_text(json.dumps({"score": score}) + "\\n")
"""
STAGE = """\
  {name}:
    cmd: >-
      papermill notebooks/production/{name}.ipynb reports/notebooks/{name}.ipynb
      --engine nb -k python3 -f config/{name}.yaml
    deps: [.nb/fingerprints/{name}.txt{needs}]
    params: [config/{name}.yaml: ]
    {writes}
"""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A way to run all variants.

    Attributes:
        key: the name on the command line.
        title: the name in the table.
        command: returns the shell lines for so many variants.
    """

    key: str
    title: str
    command: Callable[[int], str]


def write_notebook(path: Path, parameter: str, source: str) -> None:
    """Write a production notebook with a cell of parameters."""
    cells: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {"tags": ["parameters"]} if number == 0 else {},
            "outputs": [],
            "source": text,
        }
        for number, text in enumerate((parameter, source))
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    tree = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")


def lay_out(folder: Path, project: Path) -> None:
    """Make a generated project with the two notebooks, in which nothing has run."""
    copy_project(project, folder)
    production = folder / "notebooks" / "production"
    production.mkdir(parents=True, exist_ok=True)
    for old in (folder / "config").glob("*.yaml"):
        old.unlink()
    for name, source in (("table", TABLE), ("model", MODEL)):
        write_notebook(production / f"{name}.ipynb", PARAMETER, source)
        (folder / "config" / f"{name}.yaml").write_text("value: 1\n", encoding="utf-8")
        script = source if name == "table" else f"import sys\nvalue = int(sys.argv[1])\n{source}"
        script = script.replace("model.json", "model-' + str(value) + '.json").replace('"', "'")
        (folder / f"{name}.py").write_text(script, encoding="utf-8")
    table = STAGE.format(name="table", needs="", writes="outs: [data/processed/table.csv]")
    model = STAGE.format(
        name="model",
        needs=", data/processed/table.csv",
        writes="metrics: [reports/metrics/model.json: {cache: false}]",
    )
    (folder / "dvc.yaml").write_text(f"stages:\n{table}{model}", encoding="utf-8")
    run = [str(folder / ".venv/bin/nb"), "setup"]
    subprocess.run(run, cwd=folder, check=True, capture_output=True, env=variables(folder))
    for words in ("add --all", "commit --quiet --no-verify --message Start"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True, env=variables(folder))


def _values(count: int) -> str:
    return " ".join(map(str, range(2, count + 2)))


def _queue(count: int) -> str:
    one = "dvc exp run --quiet --queue -S config/model.yaml:value=$v"
    return f"for v in {_values(count)}; do {one}; done\ndvc exp run --run-all -j 2"


def _papermill(count: int) -> str:
    notebooks = "notebooks/production"
    one = f"papermill {notebooks}/model.ipynb reports/notebooks/model-$v.ipynb -k python3"
    first = f"papermill {notebooks}/table.ipynb reports/notebooks/table.ipynb -k python3"
    return f"{first}\nfor v in {_values(count)}; do {one} -p value $v; done"


def _loop_of_set(count: int) -> str:
    return f"for v in {_values(count)}; do nb run --set model.value=$v; done"


def _scripts(count: int) -> str:
    each = f"printf '%s\\n' {_values(count)} | xargs -P2 -n1 python model.py"
    return f"mkdir -p reports/metrics\npython table.py\n{each}"


CONTESTANTS = [
    Contestant(
        key="nb",
        title="`nb experiment`",
        command=lambda count: f"nb experiment model.value=2:{count + 1}:1",
    ),
    Contestant(key="dvc", title="`dvc exp run --queue`, then 2 workers", command=_queue),
    Contestant(key="papermill", title="a loop of papermill", command=_papermill),
    Contestant(key="set", title="a loop of `nb run --set`", command=_loop_of_set),
    Contestant(key="scripts", title="the cells as scripts, `xargs -P2`", command=_scripts),
]


def measure(contestant: Contestant, count: int, project: Path) -> Figure | None:
    """Return the cost of a contestant; None if it took longer than an hour.

    Raises:
        CommandFailed: if its command fails.
    """
    with TemporaryDirectory(dir=TEMPLATE / "build") as folder:
        place = Path(folder) / "project"
        lay_out(place, project)
        return measured(place, contestant.command(count))


def main() -> None:
    arguments = parser(__doc__, "benchmarks.experiments")
    arguments.add_argument("project", nargs="?", type=Path, default=PROJECT)
    arguments.add_argument("--only", default=",".join(each.key for each in CONTESTANTS))
    arguments.add_argument("--variants", type=int, default=20)
    given = arguments.parse_args()
    for contestant in CONTESTANTS:
        if contestant.key in given.only.split(","):
            taken = measure(contestant, given.variants, given.project.resolve())
            cells = f"{taken.wall:.1f} | {taken.cpu:.1f}" if taken else "over an hour |"
            print(f"| {contestant.title} | {cells} |", flush=True)


if __name__ == "__main__":
    run(main)
