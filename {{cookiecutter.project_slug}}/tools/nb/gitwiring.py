"""What a clone needs besides its files: a Git repository, the notebook filter, the hooks.

Everything here is local to the clone, safe to repeat, and reports what it changed.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import gitfilter
from .project import NbError

# Without an environment, or if it fails, lines are merged, and Git is told of a conflict.
MERGE_LOCK = (
    "sh tools/in-env nb merge-lock %O %A %B"
    " || { git merge-file -L ours -L base -L theirs %A %O %B; exit 1; }"
)
# git config, by key. Commands are relative: Git runs them at the top of the work tree.
WIRING = {
    **gitfilter.WIRING,
    "filter.empty-lock.clean": "echo \"schema: '2.0'\"",
    "merge.dvc-lock.name": "dvc.lock, stage by stage",
    "merge.dvc-lock.driver": MERGE_LOCK,
}
HOOKS = ("pre-commit", "pre-push")
# The environment is found when the hook runs, so it may move, go and come back.
HOOK = """\
#!/bin/sh
# Written by `nb setup`: runs the checks of .pre-commit-config.yaml.
exec sh tools/in-env nb hook {hook} "$@"
"""


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
    outer = git(root, "rev-parse", "--show-toplevel", check=False).strip()
    if outer and not git(root, "check-ignore", ".", check=False):
        reason = "a repository in it would break it"
        hint = "move the project out of it, or run `git init` here yourself"
        raise NbError(f"{root} is inside the Git repository {outer}; {reason}: {hint}.")
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
    outdated = not gitfilter.is_installed(git_dir(root))
    if outdated:
        gitfilter.install(git_dir(root))
    for key in missing:  # after the files that they name
        git(root, "config", "--local", key, WIRING[key])
    return ["connected Git's filter, diff and merge for notebooks"] if missing or outdated else []


def hooks_folder(root: Path) -> Path:
    """Return where Git looks for the hooks of this clone."""
    return root / git(root, "rev-parse", "--git-path", "hooks").strip()


def missing_hooks(root: Path) -> list[str]:
    """Return the hooks that are not installed as `nb setup` writes them."""
    folder = hooks_folder(root)
    return [hook for hook in HOOKS if not _has_text(folder / hook, HOOK.format(hook=hook))]


def _has_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text


def _install_hooks(root: Path) -> list[str]:
    missing = missing_hooks(root)
    if not missing or not (root / ".pre-commit-config.yaml").exists():
        return []
    if git(root, "config", "core.hooksPath", check=False).strip():
        return ["left the hooks alone: core.hooksPath is set, so they belong to somebody else"]
    folder = hooks_folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    for hook in missing:
        _keep_foreign(folder / hook)
        (folder / hook).write_text(HOOK.format(hook=hook), encoding="utf-8", newline="\n")
        (folder / hook).chmod(0o755)
    return [f"installed the {' and '.join(missing)} hook{'s' if len(missing) > 1 else ''}"]


def _keep_foreign(hook: Path) -> None:
    """Let a hook that somebody wrote run before ours: pre-commit calls `<hook>.legacy` first."""
    text = hook.read_text(encoding="utf-8", errors="replace") if hook.is_file() else ""
    if text and "nb setup" not in text and "pre-commit" not in text:
        hook.replace(hook.with_name(f"{hook.name}.legacy"))


def settle_lock(root: Path) -> None:
    """Tell Git to look at `notebooks/dvc.lock` again, so that it is not shown as modified.

    Git sees it empty, whatever it holds (.gitattributes), but trusts its size until it looks.
    """
    if git(root, "ls-files", "notebooks/dvc.lock").strip():
        git(root, "update-index", "notebooks/dvc.lock", check=False)
