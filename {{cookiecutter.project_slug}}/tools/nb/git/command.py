"""Git commands run in the project: output, lists, commits, clones, files of the Git directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from nb.project import NbError
from nb.surroundings import NO_GIT


def git(
    root: Path,
    *arguments: str,
    check: bool = True,
    stdin: str | None = None,
    index: Path | None = None,
) -> str:
    """Run Git in the project and return the standard output.

    Paths are names and no patterns: `a[1].ipynb` would stand for `a1.ipynb` as well.

    Args:
        arguments: the words after `git`.
        check: raise if Git fails.
        stdin: the standard input.
        index: an index to work on instead of the project's.

    Raises:
        NbError: if Git is not installed, or fails and `check` is set.
    """
    import subprocess  # late: help pages do without

    # To check-ignore paths are names anyway; the option would be refused.
    options = [] if arguments[0] == "check-ignore" else ["--literal-pathspecs"]
    try:
        done = subprocess.run(
            ["git", *options, *arguments],
            cwd=root,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, "GIT_INDEX_FILE": str(index)} if index else None,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
        )
    except FileNotFoundError:
        raise NbError(NO_GIT) from None
    if check and done.returncode:
        reason = (done.stderr.strip().splitlines() or ["failed"])[-1]
        raise NbError(f"git {' '.join(arguments)}: {reason}")
    return done.stdout


def git_list(
    root: Path, *arguments: str, check: bool = True, stdin: Iterable[str] | None = None
) -> list[str]:
    """Run Git and return the parts of the output, which ends each with a zero byte (`-z`).

    Args:
        arguments: the words after `git`, `-z` among them.
        check: raise if Git fails.
        stdin: the standard input, in parts as well.
    """
    asked = None if stdin is None else "".join(f"{part}\0" for part in stdin)
    return git(root, *arguments, check=check, stdin=asked).split("\0")[:-1]


def commit_hash(root: Path, name: str) -> str:
    """Return the hash of the commit that a name stands for; empty if there is none."""
    options = ("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return git(root, "rev-parse", *options, check=False).strip()


def git_file(root: Path, name: str) -> Path:
    """Return a file of the Git directory of this work tree."""
    return root / git(root, "rev-parse", "--git-path", name).strip()


def git_dir(root: Path) -> Path:
    """Return the common Git directory: that of the main worktree, from a linked worktree, too."""
    own = root / ".git"
    if (own / "HEAD").is_file() and "GIT_DIR" not in os.environ:  # no linked worktree
        return own
    return root / git(root, "rev-parse", "--git-common-dir").strip()


def nothing_to_pull(root: Path) -> str:
    """Return why `git pull` without arguments has nothing to pull, with the next step, or nothing.

    Git itself answers with eight lines.
    """
    branch = git(root, "symbolic-ref", "--quiet", "--short", "HEAD", check=False).strip()
    if not branch or git(root, "config", "--get", f"branch.{branch}.merge", check=False):
        return ""
    remotes = git(root, "remote").split()
    remote = "origin" if "origin" in remotes or not remotes else remotes[0]
    push = f"git push -u {remote} {branch}"
    if not remotes:
        return f"no remote to pull from yet: git remote add origin ADDRESS, then {push}"
    return f"branch {branch} is on no remote yet: {push}"


def clone_repository(address: str, folder: Path, *options: str, cwd: Path) -> str:
    """Clone a repository; return why that failed, in the words of Git, or nothing.

    Files of Git LFS stay pointers. Git asks for a password only where somebody can type it.

    Args:
        options: of `git clone`.
        cwd: the folder from which a relative address counts.
    """
    import subprocess  # late: help pages do without

    environment = {**os.environ, "GIT_LFS_SKIP_SMUDGE": "1"}
    if not sys.stdin.isatty():
        environment["GIT_TERMINAL_PROMPT"] = "0"
        environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")
    done = subprocess.run(
        ["git", "clone", "--quiet", *options, "--", address, str(folder)],
        cwd=cwd,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if not done.returncode:
        return ""
    # The first line has the cause; ssh warns before, Git ends with advice.
    said = (line for line in done.stderr.splitlines() if not line.lower().startswith("warning:"))
    return next(filter(str.strip, said), "git clone failed")
