"""Messy repositories as teams have them, to be adopted by the tests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PYTHON = {"kernelspec": {"name": "conda-env-old-py", "display_name": "old", "language": "python"}}
PRICES = "district,price,area\n" + "".join(
    f"{'abc'[n % 3]},{100 + n},{10 + n % 7}\n" for n in range(40)
)


def notebook(*cells: str, metadata: dict[str, Any] | None = None, minor: int = 4) -> str:
    """Return a notebook file; a text that begins with `md:` is Markdown."""
    made: list[dict[str, Any]] = []
    for text in cells:
        if text.startswith("md:"):
            made.append({"cell_type": "markdown", "metadata": {}, "source": text[3:]})
            continue
        output = {"output_type": "stream", "name": "stdout", "text": ["kept\n"]}
        cell = {"cell_type": "code", "metadata": {}, "source": text.splitlines(True)}
        made.append({**cell, "execution_count": 3, "outputs": [output]})
    content = {"cells": made, "metadata": metadata or PYTHON, "nbformat": 4}
    return json.dumps({**content, "nbformat_minor": minor})


def old_notebook(*cells: str) -> str:
    """Return a notebook file of nbformat 3."""
    made = [
        {"cell_type": "code", "collapsed": False, "input": text, "language": "python"}
        | {"metadata": {}, "outputs": [], "prompt_number": 1}
        for text in cells
    ]
    content = {"metadata": {"name": "old"}, "nbformat": 3, "nbformat_minor": 0}
    return json.dumps({**content, "worksheets": [{"cells": made, "metadata": {}}]})


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, message: str) -> None:
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def flat(folder: Path) -> Path:
    """Everything in one folder, as a competition leaves it; no Git."""
    kaggle = {**PYTHON, "kaggle": {"accelerator": "none"}}
    return write(
        folder,
        {
            "train.csv": PRICES,
            "Untitled.ipynb": notebook(
                "import pandas as pd\nimport matplotlib.pyplot as plt\n%matplotlib inline",
                "df = pd.read_csv('/kaggle/input/prices/train.csv')\ndf.head()",
                metadata=kaggle,
            ),
            "1. Clean data.ipynb": notebook(
                "md:# Cleaning\n\n![curve](curve.png)",
                "import pandas as pd",
                "df = pd.read_csv('train.csv')\nclean = df[df.area > 11]",
                "clean.to_csv('clean.csv', index=False)",
            ),
            "2. Model.ipynb": notebook(
                "import pandas as pd\nfrom sklearn.linear_model import LinearRegression",
                "df = pd.read_csv('clean.csv')\n"
                "model = LinearRegression().fit(df[['area']], df.price)",
                "score = round(float(model.score(df[['area']], df.price)), 6)\n"
                "pd.DataFrame({'score': [score]}).to_csv('score.csv', index=False)",
            ),
            "curve.png": "no picture",
            "broken.ipynb": notebook("import pandas as pd", "print df.head()"),
            "requirements.txt": "pandas\nscikit-learn\n",
        },
    )


def three_folders(folder: Path) -> Path:
    """Notebooks in folders, helpers beside them, data above, joined paths."""
    write(
        folder,
        {
            "README.md": "# House prices\n\n## Data\n\nFrom the city.\n",
            ".gitignore": "*.ipynb_checkpoints\n*.log\ndata/\n*.ipynb\n",
            "LICENSE": "Their licence.\n",
            "data/prices.csv": PRICES,
            "data/more/areas.csv": "district,name\na,North\nb,South\nc,West\n",
            "lib/helpers.py": "import numpy as np\n\nfrom lib.text import shout\n\n\n"
            "def clean(table):\n    return table[table.area > 11]\n\n\n"
            "def title(x):\n    return shout(x) + str(np.int64(1))\n",
            "lib/text.py": "def shout(x):\n    return x.upper()\n",
            "lib/unused.py": "print('nobody imports this')\n",
            "explore/look.ipynb": notebook(
                "import sys\nsys.path.append('..')\nimport pandas as pd\nfrom lib import helpers",
                "DATA_DIR = '../data'\ndf = pd.read_csv(DATA_DIR + '/prices.csv')\n"
                "helpers.title('a')",
                "areas = pd.read_csv(f'{DATA_DIR}/more/areas.csv')\n!ls ../data/more",
            ),
            "prepare/clean.ipynb": notebook(
                "import os\nimport sys\nsys.path.append('../lib')\nimport pandas as pd\n"
                "import helpers as h",
                "df = pd.read_csv(os.path.join('../data', 'prices.csv'))",
                "os.makedirs('../output', exist_ok=True)\n"
                "h.clean(df).to_csv('../output/clean.csv')",
            ),
            "model/model.ipynb": notebook(
                "import os\nos.chdir('..')\nimport pandas as pd",
                "df = pd.read_csv('output/clean.csv')\n"
                "df.groupby('district').price.mean().to_csv('output/means.csv')",
            ),
            "environment.yml": "dependencies:\n  - python=3.7\n  - pandas\n  - numpy=1.16\n"
            "  - pip:\n    - scipy\n",
        },
    )
    return folder


def with_history(folder: Path) -> Path:
    """A repository of Git with a deleted file, large data, R, an old format and a secret."""
    write(
        folder,
        {
            "old.ipynb": old_notebook("import pandas as pd\nprint(pd.__name__)"),
            "first.csv": PRICES,
            "gone.txt": "was here\n",
        },
    )
    commit(folder, "The first analysis")
    (folder / "gone.txt").unlink()
    r = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
    write(
        folder,
        {
            "stats.ipynb": notebook("x <- read.csv('first.csv')\nsummary(x)", metadata=r),
            "big.csv": PRICES + "c,1,1\n" * 300_000,
            "big.ipynb": notebook("import pandas as pd\nlen(pd.read_csv('big.csv'))"),
            "secret.ipynb": notebook(f"token = 'ghp_{'a1B2' * 9}'\nprint(token)"),
            ".env": "PASSWORD=hunter2-hunter2\n",
            "colab.ipynb": notebook(
                "from google.colab import drive\ndrive.mount('/content/drive')"
            ),
        },
    )
    commit(folder, "More")
    return folder


REPOSITORIES = {"flat": flat, "three_folders": three_folders, "with_history": with_history}


def build(folder: Path, names: Sequence[str] = tuple(REPOSITORIES)) -> None:
    for name in names:
        REPOSITORIES[name](folder / name)
