"""Notebooks of old formats and other editors become nbformat 4.5 with outputs kept."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import messy
import pytest
from nb.adoption.cleaning import FOREIGN_METADATA, read_any_notebook
from nb.adoption.merged_texts import (
    with_dependencies,
    with_excluded_files,
    with_ignores,
    with_readme,
)
from nb.adoption.plan import import_names
from nb.adoption.source_folder import Origin, contents_of
from nb.adoption.tidying import tidy_code
from nb.notebook.strip import strip
from nb.programs import program_path
from nb.project import NbError

HOSTS = ("vscode", "colab", "kaggle", "application/vnd.databricks.v1+notebook")


@pytest.mark.parametrize("host", HOSTS)
def test_metadata_of_a_host_go_and_outputs_stay(tmp_path: Path, host: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(messy.notebook("x = 1", metadata={**messy.PYTHON, host: {"a": 1}}))
    found = read_any_notebook(path)
    assert not FOREIGN_METADATA & found.content["metadata"].keys()
    assert found.content["metadata"]["kernelspec"]["name"] == "python3"
    assert found.content["cells"][0]["outputs"][0]["text"] == ["kept\n"]
    assert found.notes == ("metadata of another editor removed",)
    assert b"kept" not in strip(found.text().encode())


def test_other_languages_keep_their_kernel(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    kernel = {"name": "ir", "display_name": "R"}
    path.write_text(messy.notebook("x <- 1", metadata={"kernelspec": kernel}))
    found = read_any_notebook(path)
    assert (found.is_python, found.content["metadata"]["kernelspec"]) == (False, kernel)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nbformat": 4}', "null", "\x00", "[" * 9000])
def test_what_is_no_notebook_is_said_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(NbError, match="no notebook that can be read"):
        read_any_notebook(path)


def test_ids_are_there_once_each(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    content = json.loads(messy.notebook("x", "y", "z"))
    for cell in content["cells"][:2]:
        cell["id"] = "same"
    path.write_text(json.dumps(content))
    ids = [cell["id"] for cell in read_any_notebook(path).content["cells"]]
    assert len(set(ids)) == 3 and ids[0] == "same"


def test_files_are_sorted_by_kind(tmp_path: Path) -> None:
    messy.with_history(tmp_path / "a")
    found = contents_of(Origin(tmp_path / "a", "a"))
    assert found.secret == (".env",)
    assert set(found.data) == {"big.csv", "first.csv"}
    assert len(found.notebooks) == 5


def test_a_module_is_imported_from_beside_it_or_from_the_top() -> None:
    assert import_names("lib/text.py") == ["lib.text", "text"]
    assert import_names("lib/utils/__init__.py") == ["lib.utils", "utils"]
    assert import_names("my-script.py") == []


def test_a_readme_becomes_a_section_and_code_in_it_stays() -> None:
    text = with_readme("# Ours\n", "# Theirs\n\n```\n# no heading\n```\n###### Deep\n", "old")
    assert "\n### Theirs\n" in text and "\n# no heading\n" in text and "\n####### " not in text


def test_ignores_are_added_once() -> None:
    text = with_ignores("*.log\n", "*.log\n# why\n\n*.tmp\n*.tmp\n", "old")
    assert text == "*.log\n\n# Of old.\n*.tmp\n"
    assert with_ignores("*.log\n", "*.log", "old") == "*.log\n"


PYPROJECT = '[project]\ndependencies = [\n    "pandas",  # tables\n    "scikit_learn>=1",\n]\n'


def test_dependencies_are_added_once_by_the_name_of_the_registry() -> None:
    new = {"pandas": "pandas==1", "scikit-learn": "scikit-learn", "xgboost": "xgboost>=1"}
    text = with_dependencies(PYPROJECT, new, "old")
    assert text == PYPROJECT.replace("\n]\n", "\n" + '    # Of old.\n    "xgboost>=1",\n]\n')
    with pytest.raises(NbError, match="dependencies"):
        with_dependencies("[project]\n", new, "old")


def test_files_that_are_no_python_are_passed_over_by_ruff() -> None:
    assert with_excluded_files('extend-exclude = ["a"]\n', ["b"]) == 'extend-exclude = ["a", "b"]\n'


def test_findings_that_ruff_leaves_are_silenced_beside_the_line(tmp_path: Path) -> None:
    cells = ["import os", "md:# A title", "os.makedirs('a'); print( os.getcwd() )", "x = lambda: 1"]
    settings = '[tool.ruff]\nline-length = 100\n[tool.ruff.lint]\nselect = ["E", "F", "PTH"]\n'
    files = {"pyproject.toml": settings, "no.ipynb": messy.notebook("print df")}
    messy.write(tmp_path, {**files, "a.ipynb": messy.notebook(*cells)})
    assert tidy_code(tmp_path, ["a.ipynb", "no.ipynb"]) == {"no.ipynb"}
    content = json.loads((tmp_path / "a.ipynb").read_text())
    code = ["".join(cell["source"]) for cell in content["cells"]]
    assert code[
        2
    ] == "os.makedirs('a')  # noqa: PTH103\nprint(os.getcwd())  # noqa: PTH109".replace("'", '"')
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([program_path("ruff"), *command, "a.ipynb"], cwd=tmp_path)
        assert done.returncode == 0
