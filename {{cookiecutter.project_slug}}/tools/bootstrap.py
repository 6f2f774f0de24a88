"""Installer of the environment in `.venv`, run by `make setup`; then starts `nb setup`.

    python3 -I tools/bootstrap.py uv|pip|conda
    python3 -I tools/bootstrap.py --add-lines    # to files that were here before the project

The only tool that runs before anything is installed: standard library, any Python from 3.8 on.
The environment's own Python is the one that runs this file if it is new enough for the project,
else one that can be found. With -I no file beside this one stands for a module of Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
# The first uv that reads dependency groups and, for schedulers, which of them exclude each other.
OLDEST_UV = (0, 5, 3)
# The parts of pyproject.toml that decide which versions a lock file holds.
# Missing where a package index has the tooling, instead of this folder.
TOOLING = ROOT / "tools" / "pyproject.toml"
ASKED_FOR = r"^requires-python[^\n]*|^dependencies = \[.*?\]$|^\[dependency-groups\]$.*?(?=^\[|\Z)"
LOCK_HINT = "Run `make setup` on your machine and commit the lock file."

sys.path.insert(0, str(ROOT / "tools"))  # before any other `nb` that this Python may have
from nb import skipped, surroundings  # noqa: E402 - found there

sys.path.pop(0)


def is_locked() -> bool:
    """Return whether lock files must fit as they are: CI sets the variable, which is uv's own."""
    return os.environ.get("UV_LOCKED", "") not in ("", "0", "false")


def fail(sentence: str) -> NoReturn:
    """End with one sentence on standard error."""
    raise SystemExit(f"setup: {sentence}")


# Lines of pip about packages that come as they should, two or three for each of two hundred.
PIP_PACKAGES = ("Collecting ", "Processing ")
# The names of all packages follow, and then nothing until each is unpacked and compiled.
INSTALLING = re.compile(r"^(Installing collected packages):.*\n")
PIP_STEPS = (
    *("  Downloading ", "  Using cached ", "  Preparing metadata", "  Getting requirements"),
    *("  Installing build dep", "Successfully ", "Requirement already "),
    *("Looking in indexes", "Ignoring ", "Using cached ", "Downloading ", "Building wheel"),
)


def run(
    *command: str | Path,
    hint: str | Callable[[], str],
    hide: str | tuple[str, ...] = "\0",
    counted: str | tuple[str, ...] = (),
) -> None:
    """Run a command at the project's root; on failure end with the hint, below what it printed.

    Args:
        command: the words of the command.
        hint: the next step after a failure, or a function that finds it out.
        hide: begins of the lines that are left out: of standard error, or of all with `counted`.
        counted: begins of the lines for packages, in place of which a line of their number grows.
    """
    print("setup: " + " ".join(str(part) for part in command), flush=True)
    words = [str(part) for part in command]
    stdout, stderr = (subprocess.PIPE, subprocess.STDOUT) if counted else (None, subprocess.PIPE)
    number = 0
    try:
        with subprocess.Popen(
            words, cwd=ROOT, stdout=stdout, stderr=stderr, encoding="utf-8", errors="replace"
        ) as process:
            for line in process.stdout or process.stderr or ():
                if line.startswith(counted):
                    number += 1
                    line = f"\rsetup: {number} packages to install"
                elif line.startswith(hide):
                    continue
                else:
                    line = INSTALLING.sub(r"\1; a minute or two\n", line)
                    line, number = ("\n" if number else "") + line, 0
                sys.stderr.write(line)
                sys.stderr.flush()
    except OSError as error:
        if callable(hint):
            fail(hint())
        fail(f"{words[0]} does not start ({error.strerror}): {hint}")
    if number:
        print(file=sys.stderr)
    if process.returncode:
        fail(hint() if callable(hint) else hint)


