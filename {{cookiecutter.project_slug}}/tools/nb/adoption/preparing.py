"""Adoption carried out and committed in a clone of the project, which itself is not touched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.check.health.repository import NEVER_IGNORED
from nb.check.runner import check_paths
from nb.git import index, verify, wiring
from nb.git.command import commit_hash, git, git_list
from nb.git.credentials import find_credentials
from nb.programs import run_program, uv_programs
from nb.project import PYPROJECT, NbError, UsageError, write_whole
from nb.wording import count
from nb.workcopy.copying import copy_file

from .merged_texts import with_dependencies, with_excluded_files, with_ignores, with_readme
from .plan import AdoptionPlan
from .tidying import tidy_code

UV_LOCK = "uv.lock"
UNCOMMITTED = (
    "there are uncommitted changes ({}); commit or stash them, so that one command undoes \
the adoption."
)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class PreparedAdoption:
    """An adoption that is ready in a clone.

    Attributes:
        clone: the root of the clone.
        commit: the commit that the project shall get.
        base: the commit that the project has.
    """

    clone: Path
    commit: str
    base: str


def require_clean(root: Path) -> str:
    """Return the commit of the project.

    Raises:
        NbError: if the project has no commit, or anything that is not committed (exit code 2).
    """
    base = commit_hash(root, "HEAD")
    if not base:
        raise UsageError("the project has no commit yet: git add --all && git commit")
    if changed := index.uncommitted(root):
        raise UsageError(UNCOMMITTED.format(changed[0]))
    return base


@contextmanager
def prepared_adoption(
    root: Path, plan: AdoptionPlan, tell: Tell, *, history: bool
) -> Iterator[PreparedAdoption]:
    """Carry out a plan in a clone of the project and commit the result there.

    Args:
        root: the project's root; nothing in it changes.
        plan: the plan; files that a commit may not hold are moved to `left`.
        tell: called with a line about each step.
        history: make the history of the adopted repository part of the commit's.
    """
    base = require_clean(root)
    with TemporaryDirectory(prefix="nb-adopt-", ignore_cleanup_errors=True) as name:
        clone = Path(name).resolve() / root.name
        git(root, "clone", "--quiet", "--shared", "--no-tags", str(root), str(clone))
        _connect(root, clone)
        _write_files(clone, plan)
        _keep_data(clone, plan, tell)
        _merge_texts(clone, plan)
        python = [plan.names[name] for name, book in plan.notebooks.items() if book.is_python]
        unreadable = tidy_code(clone, [*python, *plan.modules.values()])
        text = (clone / PYPROJECT).read_text(encoding="utf-8")
        write_whole(clone / PYPROJECT, with_excluded_files(text, unreadable))
        _leave_out(clone, plan)
        _declare(root, clone, plan, tell)
        yield PreparedAdoption(clone, _commit(clone, plan, history=history), base)


def _connect(root: Path, clone: Path) -> None:
    """Give the clone the project's filters, cache and identity."""
    wiring.wire(clone)
    for key in ("user.name", "user.email"):
        value = git(root, "config", key, check=False).strip()
        if value:
            git(clone, "config", key, value)
    said = run_program(root, "dvc", "cache", "dir").stdout.strip()
    cache = json.dumps(said or str(root / ".dvc" / "cache"))
    config = f"[core]\n    no_scm = true\n    analytics = false\n[cache]\n    dir = {cache}\n"
    (clone / ".dvc" / "config.local").write_text(config, encoding="utf-8")


def _write_files(clone: Path, plan: AdoptionPlan) -> None:
    for old, new in plan.names.items():
        write_whole(clone / new, plan.rewritten(old).text().encode("utf-8", "surrogatepass"))
    for old, new in plan.modules.items():
        write_whole(clone / new, plan.module_text(old))
    for old, new in plan.data.items():
        copy_file(plan.origin.folder / old, clone / new)
    make_folders(clone, plan)
    inside = plan.origin.inside
    if inside is not None:
        tracked = set(git_list(clone, "ls-files", "-z", "--", inside))
        for old in plan.moves:
            path = f"{inside}/{old}" if inside != "." else old
            if path in tracked:
                (clone / path).unlink()


def make_folders(root: Path, plan: AdoptionPlan) -> None:
    """Make the folders that notebooks write into, as they were there before."""
    for new in plan.relocation.moved.values():
        (root / new).parent.mkdir(parents=True, exist_ok=True)


