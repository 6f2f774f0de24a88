"""pre-commit's configuration for a project in a folder of a larger repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE, Bake
from hypothesis import given
from hypothesis import strategies as st
from nb.git.subfolder.ci import workflow_below, write_workflows
from nb.git.subfolder.gitlab import pipeline_below
from nb.git.subfolder.pre_commit import config_below, pattern_below
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


def test_a_branch_of_an_update_is_that_of_the_project(bake: Bake) -> None:
    text = bake().read(".github/workflows/update.yml")
    moved = workflow_below(text, "services/a b/")
    assert moved.count("template-update-services-a-b") == text.count("template-update") > 1


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_pipeline_of_gitlab_runs_in_the_folder_for_changes_there(
    bake: Bake, prefix: str, tmp_path: Path
) -> None:
    project = bake(ci="GitLab")
    text = project.read(".gitlab-ci.yml")
    moved = pipeline_below(text, prefix)
    content = YAML(typ="safe").load(moved)
    check, comment, pages, update = content.values()
    (name,) = pages["needs"]
    assert content[name] is check
    assert check["image"].startswith("python:") and "image" not in content
    assert check["artifacts"]["paths"] == [f"{prefix}reports/"]
    for job in (check, comment, pages, update):
        assert [rule["changes"] for rule in job["rules"]] == [[f"{prefix}**/*"]]
    assert sorted(re.findall("#.*", moved)) == sorted(re.findall("#.*", text))
    for lines in (check["script"], check["after_script"], comment["script"], update["script"]):
        assert lines[0].startswith("cd ")
    # The site is where GitLab looks: `public` at the top.
    folder = tmp_path / prefix / "reports" / "site"
    folder.mkdir(parents=True)
    project.run(
        *("bash", "-ec", f"cd {tmp_path}\n" + "\n".join(pages["script"])),
        CI_PROJECT_DIR=str(tmp_path),
    )
    assert (tmp_path / "public").is_dir()
    (tmp_path / "pipeline.yml").write_text(moved)
    checker = Path(sys.executable).with_name("check-jsonschema")
    schema = ("--builtin-schema", "vendor.gitlab-ci")
    done = subprocess.run([checker, *schema, tmp_path / "pipeline.yml"], capture_output=True)
    assert done.returncode == 0, done.stdout


def test_own_jobs_of_a_pipeline_move_with_it() -> None:
    text = """
default: {cache: {paths: [.cache]}, before_script: [date]}
variables: {A: 1, B: 1}
stages: [test]
.base: {tags: [x]}
own: {extends: .base, script: echo, variables: {B: 2}, rules: [{changes: [src/a.py]}]}
next: {needs: [{job: own}], script: [echo], only: [main]}
"""
    content = YAML(typ="safe").load(pipeline_below(text, "a/b/"))
    assert list(content) == ["stages", ".a-b.base", "a-b: own", "a-b: next"]
    own, following = content["a-b: own"], content["a-b: next"]
    assert own["variables"] == {"A": 1, "B": 2} and own["extends"] == ".a-b.base"
    assert own["before_script"] == following["before_script"] == ["cd a/b", "date"]
    assert own["script"] == "echo" and own["rules"] == [{"changes": ["a/b/src/a.py"]}]
    assert own["cache"]["paths"] == following["cache"]["paths"] == ["a/b/.cache"]
    assert following["needs"] == [{"job": "a-b: own"}] and "rules" not in following


def test_ci_is_written_to_the_top_once_and_nothing_there_changes(
    bake: Bake, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name in ("one", "two"):
        bake(ci="GitLab", project_slug=name).path.rename(tmp_path / name)
    assert write_workflows(tmp_path / "one") == [".gitlab/ci/one.yml", ".gitlab-ci.yml"]
    assert write_workflows(tmp_path / "two") == [".gitlab/ci/two.yml"]
    (tmp_path / ".gitlab-ci.yml").write_text("theirs: {script: date}\n")
    (advice,) = write_workflows(tmp_path / "two")
    assert "local: /.gitlab/ci/*.yml" in advice
    assert (tmp_path / ".gitlab-ci.yml").read_text() == "theirs: {script: date}\n"
