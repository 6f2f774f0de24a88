"""Health of the Git repository: identity, locks, attributes, wiring, and the index."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from nb.declaration.reader import FILE, LOCK
from nb.git import filter, index, verify, wiring
from nb.git.attributes import attributes
from nb.git.command import git, git_dir, git_list
from nb.project import PRODUCTION
from nb.surroundings import find_repository
from nb.wording import enumerated

from .diagnosis import WIRE, Diagnosis, HealthCheck

# Files of the kinds that a clone must be able to add.
NEVER_IGNORED = (
    *(FILE, LOCK, "uv.lock", "requirements.lock", "pyproject.toml", ".gitattributes"),
    *(".dvc/config", "config/any.yaml", "data/raw/any.csv.dvc", "models/any.bin.dvc"),
    *("notebooks/exploratory/any.ipynb", "notebooks/production/any.ipynb", "src/any.py"),
    *("reports/metrics/any.json", "tests/test_any.py"),
)
# The attributes of notebooks, as .gitattributes has them.
GIT_ATTRIBUTES = {"filter": "nbstripout", "diff": "notebook", "merge": "notebook"}


def _git_repository(root: Path) -> Diagnosis:
    if not find_repository(root):
        return Diagnosis("Git repository", "there is none here", repair=WIRE, is_safe=True)
    return Diagnosis("Git repository", detail=git(root, "rev-parse", "--git-dir").strip())


def _git_locks(root: Path) -> Diagnosis:
    """Look for lock files of Git: each stops every command that writes the locked file."""
    folders = {Path(git(root, "rev-parse", "--absolute-git-dir").strip()), git_dir(root)}
    paths = (p for f in folders for p in (*f.glob("*.lock"), *(f / "refs").rglob("*.lock")))
    found = sorted({path.resolve() for path in paths})
    if not found:
        return Diagnosis("Git's lock files", detail="none is left behind")
    names = " ".join(shlex.quote(os.path.relpath(path, root)) for path in found)
    problem = f"{names} is there: a Git command runs at this moment, or one was killed"
    return Diagnosis("Git's lock files", problem, repair=f"rm {names}")


def _identity(root: Path) -> Diagnosis:
    if os.environ.get("CI"):
        return Diagnosis("Git identity", detail="not needed in CI")
    for role in ("user.name", "user.email"):
        variable = f"GIT_AUTHOR_{role.removeprefix('user.').upper()}"
        if not git(root, "config", role, check=False).strip() and not os.environ.get(variable):
            command = f'git config --global {role} "…"'
            return Diagnosis(
                "Git identity", f"{role} is not set: commits will fail", repair=command
            )
    return Diagnosis("Git identity", detail=git(root, "config", "user.email", check=False).strip())


def _edits_seen(root: Path) -> Diagnosis:
    """Look for files whose edits Git was told to overlook."""
    # Of a sparse checkout, the files that are not to be here have the mark, too.
    entries = git_list(root, "ls-files", "-v", "-z")
    tagged = (entry[2:] for entry in entries if entry[:1] == "S" or entry[:1].islower())
    hidden = [name for name in tagged if (root / name).exists()]
    if not hidden:
        return Diagnosis("edits", detail="Git sees those of every file")
    problem = f"Git overlooks edits of {enumerated(hidden)} (skip-worktree or assume-unchanged)"
    names = shlex.join(hidden)
    command = f"git update-index --no-skip-worktree -- {names}"
    return Diagnosis(
        "edits", problem, repair=f"{command} && git update-index --no-assume-unchanged -- {names}"
    )


def _ignored(root: Path) -> Diagnosis:
    """Look for settings, most often of this person, that keep files of the project out of Git."""
    options = ("--no-index", "--verbose", "-z", "--stdin")
    fields = git_list(root, "check-ignore", *options, check=False, stdin=NEVER_IGNORED)
    rows = zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    for source, line, pattern, name in rows:
        # Other entries of the project's own file are the team's choice.
        is_teams = Path(source).name == ".gitignore" and name not in (FILE, LOCK)
        if is_teams or pattern.startswith("!"):
            continue
        problem = f"{source}, line {line} ({pattern}), keeps files such as {name} out of Git"
        # DVC takes the person's file for the last word: no line in another file helps.
        command = 'git config --local core.excludesFile ""'
        if _is_below(root, source):
            command = f"edit {source}: delete line {line}"
        return Diagnosis("ignored files", problem, repair=command)
    return Diagnosis("ignored files", detail="none but those of the project's .gitignore")


def _is_below(root: Path, source: str) -> bool:
    top = find_repository(root) or root
    return top.resolve() in (top / source).resolve().parents


def _attributes(root: Path) -> Diagnosis:
    """Ask Git which attributes notebooks have; name the file that gives them others."""
    tracked = [name for name in git_list(root, "ls-files", "-z") if _is_source(name)]
    rows = attributes(root, [f"{PRODUCTION}/any.ipynb", *tracked], *GIT_ATTRIBUTES)
    lost = [(name, key) for name, key, value in rows if GIT_ATTRIBUTES[key] != value]
    if not lost:
        return Diagnosis(
            ".gitattributes", detail="notebooks are filtered, diffed and merged as such"
        )
    name = lost[0][0]
    keys = " and the ".join(key for other, key in lost if other == name)
    for path in (wiring.local_attributes(root), *_nested_attributes(root, name)):
        line = _overruling_line(path)
        if line:
            shown = Path(os.path.relpath(path, root)).as_posix()
            problem = f"{shown}, line {line}, takes the {keys} from {name}"
            is_nbstripouts = wiring.NBSTRIPOUT_LINES & set(map(str.strip, _lines(path)))
            if is_nbstripouts and path == wiring.local_attributes(root):
                return Diagnosis(".gitattributes", problem, repair=WIRE, is_safe=True)
            return Diagnosis(".gitattributes", problem, repair=f"edit {shown}: delete line {line}")
    problem = f".gitattributes no longer names the {keys} of notebooks"
    wanted = "*.ipynb " + " ".join(f"{key}={value}" for key, value in GIT_ATTRIBUTES.items())
    if wanted in git(root, "show", "HEAD:./.gitattributes", check=False).splitlines():
        return Diagnosis(".gitattributes", problem, repair="git checkout HEAD -- .gitattributes")
    return Diagnosis(
        ".gitattributes", problem, repair=f"edit .gitattributes: add the line {wanted}"
    )


def _is_source(name: str) -> bool:
    """Return whether a file is a notebook that people write; executed copies keep their outputs."""
    return name.endswith(".ipynb") and not name.startswith("reports/")


def _nested_attributes(root: Path, name: str) -> list[Path]:
    """Return the `.gitattributes` that may overrule the project's for a file, the nearest first."""
    folders = Path(name).parents
    return [root / folder / ".gitattributes" for folder in folders if folder != Path()]


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", errors="replace").splitlines() if path.is_file() else []


