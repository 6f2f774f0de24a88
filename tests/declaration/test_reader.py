"""Stages read from dvc.yaml and dvc.lock without DVC, and the picture of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from nb.declaration.metrics import read_metrics
from nb.declaration.reader import read_entries, read_stages, undeclared_notebooks, value_files
from nb.project import NbError
from nb.report.charts import layers


def declare(root: Path, stages: dict[str, Any], lock: dict[str, Any] | None = None) -> None:
    (root / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    if lock is not None:
        (root / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": lock}))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"cmd": "x"}, {"a": "x"}),
        (
            {"matrix": {"m": ["p", "q"], "n": [1, True]}, "cmd": "x ${item.m} ${item.n}"},
            {
                "a@p-1": "x p 1",
                "a@p-true": "x p true",
                "a@q-1": "x q 1",
                "a@q-true": "x q true",
            },
        ),
        ({"matrix": {"m": [{"k": 1}]}, "cmd": "x ${item.m.k}"}, {"a@m0": "x 1"}),
        ({"foreach": ["p", "q"], "do": {"cmd": "x ${item}"}}, {"a@p": "x p", "a@q": "x q"}),
        ({"foreach": {"p": {"k": 1}}, "do": {"cmd": "x ${key} ${item.k}"}}, {"a@p": "x p 1"}),
        ({"foreach": "${values}", "do": {"cmd": "x"}}, {}),
        ({"cmd": ["x", "y"]}, {"a": "x && y"}),
        ({"cmd": "x ${unknown}"}, {"a": "x ${unknown}"}),
    ],
)
def test_an_entry_stands_for_stages(
    tmp_path: Path, entry: dict[str, Any], expected: dict[str, str]
) -> None:
    declare(tmp_path, {"a": entry})
    assert {stage.name: stage.command for stage in read_stages(tmp_path)} == expected


def test_what_only_dvc_can_resolve_comes_from_the_lock_file(tmp_path: Path) -> None:
    entry = {
        "foreach": "${values}",
        "do": {
            "cmd": "x ${item}",
            "outs": ["m/${item}"],
            "metrics": [{"r/${item}.json": {"cache": False}}],
        },
    }
    outs = [{"path": "m/p", "size": 7}, {"path": "r/p.json", "size": 2}]
    deps = [{"path": ".nb/fingerprints/a.txt"}, {"path": "d.csv", "size": 3}]
    lock = {"cmd": "x p", "deps": deps, "outs": outs, "params": {"c.yaml": {"k": 1}}}
    declare(tmp_path, {"a": entry}, {"a@p": lock})
    (stage,) = read_stages(tmp_path)
    assert (stage.name, stage.group, stage.command) == ("a@p", "a", "x p")
    assert [(a.path, a.size) for a in stage.reads] == [("d.csv", 3)]
    assert [a.path for a in stage.writes] == ["m/p", "r/p.json"]
    assert stage.metrics == ("r/p.json",)
    assert stage.parameters == {"k": 1}


def test_paths_are_those_of_the_project(tmp_path: Path) -> None:
    declare(tmp_path, {"a": {"cmd": "x", "wdir": "sub", "outs": ["../o", "p"]}})
    (stage,) = read_stages(tmp_path)
    assert [a.path for a in stage.writes] == ["o", "sub/p"]


@pytest.mark.parametrize("text", ["", "stages: [", "stages: {}", "- 1"])
def test_a_file_that_cannot_be_read_has_no_stages(tmp_path: Path, text: str) -> None:
    (tmp_path / "dvc.yaml").write_text(text)
    assert read_stages(tmp_path) == []


def test_metrics_are_numbers_with_dotted_names(tmp_path: Path) -> None:
    declare(tmp_path, {"a": {"cmd": "x", "metrics": ["m.json", "gone.json"]}})
    (tmp_path / "m.json").write_text('{"a": {"b": 1.5}, "c": true, "d": "text", "e": 2}')
    assert read_metrics(tmp_path, read_stages(tmp_path)) == {"m.json": {"a.b": 1.5, "e": 2}}


def test_a_node_is_right_of_what_it_needs() -> None:
    edges: dict[str, set[str]] = {"d": {"b", "c"}, "c": {"a"}, "b": {"a"}, "a": set(), "e": {"a"}}
    assert [set(layer) for layer in layers(edges)] == [{"a"}, {"b", "c", "e"}, {"d"}]
    chain = {str(number): {str(number - 1)} if number else set() for number in range(3000)}
    assert len(layers(chain)) == 3000
    assert sum(map(len, layers({"a": {"b"}, "b": {"a"}}))) == 2


NOTEBOOK = "notebooks/production/10-a.ipynb"
# How a stage may run that notebook; each `dvc.yaml` is one that DVC accepts.
RUNNING = {
    "a plain command": "a: {cmd: papermill %s out.ipynb}",
    "options first": "a: {cmd: papermill -k python3 --engine=nb %s out.ipynb}",
    "a path of the program": "a: {cmd: .venv/bin/papermill %s out.ipynb}",
    "as a module, in quotes": "a: {cmd: python -m papermill '%s' out.ipynb}",
    "with a time limit": "a: {cmd: timeout 60 papermill %s out.ipynb}",
    "after another command": "a: {cmd: [echo, papermill %s out.ipynb]}",
    "in lines": "a:\n    cmd: |\n      echo x.ipynb\n      papermill %s out.ipynb\n",
    "as the second": "a: {cmd: papermill b.ipynb c.ipynb && papermill %s out.ipynb}",
    "in another folder": "a: {wdir: notebooks, cmd: papermill production/10-a.ipynb ../out.ipynb}",
    "after cd": "a: {cmd: cd notebooks && papermill production/10-a.ipynb ../out.ipynb}",
    "with a path that goes up": "a: {wdir: src, cmd: papermill ../%s out.ipynb}",
    "as a value of a matrix": "a: {matrix: {n: [9, 10-a]}, cmd: 'papermill %s o.ipynb'}".replace(
        "%s", "notebooks/production/${ item.n }.ipynb"
    ),
    "as an item": "a: {foreach: [10-a], do: {wdir: notebooks, cmd: 'papermill %s o'}}".replace(
        "%s", "production/${item}.ipynb"
    ),
    "as a value that only DVC knows": "a: {wdir: '${dir}', cmd: 'papermill ${a} o.ipynb'}",
    "by another program": "a: {cmd: jupyter execute %s}",
    "through an anchor": "b: &b {cmd: papermill %s out.ipynb}\n  a: {<<: *b, desc: again}",
    "with the output away": "a: {cmd: papermill %s out.ipynb > log.txt 2>&1}",
}
NOT_RUNNING = {
    "commented out": "b: {cmd: 'true'}\n#  a: {cmd: papermill %s out.ipynb}",
    "only read": "a: {cmd: cat x, deps: [%s]}",
    "in a comment of the shell": "a: {cmd: 'true # papermill %s out.ipynb'}",
    "of another folder": "a: {wdir: notebooks, cmd: papermill %s out.ipynb}",
    "as its executed copy": "a: {cmd: papermill x.ipynb %s}",
    "as another value": "a: {foreach: [x], do: {cmd: 'papermill notebooks/${item}.ipynb o'}}",
    "a longer name": "a: {cmd: papermill old-%s out.ipynb}",
}


def project(root: Path, entry: str) -> Path:
    (root / NOTEBOOK).parent.mkdir(parents=True)
    (root / NOTEBOOK).write_text("{}")
    (root / "dvc.yaml").write_text("stages:\n  " + entry.replace("%s", NOTEBOOK) + "\n")
    return root


@pytest.mark.parametrize("case", RUNNING)
def test_a_notebook_that_an_entry_runs_is_declared(tmp_path: Path, case: str) -> None:
    assert undeclared_notebooks(project(tmp_path, RUNNING[case])) == []


@pytest.mark.parametrize("case", NOT_RUNNING)
def test_a_notebook_that_no_entry_runs_is_not(tmp_path: Path, case: str) -> None:
    assert undeclared_notebooks(project(tmp_path, NOT_RUNNING[case])) == [NOTEBOOK]


def test_entries_are_read_as_they_are_declared(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        """\
stages:
  train:
    matrix:
      model: [a, b]
    cmd: >-
      papermill notebooks/production/30-train.ipynb reports/notebooks/30-train-${item.model}.ipynb
      -f config/30-train.yaml -p model ${item.model}
    outs:
      - models/${item.model}.joblib
    metrics:
      - reports/m.json:
          cache: false
  many:
    foreach: [1, 2]
    do:
      cmd: [echo, "papermill '${item} [x].ipynb' ../out.ipynb -f c.yaml"]
      wdir: notebooks
      outs: [../data/x]
  outs:
    cmd: echo
