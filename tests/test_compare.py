"""Outputs are compared by what they hold."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Project

# For each kind of file: how it is written from a number, in the environment of a project.
WRITERS = {
    "a.csv": "pd.DataFrame({'x': [1.5, N], 'y': ['a', None]}).to_csv(path)",
    "a.parquet": "pd.DataFrame({'x': [1.5, N], 'y': ['a', None]}).to_parquet(path)",
    "a.json": "path.write_text(json.dumps({'a': [1, {'b': N}]}, indent=INDENT))",
    "a.npy": "np.save(path, np.array([1.5, N]))",
    "a.npz": "np.savez(path, a=np.array([N]), b=np.array(['x']))",
    "a.pkl": "path.write_bytes(pickle.dumps({'t': pd.DataFrame({'x': [N]}), 'l': [N, 'x']}))",
    "a.joblib": "joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, N]), path)",
    "a.db": "d = sqlite3.connect(path); d.execute('create table t (x)'); "
    "d.execute('insert into t values (?)', [round(N, 6)]); d.commit(); d.close()",
    "a.png": "p = np.full((4, 4, 3), round(N, 6) / 10); "
    "image.imsave(path, p, metadata={'a': str(INDENT)})",
    "a.pdf": "drawn(metadata={'CreationDate': datetime(2020, 1, INDENT)})",
    "a.svg": "drawn(metadata={'Date': f'2020-01-0{INDENT}'})",
    "a.gz": "path.write_bytes(gzip.compress(str(round(N, 6)).encode(), mtime=INDENT))",
    "a.zip": "z = zipfile.ZipFile(path, 'w'); "
    "z.writestr(zipfile.ZipInfo('n', (2020, 1, INDENT, 0, 0, 0)), str(round(N, 6))); z.close()",
    "a.txt": "path.write_text(str(round(N, 6)))",
}
SCRIPT = """
import gzip, json, pickle, sqlite3, sys, zipfile
from datetime import datetime
from pathlib import Path
import joblib, numpy as np, pandas as pd
from matplotlib import image
from matplotlib.figure import Figure
from sklearn.linear_model import LinearRegression
from nb.authoring import compare

def drawn(**options):
    figure = Figure(figsize=(1, 1))
    figure.subplots().plot([0, round(N, 6)], [0, 1], "o")
    figure.savefig(path, **options)

found = {}
for name, code in json.loads(sys.argv[1]).items():
    values = {"old": (2.0, 1), "same": (2.0 + 1e-12, 2), "other": (3.0, 1)}
    for folder, (N, INDENT) in values.items():
        Path(folder).mkdir(exist_ok=True)
        path = Path(folder, name).absolute()
        exec(code)
    old = Path("old", name).absolute()
    found[name] = [
        compare.difference(old, Path(other, name).absolute()) for other in ("same", "other", "none")
    ]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(ready: Project, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("compared")
    output = ready.run("python", "-W", "ignore", "-c", SCRIPT, json.dumps(WRITERS), cwd=folder)
    result: dict[str, list[str]] = json.loads(output.splitlines()[-1])
    return result


@pytest.mark.parametrize("name", WRITERS)
def test_the_same_values_are_the_same_and_others_are_not(
    found: dict[str, list[str]], name: str
) -> None:
    same, other, missing = found[name]
    assert same == ""
    assert other
    assert missing == "it was not written"


def test_a_difference_says_where_it_is(found: dict[str, list[str]]) -> None:
    assert found["a.csv"][1] == "column x: 1 of 2 values, as 2.0 became 3.0"
    assert found["a.json"][1] == "a[1].b: 2.0 became 3.0"
    assert found["a.joblib"][1] == "its predictions differ"
    assert found["a.png"][1] == "16 of 16 pixels"
    assert found["a.zip"][1] == "it has another n"
    assert found["a.db"][1] == "its tables differ"
