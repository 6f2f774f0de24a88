"""Plans: a place or a reason for every file, decided without writing anything."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import messy
import pytest
from nb.adoption import dependencies
from nb.adoption.plan import AdoptionPlan, plan_adoption
from nb.adoption.source_folder import open_origin


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a package, and no registry."""
    monkeypatch.setattr(dependencies, "known_distributions", lambda root: {"cv2": "opencv-python"})
    folder = messy.write(tmp_path / "project", {"src/pkg/__init__.py": "", "data/raw/a.csv": "1"})
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "config", "user.name", "Ann Miller"], cwd=folder, check=True)
    return folder


def plan(root: Path, source: Path, yes: bool = False) -> AdoptionPlan:
    with open_origin(root, str(source)) as origin:
        return plan_adoption(root, origin, lambda question: yes)


@pytest.mark.parametrize("name", messy.REPOSITORIES)
def test_every_file_has_a_place_or_a_reason(root: Path, tmp_path: Path, name: str) -> None:
    source = messy.REPOSITORIES[name](tmp_path / name)
    before = sorted(root.rglob("*"))
    found = plan(root, source)
    files = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
    files = {file for file in files if not file.startswith(".git/")}
    merged = {*found.contents.requirements, *found.contents.documents}
    assert files == found.moves.keys() | found.left.keys() | merged
    assert not found.moves.keys() & found.left.keys()
    assert len(set(found.moves.values())) == len(found.moves)
    assert sorted(root.rglob("*")) == before


def test_paths_and_imports_of_a_notebook_are_those_of_the_new_place(
    root: Path, tmp_path: Path
) -> None:
    found = plan(root, messy.three_folders(tmp_path / "three"))
    code = "\n".join(found.rewritten("prepare/clean.ipynb").sources())
    assert "from pkg.lib import helpers as h" in code
    assert "pd.read_csv('../../data/raw/prices.csv')" in code
    assert "'../../data/interim/output'" in code
    assert found.module_text("lib/helpers.py").startswith("import numpy as np\n\nfrom pkg.lib.text")
    assert set(found.requested.requirements) == {"pandas", "scipy", "numpy"}


def test_a_link_that_leads_out_is_not_followed(root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("a: 1")
    source = messy.write(
        tmp_path / "a", {"n.ipynb": messy.notebook("open('s.yaml')\nopen('t.yaml')")}
    )
    (source / "s.yaml").symlink_to(secret)
    (source / "t.yaml").write_text("b: 1")
    found = plan(root, source)
    assert found.data == {"t.yaml": "data/raw/t.yaml"}
    assert "s.yaml" in found.left


def test_large_files_are_asked_for_and_secrets_stay(root: Path, tmp_path: Path) -> None:
    source = messy.write(
        tmp_path / "a",
        {
            "n.ipynb": messy.notebook("pd.read_csv('big.csv')"),
            "lfs.csv": "version https://git-lfs.github.com/spec/v1\n",
            "key.txt": f"token = 'ghp_{'a1B2' * 9}'\n",
            "id_rsa": "x",
        },
    )
    with (source / "big.csv").open("wb") as file:
        file.truncate(100_000_000)
    assert "100 MB" in plan(root, source).left["big.csv"]
    found = plan(root, source, yes=True)
    assert found.data == {"big.csv": "data/raw/big.csv"}
    assert set(found.left) == {"lfs.csv", "key.txt", "id_rsa"}


def test_one_notebook_takes_along_only_the_files_that_it_names(root: Path, tmp_path: Path) -> None:
    source = messy.three_folders(tmp_path / "three")
    (source / "explore" / "near.csv").write_text("1")
    name = source / "explore" / "one.ipynb"
    name.write_text(messy.notebook("import pandas as pd\npd.read_csv('near.csv')"))
    found = plan(root, name)
    assert list(found.names) == ["one.ipynb"] and list(found.data) == ["near.csv"]


def test_folders_of_modules_get_names_that_can_be_imported(root: Path, tmp_path: Path) -> None:
    files = {
        "my-lib/helpers.py": "x = 1\n",
        "my-lib/n.ipynb": messy.notebook("import helpers"),
        "bad.ipynb": json.dumps({"nbformat": 4}),
    }
    found = plan(root, messy.write(tmp_path / "a", files))
    assert found.modules == {"my-lib/helpers.py": "src/pkg/my_lib/helpers.py"}
    assert found.rewritten("my-lib/n.ipynb").sources() == ["from pkg.my_lib import helpers"]
    assert list(found.left) == ["bad.ipynb"]
