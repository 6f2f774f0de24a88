"""Fingerprints: what changes them, what does not, and what a notebook is found to import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nb.notebook.content import Notebook, notebooks_below, python_source, read_notebook
from nb.notebook.fingerprints import fingerprint_text
from nb.notebook.modules import SourcePackages, imported_names
from nb.project import NbError

MODULES = {
    "pkg/__init__.py": "",
    "pkg/a.py": "from . import b\n",
    "pkg/b.py": "import numpy\n",
    "pkg/c.py": "def f():\n    from pkg.sub import d\n",
    "pkg/sub/__init__.py": "from .d import *\n",
    "pkg/sub/d.py": "from ..b import x\n",
    "pkg/dynamic.py": "import importlib\nimportlib.import_module('pkg.' + name)\n",
    "pkg/table.csv": "1\n",
    "other/__init__.py": "",
}


@pytest.fixture
def sources(tmp_path: Path) -> SourcePackages:
    for name, text in MODULES.items():
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return SourcePackages(tmp_path / "src")


def code(*cells: str, **cell: Any) -> dict[str, Any]:
    made = [
        {
            "cell_type": "code",
            "source": text,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            **cell,
        }
        for text in cells
    ]
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3"}},
        "cells": made,
    }


def read(tmp_path: Path, content: dict[str, Any]) -> Notebook:
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(content))
    return read_notebook(path)


@pytest.mark.parametrize(
    ("cell", "used"),
    [
        ("import pkg", {"pkg"}),
        ("import pkg.a", {"pkg", "pkg.a", "pkg.b"}),
        ("from pkg import a as other", {"pkg", "pkg.a", "pkg.b"}),
        ("from pkg.a import anything", {"pkg", "pkg.a", "pkg.b"}),
        ("from pkg import c", {"pkg", "pkg.c", "pkg.sub", "pkg.sub.d", "pkg.b"}),
        ("import numpy", set()),
        ("x = 'import pkg'", set()),
        ("%matplotlib inline\nimport other", {"other"}),
        ("%%time\nimport other", {"other"}),
        ("%%bash\necho import other", "all"),
        ("%%bash\necho nothing of ours", set()),
        ("!python -m pkg.a", "all"),
        ("!ls", set()),
        ("from pkg import dynamic", "all"),
        ("__import__(name)", "all"),
        ("this does not parse", "all"),
    ],
)
def test_the_modules_that_a_notebook_uses(
    sources: SourcePackages, tmp_path: Path, cell: str, used: set[str] | str
) -> None:
    expected = set(sources.modules) if used == "all" else used
    assert sources.used_by(read(tmp_path, code(cell))) == expected


def test_relative_imports_are_resolved() -> None:
    assert imported_names("from . import b", "pkg.a") == {"pkg", "pkg.b"}
    assert imported_names("from . import b", "pkg", is_package=True) == {"pkg", "pkg.b"}
    assert imported_names("from ..b import x", "pkg.sub.d") == {"pkg.b", "pkg.b.x"}


@pytest.mark.parametrize(
    "line", ["%pip list", "!ls -l", "files = !ls", "?print", "print?", "x, y = %time 1"]
)
def test_what_is_not_python_is_blanked_out(line: str) -> None:
    assert compile(python_source(f"a = 1\n{line}\nb = a % 2"), "cell", "exec")


def variants() -> dict[str, dict[str, Any]]:
    counted = code(
        "x = 1",
        execution_count=7,
        outputs=[{"output_type": "stream", "text": "1", "name": "stdout"}],
    )
    described = code("x = 1", metadata={"scrolled": True})
    titled = code("x = 1")
    titled["cells"].insert(0, {"cell_type": "markdown", "source": "# Title", "metadata": {}})
    named = code("x = 1", id="abc")
    as_list = code("x = 1")
    as_list["cells"][0]["source"] = ["x = 1"]
    empty = code("x = 1", "  \n")
    newlines = code("x = 1\r\n")
    return {
        "outputs and counts": counted,
        "metadata": described,
        "Markdown": titled,
        "ids": named,
        "source as a list": as_list,
        "an empty cell": empty,
        "line endings": newlines,
    }


@pytest.mark.parametrize("content", variants().values(), ids=variants())
def test_what_does_not_compute_does_not_count(
    sources: SourcePackages, tmp_path: Path, content: dict[str, Any]
) -> None:
    plain = fingerprint_text(read(tmp_path, code("x = 1")), sources)
    assert fingerprint_text(read(tmp_path, content), sources) == plain


@pytest.mark.parametrize(
    "content",
    [
        code("x = 2"),
        code("x = 1", metadata={"tags": ["parameters"]}),
        code("x = 1", "y = 2"),
        {**code("x = 1"), "metadata": {"kernelspec": {"name": "other"}}},
    ],
    ids=["source", "tags", "a cell", "kernel"],
)
def test_what_computes_counts(
    sources: SourcePackages, tmp_path: Path, content: dict[str, Any]
) -> None:
    plain = fingerprint_text(read(tmp_path, code("x = 1")), sources)
    assert fingerprint_text(read(tmp_path, content), sources) != plain


@pytest.mark.parametrize("name", ["pkg/b.py", "pkg/__init__.py", "pkg/table.csv"])
def test_a_change_of_what_is_imported_counts(
    sources: SourcePackages, tmp_path: Path, name: str
) -> None:
    notebook = read(tmp_path, code("import pkg.a"))
    before = fingerprint_text(notebook, sources)
    (tmp_path / "src" / name).write_text("changed = True\n")
    assert fingerprint_text(notebook, SourcePackages(tmp_path / "src")) != before


def test_a_change_of_what_is_not_imported_does_not_count(
    sources: SourcePackages, tmp_path: Path
) -> None:
    notebook = read(tmp_path, code("import pkg.a"))
    before = fingerprint_text(notebook, sources)
    (tmp_path / "src" / "pkg" / "c.py").write_text("changed = True\n")
    (tmp_path / "src" / "pkg" / "a.py").write_bytes(b"from . import b\r\n")
    assert fingerprint_text(notebook, SourcePackages(tmp_path / "src")) == before


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a notebook"),
        ("{}", "not a notebook"),
        ('{"nbformat": 3}', "nbformat 3"),
        ('{"nbformat": 4, "metadata": {}, "cells": [1]}', "not a notebook"),
        ('{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code"}]}', "not a notebook"),
    ],
)
def test_what_is_not_a_notebook_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "broken.ipynb"
    path.write_text(text)
    with pytest.raises(NbError, match=rf"broken\.ipynb.*{reason}"):
        read_notebook(path)


def test_checkpoints_are_no_notebooks(tmp_path: Path) -> None:
    for name in ("10-a.ipynb", ".ipynb_checkpoints/10-a-checkpoint.ipynb", "deep/20-b.ipynb"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in notebooks_below(tmp_path)]
    assert found == ["10-a.ipynb", "deep/20-b.ipynb"]
