"""The installed packages are compared with those that the project asks for."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.check.health.diagnosis import Diagnosis
from nb.check.health.environment import ENVIRONMENT_CHECKS

LOCK = 'name = "pytest"\nversion = "{version}"\n'


def environment(root: Path, pyproject: str, version: str = pytest.__version__) -> Diagnosis:
    (root / "pyproject.toml").write_text(pyproject)
    (root / "uv.lock").write_text(LOCK.format(version=version))
    (found,) = (d for d in (check(root) for check in ENVIRONMENT_CHECKS) if d.name == "environment")
    return found


def test_what_the_project_asks_for_is_installed(tmp_path: Path) -> None:
    groups = '[dependency-groups]\ndev = [{ include-group = "app" }]\napp = ["Hypothesis>=6"]\n'
    project = '[project]\ndependencies = ["pytest"]\n'
    assert environment(tmp_path, project + groups).problem == ""
    missing = environment(tmp_path, project + groups.replace("Hypothesis", "no_Such.Thing"))
    assert "no-such-thing missing" in missing.problem
    assert (
        f"pytest {pytest.__version__} instead of 0.1"
        in environment(tmp_path, project, "0.1").problem
    )


def test_a_package_for_other_machines_is_not_missing(tmp_path: Path) -> None:
    entry = "no-such-thing; sys_platform == 'nowhere'"
    project = f'[project]\ndependencies = [\n    "pytest",\n    "{entry}",\n]\n'
    assert environment(tmp_path, project).problem == ""
