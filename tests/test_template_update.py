"""The monthly update of a generated project in CI: its files, and its script, run locally."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Bake, Project
from ruamel.yaml import YAML

UPDATE = ".github/workflows/update.yml"
SCHEMAS = {
    UPDATE: "vendor.github-workflows",
    ".github/dependabot.yml": "vendor.dependabot",
    "renovate.json": "vendor.renovate",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}
# An update with a commit, and a run that leaves a report.
NB = """\
#!/bin/sh
echo "$@" >>"$CALLS"
case $1 in
    update)
        [ -z "$NEWS" ] || { echo "Updated: 0.1 -> 0.2"; git commit -qm update --allow-empty; }
        ;;
    run) mkdir -p reports; exit "$FAILS" ;;
esac
"""
GH = """\
#!/bin/sh
echo "gh $1 $2" >>"$CALLS"
for last; do :; done
[ "$1" = auth ] || cat "$last" >>"$CALLS"
[ "$1 $2" != "pr create" ] || exit "$EXISTS"
"""


@pytest.mark.parametrize("ci", ["GitHub", "GitLab"])
@pytest.mark.parametrize("environment", ["uv", "pip", "conda"])
def test_the_files_keep_to_their_schemas(bake: Bake, ci: str, environment: str) -> None:
    project = bake(ci=ci, environment=environment)
    names = [name for name in SCHEMAS if project.has(name)]
    assert len(names) == 2
    for name in names:
        checker = str(Path(sys.executable).with_name("check-jsonschema"))
        command = [checker, "--builtin-schema", SCHEMAS[name], str(project.path / name)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_packages_are_updated_where_the_host_can_lock_them(bake: Bake) -> None:
    for environment, kinds in (("uv", ["github-actions", "uv"]), ("pip", ["github-actions"])):
        project = bake(environment=environment, project_slug=f"with-{environment}")
        updates = YAML(typ="safe").load(project.read(".github/dependabot.yml"))["updates"]
        assert [update["package-ecosystem"] for update in updates] == kinds


def test_the_update_is_off_until_somebody_switches_it_on(bake: Bake) -> None:
    job = YAML(typ="safe").load(bake().read(UPDATE))["jobs"]["update"]
    assert job["if"] == "vars.UPDATE_TEMPLATE == 'true'"
    gitlab = YAML(typ="safe").load(bake(ci="GitLab", project_slug="lab").read(".gitlab-ci.yml"))
    assert '$UPDATE_TEMPLATE == "true"' in gitlab["update"]["rules"][0]["if"]


@pytest.fixture
def project(bake: Bake, tmp_path: Path) -> Project:
    """A project with an origin, and stand-ins for `nb` and `gh`."""
    project = bake(example=False)
    for name, text in ((".venv/bin/nb", NB), (".venv/bin/gh", GH)):
        (project.path / ".venv/bin").mkdir(parents=True, exist_ok=True)
        project.write(name, text)
        (project.path / name).chmod(0o755)
    project.git("init", "--quiet", "-b", "main")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "generated")
    project.git("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    return project


def run_steps(project: Project, temporary: Path, **variables: str) -> str:
    """Run the steps of the job as GitHub does, from the update on; return the calls."""
    output, calls = temporary / "output", temporary / "calls"
    output.touch()
    calls.touch()
    given = {
        "RUNNER_TEMP": str(temporary),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_SHA": project.git("rev-parse", "HEAD").strip(),
        "CALLS": str(calls),
        **{"NEWS": "", "FAILS": "0", "EXISTS": "0", "REPORT": "https://example.org/report"},
        **variables,
    }
    job = YAML(typ="safe").load(project.read(UPDATE))["jobs"]["update"]
    steps: list[dict[str, Any]] = job["steps"]
    outcome = ""
    for step in steps:
        if "run" not in step or step["run"] == "make setup":
            continue
        if "if" in step and "changed=true" not in output.read_text():
            continue
        code = None if step.get("continue-on-error") else 0
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        project.run(*command, code=code, **{**given, "OUTCOME": outcome})
        outcome = "failure" if given["FAILS"] != "0" else "success"
    return calls.read_text()


def test_an_update_becomes_a_pull_request_with_the_report(project: Project, tmp_path: Path) -> None:
    calls = run_steps(project, tmp_path, NEWS="1")
    assert calls.startswith("update\nrun\ngh auth setup-git\ngh pr create\n")
    assert "Updated: 0.1 -> 0.2" in calls
    assert "ended with: success. Its report: https://example.org/report" in calls
    assert "template-update" in project.git("ls-remote", "origin")


def test_a_failed_run_is_told_and_an_open_request_is_brought_up_to_date(
    project: Project, tmp_path: Path
) -> None:
    calls = run_steps(project, tmp_path, NEWS="1", FAILS="1", EXISTS="1")
    assert "gh pr create" in calls and "gh pr edit" in calls
    assert "ended with: failure" in calls


def test_without_a_newer_version_nothing_is_opened(project: Project, tmp_path: Path) -> None:
    assert run_steps(project, tmp_path) == "update\n"
    assert project.git("ls-remote", "origin") == ""


def test_the_gitlab_job_pushes_a_merge_request(bake: Bake, tmp_path: Path) -> None:
    project = bake(ci="GitLab", example=False, project_slug="lab")
    (project.path / ".venv/bin").mkdir(parents=True)
    project.write(".venv/bin/nb", NB)
    (project.path / ".venv/bin/nb").chmod(0o755)
    project.git("init", "--quiet", "-b", "main")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "generated")
    pushed = tmp_path / "pushed"
    job = YAML(typ="safe").load(project.read(".gitlab-ci.yml"))["update"]
    script = job["script"][1]
    variables = {
        **{"CALLS": str(tmp_path / "calls"), "NEWS": "1", "FAILS": "1"},
        **{"GITLAB_USER_NAME": "A", "GITLAB_USER_EMAIL": "a@example.org", "UPDATE_TOKEN": "t0"},
        "CI_COMMIT_SHA": project.git("rev-parse", "HEAD").strip(),
        "CI_JOB_URL": "https://example.org/job/1",
        "CI_SERVER_HOST": "example.org",
        "CI_PROJECT_PATH": "team/lab",
    }
    function = (
        f'git() {{ if [ "$1" = push ]; then echo "$@" >"{pushed}"; else command git "$@"; fi; }}\n'
    )
    project.run("bash", "-eo", "pipefail", "-c", function + script, **variables)
    said = pushed.read_text()
    assert "nb run: failure, https://example.org/job/1/artifacts/browse/reports" in said
    assert said.endswith("https://oauth2:t0@example.org/team/lab.git template-update\n")
