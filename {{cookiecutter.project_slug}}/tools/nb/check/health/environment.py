"""Health of the environment: Python, installed packages and the kernel."""

from __future__ import annotations

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from nb.check.facts import Facts, normalized

from .diagnosis import SETUP, Diagnosis, HealthCheck


def _python(root: Path) -> Diagnosis:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
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
    if not locked:
        problem = "there is no uv.lock or requirements.lock, so versions may differ between people"
        return Diagnosis("environment", problem, repair=SETUP, is_safe=True)
    installed = {normalized(d.name): d.version for d in metadata.distributions()}
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


def _locked_versions(root: Path) -> dict[str, set[str]]:
    """Return the versions that the lock file allows, by package."""
    versions: dict[str, set[str]] = {}
    for file, pattern in (
        ("uv.lock", r'^name = "(.+)"\nversion = "(.+)"'),
        ("requirements.lock", r"^([\w.-]+)==(\S+)"),
    ):
        path = root / file
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for name, version in re.findall(pattern, text, re.M):
            versions.setdefault(normalized(name), set()).add(version)
    return versions


def _kernel(root: Path) -> Diagnosis:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Diagnosis("kernel", "there is no kernel python3", repair=SETUP, is_safe=True)
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    is_ours = (
        spec.argv[0] in ("python", "python3") or Path(program).parent == Path(sys.executable).parent
    )
    if not is_ours:
        problem = f"the kernel python3 is {spec.argv[0]}, which is not the project's Python"
        repair_line = f"jupyter kernelspec remove python3  # it is in {spec.resource_dir}"
        return Diagnosis("kernel", problem, repair=repair_line)
    return Diagnosis("kernel", detail="python3 is the project's own")


ENVIRONMENT_CHECKS: tuple[HealthCheck, ...] = (_python, _environment, _kernel)
