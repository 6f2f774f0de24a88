"""Parts of a promotion that need no project: samples, titles, examples."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from nb.authoring.lint import (
    mark_findings,
    mark_proven_lines,
    repair_code,
    undefined_names,
    with_rules_off,
    without_installs,
)
from nb.authoring.original import (
    helper_modules,
    new_homes,
    run_original,
    without_module_cells,
)
from nb.authoring.production import plain_text
from nb.authoring.promotion import Choices, Workspace
from nb.authoring.proof import (
    cause_in_production,
    first_difference,
    shown_lines,
    stable_text,
)
from nb.authoring.recorded_calls import NotPlain, code_of
from nb.authoring.stage_tests import SAMPLE_ROWS, SMALL_BYTES, sample_inputs, write_sample
from nb.check.findings import Finding
from nb.notebook.file import read_cells
from nb.programs import program_path
from nb.project import NbError, UsageError
from nb.tracing.footprint import Footprint
from nb.tracing.trace import Access, Trace

from tests.cells import notebook


@pytest.mark.parametrize("name", ["data/raw/a.csv", "data/raw/a.bin"])
def test_a_small_input_is_its_own_sample(tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "a", tmp_path / "sample" / name
    source.write_bytes(b"x" * SMALL_BYTES)
    assert write_sample(source, target)
    assert target.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_of_a_large_table_the_first_rows_are_the_sample(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"a{suffix}", tmp_path / "sample" / f"a{suffix}"
    rows = [f"{number},{'x' * 100}\n" for number in range(3000)]
    source.write_text("".join(rows))
    assert write_sample(source, target)
    assert target.read_text() == "".join(rows[:SAMPLE_ROWS])


def test_a_large_file_of_another_kind_has_no_sample(tmp_path: Path) -> None:
    source, target = tmp_path / "a.bin", tmp_path / "sample" / "a.bin"
    source.write_bytes(b"x" * (SMALL_BYTES + 1))
    assert not write_sample(source, target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("**House** prices", "House prices"),
        ("Prices of `sales` [(2024)](https://x.org)", "Prices of sales (2024)"),
        ("<center>Prices</center> ##", "Prices"),
        ("A _first_ look at snake_case", "A first look at snake_case"),
        ("![logo](a.png) Prices", "logo Prices"),
        ("C# and F#", "C# and F#"),
    ],
)
def test_a_description_holds_no_markup(markdown: str, plain: str) -> None:
    assert plain_text(markdown) == plain


@pytest.mark.parametrize("value", ["x" * 99, ["a", "x" * 99], {"x" * 99: 1}, b"x" * 99])
def test_a_text_that_no_formatter_can_break_is_no_example(value: object) -> None:
    with pytest.raises(NotPlain):
        code_of(value)


@pytest.mark.parametrize(
    ("source", "codes", "expected"),
    [
        ("x = 1\ny = 2", {2: {"E741"}}, "x = 1\ny = 2  # noqa: E741"),
        ("x = 1  # noqa: F841", {1: {"E741"}}, "x = 1  # noqa: E741, F841"),
        ("x = 1  # noqa: E501 why", {1: {"PTH1"}}, "x = 1  # noqa: E501, PTH1 why"),
        ("x = 1  # why", {1: {"E741", "B006"}}, "x = 1  # why  # noqa: B006, E741"),
        ("%time x", {1: {"F821"}}, "%time x"),
        ("!make", {1: {"NB304"}}, "!make  # noqa: NB304"),
        ("!make", {1: {"E501"}}, "!make"),
        ("x = 1 + \\\n  l", {1: {"E741"}}, "x = 1 + \\\n  l"),
    ],
)
def test_a_rule_is_switched_off_in_its_line(
    source: str, codes: dict[int, set[str]], expected: str
) -> None:
    assert with_rules_off(source, codes) == expected


def test_code_that_ruff_cannot_repair_is_marked_and_listed(tmp_path: Path) -> None:
    settings = '[tool.ruff.lint]\nselect = ["B", "E", "F", "I", "PTH", "SIM"]\n'
    (tmp_path / "pyproject.toml").write_text(settings)
    cells = [
        "import sys, os",
        "l = 1;m = l\nprint(os.path.join('a', 'b'))",
        "with open('a') as f:\n    f.read()",
    ]
    (tmp_path / "a.ipynb").write_text(notebook(*cells))
    function = "def f(a):\n    try:\n        return a\n    except:\n        return 1\n"
    (tmp_path / "b.py").write_text(function)
    found = repair_code(tmp_path, ["a.ipynb", "b.py"])
    assert [line.partition(": ")[0] for line in found] == [
        "a.ipynb, code cell 2, line 1",
        "a.ipynb, code cell 2, line 3",
        "b.py:4",
    ]
    left = subprocess.run(
        [program_path("ruff"), "check", "--no-cache", "."], cwd=tmp_path, capture_output=True
    )
    assert left.returncode == 0, left.stdout
    assert "import os\\n" in (tmp_path / "a.ipynb").read_text()
    assert 'Path(\\"a\\").open()' in (tmp_path / "a.ipynb").read_text()


def test_a_parameters_cell_gets_no_import(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.ruff.lint]\nselect = ["PTH"]\n')
    content = json.loads(notebook("import os", "FOLDER: str = 'a'", "os.makedirs(FOLDER)"))
    content["cells"][1]["metadata"]["tags"] = ["parameters"]
    (tmp_path / "a.ipynb").write_text(json.dumps(content))
    repair_code(tmp_path, ["a.ipynb"])
    first, second, _ = read_cells(tmp_path / "a.ipynb").cells
    assert "import pathlib" in first.source
    assert second.source == 'FOLDER: str = "a"'


def test_modules_beside_the_notebook_get_a_home_in_the_package(tmp_path: Path) -> None:
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "__init__.py").touch()
    beside = tmp_path / "notebooks" / "exploratory" / "lib"
    beside.mkdir(parents=True)
    (beside / "a.py").write_text("x = 1\n")
    name = "notebooks/exploratory/lib/a.py"
    assert helper_modules(tmp_path, [name]) == {name: "src/pkg/lib/a.py"}
    (tmp_path / "src" / "pkg" / "lib").mkdir()
    (tmp_path / "src" / "pkg" / "lib" / "a.py").write_text("x = 2\n")
    with pytest.raises(NbError, match=f"{name}, which is not src/pkg/lib/a.py"):
        helper_modules(tmp_path, [name])


@pytest.mark.parametrize(
    "magic", ["%%writefile made.py", "%%writefile -a ./made.py", '%%file "made.py"']
)
def test_a_cell_that_writes_a_module_goes_with_the_module(tmp_path: Path, magic: str) -> None:
    path = tmp_path / "a.ipynb"
    other = "%%writefile b.py\ny = 1"
    path.write_text(notebook(f"{magic}\nx = 1", "from made import x", other))
    left = without_module_cells(read_cells(path), ["notebooks/exploratory/made.py"])
    assert [cell.source for cell in left.cells] == ["from made import x", other]


def test_outputs_beside_the_notebook_move_by_their_kind_and_folders_stay_together(
    tmp_path: Path,
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "b.pkl").touch()
    writes = [
        "a.png",
        "b.pkl",
        "c.json",
        "d.txt",
        "drawn/e.png",
        "drawn/f.svg",
        "all/g.png",
        "all/h.csv",
    ]
    folder = Path("notebooks/exploratory/me")
    names = [f"{folder.as_posix()}/{name}" for name in writes]
    homes = new_homes(tmp_path, [*names, "data/i.csv"], folder, Choices(name="50-a"))
    assert list(homes.values()) == [
        *("reports/figures/a.png", "models/a-b.pkl", "reports/metrics/c.json"),
        *("data/processed/d.txt", "reports/figures/drawn/e.png", "reports/figures/drawn/f.svg"),
        *("data/processed/all/g.png", "data/processed/all/h.csv", "data/i.csv"),
    ]


@pytest.mark.parametrize("held_by", ["data/raw/a.csv.dvc", "data/raw.dvc", "data.dvc", ""])
def test_data_that_dvc_keeps_is_known_to_be_kept(tmp_path: Path, held_by: str) -> None:
    """`dvc add` takes a file or a folder above, and writes before anything is added to Git."""
    for root in (tmp_path / "root", tmp_path / "copy"):
        (root / "data" / "raw").mkdir(parents=True)
        (root / "data" / "raw" / "a.csv").write_text("v\n1\n")
        (root / "dvc.yaml").write_text("stages: {}\n")
    root = tmp_path / "root"
    subprocess.run(["git", "init", "--quiet", root], check=True)
    subprocess.run(["git", "add", "dvc.yaml"], cwd=root, check=True)
    if held_by:
        (root / held_by).write_text("outs: []\n")
    space = Workspace(root=root, copy=tmp_path / "copy", source=Path("a.ipynb"))
    notes = sample_inputs(space, {"data/raw/a.csv": "data/raw/a.csv"}).notes
    advice = "data/raw/a.csv is only on this machine: dvc add data/raw/a.csv"
    assert notes == ([] if held_by else [advice])


def test_ignored_data_is_named_before_the_first_commit(tmp_path: Path) -> None:
    for root in (tmp_path / "root", tmp_path / "copy"):
        (root / "data").mkdir(parents=True)
        (root / "data" / "a.csv").write_text("v\n1\n")
        (root / "b.csv").write_text("v\n1\n")
        (root / "dvc.yaml").write_text("stages: {}\n")
    root = tmp_path / "root"
    (root / ".gitignore").write_text("/data\n")
    subprocess.run(["git", "init", "--quiet", root], check=True)
    space = Workspace(root=root, copy=tmp_path / "copy", source=Path("a.ipynb"))
    reads = {"data/a.csv": "data/a.csv", "b.csv": "b.csv"}
    assert sample_inputs(space, reads).notes == [
        "data/a.csv is only on this machine: dvc add data/a.csv"
    ]


def test_a_name_that_nothing_defines_is_refused_and_never_hidden(tmp_path: Path) -> None:
    cells = ["def later():\n    return nothing", "def never():\n    return known  # noqa: F821"]
    path = tmp_path / "a.ipynb"
    path.write_text(notebook(*cells))
    with pytest.raises(NbError, match=r"a\.ipynb, code cell 1, line 2: F821 Undefined name"):
        repair_code(tmp_path, ["a.ipynb"])
    assert "F821" not in read_cells(path).cells[0].source
    (known,) = set(undefined_names(tmp_path, ["a.ipynb"], "--ignore-noqa")) - set(
        undefined_names(tmp_path, ["a.ipynb"])
    )
    assert known.endswith("F821 Undefined name `known`")


@pytest.mark.parametrize(
    "cells",
    [
        ["%%capture out\nprint(1)", "def shown():\n    return out.stdout"],
        ["%%bash --out listed\nls", "def shown():\n    return listed"],
        ["%run other.py", "def shown():\n    return anything"],
    ],
)
def test_a_name_that_a_magic_defines_is_defined(tmp_path: Path, cells: list[str]) -> None:
    (tmp_path / "a.ipynb").write_text(notebook(*cells))
    (marked,) = repair_code(tmp_path, ["a.ipynb"])
    assert "F821" in marked
    assert read_cells(tmp_path / "a.ipynb").cells[1].source.endswith("# noqa: F821")


def test_a_cell_of_which_nothing_is_left_goes(tmp_path: Path) -> None:
    (tmp_path / "a.ipynb").write_text(notebook("import os, sys", "", "x = 1"))
    repair_code(tmp_path, ["a.ipynb"])
    assert [cell.source for cell in read_cells(tmp_path / "a.ipynb").cells] == ["x = 1"]


def test_lines_that_install_packages_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    other = "!apt-get install -y x && make\nif colab:\n    {}"
    cells = ["!pip install -q pandas\nimport pandas", "%conda install a \\\nb"]
    path.write_text(notebook(*cells, other.format("!pip install 'y>=1'")))
    file, told = without_installs(read_cells(path))
    assert [cell.source for cell in file.cells] == ["import pandas", other.format("pass")]
    assert [line.partition(" is left out")[0] for line in told] == [
        "!pip install -q pandas",
        "%conda install a \\\nb",
        "!pip install 'y>=1'",
    ]


@pytest.mark.parametrize(
    ("problem", "source", "step"),
    [
        ("KeyError: 1", "Out[1]", "give the result of the other cell a name"),
        ("No such file or directory: 'a'.", "open(name)", "run in the project's root"),
        ("No module named 'a'", "import a", "into the package under src/"),
        ("ValueError: 1.", "f()", "ValueError: 1"),
    ],
)
def test_a_failure_in_production_alone_is_told_with_the_next_step(
    problem: str, source: str, step: str
) -> None:
    assert step in cause_in_production(problem, source)


@pytest.mark.parametrize(
    ("source", "marked"),
    [
        ("!make", "!make  # noqa: NB304"),
        ("x = 1", "x = 1  # noqa: NB304"),
        ('q = """\n/data"""', 'q = """\n/data"""'),
    ],
)
def test_a_mark_is_a_comment_and_no_part_of_a_text(
    tmp_path: Path, source: str, marked: str
) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(notebook(source))
    mark_proven_lines(path, [Finding("a.ipynb", 1, 1, "NB304", "")], tmp_path)
    assert read_cells(path).cells[0].source == marked


@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("source", ['print("~no-user", "{}")', "!head '{}'", "x = !head {}"])
def test_a_path_to_something_on_this_machine_alone_is_not_marked(
    tmp_path: Path, source: str, is_there: bool
) -> None:
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere.csv"
    root.mkdir()
    if is_there:
        elsewhere.touch()
    path = root / "a.ipynb"
    path.write_text(notebook(source.format(elsewhere)))
    mark_proven_lines(path, [Finding("a.ipynb", 1, 1, "NB302", "")], root)
    assert ("# noqa: NB302" in read_cells(path).cells[0].source) != is_there


def test_a_mark_names_the_rules_that_it_switches_off(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("import os, sys\nl = 1; l == None\n")
    assert mark_findings(tmp_path, ["a.py"])
    marks = [line.partition("# noqa")[2] for line in path.read_text().splitlines()]
    assert marks and all(re.fullmatch(r": [A-Z]+\d+(, [A-Z]+\d+)*", mark) for mark in marks)


def test_the_time_at_which_a_summary_was_printed_is_no_difference() -> None:
    lines = (
        "Date:                Fri, 27 Nov 2026   Prob (F-statistic):                0.1",
        "Time:                        10:43:52   Log-Likelihood:                -21.307",
    )
    later = "\n".join(lines).replace("27 Nov", "28 Nov").replace("10:43:52", "00:01:02")
    assert stable_text("\n".join(lines)) == stable_text(later)
    assert stable_text(lines[1]) != stable_text(lines[1].replace("-21.307", "-21.308"))
    assert stable_text("start: 10:43:52") == "start: 10:43:52"


def test_words_of_magics_and_of_an_installer_are_no_difference(tmp_path: Path) -> None:
    def printed(text: str, source: str = "x") -> dict[str, object]:
        output = {"output_type": "stream", "name": "stdout", "text": [text]}
        return {"cell_type": "code", "source": source, "outputs": [output]}

    result = {"output_type": "execute_result", "data": {"text/plain": ["3"]}}
    cells = [
        printed("Wall time: 12.4 µs\n"),
        printed("Writing made.py\n"),
        printed("Requirement already satisfied: a\n", "!pip install a\nimport a"),
        {"cell_type": "code", "source": "x", "outputs": [result]},
        printed("a line\n", "!pip install a\nprint('a line')"),
        {"cell_type": "markdown", "source": "text"},
    ]
    (tmp_path / "executed.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert shown_lines(tmp_path / "executed.ipynb") == [(4, "3"), (5, "a line")]


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (["1", "2"], ["1", "2"], ""),
        (["1", "2"], ["1", "3"], "'2' became '3' in code cell 2"),
        (["1"], ["1", "2"], "nothing became '2' in code cell 1"),
        (["1", "2"], ["1"], "'2' became nothing in code cell 2"),
        ([], ["1"], "nothing became '1'"),
    ],
)
def test_the_first_line_that_differs_is_told_with_the_cell_of_the_first_notebook(
    before: list[str], after: list[str], difference: str
) -> None:
    others = list(enumerate(after, 8))  # a promotion changes the numbers of cells
    assert first_difference(list(enumerate(before, 1)), others) == difference


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": {"name": "ir", "language": "R"}},
        {"language_info": {"name": "julia"}},
        {"kernelspec": {"name": "julia-1.9"}, "language_info": {"name": "julia"}},
    ],
)
def test_a_notebook_of_another_language_is_refused(tmp_path: Path, metadata: object) -> None:
    """The project's kernel would run the code as Python."""
    content = json.loads(notebook("x <- c(1, 2)"))
    (tmp_path / "a.ipynb").write_text(json.dumps({**content, "metadata": metadata}))
    space = Workspace(root=tmp_path, copy=tmp_path / "copy", source=Path("a.ipynb"))
    with pytest.raises(UsageError, match=r"is in (r|julia), .*Nothing was changed"):
        run_original(space, Choices(name="50-a"))