def required_python() -> tuple[int, int]:
    """Read the oldest Python that the project supports from `requires-python`."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    found = re.search(r'^requires-python\s*=\s*["\'].*?>=\s*(\d+)\.(\d+)', text, re.M)
    if found is None:
        fail(f"pyproject.toml: requires-python must name a version, like '>=3.11'.{lines_hint()}")
    return int(found[1]), int(found[2])


def lines_hint() -> str:
    """Return a sentence about lines that a pyproject.toml of before the project lacks, or none."""
    reason = skipped.incomplete(ROOT).get(skipped.PYPROJECT_FILE)
    if reason:
        return f" It {reason}"
    lacks = skipped.PYPROJECT_FILE in skipped.additions(ROOT)
    return f" pyproject.toml lacks lines: python3 -I {sys.argv[0]} --add-lines" if lacks else ""


def said(*command: str | Path) -> str:
    """Return the standard output of a command; empty if the command fails."""
    words = [str(part) for part in command]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, encoding="utf-8")
    except (OSError, UnicodeError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def version_of(python: str | Path, module: str = "sys") -> tuple[int, ...]:
    """Return an interpreter's version; an empty tuple if it does not run, or lacks a module.

    An interrupted set-up leaves an interpreter without pip.
    """
    code = f"import sys, {module}; print(*sys.version_info[:2])"
    numbers = said(python, "-I", "-c", code).split()
    return tuple(map(int, numbers)) if all(map(str.isdigit, numbers)) else ()


def recorded_version() -> tuple[int, ...]:
    """Return the version of the environment's Python; an empty tuple if that is not there.

    The environment says so in a file, which costs nothing beside a start of Python.
    """
    config = VENV / "pyvenv.cfg"
    names = ("python", "python.exe")
    if not config.exists() or not any((VENV / SCRIPTS / name).exists() for name in names):
        return ()
    text = config.read_text(encoding="utf-8", errors="replace")
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+)\.(\d+)", text, re.M)
    return (int(found[1]), int(found[2])) if found else ()


def is_ours(path: str | Path) -> bool:
    """Return whether a program is part of the environment, which may be about to be made anew."""
    return VENV in Path(path).absolute().parents


def find_python(wanted: tuple[int, ...] | None = None) -> str | None:
    """Find an interpreter outside of the environment, new enough; None if there is none.

    Args:
        wanted: the oldest version that will do; by default that of the project.
    """
    wanted = wanted or required_python()
    # The environment's Python leads to the one that it was made from: by a link, or on Windows.
    base = getattr(sys, "_base_executable", "")
    candidates = [os.environ.get("UV_PYTHON"), sys.executable, os.path.realpath(sys.executable)]
    candidates += [base, "python3", "python"]
    candidates += [f"python{wanted[0]}.{minor}" for minor in range(wanted[1], wanted[1] + 5)]
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    outside = os.pathsep.join(folder for folder in folders if not is_ours(f"{folder}/python"))
    paths = (shutil.which(candidate, path=outside) for candidate in candidates if candidate)
    return next((p for p in paths if p and not is_ours(p) and version_of(p) >= wanted), None)


def make_venv(folder: Path, python: str) -> Path:
    """Make a virtual environment with the standard library; return its interpreter."""
    run(
        *(python, "-I", "-m", "venv", "--clear", folder),
        hint="no virtual environment could be made; on Debian and Ubuntu, install python3-venv.",
    )
    return folder / SCRIPTS / "python"


def find_uv() -> str | Path:
    """Find uv; where there is none that is new enough, install it for this project alone."""
    own = ROOT / ".uv" / SCRIPTS / ("uv.exe" if os.name == "nt" else "uv")
    installed = shutil.which("uv")
    candidates: list[str | Path] = [installed, own] if installed else [own]
    for uv in candidates:
        version = re.match(r"uv (\d+)\.(\d+)\.(\d+)", said(uv, "--version"))
        if version and tuple(map(int, version.groups())) >= OLDEST_UV:
            return uv
    oldest = ".".join(map(str, OLDEST_UV))
    if installed:
        print(f"setup: {installed} is no uv {oldest} or newer: one goes into .uv", flush=True)
    python = make_venv(ROOT / ".uv", find_python((3, 8)) or sys.executable)
    run(
        *(python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        f"uv>={oldest}",
        hint=f"uv could not be installed; install {oldest} or newer, then run this again.",
    )
    return own


def compiles_nothing() -> bool:
    """Return whether Python keeps no bytecode of imported modules, as in many images.

    Then the set-up compiles, as pip does anyway: each command would compile DVC anew, for seconds.
    """
    return bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))


def with_uv() -> None:
    """Install the versions of `uv.lock`, which uv writes first where there is none."""
    command: list[str | Path] = [find_uv(), "sync", *(["--locked"] if is_locked() else [])]
    if not recorded_version() >= required_python():
        python = None if os.environ.get("UV_PYTHON") else find_python()
        command += ["--python", python] if python else []
    command += ["--compile-bytecode"] if compiles_nothing() else []
    hint = "uv could not make the environment; its message is above."
    if is_locked():
        hint += f" If it is about uv.lock: {LOCK_HINT}"
    run(*command, hint=hint, hide=" + ")  # not a line for each of two hundred packages


def pip_install(python: Path) -> None:
    """Install the versions of `requirements.lock`, checked by hash, and the project with pip."""
    lock = ROOT / "requirements.lock"
    pip = (python, "-I", "-m", "pip", "--disable-pip-version-check")
    hint = (
        "pip could not install the project; its message is above. If it is about versions or "
        "hashes, delete requirements.lock, run this again and commit the new one."
    )
    make_lock("dev", lock, python)
    run(*pip, "install", "--quiet", "--upgrade", "pip>=25.1", hint=hint)
    locked = ("--require-hashes", "--no-deps", "--requirement", lock)
    if sys.stdout.isatty():
        # It takes minutes, in which a person wants to see that something happens.
        steps = ("--progress-bar", "off")
        run(*pip, "install", *steps, *locked, hint=hint, hide=PIP_STEPS, counted=PIP_PACKAGES)
    else:
        run(*pip, "install", "--quiet", *locked, hint=hint)
    ours = ("-e", "tools", "-e", ".") if TOOLING.exists() else ("-e", ".")
    run(*pip, "install", "--quiet", "--no-deps", *ours, hint=hint)


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
    pip = [str(python), "-I", "-m", "pip", "config", "get", "global.index-url"]
    index = os.environ.get("PIP_INDEX_URL") or said(*pip).strip()
    if index:
        os.environ.setdefault("UV_DEFAULT_INDEX", index)
    asked = ("pyproject.toml", "--group", group) if group == "dev" else ("--group", group)
    options = ("--universal", "--generate-hashes", "--no-header", "--no-annotate", "--quiet")
    bundled = ("--no-emit-package", "nb-tools") if TOOLING.exists() else ()
    version = ".".join(map(str, required_python()))
    run(
        *(find_uv(), "pip", "compile", *asked, *options, *bundled),
        *("--python-version", version, "--output-file", lock.name),
        hint=f"{lock.name} could not be written; uv's message is above.",
    )
    lock.write_text(first + lock.read_text(encoding="utf-8"), encoding="utf-8", newline="\n")


def _asked_for() -> str:
    """Return a hash of the requirements that decide the versions in a lock file."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8", errors="replace")
    parts = re.findall(ASKED_FOR, text, re.M | re.S)
    text = "".join(parts) + (TOOLING.read_text(encoding="utf-8") if TOOLING.exists() else "")
    return hashlib.sha256(text.encode()).hexdigest()


