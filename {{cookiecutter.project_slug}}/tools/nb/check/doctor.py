"""Health checks of a clone: each names a problem and the command that repairs the clone."""

from __future__ import annotations

import json
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

from nb.git import filter, verify, wiring
from nb.git.wiring import git
from nb.notebook.content import production_notebooks
from nb.project import PRODUCTION, NbError, program
from nb.update import merging
from nb.update.provenance import newer_version, read_provenance, version_line

# Below this, a run of the pipeline is likely to end half-way.
LEAST_FREE_BYTES = 1_000_000_000
SETUP = "make setup"
WIRE = "nb setup"
PIPELINE, LOCK = "dvc.yaml", "dvc.lock"
# Files of the kinds that a clone must be able to add.
NEVER_IGNORED = (
    *(PIPELINE, LOCK, "uv.lock", "requirements.lock", "pyproject.toml", ".gitattributes"),
    *(".dvc/config", "config/any.yaml", "data/raw/any.csv.dvc", "models/any.bin.dvc"),
    *("notebooks/exploratory/any.ipynb", "notebooks/production/any.ipynb", "src/any.py"),
    *("reports/metrics/any.json", "tests/test_any.py"),
)
# The attributes of notebooks, as .gitattributes has them.
GIT_ATTRIBUTES = {"filter": "nbstripout", "diff": "notebook", "merge": "notebook"}


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check.

    Attributes:
        name: the thing that was checked.
        problem: the fault, in words; empty if there is none.
        detail: the observation of a check without a problem.
        repair: the command that removes the problem.
        is_safe: whether `nb doctor --fix` may run that command.
    """

    name: str
    problem: str = ""
    detail: str = ""
    repair: str = ""
    is_safe: bool = False


Check = Callable[[Path], Diagnosis]


def examine(root: Path) -> Iterator[Diagnosis]:
    """Yield the finding of every check, in an order in which they can be repaired."""
    for check in CHECKS:
        try:
            finding = check(root)
        except NbError as error:
            name = check.__name__.strip("_").replace("_", " ")
            finding = Diagnosis(name, str(error), repair=SETUP)
        yield finding
        if finding.name == "Git repository" and finding.problem:
            return  # the next checks read the environment


def repair(root: Path, findings: list[Diagnosis]) -> list[str]:
    """Run the commands that safely repair the findings; return those that were run.

    Raises:
        NbError: if a command fails.
    """
    commands = dict.fromkeys(f.repair for f in findings if f.problem and f.is_safe)
    for command in commands:
        if command == WIRE:
            wiring.wire(root)
        elif subprocess.call(_portable(root, command), cwd=root):
            raise NbError(f"{command} failed; its message is above.")
    return list(commands)


def _portable(root: Path, command: str) -> list[str]:
    """Return the commands of a Makefile task, for machines without make."""
    if command != SETUP:
        name, *arguments = command.split()
        return [program(name), *arguments]
    found = re.search(r"^ENVIRONMENT := (\w+)", (root / "Makefile").read_text("utf-8"), re.M)
    base = getattr(sys, "_base_executable", sys.executable)
    return [base, "-I", "tools/bootstrap.py", found[1] if found else "uv"]


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
    installed = {_normal(d.name): d.version for d in metadata.distributions()}
    wrong = [
        f"{name} {version} instead of {' or '.join(sorted(locked[name]))}"
        for name, version in sorted(installed.items())
        if name in locked and version not in locked[name]
    ]
    missing = [f"{name} missing" for name in _declared(root) if name not in installed]
    if wrong or missing:
        problem = f"not what the lock file says: {', '.join([*missing, *wrong][:3])}"
        return Diagnosis("environment", problem, repair=SETUP, is_safe=True)
    return Diagnosis("environment", detail=f"{len(installed)} packages as locked")


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


def _kernel(root: Path) -> Diagnosis:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Diagnosis("kernel", "there is no kernel python3", repair=SETUP, is_safe=True)
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    is_ours = spec.argv[0] in ("python", "python3") or Path(program).parent == _programs()
    if not is_ours:
        problem = f"the kernel python3 is {spec.argv[0]}, which is not the project's Python"
        repair_line = f"jupyter kernelspec remove python3  # it is in {spec.resource_dir}"
        return Diagnosis("kernel", problem, repair=repair_line)
    return Diagnosis("kernel", detail="python3 is the project's own")


def _programs() -> Path:
    return Path(sys.executable).parent


def _git_repository(root: Path) -> Diagnosis:
    if not (root / ".git").exists():
        return Diagnosis("Git repository", "there is none here", repair=WIRE, is_safe=True)
    return Diagnosis("Git repository", detail=git(root, "rev-parse", "--git-dir").strip())


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


def _git_locks(root: Path) -> Diagnosis:
    """Look for lock files of Git: each stops every command that writes the locked file."""
    folders = {Path(git(root, "rev-parse", "--absolute-git-dir").strip()), wiring.git_dir(root)}
    paths = (p for f in folders for p in (*f.glob("*.lock"), *(f / "refs").rglob("*.lock")))
    found = sorted({path.resolve() for path in paths})
    if not found:
        return Diagnosis("Git's lock files", detail="none is left behind")
    names = " ".join(shlex.quote(os.path.relpath(path, root)) for path in found)
    problem = f"{names} is there: a Git command runs at this moment, or one was killed"
    return Diagnosis("Git's lock files", problem, repair=f"rm {names}")


def _edits_seen(root: Path) -> Diagnosis:
    """Look for files whose edits Git was told to overlook."""
    # Of a sparse checkout, the files that are not to be here have the mark, too.
    entries = git(root, "ls-files", "-v", "-z").split("\0")
    tagged = (entry[2:] for entry in entries if entry[:1] == "S" or entry[:1].islower())
    hidden = [name for name in tagged if (root / name).exists()]
    if not hidden:
        return Diagnosis("edits", detail="Git sees those of every file")
    more = f" and {len(hidden) - 1} more" if len(hidden) > 1 else ""
    problem = f"Git overlooks edits of {hidden[0]}{more} (skip-worktree or assume-unchanged)"
    names = shlex.join(hidden)
    command = f"git update-index --no-skip-worktree -- {names}"
    return Diagnosis(
        "edits", problem, repair=f"{command} && git update-index --no-assume-unchanged -- {names}"
    )


def _ignored(root: Path) -> Diagnosis:
    """Look for settings, most often of this person, that keep files of the project out of Git."""
    listed = "".join(f"{name}\0" for name in NEVER_IGNORED)
    options = ("--no-index", "--verbose", "-z", "--stdin")
    fields = git(root, "check-ignore", *options, check=False, stdin=listed).split("\0")
    rows = zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False)
    for source, line, pattern, name in rows:
        # Other entries of the project's own file are the team's choice.
        is_teams = Path(source).name == ".gitignore" and name not in (PIPELINE, LOCK)
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
    return root.resolve() in (root / source).resolve().parents


def _attributes(root: Path) -> Diagnosis:
    """Ask Git which attributes notebooks have; name the file that gives them others."""
    tracked = [name for name in git(root, "ls-files", "-z").split("\0") if _is_source(name)]
    names = [f"{PRODUCTION}/any.ipynb", *tracked]
    listed = "".join(f"{name}\0" for name in names)
    fields = git(root, "check-attr", "-z", "--stdin", *GIT_ATTRIBUTES, stdin=listed).split("\0")
    rows = zip(fields[::3], fields[1::3], fields[2::3], strict=False)
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
    if wanted in git(root, "show", "HEAD:.gitattributes", check=False).splitlines():
        return Diagnosis(".gitattributes", problem, repair="git checkout HEAD -- .gitattributes")
    return Diagnosis(
        ".gitattributes", problem, repair=f"edit .gitattributes: add the line {wanted}"
    )


def _is_source(name: str) -> bool:
    """Tell whether a file is a notebook that people write; executed copies keep their outputs."""
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
    if finding.problem or filter.is_installed(wiring.git_dir(root)):
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


def _production(root: Path) -> Diagnosis:
    """Read every production notebook: a write that was cut short leaves half of one."""
    notebooks = production_notebooks(root / PRODUCTION)
    for path in notebooks:
        try:
            is_notebook = isinstance(json.loads(path.read_bytes())["cells"], list)
        except (ValueError, KeyError, TypeError, RecursionError):
            is_notebook = False
        if not is_notebook:
            name = path.relative_to(root).as_posix()
            problem = f"{name} is not a notebook that can be read"
            stored = git(root, "ls-files", "--", name).strip()
            command = f"git checkout HEAD -- {shlex.quote(name)}"
            return Diagnosis(
                "notebooks", problem, repair=command if stored else f"repair or delete {name}"
            )
    return Diagnosis("notebooks", detail=f"{len(notebooks)} for production can be read")


def _conflicts(root: Path) -> Diagnosis:
    conflicts = verify.find_conflicts(root, verify.index_ids(root))
    for name, problem in conflicts.items():
        command = f"edit {name}: keep a side of each conflict, then git add {shlex.quote(name)}"
        return Diagnosis("notebook merges", problem, repair=command)
    return Diagnosis("notebook merges", detail="no notebook holds a conflict")


def _stripped(root: Path) -> Diagnosis:
    ids = verify.index_ids(root)
    conflicts = verify.find_conflicts(root, ids)
    whole = {name: digest for name, digest in ids.items() if name not in conflicts}
    problems = verify.verify_notebooks(root, whole)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        command = "git add --renormalize ."
        return Diagnosis("notebooks in Git", problems[0].split(": run")[0] + more, repair=command)
    return Diagnosis("notebooks in Git", detail="none holds outputs")


def _line_endings(root: Path) -> Diagnosis:
    listed = git(root, "ls-files", "--eol").splitlines()
    wrong = [
        line.split("\t")[1] for line in listed if re.match(r"i/(crlf|mixed)\s.*attr/text", line)
    ]
    if wrong:
        problem = f"{wrong[0]} is stored with Windows line endings"
        return Diagnosis("line endings", problem, repair="git add --renormalize .")
    return Diagnosis("line endings", detail="LF in Git")


def _pipeline(root: Path) -> Diagnosis:
    from nb.declaration.reader import undeclared_notebooks
    from nb.git.merge_lock import marked
    from nb.pipeline import check_pipeline

    in_conflict = marked(root)
    if in_conflict:
        problem = f"{in_conflict[0]} holds the marks of a merge conflict"
        return Diagnosis("pipeline", problem, repair="nb resolve", is_safe=True)
    try:
        count = check_pipeline(root)
        lost = undeclared_notebooks(root)
    except NbError as error:
        if "git-ignored" in str(error):  # DVC reads none that are; `_ignored` says by which line
            return Diagnosis("pipeline", detail="not known while Git ignores its files")
        return Diagnosis("pipeline", str(error), repair=_pipeline_repair(root, str(error)))
    if lost:
        problem = f"no stage of dvc.yaml runs {lost[0]}"
        return Diagnosis("pipeline", problem, repair="edit dvc.yaml")
    return Diagnosis("pipeline", detail=f"{count} stages")


def _pipeline_repair(root: Path, problem: str) -> str:
    """Return the repair of the broken file: the lock is DVC's, dvc.yaml a person's."""
    if LOCK not in problem:
        return "edit dvc.yaml"
    stored = git(root, "show", f"HEAD:{LOCK}", check=False)
    return f"git checkout HEAD -- {LOCK}" if stored else f"rm {LOCK}"


def _storage(root: Path) -> Diagnosis:
    from nb.pipeline.storage import exposed, problem

    url, trouble = problem(root)
    trouble = exposed(root) or trouble
    if trouble:
        return Diagnosis("DVC storage", trouble.what, repair=trouble.repair)
    return Diagnosis("DVC storage", detail=url)


def _data(root: Path) -> Diagnosis:
    from nb.pipeline import missing_data

    try:
        missing = missing_data(root)
    except NbError:
        return Diagnosis("data", detail="not known while the pipeline cannot be read")
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        problem = f"{missing[0]}{more} is named in dvc.lock, but not here"
        return Diagnosis("data", problem, repair="nb pull", is_safe=True)
    return Diagnosis("data", detail="all that dvc.lock names is here")


def _template(root: Path) -> Diagnosis:
    """Name the version of the template, and an update that waits for its conflicts."""
    if merging.read_state(root):
        problem = "an update of the template is not finished"
        return Diagnosis("template", problem, repair="nb update --continue")
    known = read_provenance(root)
    newer = newer_version(root, known) if known else ""
    detail = version_line(root) + (f"; newer: {newer}, nb update" if newer else "")
    return Diagnosis("template", detail=detail)


def _disk(root: Path) -> Diagnosis:
    free = shutil.disk_usage(root).free
    text = f"{free / 1e9:.1f} GB free"
    problem = f"only {text}" if free < LEAST_FREE_BYTES else ""
    return Diagnosis("disk space", problem, detail=text, repair="dvc gc --workspace")


CHECKS: tuple[Check, ...] = (
    *(_python, _environment, _kernel, _git_repository, _git_locks, _identity, _attributes),
    *(_notebook_filter, _notebook_diff, _merge_drivers, _hooks, _ignored, _edits_seen),
    *(_conflicts, _stripped, _line_endings, _production, _pipeline, _storage, _data, _disk),
    _template,
)