@pytest.mark.parametrize(
    ("source", "problem", "step"),
    [
        ("dbutils.fs.ls()", "NameError: name 'dbutils' is not defined", "only Databricks gives"),
        ("from google.colab import drive", "No module named 'google'", "only Colab has"),
        ("import google.auth", "No module named 'google'", "add the package to pyproject.toml"),
        ("import helpers", "No module named 'helpers'", "beside the notebook"),
        ("%pip install x", "Command 'python -m pip install x' failed.", "failed; name the package"),
        ("from .a import b", "ImportError: attempted relative import", "by its name alone"),
        ("open('a')", "[Errno 2] No such file or directory: 'a'", "read into data/raw"),
        ("get(url)", "ConnectionError: Max retries exceeded with url: /a", "data/raw once"),
        ("tqdm(x)", "ImportError: IProgress not found.", "from tqdm.auto"),
        ("input()", "StdinNotImplementedError: no input.", "no input; give the answer to a"),
        ("x", "NameError: name 'x' is not defined", "no cell defines x"),
        ("raise E", "E", "catch the exception with try"),  # tagged raises-exception
    ],
)
def test_a_failure_is_told_with_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, problem: str, step: str
) -> None:
    for folder in ("root", "copy"):
        (tmp_path / folder).mkdir()
        text = notebook(source)
        if source == "raise E":
            text = text.replace('"metadata": {}', '"metadata": {"tags": ["raises-exception"]}', 1)
        (tmp_path / folder / "a.ipynb").write_text(text)
    space = Workspace(root=tmp_path / "root", copy=tmp_path / "copy", source=Path("a.ipynb"))
    failed = Footprint(Trace(0, "python", []), f"code cell 1 failed: {problem}", 1)
    monkeypatch.setattr("nb.tracing.footprint.run_traced", lambda *_, **__: failed)
    with pytest.raises(NbError, match=f"{step}.*Nothing was changed"):
        run_original(space, Choices(name="50-a"))


