"""The cache of `nb check`: always the findings of a check without a cache, and less work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from nb.check import cache, runner
from nb.check.findings import Finding
from nb.check.runner import check_paths
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


def assert_same(root: Path) -> None:
    cached = check_paths(root).findings
    kept = (root / cache.CACHE).read_bytes()
    (root / cache.CACHE).unlink()
    assert cached == check_paths(root).findings
    (root / cache.CACHE).write_bytes(kept)


def test_only_changed_notebooks_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = runner.read_document

    def counted(name: str, path: Path) -> runner.Document:
        read.append(name)
        return whole(name, path)

    monkeypatch.setattr(runner, "read_document", counted)
    check_paths(root)
    assert read == []
    write_project(root, "# %%\n2", OTHER)
    check_paths(root)
    assert read == [OTHER]
    read.clear()
    write_project(root, f"# %%\n{CLEAN}", OTHER)  # a copy concerns the other notebook, too
    codes = [str(finding) for finding in check_paths(root).findings if finding.code == "NB203"]
    assert read == [OTHER, NAME]
    assert len(codes) == 2


def test_a_choice_of_notebooks_neither_reads_nor_writes_the_cache(root: Path) -> None:
    (root / cache.CACHE).write_text("mine")
    check_paths(root, [root / NAME])
    assert (root / cache.CACHE).read_text() == "mine"


def test_a_disk_that_refuses_the_cache_fails_nothing(root: Path) -> None:
    (root / cache.CACHE).unlink()
    (root / ".nb").rmdir()
    (root / ".nb").write_text("")
    assert check_paths(root).findings


def test_a_finding_is_the_same_after_the_cache(tmp_path: Path) -> None:
    findings = (Finding(NAME, None, 1, "NB101", 'ü "x"'), Finding(NAME, 2, 3, "NB302", "y"))
    checked = {NAME: cache.CachedCheck("d", findings, ("o",), {"a.csv": ""})}
    cache.write_cache(tmp_path, "key", checked)
    assert cache.read_cache(tmp_path, "key") == checked
    assert cache.read_cache(tmp_path, "other") == {}
    assert json.loads((tmp_path / cache.CACHE).read_text())["schema"] == cache.CACHE_SCHEMA
