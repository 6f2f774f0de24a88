"""The hook that runs after a project was generated: it removes nothing but empty folders."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE


@pytest.fixture
def hook() -> dict[str, Any]:
    """The hook as it stands in the template, which has no Jinja in it: names, no side effect."""
    return runpy.run_path(str(TEMPLATE / "hooks" / "post_gen_project.py"), run_name="hook")


def test_empty_folders_of_unchosen_options_are_removed(
    hook: dict[str, Any], tmp_path: Path
) -> None:
    for name in (".not-chosen-docs", "notebooks/.not-chosen-dashboard/template", "empty"):
        (tmp_path / name).mkdir(parents=True)
    hook["drop_unchosen"](tmp_path)
    hook["drop_unchosen"](tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"notebooks", "empty"}


def test_a_folder_that_somebody_filled_stays(hook: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / ".not-chosen-docs" / "empty").mkdir(parents=True)
    (tmp_path / ".not-chosen-docs" / "own.md").touch()
    hook["drop_unchosen"](tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == [".not-chosen-docs", "own.md"]


def test_links_are_not_followed(hook: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "outside" / "empty").mkdir(parents=True)
    (tmp_path / "project" / ".not-chosen-docs").mkdir(parents=True)
    (tmp_path / "project" / ".not-chosen-docs" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "project" / ".not-chosen-app").symlink_to(tmp_path / "outside")
    hook["drop_unchosen"](tmp_path / "project")
    assert (tmp_path / "outside" / "empty").is_dir()


def test_every_parent_of_an_optional_folder_is_looked_at(hook: dict[str, Any]) -> None:
    folder = TEMPLATE / "{{cookiecutter.project_slug}}"
    optional = [path for path in folder.rglob("*") if ".not-chosen-" in path.name]
    parents = {path.parent.relative_to(folder).as_posix() for path in optional}
    assert parents == set(hook["PARENTS"])
