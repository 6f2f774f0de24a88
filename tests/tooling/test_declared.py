"""Stages read from dvc.yaml and dvc.lock without DVC, and the picture of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from nb.declared import read_metrics, read_stages
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
