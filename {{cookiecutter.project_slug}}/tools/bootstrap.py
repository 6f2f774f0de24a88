"""Make the environment in `.venv`, then hand over to `nb setup`: what `make setup` runs.

    python3 tools/bootstrap.py uv|pip|conda

The only tool that runs before anything is installed: standard library, any Python from 3.8 on.
The environment's own Python is the one that runs this file if it is new enough for the project,
else one that can be found.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"


# Of pyproject.toml, what decides which versions a lock file holds.
ASKED_FOR = r"^requires-python[^\n]*|^dependencies = \[.*?\]$|^\[dependency-groups\]$.*?(?=^\[|\Z)"
LOCK_HINT = "Run `make setup` on your machine and commit the lock file."


def is_locked() -> bool:
    """Tell whether lock files must fit as they are: CI sets the variable, which is uv's own."""
    return os.environ.get("UV_LOCKED", "") not in ("", "0", "false")


def fail(sentence: str) -> NoReturn:
    """End with one sentence on standard error."""
    raise SystemExit(f"setup: {sentence}")


def run(*command: str | Path, hint: str, hide: str = "\0") -> None:
    """Run a command at the project's root; on failure end with the hint, below what it printed.

    Lines of its standard error that begin with `hide` are left out.
    """
    print("setup: " + " ".join(str(part) for part in command), flush=True)
    words = [str(part) for part in command]
    with subprocess.Popen(
        words, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as process:
        for line in process.stderr or ():
            if not line.startswith(hide):
                sys.stderr.write(line)
                sys.stderr.flush()
    if process.returncode:
        fail(hint)


def required_python() -> tuple[int, int]:
    """Read the oldest Python that the project supports from `requires-python`."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^requires-python\s*=\s*["\'].*?>=\s*(\d+)\.(\d+)', text, re.M)
    if found is None:
        fail("pyproject.toml: requires-python must name the oldest version, like '>=3.11'.")
    return int(found[1]), int(found[2])


def version_of(python: str | Path) -> tuple[int, ...]:
    """Return an interpreter's version, or an empty tuple if it does not run."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    except OSError:
        return ()
    return tuple(map(int, done.stdout.split())) if done.returncode == 0 else ()


def has_pip(python: Path) -> bool:
    """Tell whether an environment is whole: an interrupted set-up leaves one without pip."""
    try:
        return (
            subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True).returncode
            == 0
        )
    except OSError:
        return False


def find_python() -> str | None:
    """Find an interpreter that is new enough for the project; None if there is none."""
    wanted = required_python()
    candidates = [os.environ.get("UV_PYTHON"), sys.executable, "python3", "python"]
    candidates += [f"python{wanted[0]}.{minor}" for minor in range(wanted[1], wanted[1] + 5)]
    paths = (shutil.which(candidate) for candidate in candidates if candidate)
    return next((path for path in paths if path and version_of(path) >= wanted), None)


def make_venv(folder: Path, python: str) -> Path:
    """Make a virtual environment with the standard library; return its interpreter."""
    run(
        *(python, "-m", "venv", "--clear", folder),
        hint="no virtual environment could be made; on Debian and Ubuntu, install python3-venv.",
    )
    return folder / SCRIPTS / "python"


def find_uv() -> str | Path:
    """Find uv; where it is not installed, install it into `.uv`, for this project alone."""
    own = ROOT / ".uv" / SCRIPTS / ("uv.exe" if os.name == "nt" else "uv")
    installed = shutil.which("uv")
    if installed or own.exists():
        return installed or own
    python = make_venv(ROOT / ".uv", sys.executable)
    run(
        *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv"),
        hint="uv could not be installed; install it by hand, then run this again.",
    )
    return own


def with_uv() -> None:
    """Install what `uv.lock` says, writing it first where there is none."""
    command: list[str | Path] = [find_uv(), "sync", *(["--locked"] if is_locked() else [])]
    if not version_of(VENV / SCRIPTS / "python") >= required_python():
        python = find_python()
        command += ["--python", python] if python else []
    hint = "uv could not make the environment; its message is above."
    if is_locked():
        hint += f" If it is about uv.lock: {LOCK_HINT}"
    run(*command, hint=hint, hide=" + ")  # not a line for each of two hundred packages


