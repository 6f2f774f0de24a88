"""Code that stands in several places is found, whatever its variables are called."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from nb.project import NbError
from nb.refactoring import scanning
from nb.refactoring.duplicates import Duplicate, find_duplicates
from nb.refactoring.sources import warn_left_out

CLEAN = """\
import numpy as np
import pandas as pd


def clean(table: pd.DataFrame, limit=3) -> pd.DataFrame:
    '''Explained.'''
    kept = table.dropna()
    for name in kept:
        kept[name] = np.clip(kept[name], 0, limit)  # high ones are errors
    return kept
"""
RENAMED = """\
import numpy, pandas

def tidy_up(df, high=3):

    out: pandas.DataFrame = df.dropna()
    for c in out:
        out[c] = numpy.clip(out[c], 0, high)
    return out
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    package = tmp_path / "src" / "pkg"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    return tmp_path


def write(project: Path, name: str, *sources: str, tags: tuple[str, ...] = ()) -> None:
    """Write an exploratory notebook, or a module of the package."""
    if name.endswith(".py"):
        (project / "src" / "pkg" / name).write_text(sources[0], encoding="utf-8")
        return
    cells = [
        {
            "cell_type": "code",
            "metadata": {"tags": list(tags)},
            "outputs": [],
            "execution_count": None,
            "source": source,
        }
        for source in sources
    ]
    path = project / "notebooks" / "exploratory" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")


def places(found: Duplicate) -> list[str]:
    return [
        f"{Path(place.path).name}:{place.cell}:{place.line}" if place.cell else str(place)
        for place in found.places
    ]


def test_a_renamed_copy_is_found(project: Path) -> None:
    write(project, "a.ipynb", "x = 1", CLEAN)
    write(project, "b.ipynb", RENAMED)
    (found,) = find_duplicates(project)
    assert (found.kind, found.name, found.saved) == ("function", "clean", 5)
    assert places(found) == ["a.ipynb:2:5", "b.ipynb:1:3"]
    assert found.repair == "nb extract clean"


def test_a_copy_of_what_is_in_the_package_is_found(project: Path) -> None:
    write(project, "data.py", CLEAN)
    write(project, "b.ipynb", RENAMED)
    (found,) = find_duplicates(project)
    assert places(found) == ["src/pkg/data.py:5", "b.ipynb:1:3"]
    assert (found.module, found.repair) == ("pkg.data", "nb extract tidy_up")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("limit=3", "limit=4"),
        ("dropna", "fillna"),
        ("np.clip", "np.round"),
        ("kept[name], 0", "table[name], 0"),
        ("import numpy as np", "import jax.numpy as np"),
        ("return kept", "return table"),
    ],
)
def test_another_computation_is_no_copy(project: Path, old: str, new: str) -> None:
    assert old in CLEAN
    write(project, "a.ipynb", CLEAN)
    write(project, "b.ipynb", CLEAN.replace(old, new))
    assert find_duplicates(project) == []


def test_helpers_count_by_what_they_do(project: Path) -> None:
    one = "def {0}(x):\n    return x + {1}\n\ndef {2}(y):\n    z = {0}(y)\n    return {0}(z)"
    write(project, "a.ipynb", one.format("inc", 1, "twice"))
    write(project, "b.ipynb", one.format("plus", 1, "double"))
    write(project, "c.ipynb", one.format("inc", 2, "twice"))
    (found,) = find_duplicates(project)
    assert places(found) == ["a.ipynb:1:4", "b.ipynb:1:4"]


CLASS = """\
@dataclass
class {0}:
    size: int

    def area(self):
        side = self.size
        return side * side
"""


def test_members_of_a_class_count_by_name(project: Path) -> None:
    write(project, "a.ipynb", CLASS.format("Square"))
    write(project, "b.ipynb", CLASS.format("Box").replace("side", "edge"))
    write(project, "c.ipynb", CLASS.format("Square").replace("area", "surface"))
    write(project, "d.ipynb", CLASS.format("Square").replace("size: int", "size: float"))
    (found,) = find_duplicates(project)
    assert (found.kind, places(found)) == ("class", ["a.ipynb:1:1", "b.ipynb:1:1"])


BLOCK = """\
{0} = {0}.dropna()
{0}["ratio"] = {0}["a"] / {0}["b"]

# Only some.
for {1} in range(10):
    {0} = {0}[{0}["ratio"] > {1}]
{0}.to_csv("out.csv")
"""


def test_a_block_with_other_variables_is_found(project: Path) -> None:
    write(project, "a.ipynb", "import pandas\n" + BLOCK.format("sales", "i") + "print(1)")
    write(project, "b.ipynb", "first = 1\n" + BLOCK.format("df", "step") + "print(2)")
    (found,) = find_duplicates(project)
    assert (found.kind, found.saved) == ("block", 5)
    assert places(found) == ["a.ipynb:1:2", "b.ipynb:1:2"]
    assert find_duplicates(project, block_lines=6) == []


