"""The tooling as a package: its bytes, and projects that take the package instead of the source."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import TEMPLATE, Bake, Project, recipe

TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
PAGE = TEMPLATE / "docs/how-to/tooling-as-a-package.md"


def version(path: Path) -> str:
    (found,) = re.findall(r'^version = "(.+)"', path.read_text(encoding="utf-8"), re.M)
    return str(found)


def build(folder: Path) -> dict[str, bytes]:
    """Run the recipe of `make package` into a folder."""
    command = recipe("package").replace("build/package", str(folder))
    subprocess.run(["bash", "-ec", command], cwd=TEMPLATE, check=True)
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != ".gitignore"}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packages")
    build(folder / "made")
    return folder / "made"


def test_the_package_has_the_version_of_the_template() -> None:
    assert version(TOOLS / "pyproject.toml") == version(TEMPLATE / "pyproject.toml")
    assert f'"nb-tools=={version(TEMPLATE / "pyproject.toml")}"' in PAGE.read_text(encoding="utf-8")


def test_the_same_sources_give_the_same_bytes(packages: Path, tmp_path: Path) -> None:
    first = {p.name: p.read_bytes() for p in packages.iterdir() if p.name != ".gitignore"}
    assert len(first) == 2 and build(tmp_path / "again") == first


def test_the_package_holds_the_sources_and_nothing_else(packages: Path) -> None:
    sources = {
        path.relative_to(TOOLS).as_posix()
        for path in (TOOLS / "nb").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    } | {"nb_start.py"}
    (wheel,) = packages.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        assert {name for name in file.namelist() if ".dist-info/" not in name} == sources
    (sdist,) = packages.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    others = {"README.md", "PKG-INFO", "pyproject.toml", ".gitignore"}
    assert names - others == sources


# Modules that run before there is an environment: in the set-up and in Git's filter.
EARLY = ("skipped", "surroundings", "git.filter", "git.merge", "git.text_view")


def test_the_files_that_stay_need_no_other(bake: Bake, tmp_path: Path) -> None:
    project = bake(example=False)
    project.git("init", "--quiet")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "generated")
    take_package(project, tmp_path)
    imports = "; ".join(f"import nb.{module}" for module in EARLY)
    project.run(sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, 'tools'); {imports}")


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["uv", "pip"])
def test_a_project_runs_with_the_package(bake: Bake, packages: Path, environment: str) -> None:
    project = bake(environment=environment, example=False)
    project.git("init", "--quiet")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "generated")
    take_package(project, packages)
    variables = {"PIP_FIND_LINKS": str(packages)}
    project.run(sys.executable, "-I", "tools/bootstrap.py", environment, **variables)
    where = project.run(".venv/bin/python", "-Ic", "import nb; print(nb.__file__)")
    assert "site-packages" in where
    project.run("nb", "new", "count", "--production")
    project.run("nb", "run")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "the package")
    said = project.run("nb", "doctor", code=None)
    assert "the package nb-tools" in said and "All is well." in said, said
    assert "Nothing to run." in project.make("status", **variables)


def take_package(project: Project, packages: Path) -> None:
    """Follow the steps of the page."""
    page = PAGE.read_text(encoding="utf-8")
    pin = f"nb-tools=={version(TOOLS / 'pyproject.toml')}"
    project.edit("pyproject.toml", '"nb-tools",', f'"{pin}",')
    source = '[tool.uv.sources]\nnb-tools = { path = "tools", editable = true }\n'
    project.edit("pyproject.toml", source, "")
    links = f'[tool.uv]\nfind-links = ["{packages.as_posix()}"]\n'
    project.edit("pyproject.toml", "[tool.uv]\n", links)
    for line in re.findall(r"^ +(git (?:rm|checkout) .+)$", page, re.M):
        project.run("bash", "-c", line)
    assert not project.has("tools/nb/cli.py") and project.has("tools/nb/git/filter.py")