def _overruling_line(path: Path) -> int | None:
    """Return the number of the last line that gives notebooks other attributes."""
    for number, line in reversed(list(enumerate(_lines(path), 1))):
        attributes = [re.sub(r"^[-!]", "", word).partition("=")[0] for word in line.split()[1:]]
        if not line.startswith("#") and {*GIT_ATTRIBUTES, "binary"} & set(attributes):
            return number
    return None


def _wired(root: Path, name: str, prefix: str, consequence: str) -> Diagnosis:
    missing = [key for key in wiring.missing_wiring(root) if key.startswith(prefix)]
    if missing:
        problem = f"{missing[0]} is not set as it must be: {consequence}"
        return Diagnosis(name, problem, repair=WIRE, is_safe=True)
    return Diagnosis(name, detail="connected")


def _notebook_filter(root: Path) -> Diagnosis:
    finding = _wired(root, "notebook filter", "filter.", "outputs would be committed")
    if finding.problem or filter.is_installed(git_dir(root), root / "tools"):
        return finding
    problem = "its files in the .git folder are missing or outdated"
    return Diagnosis("notebook filter", problem, repair=WIRE, is_safe=True)


def _notebook_diff(root: Path) -> Diagnosis:
    return _wired(root, "notebook diff", "diff.", "git diff shows JSON")


def _merge_drivers(root: Path) -> Diagnosis:
    return _wired(root, "merge drivers", "merge.", "notebooks and dvc.lock merge line by line")


def _hooks(root: Path) -> Diagnosis:
    missing = wiring.missing_hooks(root)
    if missing and wiring.hooks_are_elsewhere(root):
        where = git(root, "config", "core.hooksPath", check=False).strip()
        problem = f"core.hooksPath points elsewhere, to {where}, so the project's hooks do not run"
        command = f"{wiring.hooks_path_command(root)} && {WIRE}"
        return Diagnosis("hooks", problem, repair=command)
    if missing:
        problem = f"the {' and the '.join(missing)} hook is not installed as nb setup does"
        return Diagnosis("hooks", problem, repair=WIRE, is_safe=True)
    return Diagnosis("hooks", detail="pre-commit and pre-push")


def _conflicts(root: Path) -> Diagnosis:
    conflicts = verify.find_conflicts(root, index.index_ids(root))
    for name, problem in conflicts.items():
        command = f"edit {name}: keep a side of each conflict, then git add {shlex.quote(name)}"
        return Diagnosis("notebook merges", problem, repair=command)
    return Diagnosis("notebook merges", detail="no notebook holds a conflict")


def _stripped(root: Path) -> Diagnosis:
    ids = index.index_ids(root)
    conflicts = verify.find_conflicts(root, ids)
    whole = {name: digest for name, digest in ids.items() if name not in conflicts}
    problems = verify.verify_notebooks(root, whole)
    if problems:
        problem = enumerated(line.split(": run")[0] for line in problems)
        return Diagnosis("notebooks in Git", problem, repair="git add --renormalize .")
    return Diagnosis("notebooks in Git", detail="all are as the filter writes them")


def _line_endings(root: Path) -> Diagnosis:
    listed = git(root, "ls-files", "--eol").splitlines()
    wrong = [
        line.split("\t")[1] for line in listed if re.match(r"i/(crlf|mixed)\s.*attr/text", line)
    ]
    if wrong:
        problem = f"{wrong[0]} is stored with Windows line endings"
        return Diagnosis("line endings", problem, repair="git add --renormalize .")
    return Diagnosis("line endings", detail="LF in Git")


GIT_CHECKS: tuple[HealthCheck, ...] = (
    *(_git_repository, _git_locks, _identity, _attributes, _notebook_filter, _notebook_diff),
    *(_merge_drivers, _hooks, _ignored, _edits_seen, _conflicts, _stripped, _line_endings),
)