def with_pip() -> None:
    """Install into a virtual environment with nothing but Python's own tools."""
    python = VENV / SCRIPTS / "python"
    if not version_of(python, "pip") >= required_python():
        base = find_python()
        if base is None:
            wanted = ".".join(map(str, required_python()))
            fail(f"Python {wanted} or newer was not found; install it, then run this again.")
        python = make_venv(VENV, base)
    pip_install(python)


def with_conda() -> None:
    """Install Python and binary packages with conda, the project itself with pip."""
    # conda and micromamba may be functions of the shell, which say in a variable where they are. On
    # some CI machines only CONDA is set, the folder.
    variables = [os.environ[name] for name in ("CONDA_EXE", "MAMBA_EXE") if os.environ.get(name)]
    names = [*variables, "conda", "mamba", "micromamba"]
    if os.environ.get("CONDA"):
        names.append(str(Path(os.environ["CONDA"], SCRIPTS, "conda")))
    conda = next(filter(None, map(shutil.which, names)), None)
    if conda is None:
        fail("none of conda, mamba and micromamba was found; install one, then run this again.")
    verb = ("update",) if (VENV / "conda-meta").is_dir() else ("create", "--yes")
    run(
        *(conda, "env", *verb, "--prefix", VENV, "--file", "environment.yml"),
        hint=f"{Path(conda).name} could not make the environment; its message is above.",
    )
    python = VENV / ("python.exe" if os.name == "nt" else "bin/python")
    if not version_of(python) >= required_python():
        fail(f"{Path(conda).name} ended well, but made no Python for the project in .venv.")
    pip_install(python)


