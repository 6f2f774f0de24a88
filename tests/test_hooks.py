"""The functions of the hook that runs after a project was generated."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, Bake


@pytest.fixture
def hook() -> dict[str, Any]:
    """The hook as it stands in the template, its Jinja unrendered: names, no side effect."""
    return runpy.run_path(str(TEMPLATE / "hooks" / "post_gen_project.py"), run_name="hook")


def test_a_folder_is_removed_with_all_that_it_holds(hook: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    hook["remove"](tmp_path / "a")
    hook["remove"](tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_only_what_was_not_chosen_is_dropped(hook: dict[str, Any], tmp_path: Path) -> None:
    for name in ("kept", "dropped"):
        (tmp_path / name).touch()
    hook["drop_unchosen"].__globals__["OPTIONAL"] = {("kept",): True, ("dropped",): False}
    hook["drop_unchosen"](tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_notebooks_import_the_package(hook: dict[str, Any], tmp_path: Path) -> None:
    notebook = tmp_path / "notebooks" / "production" / "10-a.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text('"from project_package import é"', encoding="utf-8")
    hook["name_package"].__globals__["PACKAGE"] = "sales"
    hook["name_package"](tmp_path)
    assert notebook.read_text(encoding="utf-8") == '"from sales import é"'


def test_what_the_hook_drops_is_in_the_template(hook: dict[str, Any]) -> None:
    folder = TEMPLATE / "{{cookiecutter.project_slug}}"
    for paths in hook["OPTIONAL"]:
        for path in paths:
            real = path.replace(hook["PACKAGE"], "{{cookiecutter.package_name}}")
            assert (folder / real).exists(), path


def test_running_the_hook_again_changes_nothing(bake: Bake, hook: dict[str, Any]) -> None:
    project = bake()
    before = {name: project.read(name) for name in project.files()}
    hook["drop_unchosen"].__globals__["OPTIONAL"] = {("nothing-of-that-name",): False}
    hook["drop_unchosen"](project.path)
    hook["name_package"](project.path)
    assert {name: project.read(name) for name in project.files()} == before
