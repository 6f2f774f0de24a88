"""pre-commit's configuration for a project in a folder of a larger repository."""

from __future__ import annotations

import re

import pytest
from conftest import TEMPLATE, Bake
from hypothesis import given
from hypothesis import strategies as st
from nb.git.subfolder import config_below, pattern_below
from nb.git.workflows import workflow_below
from ruamel.yaml import YAML

CONFIG = TEMPLATE / "{{cookiecutter.project_slug}}" / ".pre-commit-config.yaml"
PREFIXES = ("a/", "services/a b/", "x.y/(z)/", "notebooks/")
PARTS = (
    "^",
    "$",
    "notebooks/",
    ".*",
    r"\.ipynb",
    "|",
    "[^/]*",
    "[]^]",
    r"\^",
    r"\A",
    "a",
    "(?:b|^)c",
)
NAMES = (
    "notebooks/a.ipynb",
    "config/a.yaml",
    "dvc.yaml",
    "x/dvc.yaml",
    "a",
    "abc",
    "^a",
    "uv.lock",
)


@given(st.lists(st.sampled_from(PARTS), max_size=6), st.sampled_from(PREFIXES))
def test_a_moved_pattern_finds_below_the_prefix_as_before(parts: list[str], prefix: str) -> None:
    pattern = "".join(parts)
    moved = pattern_below(pattern, prefix)
    for name in NAMES:
        assert bool(re.search(moved, prefix + name)) == bool(re.search(pattern, name))
        assert not re.search(moved, f"other/{prefix}{name}")


@pytest.mark.parametrize(
    "pattern", ["(?x)^(\n  a # first\n  | b/.* # last\n)$", "(?i)^A$", "(?x)a #"]
)
def test_flags_of_a_pattern_stay_in_front(pattern: str) -> None:
    for name in ("a", "b/c", "A", "ca", "c"):
        found = bool(re.search(pattern, name))
        assert bool(re.search(pattern_below(pattern, "my team/"), f"my team/{name}")) == found


def test_every_hook_of_the_project_starts_in_its_folder() -> None:
    config = YAML(typ="safe").load(CONFIG.read_text(encoding="utf-8"))
    other = {"repo": "https://example.org/hooks", "rev": "v1", "hooks": [{"id": "own"}]}
    script = {"id": "mine", "name": "m", "language": "script", "entry": "scripts/own.sh"}
    config["repos"] += [other, {"repo": "local", "hooks": [script]}]
    moved = config_below(config, "services/a b/")
    hooks = moved["repos"][0]["hooks"]
    start = "sh 'services/a b/tools/in-env' --below 'services/a b/' sh tools/in-env "
    assert hooks and all(hook["entry"].startswith(start) for hook in hooks)
    assert moved["repos"][-2] == other
    assert moved["repos"][-1]["hooks"][0]["entry"].endswith(" ./scripts/own.sh")
    assert re.search(moved["files"], "services/a b/x") and not re.search(moved["files"], "x")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_workflow_runs_in_the_folder_for_changes_there(bake: Bake, prefix: str) -> None:
    project = bake()
    moved = workflow_below(project.read(".github/workflows/ci.yml"), prefix)
    content = YAML(typ="safe").load(moved)
    assert content["defaults"]["run"]["working-directory"] == prefix.rstrip("/")
    assert (
        content["on"]["push"]["paths"] == content["on"]["pull_request"]["paths"] == [f"{prefix}**"]
    )
    settings = [step.get("with", {}) for step in content["jobs"]["check"]["steps"]]
    assert {"python-version-file": f"{prefix}pyproject.toml"} in settings
    paths = [setting["path"] for setting in settings if "path" in setting]
    assert paths == [f"{prefix}reports", f"{prefix}reports/site"]
    before = YAML(typ="safe").load(project.read(".github/workflows/ci.yml"))
    assert len(content["jobs"]["check"]["steps"]) == len(before["jobs"]["check"]["steps"])