def require_git() -> None:
    """End if Git is missing: better now than in minutes. Tell of a repository that is shared."""
    if not shutil.which("git"):
        fail(surroundings.NO_GIT)
    top = surroundings.find_repository(ROOT)
    if top and top != ROOT:
        print("setup: " + surroundings.SHARED.format(root=ROOT, top=top), flush=True)


def remove_moved() -> None:
    """Remove the environment of a project that was moved or copied.

    Its programs name their interpreter by its path, so they do not start, or start another's.
    """
    ready = VENV / ".ready"
    if not ready.exists() or ready.read_bytes() == os.fsencode(ROOT):
        return
    if is_ours(os.__file__):  # conda: this Python would remove its own modules
        python = find_python((3, 8))
        if python is None:
            fail("the project was moved: run make setup with another Python, PYTHON=/path/to/it.")
        raise SystemExit(subprocess.call([python, "-I", __file__, *sys.argv[1:]]))
    print("setup: the project was moved, so its environment is made anew", flush=True)
    VENV.unlink() if VENV.is_symlink() else shutil.rmtree(VENV)


def refuse_foreign_python() -> None:
    """End if the Python in .venv is another's, such as the system's: installers would change it."""
    is_environment = (VENV / "pyvenv.cfg").exists() or (VENV / "conda-meta").is_dir()
    has_python = any((VENV / SCRIPTS / name).exists() for name in ("python", "python.exe"))
    if has_python and not is_environment:
        fail("the Python in .venv is not the project's own: remove .venv, then run this again.")


def unwired(manager: str, python: Path) -> str:
    """Return why `nb setup` failed, the next step, or where the reason is."""
    if version_of(python, "nb") >= required_python():
        return "the clone is not wired yet; the reason is above."
    wanted = ".".join(map(str, required_python()))
    lacks = f".venv holds no Python {wanted} with the command nb"
    return f"{manager} ended well, but {lacks}.{lines_hint()}"


def main(arguments: list[str]) -> None:
    """Make the environment with the manager named on the command line, then wire the clone."""
    if arguments == ["--add-lines"]:
        for name in skipped.add_missing(ROOT):
            print(f"setup: added lines to {name}")
        for name, reason in skipped.incomplete(ROOT).items():
            print(f"setup: {name} {reason}")
        return
    managers = {"uv": with_uv, "pip": with_pip, "conda": with_conda}
    if len(arguments) != 1 or arguments[0] not in managers:
        fail("usage: python3 -I tools/bootstrap.py uv|pip|conda")
    surroundings.forget_installers(os.environ)
    require_git()
    remove_moved()
    refuse_foreign_python()
    managers[arguments[0]]()
    python = VENV / ("python.exe" if (VENV / "python.exe").exists() else f"{SCRIPTS}/python")
    if compiles_nothing():
        said(python, "-I", "-m", "compileall", "-q", ROOT / "tools" / "nb")
    run(VENV / SCRIPTS / "nb", "setup", hint=lambda: unwired(arguments[0], python))
    (VENV / ".ready").write_bytes(os.fsencode(ROOT))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        fail("interrupted; run it again to go on.")
