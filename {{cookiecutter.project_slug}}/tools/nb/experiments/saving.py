"""Variants as DVC experiments: commits under `refs/exps`, which `dvc exp` lists and pushes.

A DVC experiment is a commit on top of the commit that it began from, named by a reference. The
commit is made of the variant's copy, so nothing of the work tree or of Git's index is touched.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from nb import pipeline
from nb.exit_codes import ExitCode
from nb.git.wiring import git
from nb.project import NbError
from nb.workcopy.copying import git_files

from . import store
from .store import VariantRecord

# Part of a reference in Git, and a word that needs no quotes in a shell.
_NAME = re.compile(r"[A-Za-z0-9][\w-]{0,99}", re.ASCII)


def save_variant(root: Path, number: int, name: str = "") -> str:
    """Save a variant as a DVC experiment and return the name of the experiment.

    Args:
        root: the project's root.
        number: the variant.
        name: the name; by default, that of the variant, or `variant-7`.

    Raises:
        NbError: if the variant did not end well, is of no commit, or the name is taken.
    """
    record = store.find(root, number)
    if record.state != store.FINISHED:
        raise NbError(f"variant {number} is {record.state}, and has no results to save")
    if not record.commit:
        problem = "no commit, and a DVC experiment begins from a commit"
        raise NbError(f"variant {number} has {problem}: git commit, then nb experiment again")
    fallback = f"variant-{number}"
    name = name or (record.name if _NAME.fullmatch(record.name) else fallback)
    if not _NAME.fullmatch(name):
        raise NbError(f"{name}: a name has letters, digits, - and _ only", ExitCode.USAGE)
    reference = f"refs/exps/{record.commit[:2]}/{record.commit[2:]}/{name}"
    commit = _commit(root, record, name)
    if git(root, "rev-parse", "--quiet", "--verify", reference, check=False).strip():
        problem = "give another, or remove that: dvc exp remove"
        raise NbError(f"there is a DVC experiment {name} already; {problem} {name}")
    git(root, "update-ref", "-m", "nb experiments save", reference, commit, "0" * len(commit))
    return name


def _commit(root: Path, record: VariantRecord, name: str) -> str:
    """Write the commit of a variant and return the hash; no reference leads to it yet."""
    assert record.commit
    with TemporaryDirectory(prefix="nb-") as folder:
        environment = {**os.environ, "GIT_INDEX_FILE": str(Path(folder) / "index")}
        _git(root, ["read-tree", record.commit], environment)
        _git(root, ["update-index", "-z", "--index-info"], environment, _entries(root, record))
        tree = _git(root, ["write-tree"], environment).strip()
        message = f"nb: variant {record.number} of {record.experiment}"
        return _git(
            root, ["commit-tree", tree, "-p", record.commit, "-m", message], environment
        ).strip()


def _entries(root: Path, record: VariantRecord) -> str:
    """Return the files of a variant's copy that belong to Git, as entries of an index."""
    copy = store.copy_of(root, record.number)
    stages = [stage.name for stage in record.stages]
    names = {path.as_posix() for path in git_files(root)} | {"dvc.lock"}
    names |= {path for path in pipeline.plain_outputs(copy, stages) if _is_free(root, path)}
    found = [n for n in sorted(names) if (copy / n).is_file() and not (copy / n).is_symlink()]
    below = copy.relative_to(root).as_posix()
    listed = "".join(f"{below}/{name}\n" for name in found if "\n" not in name)
    # Filters hold in the copy, too: its own .gitattributes say which files they are for.
    hashes = git(root, "hash-object", "-w", "--stdin-paths", stdin=listed).split()
    prefix = git(root, "rev-parse", "--show-prefix").strip()
    return "".join(_lines(copy, prefix, [name for name in found if "\n" not in name], hashes))


def _lines(copy: Path, prefix: str, names: Sequence[str], hashes: Sequence[str]) -> Iterator[str]:
    for name, content in zip(names, hashes, strict=True):
        mode = "100755" if (copy / name).stat().st_mode & 0o100 else "100644"
        yield f"{mode} {content}\t{prefix}{name}\0"


def _is_free(root: Path, path: str) -> bool:
    """Return whether Git does not ignore an output, as those that DVC does not cache should be."""
    return not git(root, "check-ignore", "--", path, check=False).strip()


def _git(root: Path, arguments: list[str], environment: Mapping[str, str], stdin: str = "") -> str:
    """Run Git with an index of its own.

    Raises:
        NbError: if Git fails.
    """
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        env=environment,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["failed"])[-1]
        raise NbError(f"git {arguments[0]}: {reason}")
    return done.stdout
