"""What a clone needs besides its files: a Git repository, the notebook filter, the hooks.

Everything here is local to the clone, safe to repeat, and reports what it changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from . import gitfilter
from .project import NbError

# nbdime merges cell by cell. Without the environment (127: no such command) lines are merged, so
# that a conflict is seen and neither side is lost.
MERGE_NOTEBOOK = (
    "sh tools/in-env git-nbmergedriver merge %O %A %B %L %P"
    " || { [ $? = 127 ] && git merge-file -L ours -L base -L theirs %A %O %B; }"
)
# git config, by key. Commands are relative: Git runs them at the top of the work tree.
WIRING = {
    **gitfilter.WIRING,
    "filter.empty-lock.clean": "echo \"schema: '2.0'\"",
    "merge.notebook.name": "notebooks, cell by cell (nbdime)",
    "merge.notebook.driver": MERGE_NOTEBOOK,
    "merge.dvc-lock.name": "dvc.lock, stage by stage",
    "merge.dvc-lock.driver": "sh tools/in-env nb merge-lock %O %A %B",
}
HOOKS = ("pre-commit", "pre-push")


def git(root: Path, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
    """Run Git in the project and return what it prints.

    Raises:
        NbError: if Git is not installed, or fails and `check` is set.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise NbError("git was not found; install it, then run this again.") from None
    if check and done.returncode:
        raise NbError(f"git {' '.join(arguments)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def wire(root: Path) -> list[str]:
    """Make the clone ready for work and return what was changed, a phrase each."""
    return [*_make_repository(root), *heal(root)]


def heal(root: Path) -> list[str]:
    """Repair what is missing in a Git repository and return what was changed, a phrase each."""
    if not (root / ".git").exists():
        return []
    changes = [*_connect(root), *_install_hooks(root)]
    settle_lock(root)
    return changes


def _make_repository(root: Path) -> list[str]:
    if (root / ".git").exists():
        return []
    git(root, "init", "--quiet")
    git(root, "symbolic-ref", "HEAD", "refs/heads/main")
    return ["made a Git repository (branch main)"]


def missing_wiring(root: Path) -> list[str]:
    """Return the keys of Git's configuration that are not as `WIRING` has them."""
    entries = git(root, "config", "--local", "--list", "-z", check=False).split("\0")
    present = dict(entry.split("\n", 1) for entry in entries if "\n" in entry)
    return [key for key, value in WIRING.items() if present.get(key.lower()) != value]


def git_dir(root: Path) -> Path:
    """Return the common Git directory: that of the main worktree, from a linked one, too."""
    return root / git(root, "rev-parse", "--git-common-dir").strip()


def _connect(root: Path) -> list[str]:
    missing = missing_wiring(root)
    for key in missing:
        git(root, "config", "--local", key, WIRING[key])
    outdated = not gitfilter.is_installed(git_dir(root))
    if outdated:
        gitfilter.install(git_dir(root))
    return ["connected Git's filter, diff and merge for notebooks"] if missing or outdated else []


def missing_hooks(root: Path) -> list[str]:
    """Return the hooks that are not installed, or not by pre-commit."""
    hooks = root / git(root, "rev-parse", "--git-path", "hooks").strip()
    return [hook for hook in HOOKS if not _is_ours(hooks / hook)]


def _install_hooks(root: Path) -> list[str]:
    missing = missing_hooks(root)
    if not missing or not (root / ".pre-commit-config.yaml").exists():
        return []
    if git(root, "config", "core.hooksPath", check=False).strip():
        return ["left the hooks alone: pre-commit cannot install them while core.hooksPath is set"]
    pre_commit = shutil.which("pre-commit", path=str(Path(sys.executable).parent)) or "pre-commit"
    types = [f"--hook-type={hook}" for hook in missing]
    done = subprocess.run([pre_commit, "install", *types], cwd=root, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1]
        raise NbError(f"pre-commit install: {reason}")
    return [f"installed the {' and '.join(missing)} hook{'s' if len(missing) > 1 else ''}"]


def _is_ours(hook: Path) -> bool:
    return hook.is_file() and "pre-commit" in hook.read_text(encoding="utf-8", errors="replace")


def settle_lock(root: Path) -> None:
    """Tell Git to look at `notebooks/dvc.lock` again, so that it is not shown as modified.

    Git sees it empty, whatever it holds (.gitattributes), but trusts its size until it looks.
    """
    if git(root, "ls-files", "notebooks/dvc.lock").strip():
        git(root, "update-index", "notebooks/dvc.lock", check=False)
