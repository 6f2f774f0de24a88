"""Incremental `nb check`: always the findings of a check without a cache, and less work."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nb.check import runner
from nb.check.findings import Finding
from nb.check.incremental import cache, single
from nb.check.incremental.copies import ComparedDefinition
from nb.check.incremental.single import NotebookCheck
from nb.check.runner import check_paths
from nb.check.source import Document
from nb.notebook.modules import SourcePackages
from nb.refactoring.sources import CodePlace
from test_check_rules import (
    FILES,
    NAME,
    _installed,  # noqa: F401  (a fixture for each test)
    write_project,
)

OTHER = "notebooks/production/20-other.ipynb"
CLEAN = "def clean(table):\n    kept = table.dropna()\n    return kept[kept['n'] > 0]\n"
FIRST = f"""\
# %% tags=["parameters"]
seed: int = 1
# %%
from example_package import paths
{CLEAN}# %%
open("data/raw/a.csv")
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_project(tmp_path, f"{FIRST}=== data/raw/a.csv.dvc\nouts: []")
    write_project(tmp_path, "# %%\nopen('/home/me/x')", OTHER)
    write_project(tmp_path, "# %%\nimport helpers", "notebooks/production/30-third.ipynb")
    check_paths(tmp_path)
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


EDITS: dict[str, Callable[[Path], None]] = {
    "nothing": lambda root: None,
    "a notebook": lambda root: write_project(root, "# %%\nopen('/home/me/y')", OTHER),
    "a notebook goes": lambda root: (root / OTHER).unlink(),
    "a notebook comes": lambda root: write_project(
        root, "# %%\n!make", "notebooks/production/40-n.ipynb"
    ),
    "a copy comes": lambda root: write_project(root, f"# %%\n{CLEAN}", OTHER),
    "a copy in src": lambda root: write(root, "src/example_package/a.py", CLEAN),
    "a module goes": lambda root: (root / "src/example_package/paths.py").unlink(),
    "a module beside a notebook": lambda root: write(root, "notebooks/production/helpers.py", ""),
    "a package beside a notebook": lambda root: write(
        root, "notebooks/production/helpers/part.py", ""
    ),
    "a module in the root": lambda root: write(root, "helpers.py", ""),
    "a config file": lambda root: write(root, "config/10-example.yaml", "sede: 1\n"),
    "dvc.yaml": lambda root: write(root, "dvc.yaml", "stages: {}\n"),
    "a setting": lambda root: write(
        root, "pyproject.toml", f'{FILES["pyproject.toml"]}[tool.nb.check]\nignore = ["NB302"]\n'
    ),
    "a file that is read goes": lambda root: (root / "data/raw/a.csv.dvc").unlink(),
    "a broken cache": lambda root: write(root, ".nb/check.json", '{"schema": 1, "key"'),
    "another version": lambda root: write(root, ".nb/check.json", '{"schema": 99}'),
    "a strange cache": lambda root: write(root, ".nb/check.json", "[" * 100_000),
}


@pytest.mark.parametrize("first", EDITS)
@pytest.mark.parametrize("then", ["nothing", "a copy comes", "a notebook goes"])
def test_the_findings_are_those_of_a_check_without_a_cache(
    root: Path, first: str, then: str
) -> None:
    for edit in (first, then):
        if edit != first or first == then == "nothing":
            write_project(root, f"# %%\n{CLEAN}", OTHER)
            assert_same(root)
        try:
            EDITS[edit](root)
        except FileNotFoundError:
            continue
        assert_same(root)


