"""Exploratory notebooks as people write them, to be promoted by the tests."""

from __future__ import annotations

import json
from pathlib import Path

# Each is a list of cells; a text that begins with "md:" is Markdown. `{root}` is the project.
NOTEBOOKS: dict[str, list[str]] = {
    "01-am-prices": [
        "md:# House prices by district",
        "import pandas as pd\nimport matplotlib.pyplot as plt\n%matplotlib inline",
        'df = pd.read_csv("../../data/raw/prices.csv")\ndf.head()',
        "# rows with fewer sales than this say nothing\nMIN_SALES = 2\nTOP = 3",
        "def per_square_metre(price, area):\n    return price / area\n\n"
        "def clean(table):\n    table = table.dropna(subset=['price'])\n"
        "    return table[table['area'] > 0]",
        "tidy = clean(df)\n"
        "tidy = tidy.assign(ppm=per_square_metre(tidy['price'], tidy['area']))\n"
        "counts = tidy['district'].value_counts()\n"
        "kept = tidy[tidy['district'].isin(counts[counts >= MIN_SALES].index)]",
        "by = kept.groupby('district')['ppm'].mean().sort_values(ascending=False).head(TOP)\n"
        'by.reset_index().to_csv("../../data/processed/prices.csv", index=False)\n'
        "print(per_square_metre(300000, 100))",
        'by.plot.bar()\nplt.savefig("../../reports/figures/prices.png")\nplt.show()',
    ],
    # Absolute paths, a figure and an array beside the notebook, a constant used by a function.
    "02-am-absolute": [
        "import numpy as np, pandas as pd\nimport matplotlib.pyplot as plt",
        "DATA = '{root}/data/raw/'\nSCALE = 2.5\nseed = 7\nOUT = \"curve.png\"",
        "t = pd.read_csv(DATA + 'prices.csv')",
        "def scaled(x):\n    return x * SCALE",
        "np.random.seed(seed)\nvalues = scaled(t['area'].to_numpy()) + np.random.rand(len(t))\n"
        "np.save('values.npy', values)\nscaled(4)",
        "plt.plot(values)\nplt.savefig(OUT)",
    ],
    # Parquet through pyarrow.
    "03-am-arrow": [
        "md:Some notes, no title.",
        "import pyarrow as pa\nimport pyarrow.compute as pc\nimport pyarrow.parquet as pq",
        "table = pq.read_table('../../data/raw/sales.parquet')",
        "def large(table, limit):\n    return table.filter(pc.greater(table['amount'], limit))",
        "limit = 20\nresult = large(table, limit)\nresult.num_rows",
        "pq.write_table(result, '../../data/interim/large.parquet')",
    ],
    # SQL over files, and a database of its own.
    "04-am-duckdb": [
        "import duckdb",
        "con = duckdb.connect()",
        'query = """\nselect shop, sum(amount) as total\n'
        'from \'../../data/raw/sales.parquet\'\ngroup by shop order by shop\n"""\n'
        "totals = con.sql(query).df()\ntotals",
        "def share(part, whole):\n    '''Percent.'''\n    return round(100 * part / whole, 1)",
        "totals['share'] = [share(x, totals['total'].sum()) for x in totals['total']]",
        "totals.to_parquet('../../data/processed/totals.parquet')\n"
        "con.execute(\"copy (select 1 as one) to '../../data/processed/one.csv'\")",
    ],
    # A model, its score, a helper copied from another notebook, a path relative after chdir.
    "05-am-model": [
        "import os\nos.chdir('../..')",
        "import json\nimport joblib\nimport pandas as pd\n"
        "from sklearn.linear_model import LinearRegression",
        "def clean(table):\n    table = table.dropna(subset=['price'])\n"
        "    return table[table['area'] > 0]",
        "df = clean(pd.read_csv('data/raw/prices.csv'))",
        "FEATURES = ['area', 'rooms']\nmodel = LinearRegression().fit(df[FEATURES], df['price'])",
        "os.makedirs('models', exist_ok=True)\njoblib.dump(model, 'models/price.joblib')",
        "with open('data/processed/score.json', 'w') as f:\n"
        "    json.dump({'r2': model.score(df[FEATURES], df['price'])}, f)",
    ],
    # sqlite, a shell escape, a function that uses a variable of the notebook and so stays.
    "06-am-sqlite": [
        "import sqlite3\nimport pandas as pd\nfrom pathlib import Path",
        "BASE = Path('../../data')\nQUERY = 'select name, count(*) as n from people group by name'",
        "con = sqlite3.connect(BASE / 'raw' / 'people.db')\nnames = pd.read_sql(QUERY, con)",
        "def lookup(name):\n    return int(names.set_index('name').loc[name, 'n'])\n\n"
        "def initials(name):\n    return ''.join(word[0].upper() for word in name.split())",
        "names['initials'] = names['name'].map(initials)\nprint(lookup('ann lee'))",
        "out = sqlite3.connect(BASE / 'processed' / 'names.db')\n"
        "names.to_sql('names', out, index=False, if_exists='replace')\nout.commit()\nout.close()",
    ],
}
BROKEN = [
    "import pandas as pd",
    "total = sum(numbers)",
    "numbers = [1, 2, 3]",
]
PREPARE = """
import sqlite3
from pathlib import Path
import pandas as pd
for name in ("raw", "interim", "processed"):
    Path("data", name).mkdir(parents=True, exist_ok=True)
Path("reports/figures").mkdir(parents=True, exist_ok=True)
pd.DataFrame({
    "district": ["north", "north", "south", "south", "east", "west"] * 4,
    "price": [300.0, 320.0, 200.0, None, 150.0, 420.0] * 4,
    "area": [100, 80, 90, 50, 75, 0] * 4,
    "rooms": [3, 3, 4, 2, 3, 5] * 4,
}).to_csv("data/raw/prices.csv", index=False)
pd.DataFrame({"shop": ["a", "b", "a", "c"], "amount": [10, 25, 40, 5]}).to_parquet(
    "data/raw/sales.parquet"
)
with sqlite3.connect("data/raw/people.db") as database:
    database.execute("drop table if exists people")
    database.execute("create table people (name text)")
    database.executemany("insert into people values (?)", [("ann lee",), ("bo yu",), ("ann lee",)])
"""


def write_notebook(path: Path, cells: list[str], root: Path) -> None:
    """Write a notebook of cells that were run from the last to the first, as the counts say."""
    content = {
        "cells": [
            _cell(number, text.replace("{root}", str(root))) for number, text in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"display_name": "x", "language": "python", "name": "old"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _cell(number: int, text: str) -> dict[str, object]:
    markdown = text.startswith("md:")
    cell = {
        "cell_type": "markdown" if markdown else "code",
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.removeprefix("md:").splitlines(keepends=True),
    }
    return cell if markdown else {**cell, "execution_count": 99 - number, "outputs": []}
