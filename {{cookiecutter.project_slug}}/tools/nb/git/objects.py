"""Trees and commits written to Git's object store; neither index nor work tree is touched."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from .wiring import git

# The mode and the blob of each file, by name from the top of the repository.
Entries = dict[str, tuple[str, str]]


def file_mode(path: Path) -> str:
    """Return the mode that Git stores for a file: executable by the owner, or not."""
    return "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"


def write_tree(root: Path, files: Mapping[str, tuple[str, str]], base: str = "") -> str:
    """Write a tree and return the hash.

    Args:
        files: the mode and the blob of each file.
        base: a commit whose other files are in the tree as well.
    """
    lines = "".join(f"{mode} {blob}\t{name}\0" for name, (mode, blob) in files.items())
    with TemporaryDirectory(prefix="nb-") as folder:
        index = Path(folder) / "index"
        if base:
            git(root, "read-tree", base, index=index)
        git(root, "update-index", "-z", "--add", "--index-info", stdin=lines, index=index)
        return git(root, "write-tree", index=index).strip()


def write_commit(root: Path, tree: str, message: str, *parents: str) -> str:
    """Write a commit and return the hash; no reference leads to the commit yet."""
    options = [word for parent in parents for word in ("-p", parent)]
    return git(root, "commit-tree", tree, *options, "-m", message).strip()
