"""`nb check` and `nb new` as a user types them, in a generated project."""

from __future__ import annotations

import json
import re
import resource

import pytest
from conftest import Bake, Project


def test_the_example_breaks_no_rule(ready: Project) -> None:
    assert ready.make("check") == "nb check\nNothing found in 5 notebooks.\n"


def test_a_finding_is_one_line_and_fails_the_commit(project: Project) -> None:
    notebook = "notebooks/production/20-features.ipynb"
    content = json.loads(project.read(notebook))
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    early = "def early():\n    return later\n\n\nearly()\nlater = 1\n"
    code[-1]["source"] = f'{early}pd.read_csv("/home/me/a.csv")'
    project.write(
        notebook, json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    )
    place = f"{notebook}, code cell {len(code)}"
    found = [
        f"{place}, line 5: NB301 early() is called before this cell assigns later, which it uses; "
        "move the call",
        f"{place}, line 7: NB302 /home/me/a.csv is an absolute path; build it from the root: "
        'paths.ROOT / "…"',
    ]
    output = project.run(
        "nb", "check", "20-features.ipynb", code=1, cwd=project.path / "notebooks/production"
    )
    assert output.splitlines()[:2] == found
    assert output.splitlines()[2:] == ["2 findings; nb check --explain NB301 explains the rule."]
    printed = project.run("sh", "-c", "nb check --format json 2>/dev/null", code=1)
    assert [row["code"] for row in json.loads(printed)] == ["NB301", "NB302"]
    project.git("add", "--all")
    output = project.git("commit", "--message", "Wrong", code=1)
    assert found[0] in output
    assert "Fails:\n\n    # %%\n    def above(x):" in project.run(
        "nb", "check", "--explain", "NB301"
    )


def test_wrong_usage_is_one_line(ready: Project) -> None:
    for arguments, message in (
        (["nothing.ipynb"], "nb: there is no notebook nothing.ipynb; there are 10-ingest"),
        (["--select", "NB9"], "nb: --select: no rule NB9"),
        (["--explain", "F401"], "nb: --explain: no rule F401"),
        (["/"], "nb: / is not in this project"),
    ):
        output = ready.run("nb", "check", *arguments, code=2)
        assert output.startswith(message)
        assert len(output.splitlines()) == 1


def test_a_new_production_notebook_runs_and_breaks_no_rule(project: Project) -> None:
    before = project.read("dvc.yaml")
    output = project.run("nb", "new", "Umsätze pro Tag", "--production")
    name = "notebooks/production/50-umsatze-pro-tag"
    assert output.startswith(f"Made {name}.ipynb\n")
    assert "config/50-umsatze-pro-tag.yaml: its parameters" in output
    assert project.read("dvc.yaml").startswith(before)
    assert (
        json.loads(project.read(f"{name}.ipynb"))["cells"][0]["source"][0] == "# Umsätze pro Tag\n"
    )
    project.run("nb", "check")
    project.run("nb", "run", "umsatze-pro-tag")
    assert "Nothing to run." in project.run("nb", "status")
    project.make("lint")
    project.git("add", "--all")
    project.run("pre-commit", "run", "--all-files")
    again = project.run("nb", "new", "umsatze pro tag", "--production", code=2)
    assert again == f"nb: {name}.ipynb exists; choose another name.\n"
    assert "Made notebooks/production/60-next.ipynb" in project.run(
        "nb", "new", "next", "--production"
    )


def test_a_new_exploratory_notebook_gets_the_next_number_and_initials(project: Project) -> None:
    project.git("config", "user.name", "Dana Émile Müller")
    output = project.make("new-notebook", "NAME=Outliers in sales")
    assert "Made notebooks/exploratory/02-dem-outliers-in-sales.ipynb" in output
    project.git("config", "--unset", "user.name")
    output = project.run("nb", "new", "weather", GIT_AUTHOR_NAME="", LOGNAME="j.doe")
    assert "Made notebooks/exploratory/03-jdoe-weather.ipynb" in output
    project.run("nb", "check")
    project.make("lint")
    repeated = project.run("nb", "new", "weather", code=2, GIT_AUTHOR_NAME="", LOGNAME="j.doe")
    assert repeated == "nb: 03-jdoe-weather.ipynb exists; choose another name.\n"


def test_what_stands_in_the_way_of_a_new_notebook_is_named(project: Project) -> None:
    taken = project.run("nb", "new", "--production", "55-features", code=2)
    assert taken == "nb: notebooks/production/20-features.ipynb exists; choose another name.\n"
    (project.path / "dvc.yaml").unlink()
    assert "there is no dvc.yaml" in project.run("nb", "new", "--production", "sales", code=2)
    project.write("dvc.yaml", "stages: [\n")
    assert "dvc.yaml is not valid YAML" in project.run("nb", "new", "--production", "sales", code=2)
    assert not list((project.path / "notebooks").rglob("*sales*"))
    assert not project.has("config/50-sales.yaml")


def test_the_first_notebook_of_a_project_without_the_example(ready: Project, bake: Bake) -> None:
    project = bake(example=False)
    nb = f"{ready.path}/.venv/bin/nb"
    assert project.run(nb, "check") == "Nothing found in 0 notebooks.\n"
    project.git("init", "--quiet")
    project.run(nb, "new", "sales", "--production")
    assert re.search(
        r"^stages:\n  sales:\n    desc: Sales\n    cmd: >-\n", project.read("dvc.yaml"), re.M
    )
    assert project.run(nb, "check") == "Nothing found in 1 notebook.\n"


@pytest.mark.slow
def test_one_of_five_hundred_notebooks_costs_a_fraction_of_all(project: Project) -> None:
    pipeline = project.read("dvc.yaml")
    for number in range(496):
        source = ("20-features", "40-evaluate")[number % 2]
        name = f"50-n{number:03}"
        for path in ("notebooks/production/{}.ipynb", "config/{}.yaml"):
            project.write(path.format(name), project.read(path.format(source)))
        notebook = f"notebooks/production/{name}.ipynb"
        pipeline += f"  n{number:03}:\n    cmd: papermill {notebook} reports/{notebook}\n"
    project.write("dvc.yaml", pipeline)

    def cost(*paths: str) -> float:
        """Return the CPU seconds of a check."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "Nothing found" in project.run("nb", "check", *paths)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    cost(notebook)  # modules are compiled once
    cold = cost()
    assert cost(notebook) < cold / 4
    project.write(notebook, project.read(notebook).replace('"cells": [', '"cells":  ['))
    assert cost() < cold / 4  # all others come from the cache