RENAMED = "def without_gaps(df):\n    rows = df.dropna()\n    return rows[rows['n'] > 0]\n"
# Cells that share definitions with others, or depend on files of the project.
CELLS = [
    CLEAN,
    RENAMED.replace("(df):", "(df):  # noqa: NB203"),
    CLEAN.replace("0", "1"),
    "from example_package.a import clean\n",
    "open('data/raw/a.csv')\n",
    "import helpers\nopen('/home/me/x')\n",
]
NOTEBOOKS = [f"notebooks/production/{number}-n.ipynb" for number in (20, 30)]
TEXTS = {
    "src/example_package/a.py": [CLEAN, RENAMED.replace("0", "1"), "x = 1\n"],
    "config/20-n.yaml": ["seed: 1\n", "sede: 1\n"],
    "dvc.yaml": ["stages: {}\n"],
    "pyproject.toml": [
        FILES["pyproject.toml"] + f"[tool.nb.check]\n{setting}\n"
        for setting in ('ignore = ["NB302"]', "max-cell-lines = 1")
    ],
    "helpers.py": ["x = 1\n"],
    "data/raw/a.csv.dvc": ["outs: []\n"],
}
parameters = '# %% tags=["parameters"]\nseed: int = 1\n'
notebooks = st.lists(st.sampled_from(CELLS), min_size=1, max_size=3, unique=True).map(
    lambda cells: "".join([parameters, *(f"# %%\n{cell}" for cell in cells)])
)
contents: dict[str, st.SearchStrategy[str | None]] = {
    **dict.fromkeys(NOTEBOOKS, notebooks | st.none()),
    **{path: st.sampled_from([*texts, None]) for path, texts in TEXTS.items()},
}
edits = st.sampled_from([*NOTEBOOKS, *contents]).flatmap(
    lambda path: st.tuples(st.just(path), contents[path])
)


def edit_file(root: Path, path: str, text: str | None) -> None:
    """Write a file, or a notebook in the percent format; None removes the file."""
    if text is None and path not in ("pyproject.toml", "dvc.yaml"):
        (root / path).unlink(missing_ok=True)
    elif path in NOTEBOOKS:
        kept = {name: (root / name).read_bytes() for name in FILES if (root / name).exists()}
        write_project(root, text or "", path)
        for name, content in kept.items():
            (root / name).write_bytes(content)
    else:
        write(root, path, FILES[path] if text is None else text)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries(contents), st.lists(edits, min_size=1, max_size=5))
