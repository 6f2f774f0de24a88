"""Random numbers of a notebook: the calls without a seed are named, and get a seed."""

from __future__ import annotations

from pathlib import Path

import pytest
from cells import notebook
from nb.authoring.randomness import unseeded_calls, with_seed
from nb.notebook.file import CellFile, parse_cells

IMPORTS = (
    "import random\nimport numpy as np\nimport pandas as pd\nimport time, uuid\n"
    "from datetime import datetime\nfrom sklearn.model_selection import train_test_split\n"
    "from numpy.random import rand\nfrom sklearn.ensemble import RandomForestClassifier\n"
    "from sklearn import cluster, datasets, pipeline\nimport seaborn as sns\nimport secrets\n"
    "from scipy import stats"
)


def cells(*sources: str) -> CellFile:
    return parse_cells(Path("a.ipynb"), notebook(*sources))


@pytest.mark.parametrize(
    ("cell", "generator"),
    [
        ("np.random.rand(3)", "numpy.random"),
        ("rand(3)", "numpy.random"),
        ("def f():\n    return np.random.normal()", "numpy.random"),
        ("random.shuffle(x)", "random"),
        ("table.sample(5)", "numpy.random"),
        ("train_test_split(x)", "numpy.random"),
        ("RandomForestClassifier(5).fit(x, y)", "numpy.random"),
        ("cluster.MiniBatchKMeans(3)", "numpy.random"),
        ("datasets.make_blobs(9)", "numpy.random"),
        ("np.random.default_rng()", ""),
        ("datetime.now()", ""),
        ("time.time()", ""),
        ("uuid.uuid4()", ""),
        ("secrets.token_hex(4)", ""),
        ("stats.norm.rvs(size=3)", "numpy.random"),
        ("sns.barplot(t, x='a', y='b')", "the keyword seed"),
        ("sns.regplot(t, x='a', y='b', ci=95)", "the keyword seed"),
    ],
)
def test_a_call_without_a_seed_is_named_with_its_cell(cell: str, generator: str) -> None:
    (found,) = unseeded_calls(cells(IMPORTS, cell))
    assert found.name in cell
    assert (found.cell, found.generator) == (2, generator)


@pytest.mark.parametrize(
    "cell",
    [
        "np.random.seed(1)\nnp.random.rand(3)",
        "random.seed(1)\nrandom.random()",
        "table.sample(5, random_state=1)",
        "RandomForestClassifier(random_state=1)",
        "pipeline.make_pipeline(cluster.DBSCAN())",
        "table.sample(5, **options)",
        "train_test_split(x, random_state=0)",
        "np.random.default_rng(3)",
        "random.Random(3)",
        "np.random.RandomState(seed=3)",
        "rng.normal()",
        "stats.norm.rvs(size=3, random_state=2)",
        "sns.barplot(t, x='a', y='b', seed=1)",
        "sns.lineplot(t, x='a', y='b', errorbar=None)",
        "sns.regplot(t, x='a', y='b', ci=None)",
        "sns.catplot(**options)",
        "sns.scatterplot(t, x='a', y='b')",
        "time.sleep(1)",
        "%timeit np.random.rand(3)",
    ],
)
def test_a_call_that_is_repeatable_is_not_named(cell: str) -> None:
    assert unseeded_calls(cells(IMPORTS, cell)) == []


@pytest.mark.parametrize(
    ("sources", "number", "after"),
    [
        (
            ["import numpy as np", "x = np.random.rand(3)"],
            2,
            "# Seed of everything random.\nseed = 7\nnp.random.seed(seed)  # noqa: NPY002\n"
            "x = np.random.rand(3)",
        ),
        (
            ["import random\nx = random.random()"],
            1,
            "import random\n# Seed of everything random.\nseed = 7\nrandom.seed(seed)\n"
            "x = random.random()",
        ),
        (
            ["%%time\nt = table.sample(3)"],
            1,
            "%%time\nimport numpy as np\n# Seed of everything random.\nseed = 7\n"
            "np.random.seed(seed)  # noqa: NPY002\nt = table.sample(3)",
        ),
        (
            ["import random", "seed = open('x').read()", "random.random()"],
            3,
            "# Seed of everything random.\nrandom_seed = 7\nrandom.seed(random_seed)\n"
            "random.random()",
        ),
        (
            [
                "import seaborn as sns",
                "sns.lineplot(\n    t,  # a, b\n    x='a',  # first, of two\n)",
            ],
            2,
            "# Seed of everything random.\nseed = 7\nsns.lineplot(\n    t,  # a, b\n    x='a',"
            "  # first, of two\nseed=seed)",
        ),
        (
            ["from seaborn import barplot, regplot", "f(barplot((t)), regplot())"],
            2,
            "# Seed of everything random.\nseed = 7\n"
            "f(barplot((t), seed=seed), regplot(seed=seed))",
        ),
    ],
)
def test_a_seed_is_set_before_the_first_call(sources: list[str], number: int, after: str) -> None:
    seeded = with_seed(cells(*sources), 7)
    assert seeded.cells[number - 1].source == after
    assert unseeded_calls(seeded) == []


def test_a_notebook_without_random_numbers_stays() -> None:
    file = cells("import random", "print(1)")
    assert with_seed(file, 7) == file
