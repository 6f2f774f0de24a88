"""Health of the environment: packages and the kernel are found as their own programs find them."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest
from nb.check import doctor
from nb.check.health import environment
from nb.check.health.diagnosis import Diagnosis
from nb.project import NbError


def test_installed_versions_are_those_of_the_metadata() -> None:
    expected = {environment.normalized(d.name): d.version for d in metadata.distributions()}
    assert environment._installed() == expected


def test_a_package_that_the_build_leaves_out_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "src" / "of_ours").mkdir(parents=True)
    (tmp_path / "src" / "of_ours" / "__init__.py").touch()
    found = environment._package(tmp_path)
    assert "import of_ours does not find src/of_ours" in found.problem
    assert 'packages = ["src/of_ours"]' in found.repair
    monkeypatch.syspath_prepend(tmp_path / "src")
    assert not environment._package(tmp_path).problem


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a kernel that Jupyter finds before any other."""
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path = tmp_path / "kernels" / "Python3" / environment.KERNEL_FILE
    path.parent.mkdir(parents=True)
    return path


@pytest.mark.parametrize(
    ("argv", "problem"),
    [
        ([sys.executable, "-m", "ipykernel_launcher"], ""),
        (["python", "-m", "ipykernel_launcher"], ""),
        (["/opt/other/python"], "/opt/other/python, which is not the project's Python"),
    ],
)
def test_a_kernel_of_another_python_is_named(spec: Path, argv: list[str], problem: str) -> None:
    spec.write_text(json.dumps({"argv": argv}), encoding="utf-8")
    assert environment._kernel(spec).problem.endswith(problem)
    assert bool(environment._kernel(spec).problem) == bool(problem)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"argv": []}', '{"argv": null}'])
def test_a_kernel_that_cannot_be_read_is_named(spec: Path, text: str) -> None:
    spec.write_text(text, encoding="utf-8")
    found = environment._kernel(spec)
    assert found.problem.endswith("cannot be read") and str(spec) in found.problem
    assert "jupyter kernelspec remove python3" in found.repair


def test_a_file_that_cannot_be_read_ends_no_other_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _stale_results(root: Path) -> Diagnosis:
        raise PermissionError(13, "Permission denied", "src/a.py")

    def kernel(root: Path) -> Diagnosis:
        raise NbError("there is no kernel")

    def disk(root: Path) -> Diagnosis:
        return Diagnosis("disk", detail="enough")

    (tmp_path / "Makefile").write_text("setup:\n\tpython3 tools/bootstrap.py uv\n")
    monkeypatch.setattr(doctor, "CHECKS", (_stale_results, kernel, disk))
    found = [(f.name, f.problem, f.repair) for f in doctor.examine(tmp_path)]
    assert found == [
        ("stale results", "src/a.py: Permission denied", ""),
        ("kernel", "there is no kernel", "make setup"),
        ("disk", "", ""),
    ]


def test_files_that_are_no_text_end_no_check(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "uv.lock", "requirements.lock"):
        (tmp_path / name).write_bytes(b"\xff\xe9")
    assert environment._python(tmp_path).name == "Python"
    assert environment._locked_versions(tmp_path) == {}