def test_a_block_that_a_function_of_the_package_has_is_found(project: Path) -> None:
    body = BLOCK.format("table", "n").replace("\n", "\n    ")
    write(project, "data.py", f"def prepare(table):\n    {body}\n    return table\n")
    write(project, "b.ipynb", BLOCK.format("df", "step"))
    (found,) = find_duplicates(project)
    assert places(found) == ["src/pkg/data.py:2", "b.ipynb:1:1"]
    assert found.repair == "from pkg.data import prepare"


def test_the_longest_block_is_reported_once(project: Path) -> None:
    long = "".join(f"print({number}, '{number}')\n" for number in range(20))
    write(project, "a.ipynb", long)
    write(project, "b.ipynb", long)
    write(project, "c.ipynb", "x = 0\n" + "".join(long.splitlines(keepends=True)[5:12]))
    assert [(found.saved, places(found)) for found in find_duplicates(project)] == [
        (20, ["a.ipynb:1:1", "b.ipynb:1:1"]),
        (14, ["a.ipynb:1:6", "b.ipynb:1:6", "c.ipynb:1:2"]),
    ]


def test_variables_that_are_mixed_up_make_another_block(project: Path) -> None:
    lines = "x = f()\ny = g()\nprint(x)\nprint(y)\nprint(x, y)\n"
    write(project, "a.ipynb", lines)
    write(project, "b.ipynb", lines.replace("print(x)", "print(y)"))
    assert find_duplicates(project) == []


def test_what_is_not_worth_a_finding(project: Path) -> None:
    imports = "import a\nimport b\nimport c\nimport d\nimport e\nimport f\n"
    short = "def short(x):\n    return x\n"
    repeated = "print(0)\n" * 12
    for name in ("a.ipynb", "b.ipynb"):
        write(project, name, imports, short, "%time f()\n!ls\n" * 5, "%%bash\n" + "ls\n" * 9)
    write(project, "parameters.ipynb", "a = 1\nb = 1\nc = 1\nd = 1\ne = 1", tags=("parameters",))
    write(project, "others.ipynb", "a = 1\nb = 1\nc = 1\nd = 1\ne = 1", tags=("parameters",))
    write(project, "once.ipynb", repeated, CLEAN, CLEAN)
    write(
        project,
        "data.py",
        "def one():\n    a = 1\n    return a\n\ndef two():\n    a = 1\n    return a",
    )
    assert find_duplicates(project) == []


def test_what_nbdev_exports_is_the_original(project: Path) -> None:
    write(project, "core.ipynb", "#| default_exp core", "#| export\n" + CLEAN)
    write(project, "core.py", "# AUTOGENERATED! DO NOT EDIT!\n" + CLEAN)
    assert find_duplicates(project) == []
    write(project, "b.ipynb", RENAMED)
    (found,) = find_duplicates(project)
    assert places(found) == ["core.ipynb:2:6", "b.ipynb:1:3"]
    assert found.module == "pkg.core"


def test_several_processes_find_the_same_as_a_single_process(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(scanning.PARALLEL_FROM):
        own = f"table{number} = 1\n"
        write(project, f"{number:03}.ipynb", own + CLEAN, own + BLOCK.format("sales", "i"))
    (project / "notebooks/exploratory/000.ipynb").write_text("{")
    monkeypatch.setattr(scanning, "cores", lambda: 2)
    together = find_duplicates(project)
    assert "000.ipynb is not valid JSON" in capfd.readouterr().err
    assert len(together[0].places) == scanning.PARALLEL_FROM - 1
    monkeypatch.setattr(scanning, "cores", lambda: 1)
    assert find_duplicates(project) == together


@pytest.mark.parametrize("name", ["deep.ipynb", "deep.py"])
def test_code_that_is_nested_too_deeply_is_left_out(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project, "a.ipynb", CLEAN)
    write(project, "b.ipynb", RENAMED)
    write(project, name, "def total():\n    a = 1\n    return " + " + ".join("a" * 800))
    (found,) = find_duplicates(project)
    assert found.name == "clean"
    assert f"{name} holds code that is nested too deeply" in capsys.readouterr().err


def test_the_work_grows_with_the_code(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "cores", lambda: 1)
    for number in range(100):
        own = [
            f"def work{i}(table):\n    part = table[{number}:]\n    part = part.dropna()\n"
            f"    part['x'] = part['a'] * {i}\n    return part\n\nresult{i} = work{i}(data)\n"
            "print(result)\n" * 3
            for i in range(8)
        ]
        write(project, f"{number:03}.ipynb", CLEAN, *own, BLOCK.format("sales", "i"))
    began = time.process_time()
    found = find_duplicates(project)
    assert time.process_time() - began < 5
    assert [len(one.places) for one in found] == [100, 100]


@pytest.mark.parametrize("reason", ["n.ipynb: Permission denied", "n.ipynb is no notebook."])
def test_a_notebook_left_out_is_named_in_two_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    warn_left_out(NbError(reason), tmp_path)
    assert capsys.readouterr().err == f"nb: {reason.rstrip('.')}. It is left out.\n"
