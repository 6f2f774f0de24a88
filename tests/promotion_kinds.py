"""Kinds of exploratory notebooks for promotion, each with the end that a person may expect."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

READ = "import pandas as pd\nprices = pd.read_csv('../../data/raw/prices.csv')"
WRITE = "prices.describe().to_csv('../../data/processed/{name}.csv')"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """An exploratory notebook of one kind.

    Attributes:
        cells: the cells, as `write_notebook` takes them.
        options: for `nb promote`.
        beside: other files in the notebook's folder.
        dependencies: the packages to be declared in the project.
        refused: a part of the message, if the notebook cannot be promoted.
        listed: the rules of findings that no program repairs, or other texts before the question.
        contains: texts of the promoted files.
    """

    cells: list[str]
    options: tuple[str, ...] = ()
    beside: dict[str, str] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    refused: str = ""
    listed: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()


def notebook(text: str, **expected: Any) -> Kind:
    """Return the kind of a notebook in percent format: cells below `# %%`, or `# %% [markdown]`.

    Args:
        text: the notebook.
        expected: the attributes of the kind besides its cells.
    """
    parts = re.split(r"^# %%(?: (\[markdown\]))?\n", text, flags=re.M)[1:]
    cells = [
        "md:" + re.sub(r"^# ?", "", source, flags=re.M) if markdown else source
        for markdown, source in zip(parts[::2], parts[1::2], strict=True)
    ]
    return Kind(cells=[cell.rstrip("\n") for cell in cells], **expected)


KINDS: dict[str, Kind] = {
    "3d": Kind(cells=["def area(a, b):\n    return a * b", "print(area(2, 3))"]),
    "class": Kind(cells=["def area(a, b):\n    return a * b", "print(area(2, 3))"]),
    "imports-below": Kind(
        cells=[
            READ,
            "print(len(prices))",
            "import json\nwith open('../../data/processed/imports-below.json', 'w') as f:\n"
            "    json.dump({'rows': len(prices)}, f)",
            "import numpy as np\nnp.sqrt(4)",
        ]
    ),
    "unused": Kind(
        cells=[
            f"import os, sys\n{READ}",
            "def total(table):\n    unused = 1\n    n = 0\n    for i, row in table.iterrows():\n"
            "        n += row['rooms']\n    return n",
            "print(total(prices))\nprices",
        ]
    ),
    "one-letter": Kind(
        cells=["l = [1, 2, 3]\nO = sum(l)", "square = lambda v: v ** 2\nprint(square(O))"]
    ),
    "none-and-true": Kind(
        cells=[
            READ,
            "x = None\nif x == None:\n    print('none')\n"
            "big = prices[(prices.rooms > 2) == True]\nprint(len(big))",
        ]
    ),
    "bare-except": Kind(
        cells=[
            "def ratio(a, b):\n    try:\n        return a / b\n    except:\n        return 0",
            "print(ratio(1, 0), ratio(4, 2))",
        ],
        listed=("E722",),
    ),
    "star-import": Kind(
        cells=["from math import *\nimport math", "print(sqrt(16), floor(2.5), pi)"],
    ),
    "long-lines": Kind(
        cells=[
            READ,
            "# " + "a long comment about the reasons for all this, " * 4,
            "print('" + "a long text, " * 12 + "')",
        ],
    ),
    "inplace": Kind(
        cells=[
            f"{READ}\nimport os",
            "df = prices\ndf.dropna(inplace=True)\n"
            "values = df['price'].values\nprint(values.sum())",
            "path = os.path.join('..', '..', 'data', 'processed', 'inplace.csv')\n"
            "df.to_csv(path, index=False)",
        ],
    ),
    "os-paths": Kind(
        cells=[
            f"{READ}\nimport os, glob\nDATA_DIR = '../../data'",
            "print(sorted(os.path.basename(p) for p in glob.glob(DATA_DIR + '/raw/*.csv')))",
            "if not os.path.exists(DATA_DIR + '/processed'):\n"
            "    os.makedirs(DATA_DIR + '/processed')",
            WRITE.format(name="os-paths"),
        ],
    ),
    "namespaces": Kind(
        cells=[
            "scale = 3",
            "def scaled(x):\n    return eval('x * scale')\n\ndef known():\n"
            "    return 'scale' in globals()\n\ndef double(x):\n    return 2 * x",
            "print(scaled(2), known(), double(4))",
        ],
        contains=("def double",),
    ),
    "added-suffixes": Kind(
        cells=[
            "import numpy as np\nimport matplotlib.pyplot as plt",
            "np.save('../../data/processed/saved', np.arange(3))\n"
            "np.savez('several', a=np.arange(3))",
            "plt.plot([1, 2])\nplt.savefig('drawn')",
        ],
    ),
    "shell": Kind(
        cells=[
            READ,
            "!mkdir -p ../../data/interim/shell && wc -l ../../data/raw/prices.csv",
            "lines = !wc -l ../../data/raw/prices.csv\nprint(lines)",
            "%%time\nprices.to_csv('../../data/interim/shell/a.csv')",
            "!ls ../../data/interim/shell",
        ],
    ),
    "bash-cell": Kind(cells=["%%bash\nhead -2 ../../data/raw/prices.csv", "print(1)"]),
    "constants": Kind(
        cells=[
            f"{READ}\nimport datetime",
            "PAIRS = ((1, 2), (3, 4))\nCHOSEN = {'north', 'south'}\n"
            "START = datetime.date(2024, 1, 31)\nLIMIT = 250.0\nBINS = [0, 100, 200]\n"
            "NAMES = {'north': 'N', 'south': 'S'}\nCOLUMN = 'price'",
            "kept = prices[(prices[COLUMN] > LIMIT) & prices.district.isin(CHOSEN)]\n"
            "print(len(kept), PAIRS, START, BINS, NAMES)",
        ],
        contains=("LIMIT: 250.0",),
    ),
    "used-constant": Kind(
        cells=[
            READ,
            "THRESHOLD = 250.0",
            "def dear(table):\n    return table[table['price'] > THRESHOLD]",
            "print(len(dear(prices)))",
            WRITE.format(name="used-constant"),
        ],
        contains=("THRESHOLD: 250.0",),
    ),
    "top": Kind(
        cells=[
            READ,
            "def top(table, n):\n    return table.nlargest(n, 'price')",
            "print(top(prices, 2).price.tolist())",
        ],
        contains=("def top",),
    ),
    "helped": Kind(
        cells=[
            "from kind_helpers import double\nimport kind_helpers as kh",
            "print(double(2), kh.LIMIT)",
        ],
        beside={"kind_helpers.py": "LIMIT = 3\n\n\ndef double(x):\n    return 2 * x\n"},
    ),
    "beside": Kind(
        cells=[
            "import pandas as pd\npoints = pd.read_csv('kind_points.csv')",
            "points.describe().to_csv('kind_stats.csv')",
        ],
        beside={"kind_points.csv": "v\n1\n2\n3\n"},
    ),
    "luck": Kind(
        cells=["import numpy as np", "print(np.random.rand(2))"],
        refused="np.random.rand in code cell 2",
    ),
    "seeded": Kind(
        cells=["import numpy as np", "print(np.random.rand(2))"],
        options=("--seed", "42"),
        contains=("seed: 42",),
    ),
    "clock": Kind(cells=["import time", "print(time.time())"], refused="time.time in code cell 2"),
    "estimator": Kind(
        cells=[
            f"{READ}\nfrom sklearn.linear_model import LinearRegression\nimport joblib",
            "def fit(table):\n    X, y = table[['area', 'rooms']], table['price']\n"
            "    return LinearRegression().fit(X, y)",
            "tidy = prices.dropna()\nmodel = fit(tidy)\n"
            "joblib.dump(model, '../../models/estimator.joblib')",
        ],
    ),
    "classes": Kind(
        cells=[
            "from dataclasses import dataclass\nfrom typing import List, Optional",
            "@dataclass\nclass Point:\n    x: float\n    y: float\n\n"
            "    def norm(self) -> float:\n        return (self.x ** 2 + self.y ** 2) ** 0.5",
            "def norms(points: List[Point], scale: Optional[float] = None) -> List[float]:\n"
            "    return [p.norm() * (scale or 1) for p in points]",
            "print(norms([Point(3, 4)], 2))",
        ],
        contains=("class Point",),
    ),
    "undefined": Kind(
        cells=["def later():\n    return nothing", "print(1)"],
        refused="07-am-undefined.ipynb, code cell 1, line 2: F821 Undefined name `nothing`",
    ),
    "undefined-known": Kind(
        cells=["def later():\n    return nothing  # noqa: F821", "print(1)"],
        listed=("F821",),
    ),
    "figures-only": Kind(
        cells=[
            "md:*A look* at [prices](https://example.org)",
            f"%matplotlib inline\n{READ}\nimport matplotlib.pyplot as plt",
            "fig, ax = plt.subplots()\nax.hist(prices['price'].dropna());",
            "plt.show()",
        ],
    ),
    "mutable-default": Kind(
        cells=[
            "def collect(x, found=[]):\n    found = found + [x]\n    return found",
            "for i, v in enumerate([1, 2]):\n    print(collect(v))",
            "print('{} of {}'.format(1, 2), '%d' % 3, f'none')\n"
            "d = dict(a=1)\nif 'a' in d.keys():\n    print(list(zip([1], [2])))",
        ],
        listed=("B006",),
    ),
    "no-title-no-end": Kind(cells=["", "md:text only", "x = 1;x", "x"]),
    "magics": Kind(
        cells=[
            "%load_ext autoreload\n%autoreload 2\n"
            "import warnings; warnings.filterwarnings('ignore')",
            "%time total = sum(range(10))\nprint(total)\n?print",
            "%timeit -n1 -r1 sum(range(3))",
            "from IPython.display import display\ndisplay(total)",
        ],
    ),
    "reads-and-writes-text": Kind(
        cells=[
            "text = open('../../data/raw/prices.csv').read()",
            "f = open('../../data/processed/text.txt', 'w')\nf.write(text.upper())\nf.close()",
        ],
    ),
    "nested-functions": Kind(
        cells=[
            READ,
            "import functools\n\n@functools.lru_cache\ndef fib(n):\n"
            "    return n if n < 2 else fib(n - 1) + fib(n - 2)",
            "def make(k):\n    def inner(v):\n        return v * k\n    return inner\n\n"
            "async def later():\n    return 1",
            "print(fib(10), make(2)(3), await later())",
        ],
    ),
}