"""
    )
    train, many, other = read_entries(tmp_path)
    assert (train.name, train.line) == ("train", 2)
    assert (many.line, other.line) == (13, 19)
    assert train.notebooks == ["notebooks/production/30-train.ipynb"]
    assert train.outputs == ["models/${item.model}.joblib", "reports/m.json"]
    assert many.outputs == ["data/x"]
    (call,) = train.papermill
    assert (dict(call.given), call.files) == (
        {"model": "${item.model}"},
        ("config/30-train.yaml",),
    )
    (call,) = many.papermill
    assert (call.files, call.executed) == (("notebooks/c.yaml",), "out.ipynb")
    assert many.runs("notebooks/1 [x].ipynb")
    assert not many.runs("notebooks/1 x.ipynb")
    assert other.notebooks == []


def test_the_copy_of_a_stage_in_another_folder_is_that_of_the_project(tmp_path: Path) -> None:
    command = "papermill production/10-a.ipynb ../reports/notebooks/10-a.ipynb"
    declare(tmp_path, {"a": {"cmd": command, "wdir": "notebooks"}})
    (stage,) = read_stages(tmp_path)
    assert stage.papermill.notebook == NOTEBOOK
    assert stage.papermill.executed == "reports/notebooks/10-a.ipynb"


@pytest.mark.parametrize(
    ("value", "name"),
    [("on", "on"), ("012", "12"), ("12:30", "12:30"), ("true", "true"), ("1.50", "1.5")],
)
def test_values_are_those_of_yaml_as_dvc_reads_it(tmp_path: Path, value: str, name: str) -> None:
    (tmp_path / "dvc.yaml").write_text(f"stages:\n  a:\n    matrix: {{m: [{value}]}}\n    cmd: x")
    assert [stage.name for stage in read_stages(tmp_path)] == [f"a@{name}"]


def test_a_key_that_is_there_twice_is_refused_as_dvc_does(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n")
    with pytest.raises(NbError, match="line 4: a is given twice, also in line 2") as error:
        read_entries(tmp_path)
    assert "\n" not in str(error.value)


def test_a_matrix_that_is_too_large_to_list_ends_at_once(tmp_path: Path) -> None:
    rows = {name: list(range(40)) for name in "abcde"}
    declare(tmp_path, {"a": {"matrix": rows, "cmd": "x"}}, {"a@1-2-3-4-5": {"cmd": "x"}})
    assert [stage.name for stage in read_stages(tmp_path)] == ["a@1-2-3-4-5"]


def test_nesting_without_an_end_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: " + "[" * 5000)
    with pytest.raises(NbError) as error:
        read_entries(tmp_path)
    assert "\n" not in str(error.value)


def test_files_of_variables_are_those_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text("vars:\n- a.yaml\n- b.yaml:x\n- c: 1\nstages: {}\n")
    wanted = [tmp_path / name for name in ("params.yaml", "a.yaml", "b.yaml")]
    assert value_files(path) == wanted
    path.write_text("stages: {a: {cmd: x}}\n")
    assert value_files(path) == wanted[:1]
    path.write_text("stages: {a: {cmd: x, vars: [a.yaml]}}\n")
    assert value_files(path) is None  # relative to where that stage runs