def _keep_data(clone: Path, plan: AdoptionPlan, tell: Tell) -> None:
    """Put inputs under DVC; files that a notebook makes again are not versioned."""
    kept = [plan.data[name] for name in plan.data if name not in plan.made]
    if not kept:
        return
    tell(f"keeping {count(len(kept), 'data file')} with DVC")
    done = run_program(clone, "dvc", "add", "--quiet", *kept)
    if done.returncode:
        raise NbError(f"DVC: {' '.join(done.stderr.split())}; nothing was changed.")


def _merge_texts(clone: Path, plan: AdoptionPlan) -> None:
    label, folder = plan.origin.label, plan.origin.folder
    if plan.origin.inside is not None:
        return
    for name in plan.contents.documents:
        theirs = (folder / name).read_text(encoding="utf-8", errors="replace")
        if name == ".gitignore":
            _merge_ignores(clone, plan, theirs)
        elif name.lower().startswith("readme"):
            readme = clone / "README.md"
            old = readme.read_text(encoding="utf-8") if readme.exists() else ""
            write_whole(readme, with_readme(old, theirs, label))
        else:
            # Their code stays under their licence, whatever that of the project is.
            write_whole(clone / f"LICENSE-{label}", theirs)


def _merge_ignores(clone: Path, plan: AdoptionPlan, theirs: str) -> None:
    """Take the patterns that hide nothing that the project must be able to add."""
    path = clone / ".gitignore"
    before = path.read_text(encoding="utf-8")
    needed = [*NEVER_IGNORED, *plan.names.values(), *plan.modules.values()]
    text = before
    for line in theirs.splitlines():
        candidate = with_ignores(text, line, plan.origin.label) if text == before else ""
        candidate = candidate or with_ignores(text, line, "").replace("\n\n# Of .\n", "\n")
        write_whole(path, candidate)
        command = ("check-ignore", "--no-index", "--stdin", "-z")
        hidden = git_list(clone, *command, check=False, stdin=needed)
        text = text if hidden else candidate
    write_whole(path, text)


def _leave_out(clone: Path, plan: AdoptionPlan) -> None:
    """Leave out the files that the commit hooks would refuse."""
    git(clone, "add", "--all")
    ids = index.index_ids(clone)
    added = {name: ids[name] for name in plan.moves.values() if name in ids}
    reasons = find_credentials(clone, added)
    notebooks = {name: ids[name] for name in plan.names.values()}
    reasons += verify.verify_notebooks(clone, notebooks)
    checked = check_paths(clone, [clone / name for name in notebooks]).findings
    reasons += [f"{f.path}: {f.code} {f.message}" for f in checked]
    for old, new in plan.moves.items():
        reason = next((each for each in reasons if new in each), "")
        if reason:
            plan.leave(old, reason.replace(new, "").strip(" :"))
            (clone / new).unlink()
    if not plan.names:
        reason = next(iter(plan.left.values()))
        raise NbError(f"no notebook can be committed: {reason}; nothing was changed.")


def _declare(root: Path, clone: Path, plan: AdoptionPlan, tell: Tell) -> None:
    """Add the dependencies and lock them; without versions, if those do not fit together."""
    before = (clone / PYPROJECT).read_text(encoding="utf-8")
    asked = plan.requested.requirements
    uv = next(iter(uv_programs(root)), "")
    for attempt in (asked, {name: name for name in asked}, {}):
        text = with_dependencies(before, attempt, plan.origin.label)
        write_whole(clone / PYPROJECT, text)
        if text == before or not uv or not (clone / UV_LOCK).exists():
            break
        tell(f"locking {len(attempt)} dependencies")
        if _run_uv(uv, clone):
            break
        tell("they do not fit this Python or each other")
    plan.requested.requirements = attempt
    if asked and not attempt:
        for requirement in asked.values():
            plan.requested.left_out[requirement] = "cannot be locked; try it alone: uv add"


def _run_uv(uv: str, clone: Path) -> bool:
    words = [uv, "lock", "--quiet", "--python", sys.executable]
    return subprocess.run(words, cwd=clone, capture_output=True).returncode == 0


def _commit(clone: Path, plan: AdoptionPlan, *, history: bool) -> str:
    message = f"Adopt {count(len(plan.names), 'notebook')} from {plan.origin.label}"
    git(clone, "add", "--all")
    if history:
        if not (plan.origin.folder / ".git").exists():
            raise UsageError(f"{plan.origin.label} has no history of Git: leave out --history.")
        git(clone, "fetch", "--quiet", "--no-tags", str(plan.origin.folder), "HEAD")
        write_whole(clone / ".git" / "MERGE_HEAD", git(clone, "rev-parse", "FETCH_HEAD"))
    git(clone, "commit", "--quiet", "--no-verify", "-m", message)
    return git(clone, "rev-parse", "HEAD").strip()
