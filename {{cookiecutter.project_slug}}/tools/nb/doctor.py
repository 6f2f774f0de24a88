"""Look at all that a clone needs, name what is wrong, and the one command that repairs it."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from . import gitfilter, gitwiring, staged
from .gitwiring import git
from .project import NbError

# Below this, a run of the pipeline is likely to end half-way.
LEAST_FREE_BYTES = 1_000_000_000
SETUP = "make setup"
WIRE = "nb setup"


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        name: what was looked at.
        problem: what is wrong, in words; empty if nothing is.
        detail: what was seen where nothing is wrong.
        repair: the one command that repairs it.
        is_safe: whether `nb doctor --fix` may run that command.
    """

    name: str
    problem: str = ""
    detail: str = ""
    repair: str = ""
    is_safe: bool = False


Check = Callable[[Path], Finding]


def examine(root: Path) -> Iterator[Finding]:
    """Yield the finding of every check, in an order in which they can be repaired."""
    for check in CHECKS:
        try:
            finding = check(root)
        except NbError as error:
            name = check.__name__.strip("_").replace("_", " ")
            finding = Finding(name, str(error), repair=SETUP)
        yield finding
        if finding.name == "Git repository" and finding.problem:
            return  # what follows looks into it


def repair(root: Path, findings: list[Finding]) -> list[str]:
    """Run the commands that safely repair the findings; return those that were run.

    Raises:
        NbError: if one of them fails.
    """
    commands = dict.fromkeys(f.repair for f in findings if f.problem and f.is_safe)
    for command in commands:
        if command == WIRE:
            gitwiring.heal(root)
        elif subprocess.call(_portable(root, command), cwd=root):
            raise NbError(f"{command} failed; its message is above.")
    return list(commands)


def _portable(root: Path, command: str) -> list[str]:
    """Return what a task of the Makefile runs, for machines without make."""
    if command != SETUP:
        return [sys.executable, "-m", *command.split()]
    found = re.search(r"^ENVIRONMENT := (\w+)", (root / "Makefile").read_text("utf-8"), re.M)
    base = getattr(sys, "_base_executable", sys.executable)
    return [base, "tools/bootstrap.py", found[1] if found else "uv"]


def _python(root: Path) -> Finding:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    wanted = re.search(r'^requires-python = ">=(\d+)\.(\d+)"', text, re.M)
    version = ".".join(map(str, sys.version_info[:3]))
    if wanted and sys.version_info < tuple(map(int, wanted.groups())):
        problem = f"{version} is older than {wanted[1]}.{wanted[2]}, which the project needs"
        return Finding("Python", problem, repair=SETUP)
    if Path(sys.prefix).resolve() != (root / ".venv").resolve():
        problem = f"nb runs from {sys.prefix}, not from the project's .venv"
        return Finding("Python", problem, repair=SETUP)
    return Finding("Python", detail=f"{version} in .venv")


def _environment(root: Path) -> Finding:
    """Compare what is installed with the lock file, by name and version."""
    locked = _locked_versions(root)
    if not locked:
        problem = "there is no uv.lock or requirements.lock, so versions may differ between people"
        return Finding("environment", problem, repair=SETUP, is_safe=True)
    installed = {_normal(d.name): d.version for d in metadata.distributions()}
    wrong = [
        f"{name} {version} instead of {' or '.join(sorted(locked[name]))}"
        for name, version in sorted(installed.items())
        if name in locked and version not in locked[name]
    ]
    missing = [f"{name} missing" for name in _declared(root) if name not in installed]
    if wrong or missing:
        problem = f"not what the lock file says: {', '.join([*missing, *wrong][:3])}"
        return Finding("environment", problem, repair=SETUP, is_safe=True)
    return Finding("environment", detail=f"{len(installed)} packages as locked")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


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
            versions.setdefault(_normal(name), set()).add(version)
    return versions


