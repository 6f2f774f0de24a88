"""Git's object store: blobs read, trees and commits written; no index or work tree is touched."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Hashable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from .command import git

_Key = TypeVar("_Key", bound=Hashable)
# The mode and the blob of each file, by name from the top of the repository.
Entries = dict[str, tuple[str, str]]


def read_blobs(root: Path, names: Mapping[_Key, str]) -> Iterator[tuple[_Key, bytes]]:
    """Yield each key with the content of its blob, all through a single Git process.

    Args:
        names: an id or `commit:path` for each key; of an absent path the content is empty.
    """
    known = {key: name for key, name in names.items() if "\n" not in name}
    asked = "".join(f"{name}\n" for name in known.values()).encode("utf-8", "surrogateescape")
    command = ["git", "cat-file", "--batch"]
    answer = BytesIO(subprocess.run(command, cwd=root, input=asked, capture_output=True).stdout)
    for key in known:
        *_, size = answer.readline().split(b" ")
        is_there = size.strip().isdigit()  # else `missing` or `ambiguous`
        yield key, answer.read(int(size) + 1)[:-1] if is_there else b""


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
