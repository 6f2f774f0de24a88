"""Health of the environment: Python, installed packages and the kernel."""

from __future__ import annotations

import json
import re
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from nb.check.facts import Facts
from nb.distributions import normalized
from nb.project import text_of
from nb.wording import count

from .diagnosis import SETUP, Diagnosis, HealthCheck, file_repair

KERNEL_FILE = "kernel.json"
# The lock files, with the pattern of a package and its version in each.
_LOCK_FILES = {
    "uv.lock": r'^name = "(.+)"\nversion = "(.+)"',
    "requirements.lock": r"^([\w.-]+)==(\S+)",
}


def _python(root: Path) -> Diagnosis:
    text = text_of(root / "pyproject.toml")
    wanted = re.search(r'^requires-python = ">=(\d+)\.(\d+)"', text, re.M)
    version = ".".join(map(str, sys.version_info[:3]))
    if wanted and sys.version_info < tuple(map(int, wanted.groups())):
        problem = f"{version} is older than {wanted[1]}.{wanted[2]}, which the project needs"
        return Diagnosis("Python", problem, repair=SETUP)
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():
        problem = f"nb runs from {sys.prefix}, not from the project's .venv"
        return Diagnosis("Python", problem, repair=SETUP)
    return Diagnosis("Python", detail=f"{version} in .venv")


def _environment(root: Path) -> Diagnosis:
    """Compare the installed packages with the lock file, by name and version."""
    locked = _locked_versions(root)
    damaged = next((name for name in _LOCK_FILES if (root / name).is_file()), "")
    if not locked and damaged:
        problem = f"{damaged} names no package: the file is damaged"
        return Diagnosis("environment", problem, repair=file_repair(root, problem))
    if not locked:
        problem = "there is no uv.lock or requirements.lock, so versions may differ between people"
        return Diagnosis("environment", problem, repair=SETUP, is_safe=True)
    installed = _installed()
    wrong = [
        f"{name} {version} instead of {' or '.join(sorted(locked[name]))}"
        for name, version in sorted(installed.items())
        if name in locked and version not in locked[name]
    ]
    missing = [f"{n} missing" for n in map(normalized, Facts(root).set_up) if n not in installed]
    if wrong or missing:
        problem = f"not what the lock file says: {', '.join([*missing, *wrong][:3])}"
        return Diagnosis("environment", problem, repair=SETUP, is_safe=True)
    return Diagnosis("environment", detail=f"{len(installed)} packages as locked")


def _installed() -> dict[str, str]:
    """Return the installed versions by package, from the names of the folders of metadata.

    To read the metadata of two hundred packages takes as long as all other checks together.
    """
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    names = [path.stem for folder in folders for path in Path(folder).glob("*.dist-info")]
    return {normalized(name): version for name, _, version in (n.partition("-") for n in names)}


def _locked_versions(root: Path) -> dict[str, set[str]]:
    """Return the versions that the lock file allows, by package."""
    versions: dict[str, set[str]] = {}
    for file, pattern in _LOCK_FILES.items():
        for name, version in re.findall(pattern, text_of(root / file), re.M):
            versions.setdefault(normalized(name), set()).add(version)
    return versions


def _package(root: Path) -> Diagnosis:
    """Look for the packages in src/ as notebooks import them: a team's own build may omit them."""
    folders = sorted(path.parent for path in (root / "src").glob("*/__init__.py"))
    missing = [folder.name for folder in folders if not find_spec(folder.name)]
    if missing:
        problem = f"import {missing[0]} does not find src/{missing[0]}: the build settings in "
        problem += "pyproject.toml leave the package out"
        repair = f'name the package there, as in packages = ["src/{missing[0]}"], then {SETUP}'
        return Diagnosis("package", problem, repair=repair)
    return Diagnosis("package", detail=f"{count(len(folders), 'package')} of src/ can be imported")


def _kernel(root: Path) -> Diagnosis:
    folder = _kernel_folder("python3")
    if folder is None:  # Jupyter starts ipykernel then
        if find_spec("ipykernel"):
            return Diagnosis("kernel", detail="python3 is the project's own")
        return Diagnosis("kernel", "there is no kernel python3", repair=SETUP, is_safe=True)
    removal = f"jupyter kernelspec remove python3  # it is in {folder}"
    try:
        first = str(json.loads((folder / KERNEL_FILE).read_bytes())["argv"][0])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return Diagnosis("kernel", f"{folder / KERNEL_FILE} cannot be read", repair=removal)
    program = shutil.which(first) or first
    if first not in ("python", "python3") and Path(program).parent != Path(sys.executable).parent:
        problem = f"the kernel python3 is {first}, which is not the project's Python"
        return Diagnosis("kernel", problem, repair=removal)
    return Diagnosis("kernel", detail="python3 is the project's own")


def _kernel_folder(name: str) -> Path | None:
    """Return the folder of a kernel, as Jupyter's client finds the kernel, but in milliseconds."""
    from jupyter_core.paths import jupyter_path

    found = [p for path in jupyter_path("kernels") for p in Path(path).glob(f"*/{KERNEL_FILE}")]
    return next((path.parent for path in found if path.parent.name.lower() == name), None)


ENVIRONMENT_CHECKS: tuple[HealthCheck, ...] = (_python, _environment, _package, _kernel)
