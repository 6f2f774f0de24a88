"""Surroundings of a project: the shell's settings, to be forgotten, and the Git repository around.

Standard library only, from Python 3.8 on: the set-up uses this before anything is installed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from nb.wording import enumerated

# Where pip and uv would install, and which parts they would leave out. Where packages come from
# stays the person's choice: indexes, proxies, certificates, caches, UV_PYTHON.
INSTALLERS = (
    *("PIP_DRY_RUN", "PIP_EDITABLE", "PIP_IGNORE_INSTALLED", "PIP_NO_DEPS", "PIP_PREFIX"),
    *("PIP_PYTHON", "PIP_REQUIREMENT", "PIP_ROOT", "PIP_TARGET"),
    *("UV_DRY_RUN", "UV_ISOLATED", "UV_NO_DEFAULT_GROUPS", "UV_NO_DEV", "UV_NO_EDITABLE"),
    *("UV_NO_GROUP", "UV_NO_INSTALL_LOCAL", "UV_NO_INSTALL_PROJECT", "UV_NO_INSTALL_WORKSPACE"),
    *("UV_PROJECT", "UV_PROJECT_ENVIRONMENT", "UV_SYSTEM_PYTHON", "UV_WORKING_DIR"),
    *("UV_WORKING_DIRECTORY", "VIRTUAL_ENV"),
)
# A configuration file of pip may set these, too; only a value overrules it.
REFUSED = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_USER": "0"}
# Which modules a Python finds, and how it starts.
INTERPRETER = (
    *("PYTHONEXECUTABLE", "PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONSAFEPATH"),
    *("PYTHONSTARTUP", "PYTHONWARNINGS", "__PYVENV_LAUNCHER__"),
)
# Which repository Git works on; -c options (GIT_CONFIG_PARAMETERS) are not among them.
REPOSITORY = (
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_COMMON_DIR", "GIT_CONFIG", "GIT_DIR"),
    *("GIT_GRAFT_FILE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_NAMESPACE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_PREFIX", "GIT_SHALLOW_FILE", "GIT_WORK_TREE"),
)
NO_GIT = "git was not found; install it, then run this again."
# A repository that the project shares with its surroundings.
SHARED = (
    "{root} is a folder of the Git repository {top}, and shares its configuration and hooks; "
    "`git init` in the project first would give it a repository of its own"
)
# Python runs these when it starts, whatever else they hide.
AT_START = {"sitecustomize", "usercustomize"}


def open_closed_streams() -> None:
    """Open the null device for each standard stream that the caller closed, as daemons do.

    Otherwise Python has no such stream, and the next file opened takes its number: a program that
    complains on standard error would write into that file.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open("w" if number else "r")  # noqa: SIM115 - it stays open
            os.dup2(stream.fileno(), number)
            setattr(sys, name, stream)


def forget_installers(environment: MutableMapping[str, str]) -> None:
    """Remove variables that would lead an installer, a Python or Git away from the project."""
    for name in (*INSTALLERS, *INTERPRETER, *REPOSITORY):
        environment.pop(name, None)
    environment.update(REFUSED)


def forget_repository(environment: MutableMapping[str, str], root: Path) -> None:
    """Remove the variables that point Git at another repository than the project's own.

    Git itself sets them for its hooks, which commit from an index of their own: those stay.
    """
    if not any(name in environment for name in REPOSITORY):
        return
    top = find_repository(root) or root
    git_dir, work_tree = environment.get("GIT_DIR"), environment.get("GIT_WORK_TREE")
    is_foreign = (git_dir and not _same(git_dir, _git_dir(top))) or (
        work_tree and not _same(work_tree, top)
    )
    is_called_by_git = "GIT_EXEC_PATH" in environment or "GIT_PREFIX" in environment
    if is_foreign or not is_called_by_git:
        for name in REPOSITORY:
            environment.pop(name, None)


def _same(name: str, path: Path) -> bool:
    return os.path.realpath(name) == os.path.realpath(str(path))


def _git_dir(top: Path) -> Path:
    """Return the Git directory of a work tree; a linked worktree names it in a file."""
    path = top / ".git"
    if not path.is_file():
        return path
    return top / path.read_text(encoding="utf-8").partition("gitdir: ")[2].strip()


def find_repository(root: Path) -> Path | None:
    """Return the top of the work tree that a project belongs to; None if there is no repository.

    The top is the project's root, or a folder above: several projects may share a repository. A
    project in an ignored folder of a repository is not part of it. Without Git, nobody knows of a
    repository above.
    """
    if (root / ".git").exists():
        return root
    top = _git(root, "rev-parse", "--show-toplevel")
    return Path(top) if top and not _git(root, "check-ignore", ".") else None


def project_prefix(root: Path) -> str:
    """Return the path of a project in its repository, with a slash at the end; empty at the top."""
    top = find_repository(root) or root
    path = os.path.relpath(os.path.realpath(str(root)), os.path.realpath(str(top)))
    return "" if path == os.curdir else path.replace(os.sep, "/") + "/"


def _git(root: Path, *arguments: str) -> str:
    import subprocess  # late: help pages do without

    environment = {name: value for name, value in os.environ.items() if name not in REPOSITORY}
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=str(root),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
    except FileNotFoundError:  # Git is not installed
        return ""
    return done.stdout.strip()


def forget_modules(environment: MutableMapping[str, str], installed: Path) -> list[str]:
    """Leave out the folders of PYTHONPATH whose modules hide those of the project's environment.

    The others stay, for notebooks to import from. Modules that are imported already are too late.

    Args:
        environment: the environment variables; PYTHONPATH among them and `sys.path` are changed.
        installed: where the environment keeps its modules (site-packages).

    Returns:
        A sentence for each folder that was left out.
    """
    entries = environment["PYTHONPATH"].split(os.pathsep)
    names = _modules(installed) | set(getattr(sys, "stdlib_module_names", ())) | {"nb"}
    hidden = {entry: sorted((_modules(Path(entry)) & names) - AT_START) for entry in entries}
    kept = [entry for entry in entries if not hidden[entry]]
    environment["PYTHONPATH"] = os.pathsep.join(kept)
    left_out = {Path(entry).resolve() for entry in entries if hidden[entry]} - {installed.resolve()}
    sys.path[:] = [path for path in sys.path if Path(path).resolve() not in left_out]
    return [
        f"PYTHONPATH: {entry or '.'} is left out, because its {enumerated(found, 3)} "
        "would hide that of the project's environment"
        for entry, found in hidden.items()
        if found
    ]


def _modules(folder: Path) -> set[str]:
    """Return the names of the modules and packages in a folder."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return set()
    return {
        path.name.partition(".")[0]
        for path in paths
        if path.suffix in (".py", ".so", ".pyd") or (path / "__init__.py").is_file()
    }
