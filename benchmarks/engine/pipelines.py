"""The pipelines to measure with: notebooks whose work and results are the same in every run."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from itertools import accumulate, pairwise

DATA = "data/processed"
CALIBRATION_ROUNDS = 1_000_000

WORK = """\
def work(rounds):
    value = VERSION
    for _ in range(rounds):
        value = (value * 1103515245 + 12345) % 2147483648
    return value
"""
# The picture is drawn in the cell and closed, so that a script does the same work as a notebook.
TABLE = """\
table = pd.DataFrame({"group": [n % 7 for n in range(5_000)], "value": range(5_000)})
totals = table.groupby("group")["value"].sum()
figure, axes = plt.subplots(figsize=(4, 3))
axes.plot(table["value"].cumsum())
figure.savefig(io.BytesIO(), format="png")
plt.close(figure)
"""


@dataclass(frozen=True)
class Step:
    """A notebook, or the script of the same cells, that writes one file.

    Attributes:
        name: of the notebook, the stage and the file it writes.
        rounds: how long it works, in rounds of a loop.
        needs: the steps whose files it reads.
        plots: whether it imports pandas and matplotlib and draws.
    """

    name: str
    rounds: int
    needs: tuple[str, ...] = ()
    plots: bool = False

    @property
    def output(self) -> str:
        """The file it writes, relative to the folder it runs in."""
        return f"{DATA}/{self.name}.json"

    @property
    def inputs(self) -> list[str]:
        """The files it reads, relative to the folder it runs in."""
        return [f"{DATA}/{name}.json" for name in self.needs]

    def cells(self, version: int) -> list[str]:
        """Return the source of its cells; the version is part of its result."""
        imports = ["import json", "from pathlib import Path"]
        if self.plots:
            imports = ["import io", *imports, "", "import matplotlib.pyplot as plt"]
            imports.append("import pandas as pd")
        read = f'inputs = [json.loads(Path(p).read_text())["value"] for p in {self.inputs!r}]\n'
        total = " + int(totals.sum())" if self.plots else ""
        write = (
            f"value = work({self.rounds}) + sum(inputs){total}\n"
            f'Path("{self.output}").write_text(json.dumps({{"value": value}}) + "\\n")\n'
        )
        source = ["\n".join([*imports, "", f"VERSION = {version}"]), WORK, read]
        return [*source, TABLE, write] if self.plots else [*source, write]

    def script(self, version: int) -> str:
        """Return its cells as a Python script."""
        return "\n".join(self.cells(version))

    def notebook(self, version: int, parameters: str = "") -> str:
        """Return its cells as a notebook, after a cell of parameters if there are any."""
        sources = [parameters, *self.cells(version)] if parameters else self.cells(version)
        cells: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{number}",
                "metadata": {"tags": ["parameters"]} if parameters and number == 0 else {},
                "outputs": [],
                "source": source.rstrip("\n"),
            }
            for number, source in enumerate(sources)
        ]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        about = {"kernelspec": kernel, "language_info": {"name": "python"}}
        tree = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
        return json.dumps(tree, indent=1) + "\n"


@dataclass(frozen=True)
class Pipeline:
    """Steps to run.

    Attributes:
        key: its name on the command line.
        title: its name in the table.
        steps: each after those that it needs.
        prepared: its results are there from the start, so only "nothing changed" is measured.
    """

    key: str
    title: str
    steps: tuple[Step, ...]
    prepared: bool = False

    @property
    def changing(self) -> Step:
        """The step that is edited where one notebook changed."""
        return self.steps[len(self.steps) // 2]

    def layers(self) -> list[list[Step]]:
        """Return the steps in groups whose members do not need each other."""
        depth: dict[str, int] = {}
        groups: list[list[Step]] = []
        for step in self.steps:
            depth[step.name] = 1 + max((depth[name] for name in step.needs), default=-1)
            groups += [[]] * (depth[step.name] == len(groups))
            groups[depth[step.name]] = [*groups[depth[step.name]], step]
        return groups


def calibrate() -> float:
    """Return how many rounds of the work take a second of CPU time here."""
    scope: dict[str, object] = {"VERSION": 1}
    exec(WORK, scope)
    work = scope["work"]
    assert callable(work)
    times = []
    for _ in range(3):
        start = time.process_time()
        work(CALIBRATION_ROUNDS)
        times.append(time.process_time() - start)
    return CALIBRATION_ROUNDS / min(times)


def _alike(count: int, rounds: int, *, plots: bool = False) -> tuple[Step, ...]:
    return tuple(Step(f"n{number:03}", rounds, plots=plots) for number in range(count))


def _diamond(widths: list[int], rounds: int) -> tuple[Step, ...]:
    """Return layers of steps; each step needs two of the layer before, the last needs all."""
    ends = [0, *accumulate(widths)]
    layers = [[f"n{n:03}" for n in range(start, end)] for start, end in pairwise(ends)]
    steps = [Step(name, rounds) for name in layers[0]]
    for before, layer in pairwise(layers):
        for number, name in enumerate(layer):
            two = {before[number % len(before)], before[(number + 1) % len(before)]}
            needs = before if len(layer) == 1 else sorted(two)
            steps.append(Step(name, rounds, tuple(needs)))
    return tuple(steps)


def pipelines(rounds_per_second: float, *, quick: bool = False) -> list[Pipeline]:
    """Return the pipelines of the benchmark; the quick ones show that it works, not how fast."""
    tenth = int(rounds_per_second / 10)
    plots, busy, trivial, many = (4, 2, 5, 10) if quick else (20, 8, 100, 500)
    seconds = 0.5 if quick else 5
    widths = [1, 3, 1] if quick else [1, 4, 6, 8, 6, 4, 1]
    title = f"{plots} notebooks with pandas and matplotlib"
    return [
        Pipeline("pandas", title, _alike(plots, tenth, plots=True)),
        Pipeline(
            "cpu", f"{busy} notebooks of {seconds:g} s CPU", _alike(busy, int(tenth * seconds * 10))
        ),
        Pipeline("trivial", f"{trivial} trivial notebooks", _alike(trivial, 1)),
        Pipeline("diamond", f"a diamond of {sum(widths)} notebooks", _diamond(widths, tenth)),
        Pipeline("many", f"{many} stages", _alike(many, 1), prepared=True),
    ]
