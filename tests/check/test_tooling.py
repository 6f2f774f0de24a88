"""The bundled tooling: as released, edited, mixed from two versions, or an installed package."""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib import metadata

import pytest
from conftest import LEFTOVERS, Bake, Project
from nb.check.health.diagnosis import file_repair
from nb.check.health.tooling import MANIFEST, tooling
from nb.project import NbError


@pytest.fixture
def baked(bake: Bake) -> Project:
    """A project, committed."""
    project = bake(example=False)
    project.git("init", "--quiet")
    save(project, "first")
    return project


def save(project: Project, message: str) -> None:
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", message)


def said(project: Project) -> str:
    found = tooling(project.path)
    return found.problem or found.detail


def test_the_manifest_lists_every_file_of_the_tooling(baked: Project) -> None:
    files = json.loads(baked.read("tools/manifest.json"))["files"]
    tools = {name.removeprefix("tools/") for name in baked.files() if name.startswith("tools/")} - {
        "manifest.json"
    }
    assert files.keys() == tools and not LEFTOVERS & {part for f in files for part in f.split("/")}
    for name, digest in files.items():
        assert hashlib.sha256((baked.path / "tools" / name).read_bytes()).hexdigest() == digest


def test_options_of_the_template_leave_the_tooling_as_released(bake: Bake) -> None:
    project = bake(cloud=True, scheduler="Dagster")
    project.write("tools/own.py", "print(1)\n")
    assert said(project).endswith(", as released")


def test_edits_are_named(baked: Project) -> None:
    baked.write("tools/nb/cli.py", baked.read("tools/nb/cli.py") + "# mine\n")
    (baked.path / "tools/in-env").unlink()
    baked.write("tools/nb/git/own.py", "")
    assert "edited since" in said(baked)
    assert "in-env, nb/cli.py, nb/git/own.py" in said(baked)
    save(baked, "edits")
    assert "edited since" in said(baked)


def test_files_of_another_version_are_told_from_edits(baked: Project) -> None:
    old = baked.read("tools/nb/cli.py")
    baked.write("tools/nb/cli.py", old + "# newer\n")
    content = json.loads(baked.read("tools/manifest.json"))
    released = content["version"]
    new = hashlib.sha256((baked.path / "tools/nb/cli.py").read_bytes()).hexdigest()
    content |= {"version": "9.0", "files": {**content["files"], "nb/cli.py": new}}
    baked.write("tools/manifest.json", json.dumps(content))
    assert said(baked) == "9.0, as released"
    save(baked, "an update")
    baked.write("tools/nb/cli.py", old)
    assert said(baked) == f"mixed: nb/cli.py of version {released} among files of 9.0"


def test_a_package_stands_for_the_folder(baked: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (baked.path / "tools/pyproject.toml").unlink()
    shutil.rmtree(baked.path / "tools/nb/report")
    assert "neither tools/pyproject.toml nor the package" in said(baked)

    class Installed:
        version = "0.2.0"

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed)
    assert said(baked) == "0.2.0, the package nb-tools"


def test_without_a_manifest_the_next_step_is_named(baked: Project) -> None:
    (baked.path / MANIFEST).unlink()
    with pytest.raises(NbError, match=r"tools/manifest\.json cannot be read") as refused:
        tooling(baked.path)
    problem = str(refused.value)
    assert file_repair(baked.path, problem) == "git checkout HEAD -- tools/manifest.json"
    save(baked, "without a manifest")
    assert file_repair(baked.path, problem) == "nb update"