def test_edits_in_any_order_give_the_findings_of_a_check_without_a_cache(
    begin: dict[str, str | None], changes: list[tuple[str, str | None]]
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_project(root, parameters)
        for path, text in begin.items():
            edit_file(root, path, text)
        check_paths(root)
        for change in changes:
            edit_file(root, *change)
            assert_same(root)


def assert_same(root: Path) -> None:
    cached = check_paths(root).findings
    kept = (root / cache.CACHE).read_bytes()
    (root / cache.CACHE).unlink()
    assert cached == check_paths(root).findings
    (root / cache.CACHE).write_bytes(kept)


def test_only_changed_notebooks_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = single.read_document

    def counted(name: str, path: Path) -> Document:
        read.append(name)
        return whole(name, path)

    monkeypatch.setattr(single, "read_document", counted)
    check_paths(root)
    assert read == []
    write_project(root, "# %%\n2", OTHER)
    check_paths(root)
    assert read == [OTHER]
    read.clear()
    write_project(root, f"# %%\n{CLEAN}", OTHER)  # a copy concerns the other notebook, too
    assert [each.path for each in check_paths(root).findings if each.code == "NB203"] == [
        NAME,
        OTHER,
    ]
    assert read == [OTHER]


def test_only_new_definitions_are_looked_for_in_src(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: list[list[str]] = []
    whole = runner.definitions_in_modules

    def noted(
        folder: Path, files: SourcePackages, wanted: list[ComparedDefinition]
    ) -> list[ComparedDefinition]:
        sought.append([each.place.name for each in wanted])
        return whole(folder, files, wanted)

    monkeypatch.setattr(runner, "definitions_in_modules", noted)
    check_paths(root)
    write_project(root, f"# %%\n{CLEAN}", OTHER)
    check_paths(root)
    assert sought == []
    write_project(root, f"# %%\n{CLEAN.replace('clean', 'other').replace('0', '1')}", OTHER)
    check_paths(root)
    assert sought == [["other"]]


def test_a_copy_of_a_module_that_goes_and_comes_back_is_found_once(tmp_path: Path) -> None:
    example = f"# %%\n{CLEAN}=== src/example_package/a.py\n{CLEAN}"
    write_project(tmp_path, example)
    found = check_paths(tmp_path).findings
    assert "clean stands in src/example_package/a.py:1, too: nb extract clean" in {
        finding.message for finding in found
    }
    write_project(tmp_path, "# %%\n1")
    check_paths(tmp_path)
    write_project(tmp_path, example)
    assert check_paths(tmp_path).findings == found


def test_several_processes_find_the_same_as_a_single_process(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [f"# %%\n{cell}" for cell in CELLS]
    for number in range(runner.FEWEST_IN_PARALLEL):
        name = f"notebooks/production/{number + 100}-n.ipynb"
        write_project(root, "".join(cells[number % 7 :]), name)
    (root / NOTEBOOKS[0]).write_text("{")
    found = []
    for count in (1, 2):
        (root / cache.CACHE).unlink()
        monkeypatch.setattr(runner, "cores", lambda count=count: count)
        found.append(check_paths(root))
    assert found[0] == found[1]
    assert {finding.code for finding in found[0].findings} >= {"NB001", "NB203", "NB302", "NB402"}


def test_a_notebook_that_nobody_has_touched_is_not_read_at_all(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time.sleep(0.05)  # what is as new as the cache may have been edited after it was read
    check_paths(root)
    monkeypatch.setattr(runner, "read_regular", lambda path: pytest.fail(f"reads {path}"))
    before = (root / cache.CACHE).stat().st_mtime_ns
    assert check_paths(root).findings
    assert (root / cache.CACHE).stat().st_mtime_ns == before


@pytest.mark.skipif(os.name == "nt", reason="there no time tells of a restored time")
def test_an_edit_that_keeps_size_and_time_is_seen(root: Path) -> None:
    path = root / OTHER
    for number in range(200):
        text = path.read_text(encoding="utf-8").replace("/home/", "/root/", 1)
        if number % 2:
            text = text.replace("/root/", "/home/", 1)
        before = path.stat()
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        found = [each.message for each in check_paths(root).findings if each.code == "NB302"]
        assert any(("/home/me" if number % 2 else "/root/me") in message for message in found)


def test_other_rules_begin_a_new_cache(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert all((cache.TOOLS_PACKAGE / room).is_dir() for room in cache.ROOMS)
    monkeypatch.setattr(cache, "TOOLS_PACKAGE", tmp_path / "nb")
    for room in cache.ROOMS:
        path = tmp_path / "nb" / room / "deep" / "rule.py"
        path.parent.mkdir(parents=True)
        path.write_text("x = 1\n")
    for room in cache.ROOMS:
        before = cache.context_key(root, ["NB302"], [])
        (tmp_path / "nb" / room / "deep" / "rule.py").write_text("x = 2\n")
        assert cache.context_key(root, ["NB302"], []) != before, room


def test_a_choice_of_notebooks_neither_reads_nor_writes_the_cache(root: Path) -> None:
    (root / cache.CACHE).write_text("mine")
    check_paths(root, [root / NAME])
    assert (root / cache.CACHE).read_text() == "mine"


def test_a_disk_that_refuses_the_cache_fails_nothing(root: Path) -> None:
    shutil.rmtree(root / ".nb")
    (root / ".nb").write_text("")
    assert check_paths(root).findings


def test_a_result_is_the_same_after_the_cache(tmp_path: Path) -> None:
    place = CodePlace(NAME, 2, 1, 3, 3, "clean", ("table",))
    copy = ComparedDefinition("function", "a1", place, ("dropna", "n"), True)
    findings = (Finding(NAME, None, 1, "NB101", 'ü "x"'), Finding(NAME, 2, 3, "NB302", "y"))
    checked = {
        NAME: NotebookCheck("d", findings, (copy,), {"a.csv": ""}),
        OTHER: NotebookCheck("e", language="r"),
    }
    content = cache.CheckCache("key", checked, (copy,))
    cache.write_cache(tmp_path, content)
    assert cache.read_cache(tmp_path, "key") == content
    assert cache.read_cache(tmp_path, "other") == cache.CheckCache("other")
    assert json.loads((tmp_path / cache.CACHE).read_text())["schema"] == cache.CACHE_SCHEMA
