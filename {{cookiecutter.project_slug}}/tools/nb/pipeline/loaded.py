"""Pipelines as DVC and Git know them, loaded once for a run and used by all forked workers.

DVC reads, parses and validates the whole `dvc.yaml` for every stage that is reproduced by name, so
the work of n stages would grow with the square of n. A fork has the stages of its parent in memory
and needs to know only that no file they were loaded from has changed since.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from nb.declaration.reader import value_files
from nb.git.command import git_list

from .protocols import DvcStage, Repo, SourceControl

# The names that DVC writes into dvc.lock without quotes, and finds there by a plain search.
_PLAIN = re.compile(r"[A-Za-z_][\w.@-]*")

Signature = tuple[int, int, int, int]


def tracked_paths(folder: Path) -> set[str]:
    """Return the files below a folder that Git tracks, and the folders that hold any."""
    found: set[str] = set()
    for name in git_list(folder, "ls-files", "-z"):
        path = os.path.normpath(name)
        while path and path not in found:
            found.add(path)
            path = os.path.dirname(path)  # noqa: PTH120  # thousands of files
    return found


class OutputsInGit:
    """Git as a stage needs it after its command: whether outputs are tracked or ignored.

    DVC reads Git's index, its settings and all `.gitignore` files anew for each output. Here Git is
    asked once for all outputs of a pipeline; lines are added to `.gitignore` by DVC's own means.

    Args:
        scm: Git, as DVC wraps it.
        outputs: the absolute paths of the outputs.
        declared: the absolute paths of the files that declare stages, none of which Git ignores:
            DVC would not have loaded it.
    """

    def __init__(
        self, scm: SourceControl, outputs: Iterable[str], declared: Iterable[str] = ()
    ) -> None:
        self._scm = scm
        self._declared = set(declared)
        root = Path(scm.root_dir)
        names = {os.path.relpath(path, root): path for path in outputs}
        self._folders = {path for path in names.values() if Path(path).is_dir()}
        options = ("--no-index", "--stdin", "-z")
        found = git_list(root, "check-ignore", *options, check=False, stdin=names)
        tracked = tracked_paths(root)
        self._ignored = {names[name] for name in found if name in names}
        self._tracked = {path for name, path in names.items() if name in tracked}

    def is_tracked(self, path: str) -> bool:
        """Return whether Git tracks an output, or a file in it."""
        return path in self._tracked

    def is_ignored(self, path: str) -> bool:
        """Return whether Git ignores a path."""
        return path not in self._declared and self._scm.is_ignored(path)

    def ignore(self, path: str) -> str | None:
        """Have Git ignore an output; return the `.gitignore` that was changed, if any was."""
        if Path(path).is_dir() != (path in self._folders):
            return self._scm.ignore(path)  # a pattern may be for folders only, or for files
        if path in self._ignored:
            return None
        entry, gitignore = self._scm._get_gitignore(path)
        self._scm._add_entry_to_gitignore(entry, gitignore)
        return gitignore

    def __getattr__(self, name: str) -> object:
        return getattr(self._scm, name)


def outputs_in_git(repo: Repo) -> OutputsInGit | None:
    """Ask Git about all outputs; None without Git, or if DVC itself is to add files to Git."""
    from dvc.scm import NoSCM

    if isinstance(repo.scm, NoSCM) or repo.config["core"].get("autostage"):
        return None
    stages = repo.index.stages
    outputs = [str(out.fs_path) for stage in stages for out in stage.outs if out.use_cache]
    return OutputsInGit(repo.scm, outputs, {stage.path for stage in stages})


class LoadedPipeline:
    """Stages as DVC loaded them, valid until one of the files behind them changes.

    The files are known only once they are loaded, and may change meanwhile. A file that is younger
    than the beginning counts as changed: nobody can tell which text DVC has read.

    Args:
        repo: DVC's view of the project, with its index.
        began: a time before DVC loaded any file, by the clock of the file system, in ns.
        scm: Git as it was asked for all outputs; None if each stage has to ask.
    """

    def __init__(self, repo: Repo, began: int, scm: OutputsInGit | None = None) -> None:
        self.repo = repo
        self.config = repo.config
        self.scm = scm
        self._stages: dict[str, DvcStage] = {stage.addressing: stage for stage in repo.index.stages}
        declared = {Path(stage.path) for stage in self._stages.values()}
        files = {Path(file) for file in repo.config.files.values()}
        for path in declared:
            values = value_files(path)
            if values is None:  # files that only DVC knows
                self._stages = {}
            files.update(values or ())
        self._signatures = {path: signature_of(path) for path in declared | files}
        if any(changed_since(path, began) for path in declared | files):
            self._stages = {}
        locks = {path: path.with_name("dvc.lock") for path in declared if path.suffix == ".yaml"}
        self._texts = {
            lock: _text(lock) for lock in locks.values() if not changed_since(lock, began)
        }

    def is_of(self, root: Path) -> bool:
        """Return whether this is the pipeline of a project."""
        return os.path.realpath(root) == self.repo.root_dir

    def stage(self, name: str) -> DvcStage | None:
        """Return a stage by name; None if DVC has to load the pipeline again to know the stage."""
        found = self._stages.get(name)
        if found is None or any(signature_of(p) != s for p, s in self._signatures.items()):
            return None
        own = name.rpartition(":")[2]
        lock = Path(found.path).with_name("dvc.lock")
        if not _PLAIN.fullmatch(own) or lock not in self._texts:
            return None
        is_same = _lines_of(own, self._texts[lock]) == _lines_of(own, _text(lock))
        return found if is_same else None


def signature_of(path: Path) -> Signature | None:
    """Return what changes with a file: inode, size, mtime and ctime; None if there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def changed_since(path: Path, moment: int) -> bool:
    """Return whether a file was written, replaced or renamed at a moment or later."""
    try:
        stat = path.stat()
    except OSError:
        return False
    return max(stat.st_mtime_ns, stat.st_ctime_ns) >= moment


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def _lines_of(name: str, text: str) -> str:
    """Return the lines of a stage in the text of a lock file; empty if it has none."""
    start = text.find(f"\n  {name}:\n")
    if start < 0:
        return ""
    end = re.compile(r"\n(?! {3}|\n)").search(text, start + len(name) + 4)
    return text[start : end.start() if end else len(text)]