@pytest.mark.parametrize("sources", [(), ("%pip install x", "!pip install y")])
def test_a_notebook_without_code_to_promote_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: tuple[str, ...]
) -> None:
    for folder in ("root", "copy"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.ipynb").write_text(notebook(*sources))
    space = Workspace(root=tmp_path / "root", copy=tmp_path / "copy", source=Path("a.ipynb"))
    done = Footprint(Trace(0, "python", []))
    monkeypatch.setattr("nb.tracing.footprint.run_traced", lambda *_, **__: done)
    with pytest.raises(NbError, match="has no code cell to promote"):
        run_original(space, Choices(name="50-a"))


def test_settings_that_matplotlib_finds_beside_the_notebook_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    style = "notebooks/exploratory/matplotlibrc"
    for folder in ("root", "copy"):
        (tmp_path / folder / style).parent.mkdir(parents=True)
    space = Workspace(
        root=tmp_path / "root",
        copy=tmp_path / "copy",
        source=Path("notebooks/exploratory/a.ipynb"),
    )
    done = Footprint(Trace(0, "python", [Access(style, True, False, ())]))
    monkeypatch.setattr("nb.tracing.footprint.run_traced", lambda *_, **__: done)
    (space.root / space.source).write_text(notebook("plt.plot()"))
    with pytest.raises(NbError, match=r'begin with plt.style.use\("matplotlibrc"\)'):
        run_original(space, Choices(name="50-a"))
    (space.root / space.source).write_text(notebook("plt.style.use('matplotlibrc')"))
    original = run_original(space, Choices(name="50-a"))
    assert original.reads == {style: "data/raw/matplotlibrc"}