def _declared(root: Path) -> list[str]:
    """Return the packages that `pyproject.toml` asks for by name."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    lists = re.findall(r"^(?:dependencies|pipeline|dev|app) = \[\n(.*?)^\]", text, re.M | re.S)
    return [_normal(n) for part in lists for n in re.findall(r'^ +"([\w.-]+)', part, re.M)]


def _kernel(root: Path) -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("kernel", "there is no kernel python3", repair=SETUP, is_safe=True)
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    is_ours = spec.argv[0] in ("python", "python3") or Path(program).parent == _programs()
    if not is_ours:
        problem = f"the kernel python3 is {spec.argv[0]}, which is not the project's Python"
        repair_line = f"jupyter kernelspec remove python3  # it is in {spec.resource_dir}"
        return Finding("kernel", problem, repair=repair_line)
    return Finding("kernel", detail="python3 is the project's own")


def _programs() -> Path:
    return Path(sys.executable).parent


def _git_repository(root: Path) -> Finding:
    if not (root / ".git").exists():
        return Finding("Git repository", "there is none here", repair=SETUP, is_safe=True)
    return Finding("Git repository", detail=git(root, "rev-parse", "--git-dir").strip())


def _identity(root: Path) -> Finding:
    if os.environ.get("CI"):
        return Finding("Git identity", detail="not needed in CI")
    for role in ("user.name", "user.email"):
        variable = f"GIT_AUTHOR_{role.removeprefix('user.').upper()}"
        if not git(root, "config", role, check=False).strip() and not os.environ.get(variable):
            command = f'git config --global {role} "…"'
            return Finding("Git identity", f"{role} is not set: commits will fail", repair=command)
    return Finding("Git identity", detail=git(root, "config", "user.email", check=False).strip())


def _attributes(root: Path) -> Finding:
    wanted = {"filter": "nbstripout", "diff": "notebook", "merge": "notebook"}
    name = "notebooks/production/any.ipynb"
    fields = git(root, "check-attr", "-z", *wanted, "--", name).split("\0")
    found = dict(zip(fields[1::3], fields[2::3], strict=False))
    lost = [key for key, value in wanted.items() if found.get(key) != value]
    if lost:
        problem = f".gitattributes no longer names the {' and the '.join(lost)} of notebooks"
        return Finding(".gitattributes", problem, repair="git checkout HEAD -- .gitattributes")
    return Finding(".gitattributes", detail="notebooks are filtered, diffed and merged as such")


def _wired(root: Path, name: str, prefix: str, consequence: str) -> Finding:
    missing = [key for key in gitwiring.missing_wiring(root) if key.startswith(prefix)]
    if missing:
        problem = f"{missing[0]} is not set as it must be: {consequence}"
        return Finding(name, problem, repair=WIRE, is_safe=True)
    return Finding(name, detail="connected")


def _notebook_filter(root: Path) -> Finding:
    finding = _wired(root, "notebook filter", "filter.", "outputs would be committed")
    if finding.problem or gitfilter.is_installed(gitwiring.git_dir(root)):
        return finding
    problem = "its files in the .git folder are missing or outdated"
    return Finding("notebook filter", problem, repair=WIRE, is_safe=True)


def _notebook_diff(root: Path) -> Finding:
    return _wired(root, "notebook diff", "diff.", "git diff shows JSON")


def _merge_drivers(root: Path) -> Finding:
    return _wired(root, "merge drivers", "merge.", "notebooks and dvc.lock merge line by line")


def _hooks(root: Path) -> Finding:
    missing = gitwiring.missing_hooks(root)
    if not missing:
        return Finding("hooks", detail="pre-commit and pre-push")
    problem = f"the {' and the '.join(missing)} hook is not installed"
    if git(root, "config", "core.hooksPath", check=False).strip():
        command = "git config --unset core.hooksPath"
        return Finding("hooks", f"{problem}: core.hooksPath points elsewhere", repair=command)
    return Finding("hooks", problem, repair=WIRE, is_safe=True)


def _conflicts(root: Path) -> Finding:
    conflicts = staged.find_conflicts(root, staged.index_ids(root))
    for name, problem in conflicts.items():
        command = f"git add {shlex.quote(name)}  # after the edit"
        return Finding("notebook merges", problem, repair=command)
    return Finding("notebook merges", detail="no notebook holds a conflict")


def _stripped(root: Path) -> Finding:
    ids = staged.index_ids(root)
    conflicts = staged.find_conflicts(root, ids)
    whole = {name: digest for name, digest in ids.items() if name not in conflicts}
    problems = staged.verify_notebooks(root, whole)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        command = "git add --renormalize ."
        return Finding("notebooks in Git", problems[0].split(": run")[0] + more, repair=command)
    return Finding("notebooks in Git", detail="none holds outputs")


def _line_endings(root: Path) -> Finding:
    listed = git(root, "ls-files", "--eol").splitlines()
    wrong = [
        line.split("\t")[1] for line in listed if re.match(r"i/(crlf|mixed)\s.*attr/text", line)
    ]
    if wrong:
        problem = f"{wrong[0]} is stored with Windows line endings"
        return Finding("line endings", problem, repair="git add --renormalize .")
    return Finding("line endings", detail="LF in Git")


def _pipeline(root: Path) -> Finding:
    from .pipeline import check_pipeline
    from .pipeline.stages_file import undeclared_notebooks

    try:
        count = check_pipeline(root)
        lost = undeclared_notebooks(root)
    except NbError as error:
        return Finding("pipeline", str(error), repair="edit dvc.yaml")
    if lost:
        problem = f"no stage of dvc.yaml runs {lost[0]}"
        return Finding("pipeline", problem, repair="edit dvc.yaml")
    return Finding("pipeline", detail=f"{count} stages")


def _storage(root: Path) -> Finding:
    from .storage import exposed, problem

    url, trouble = problem(root)
    trouble = exposed(root) or trouble
    if trouble:
        return Finding("DVC storage", trouble.what, repair=trouble.repair)
    return Finding("DVC storage", detail=url)


def _data(root: Path) -> Finding:
    from .pipeline import missing_data

    try:
        missing = missing_data(root)
    except NbError:
        return Finding("data", detail="not known while the pipeline cannot be read")
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        problem = f"{missing[0]}{more} is named in dvc.lock, but not here"
        return Finding("data", problem, repair="nb pull", is_safe=True)
    return Finding("data", detail="all that dvc.lock names is here")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(root).free
    text = f"{free / 1e9:.1f} GB free"
    problem = f"only {text}" if free < LEAST_FREE_BYTES else ""
    return Finding("disk space", problem, detail=text, repair="dvc gc --workspace")


CHECKS: tuple[Check, ...] = (
    *(_python, _environment, _kernel, _git_repository, _identity, _attributes, _notebook_filter),
    *(_notebook_diff, _merge_drivers, _hooks, _conflicts, _stripped, _line_endings, _pipeline),
    *(_storage, _data, _disk),
)
