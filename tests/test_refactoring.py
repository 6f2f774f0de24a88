"""`nb duplicates` and `nb extract` on projects: what they find, and that outputs stay."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from conftest import Project

TOTAL = '''\
def total({0}, start=0):
    """Add up."""
    for {1} in {0}:
        start = start + {1}
    return start


'''
NOTEBOOKS = {
    "10-a": [
        TOTAL.format("numbers", "n") + 'print(total([1, 2]))  # "3"',
        "from pathlib import Path\n\nPath('a.txt').write_text(str(total([1, 2], start=1)))",
    ],
    "20-b": [
        "from pathlib import Path\n\n\ndef where():\n    return __name__",
        TOTAL.format("xs", "x").replace("total", "add").rstrip(),
        "%matplotlib inline\ntext = Path('a.txt').read_text()",
        "Path('b.txt').write_text(f'{text} {add(xs=[3, 4])} {where()}')",
    ],
}
# What runs leave behind.
LEFT = (".venv", ".nb", ".dvc", "reports", "__pycache__")


@pytest.fixture
def project(ready: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with two small production notebooks, in the environment of `ready`."""
    made = Project(tmp_path / "project")
    for folder in ("tools/nb", ".dvc", "notebooks/production", "src/pkg", "reports/notebooks"):
        (made.path / folder).mkdir(parents=True)
    (made.path / ".venv").symlink_to(ready.path / ".venv")
    shutil.copy(ready.path / "notebooks/dvc.yaml", made.path / "notebooks/dvc.yaml")
    made.write("pyproject.toml", "[tool.ruff]\nextend-exclude = ['.venv']\n")
    made.write("src/pkg/__init__.py", "")
    made.write(".dvcignore", ".venv\n")
    made.write(".dvc/config", "[core]\n analytics = false\n no_scm = true\n")
    stages = {}
    for (name, sources), needs in zip(NOTEBOOKS.items(), ([], ["a.txt"]), strict=True):
        path = f"notebooks/production/{name}.ipynb"
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), made.path / path)
        letter = name[-1]
        stages[letter] = {
            "cmd": f"papermill {path} reports/notebooks/{name}.ipynb --engine nb -k python3",
            "deps": [f".nb/fingerprints/{name}.txt", *needs],
            "outs": [f"{letter}.txt"],
        }
    made.write("dvc.yaml", json.dumps({"stages": stages}))
    monkeypatch.setenv("PYTHONPATH", str(made.path / "src"))
    return made


def contents(project: Project) -> dict[str, bytes]:
    """Return the files of a project, without what runs leave behind."""
    paths = [path.relative_to(project.path) for path in project.path.rglob("*")]
    kept = [p for p in paths if not set(LEFT) & set(p.parts) and (project.path / p).is_file()]
    return {path.as_posix(): (project.path / path).read_bytes() for path in kept}


def sources(project: Project, name: str) -> list[str]:
    notebook = json.loads(project.read(f"notebooks/production/{name}.ipynb"))
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def test_the_example_has_no_duplicates(ready: Project) -> None:
    assert "No duplicates." in ready.make("duplicates")
    assert ready.run("nb", "duplicates", "--check", "--json", "--lines", "3") == "[]\n"


def test_a_function_moves_and_the_outputs_stay(project: Project) -> None:
    found = json.loads(project.run("nb", "duplicates", "--json"))
    assert [(one["name"], one["repair"]) for one in found] == [("total", "nb extract total")]
    assert "1 duplicate" in project.run("nb", "duplicates", "--check", code=1)
    project.run("nb", "run")
    before = contents(project)

    refused = project.run("nb", "extract", "nothing", code=2)
    assert "nb: there is no function or class nothing" in refused
    assert "+from pkg.shared import total" in project.run("nb", "extract", "total", "--dry-run")
    assert contents(project) == before

    printed = project.run("nb", "extract", "total", "--to", "sums")
    assert "a.txt  same" in printed and "b.txt  same" in printed
    assert sources(project, "10-a") == [
        'from pkg.sums import total\n\nprint(total([1, 2]))  # "3"',
        NOTEBOOKS["10-a"][1],
    ]
    assert sources(project, "20-b") == [
        NOTEBOOKS["20-b"][0],
        "from pkg.sums import total as add",
        NOTEBOOKS["20-b"][2],
        NOTEBOOKS["20-b"][3].replace("xs=", "numbers="),
    ]
    assert "No duplicates." in project.run("nb", "duplicates", "--check")

    # This one says where it is: moving it changes what the notebook gives.
    before = contents(project)
    printed = project.run("nb", "extract", "where", code=1)
    assert "b.txt  differs" in printed and "all is as it was" in printed
    assert contents(project) == before
    assert "up to date" in project.run("dvc", "status")

    kept = project.run("nb", "extract", "where", "--no-run")
    assert "where is in pkg.shared now" in kept
    refused = project.run("nb", "extract", "total", code=1)
    assert "total is in pkg.sums already, and no notebook has a copy of it" in refused


def test_an_editor_needs_jupytext_and_reading_does_not(ready: Project) -> None:
    assert "# %% tags: parameters\n" in ready.run("nb", "show", "20-features")
    refused = ready.run("nb", "edit", "20-features", code=1)
    assert refused.startswith("nb: nb edit needs jupytext; add { include-group")
