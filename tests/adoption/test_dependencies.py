"""Names of distributions: from lists, files and installations, never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.adoption import dependencies
from nb.adoption.dependencies import (
    declared_requirements,
    imports_in,
    installed_by_cells,
    resolve,
)

KNOWN = {
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "google": "protobuf",
    "google.cloud.storage": "google-cloud-storage",
    "bq": "google-cloud-bigquery",
    "conda:opencv": "opencv-python",
}


def names(imports: list[str], entries: tuple[str, ...] = ()) -> dependencies.Requested:
    files = {name: ["a.ipynb"] for name in imports}
    return resolve(entries, files, KNOWN, {"pandas": ["pandas"], "both": ["one", "two"]})


def test_imports_get_the_names_of_the_registry() -> None:
    found = names(["cv2", "sklearn.linear_model", "google.cloud.storage.Client", "pandas"])
    expected = {"opencv-python", "scikit-learn", "google-cloud-storage", "pandas"}
    assert set(found.requirements) == expected
    assert found.unknown == {}


def test_a_name_that_no_list_knows_is_never_guessed() -> None:
    found = names(["utils", "both.x", "google.ads.thing"])
    assert found.requirements == {}
    assert set(found.unknown) == {"utils", "both", "google.ads.thing"}
    assert found.unknown["utils"] == ["a.ipynb"]


def test_a_file_that_names_a_package_of_that_name_settles_an_import() -> None:
    found = names(["xgboost"], ("xgboost>=1.5", "./local", "git+https://example.org/x"))
    assert found.requirements == {"xgboost": "xgboost>=1.5"}
    assert found.unknown == {}
    assert set(found.left_out) == {"./local", "git+https://example.org/x"}


def test_a_host_is_no_package() -> None:
    found = names(["google.colab.drive", "kaggle_secrets"])
    assert (found.requirements, found.unknown) == ({}, {})


@pytest.mark.parametrize(
    ("name", "text", "entries"),
    [
        ("requirements.txt", "# a\npandas==1.0  # why\n-r other.txt\n\n", ["pandas==1.0"]),
        (
            "environment.yml",
            "dependencies: [python=3.7, conda-forge::opencv=4, {pip: [scipy]}]",
            ["conda:python", "conda:opencv", "scipy"],
        ),
        ("Pipfile", '[packages]\na = "*"\nb = ">=2"\nc = {git = "x"}\n', ["a", "b>=2", "c"]),
        ("setup.py", "setup(install_requires=['a', 'b>1'], name=f())", ["a", "b>1"]),
        ("pyproject.toml", '[project]\ndependencies = ["a[b]>=1"]\n', ["a[b]>=1"]),
        ("requirements.txt", "\x00\xff", ["\x00\xff"]),
        ("environment.yml", "a: [", []),
        ("environment.yml", "[]", []),
        ("setup.py", "def f(:", []),
        ("Pipfile", "= = =", []),
    ],
)
def test_each_kind_of_file_is_read(
    tmp_path: Path, name: str, text: str, entries: list[str]
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert declared_requirements(tmp_path / name) == entries


def test_entries_of_conda_become_names_of_the_registry() -> None:
    found = names([], ("conda:python", "conda:opencv", "conda:cudatoolkit"))
    assert found.requirements == {"opencv-python": "opencv-python"}
    assert list(found.left_out) == ["cudatoolkit"]


def test_packages_of_install_lines_count() -> None:
    cells = [
        "!pip install -q lightgbm 'a>=1'",
        "%pip install -U b; ls",
        "x = 1\n!python -m pip install c",
    ]
    assert list(installed_by_cells(cells)) == ["lightgbm", "a>=1", "b", "c"]


def test_a_relative_import_is_of_the_folder_itself() -> None:
    sources = [
        "from . import a\nfrom .b import c\nfrom ..d.e import (\n    f,\n    g,\n)\nimport numpy",
        "try:\n    from ._fast import x, \\\n        y\nexcept ImportError:\n    import pandas.io",
    ]
    assert imports_in(sources) == {"numpy", "pandas.io"}


def test_a_package_of_conda_that_is_installed_has_its_name() -> None:
    found = resolve(["conda:Pandas", "conda:unheard"], {}, {}, {"pandas": ["pandas"]})
    assert found.requirements == {"pandas": "Pandas"} and list(found.left_out) == ["unheard"]
