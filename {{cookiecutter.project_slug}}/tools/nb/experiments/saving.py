"""Variants as DVC experiments: commits under `refs/exps`, which `dvc exp` lists and pushes.

A DVC experiment is a commit on top of the commit that it began from, named by a reference. The
commit is made of the variant's copy, so nothing of the work tree or of Git's index is touched.
"""

from __future__ import annotations

import re
from pathlib import Path

from nb import pipeline
from nb.git.command import commit_hash, git
from nb.git.objects import Entries, file_mode, write_commit, write_tree
from nb.project import NbError, UsageError
from nb.surroundings import project_prefix
from nb.workcopy.copying import git_files

from . import store
from .store import VariantRecord

# Part of a reference in Git, and a word that needs no quotes in a shell.
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,99}", re.ASCII)


def save_variant(root: Path, number: int, name: str = "") -> str:
    """Save a variant as a DVC experiment and return the name of the experiment.

    Args:
        name: the name; by default, that of the variant, or `variant-7`.

    Raises:
        NbError: if the variant did not end well, is of no commit, or the name is taken.
    """
    record = store.find_variant(root, number)
    if record.state != store.FINISHED:
        raise NbError(f"variant {number} is {record.state}, and has no results to save")
    if not record.commit:
        problem = "no commit, and a DVC experiment begins from a commit"
        raise NbError(f"variant {number} has {problem}: git commit, then nb experiment again")
    fallback = f"variant-{number}"
    name = name or (record.name if _NAME.fullmatch(record.name) else fallback)
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name}: a name has letters, digits, - and _ only")
    reference = f"refs/exps/{record.commit[:2]}/{record.commit[2:]}/{name}"
    tree = write_tree(root, _changed_files(root, record), record.commit)
    message = f"nb: variant {record.number} of {record.experiment}"
    commit = write_commit(root, tree, message, record.commit)
    if commit_hash(root, reference):
        problem = "give another, or remove that: dvc exp remove"
        raise NbError(f"there is a DVC experiment {name} already; {problem} {name}")
    git(root, "update-ref", "-m", "nb experiments save", reference, commit, "0" * len(commit))
    return name


def _changed_files(root: Path, record: VariantRecord) -> Entries:
    """Return the files of a variant's copy that belong to Git, written to the object store."""
    copy = store.variant_copy(root, record.number)
    stages = [stage.name for stage in record.stages]
    names = {path.as_posix() for path in git_files(root)} | {"dvc.lock"}
    names |= {path for path in pipeline.plain_outputs(copy, stages) if _is_free(root, path)}
    found = [name for name in sorted(names) if "\n" not in name and _is_plain(copy / name)]
    prefix = project_prefix(root)
    below = f"{prefix}{copy.relative_to(root).as_posix()}"  # Git reads paths from the top
    # Filters hold in the copy, too: its own .gitattributes say which files they are for.
    listed = "".join(f"{below}/{name}\n" for name in found)
    blobs = git(root, "hash-object", "-w", "--stdin-paths", stdin=listed).split()
    return {
        f"{prefix}{name}": (file_mode(copy / name), blob)
        for name, blob in zip(found, blobs, strict=True)
    }


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _is_free(root: Path, path: str) -> bool:
    """Return whether Git does not ignore an output, as those that DVC does not cache should be."""
    return not git(root, "check-ignore", "--", path, check=False).strip()
