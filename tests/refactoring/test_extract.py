"""`nb extract` moves a definition with all its copies, and keeps the calls valid."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import types
from pathlib import Path

import pytest
from nb.project import NbError
from nb.refactoring.extract import Extraction, prepare_extraction
from test_duplicates import CLEAN, RENAMED, project, write

__all__ = ["project"]

CALL = 'print(clean(pd.DataFrame({"a": [1, 9]}), limit=4)["a"].tolist())'
RENAMED_CALL = 'print(tidy_up(pandas.DataFrame({"a": [1, 9]}), high=4)["a"].tolist())'


def sources(project: Path, found: Extraction, name: str) -> list[str]:
    """Return the sources of a notebook after an extraction."""
    path = project / "notebooks/exploratory" / name
    text = found.changes.get(path) or path.read_text(encoding="utf-8")
    return ["".join(cell["source"]) for cell in json.loads(text)["cells"]]


def module(project: Path, found: Extraction, name: str = "shared.py") -> str:
    return found.changes[project / "src/pkg" / name]


def test_every_copy_becomes_an_import(project: Path) -> None:
    write(project, "a.ipynb", CLEAN, CALL)
    write(project, "b.ipynb", "# First\n" + RENAMED, RENAMED_CALL)
    write(project, "c.ipynb", "other = 1")
    found = prepare_extraction(project, "clean")
    assert (found.module, found.left, len(found.changes)) == ("pkg.shared", [], 3)
    assert module(project, found).count("def ") == 1
    assert "import numpy as np\nimport pandas as pd\n" in module(project, found)
    assert sources(project, found, "a.ipynb") == [
        "import pandas as pd\n\nfrom pkg.shared import clean\n",
        CALL,
    ]
    assert sources(project, found, "b.ipynb") == [
        "# First\nimport pandas\n\nfrom pkg.shared import clean as tidy_up\n",
        RENAMED_CALL.replace("high=", "limit="),
    ]


def test_what_is_in_the_package_already_is_imported_from_there(project: Path) -> None:
    write(project, "data.py", CLEAN)
    write(project, "b.ipynb", RENAMED, RENAMED_CALL)
    for name in ("clean", "tidy_up"):
        found = prepare_extraction(project, name)
        assert [path.name for path in found.changes] == ["b.ipynb"]
        assert "from pkg.data import clean as tidy_up" in sources(project, found, "b.ipynb")[0]


def test_helpers_go_along_in_every_notebook(project: Path) -> None:
    one = "LIMIT = 3\ndef {0}(x):\n    return x + LIMIT\n\ndef {1}(y):\n    return {0}({0}(y))"
    write(project, "a.ipynb", one.format("inc", "twice"), "twice(1)")
    write(project, "b.ipynb", one.format("plus", "double"), "double(1) + LIMIT")
    found = prepare_extraction(project, "twice", "tools")
    assert "LIMIT = 3" in module(project, found, "tools.py")
    assert sources(project, found, "a.ipynb") == ["from pkg.tools import twice", "twice(1)"]
    assert sources(project, found, "b.ipynb") == [
        "from pkg.tools import LIMIT\nfrom pkg.tools import twice as double",
        "double(1) + LIMIT",
    ]


@pytest.mark.parametrize(
    "call", ["map(tidy_up, frames)", "tidy_up(**options)", "%time tidy_up(x, high=1)"]
)
def test_a_copy_whose_calls_would_break_stays(project: Path, call: str) -> None:
    write(project, "a.ipynb", CLEAN, CALL)
    write(project, "b.ipynb", RENAMED, call)
    found = prepare_extraction(project, "clean")
    assert sources(project, found, "b.ipynb") == [RENAMED, call]
    (reason,) = found.left
    assert "b.ipynb: tidy_up stays" in reason and "code cell 2" in reason


ONCE = "def once(x):\n    return x + 1"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("claen",), "no function or class claen .* did you mean clean?"),
        (
            ("clean",),
            "clean differs between .*a.ipynb, code cell 1, .*d.ipynb, code .*; name one .* --from",
        ),
        (("once", "a b"), "a b is no name of a module"),
        (("clean", "sub.data", "a.ipynb"), "src/pkg/sub is no package"),
        (("clean", "", "x.ipynb"), "no function or class clean .* in x.ipynb"),
        (("once", "1.x"), "1.x is no name of a module"),
        (("load",), "load uses data, which code cell 1 assigns"),
        (("cycle", "paths"), "needs a module that imports pkg.paths"),
        (("known", "other"), "known is in pkg.paths already; leave --to out"),
    ],
)
def test_what_cannot_be_extracted_is_refused(
    project: Path, arguments: tuple[str, ...], reason: str
) -> None:
    known = "def known(x):\n    return x\n"
    write(project, "paths.py", known)
    write(project, "data.py", "from pkg import paths")
    write(project, "a.ipynb", CLEAN)
    write(project, "d.ipynb", CLEAN.replace("limit=3", "limit=4"))
    write(project, "e.ipynb", "data = open('x')\ndef load():\n    return data", ONCE)
    write(project, "f.ipynb", "import pkg.data\ndef cycle():\n    return pkg.data.x", known)
    with pytest.raises(NbError, match=reason):
        prepare_extraction(project, *arguments)


def test_nbdev_writes_the_module_of_cells_that_it_exports(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, "core.ipynb", "#| default_exp core", "#| export\n" + CLEAN, CALL)
    write(project, "b.ipynb", RENAMED, RENAMED_CALL)
    found = prepare_extraction(project, "tidy_up")
    assert [path.name for path in found.changes] == ["b.ipynb"]
    assert "from pkg.core import clean as tidy_up" in sources(project, found, "b.ipynb")[0]
    monkeypatch.setitem(sys.modules, "nbdev.export", None)
    with pytest.raises(NbError, match=r"core\.ipynb has cells .* nbdev is missing"):
        found.write(project)
    exporter = types.ModuleType("nbdev.export")
    exported: list[tuple[str, str]] = []
    exporter.__dict__["nb_export"] = lambda name, lib_path: exported.append((name, lib_path))
    monkeypatch.setitem(sys.modules, "nbdev", types.ModuleType("nbdev"))
    monkeypatch.setitem(sys.modules, "nbdev.export", exporter)
    found.write(project)
    notebook = project / "notebooks/exploratory/core.ipynb"
    assert exported == [(str(notebook), str(project / "src/pkg"))]


def test_the_diff_shows_cells_as_text(project: Path) -> None:
    write(project, "a.ipynb", CLEAN, CALL)
    diff = prepare_extraction(project, "clean").diff(project)
    assert "--- /dev/null\n+++ b/src/pkg/shared.py\n" in diff
    assert "+++ b/notebooks/exploratory/a.ipynb\n" in diff
    assert "+from pkg.shared import clean\n" in diff
    assert '"cell_type"' not in diff


def test_the_notebooks_compute_the_same(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = "STEP = 2\n\n\ndef up(n):\n    return n + STEP\n\n\n"
    first = helper + "def total(numbers, start=0):\n    for n in numbers:\n        start += up(n)\n"
    first += "    return start\n"
    second = first.replace("numbers", "xs").replace("start", "s").replace("total", "add")
    second = second.replace("up(", "more(")
    notebooks = {
        "a.ipynb": [first, "print(total([1, 2], start=1), STEP)"],
        "b.ipynb": ["import math\n" + second, "s = 5", "print(add(xs=[1, s], s=s), more(1), s)"],
    }
    for name, cells in notebooks.items():
        write(project, name, *cells)
    before = {name: outcome(cells) for name, cells in notebooks.items()}
    found = prepare_extraction(project, "total", "sums")
    found.write(project)
    monkeypatch.syspath_prepend(str(project / "src"))
    assert {name: outcome(sources(project, found, name)) for name in notebooks} == before
    assert sources(project, found, "b.ipynb")[2] == (
        "print(add(numbers=[1, s], start=s), more(1), s)"
    )
    assert (project / "notebooks/exploratory/b.ipynb").read_text().count("def ") == 0


def outcome(cells: list[str]) -> str:
    """Return what a notebook prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec("\n".join(cells), {})
    return printed.getvalue()