def pip_install(python: Path) -> None:
    """Install with pip what `requirements.lock` says, checked by its hashes, and the project."""
    lock = ROOT / "requirements.lock"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    hint = (
        "pip could not install the project; its message is above. If it is about versions or "
        "hashes, delete requirements.lock, run this again and commit the new one."
    )
    make_lock("dev", lock, python)
    run(*pip, "install", "--quiet", "--upgrade", "pip>=25.1", hint=hint)
    locked = ("--require-hashes", "--no-deps", "--requirement", lock)
    run(*pip, "install", "--quiet", *locked, hint=hint)
    run(*pip, "install", "--quiet", "--no-deps", "-e", "tools", "-e", ".", hint=hint)


def make_lock(group: str, lock: Path, python: Path) -> None:
    """Write the versions and hashes of a group for every platform, unless a lock file fits.

    pip cannot write such a file; uv can, and keeps the versions of the file that is there.

    Args:
        group: the name of the dependency group; `dev` is locked together with the project.
        lock: the lock file.
        python: an interpreter with pip, whose package index is the one to ask.
    """
    first = f"# What pyproject.toml asks for, sha256:{_asked_for()}\n"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    if text.startswith(first):
        return
    if is_locked():
        fail(f"{lock.name} does not fit pyproject.toml. {LOCK_HINT}")
    pip = [str(python), "-m", "pip", "config", "get", "global.index-url"]
    index = subprocess.run(pip, capture_output=True, text=True).stdout.strip()
    if index:
        os.environ.setdefault("UV_DEFAULT_INDEX", index)
    asked = ("pyproject.toml", "--group", group) if group == "dev" else ("--group", group)
    options = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
    version = ".".join(map(str, required_python()))
    run(
        *(find_uv(), "pip", "compile", *asked, *options, "--no-emit-package", "nb-tools"),
        *("--python-version", version, "--output-file", lock.name),
        hint=f"{lock.name} could not be written; uv's message is above.",
    )
    lock.write_text(first + lock.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")


def _asked_for() -> str:
    """Return a hash of all that decides what a lock file holds."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    parts = re.findall(ASKED_FOR, text, re.M | re.S)
    text = "".join(parts) + (ROOT / "tools" / "pyproject.toml").read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def with_pip() -> None:
    """Install into a virtual environment with nothing but Python's own tools."""
    python = VENV / SCRIPTS / "python"
    if not version_of(python) >= required_python() or not has_pip(python):
        base = find_python()
        if base is None:
            wanted = ".".join(map(str, required_python()))
            fail(f"Python {wanted} or newer was not found; install it, then run this again.")
        python = make_venv(VENV, base)
    pip_install(python)


def with_conda() -> None:
    """Install Python and binary packages with conda, the project itself with pip."""
    # Where CONDA is set, on some CI machines, conda itself is not on PATH.
    names = ("conda", "mamba", "micromamba", f"{os.environ.get('CONDA')}/bin/conda")
    conda = next(filter(None, map(shutil.which, names)), None)
    if conda is None:
        fail("none of conda, mamba and micromamba was found; install one, then run this again.")
    verb = ("update",) if (VENV / "conda-meta").is_dir() else ("create", "--yes")
    run(
        *(conda, "env", *verb, "--prefix", VENV, "--file", "environment.yml"),
        hint=f"{Path(conda).name} could not make the environment; its message is above.",
    )
    pip_install(VENV / ("python.exe" if os.name == "nt" else "bin/python"))


def main(arguments: list[str]) -> None:
    """Make the environment with the manager named on the command line, then wire the clone."""
    managers = {"uv": with_uv, "pip": with_pip, "conda": with_conda}
    if len(arguments) != 1 or arguments[0] not in managers:
        fail("usage: python3 tools/bootstrap.py uv|pip|conda")
    # An environment that is active in the caller's shell must not be taken for the project's own.
    os.environ.pop("VIRTUAL_ENV", None)
    ready = VENV / ".ready"
    # The programs of an environment name their interpreter by its path: moved, they do not start.
    if ready.exists() and ready.read_text(encoding="utf-8") != str(ROOT):
        print("setup: the project was moved, so its environment is made anew", flush=True)
        VENV.unlink() if VENV.is_symlink() else shutil.rmtree(VENV)
    managers[arguments[0]]()
    run(VENV / SCRIPTS / "nb", "setup", hint="the clone is not wired yet; the reason is above.")
    ready.write_text(str(ROOT), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        fail("interrupted; run it again to go on.")
