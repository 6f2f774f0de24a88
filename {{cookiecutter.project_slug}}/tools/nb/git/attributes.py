"""Git attributes of files, and the notebooks that the filter of Git strips by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from .command import git_list

FILTER = "nbstripout"  # the name in .gitattributes


def attributes(root: Path, names: Iterable[str], *keys: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, key and value of Git's attributes of files, as the work tree has them."""
    fields = git_list(root, "check-attr", "-z", "--stdin", *keys, stdin=names)
    return zip(fields[::3], fields[1::3], fields[2::3], strict=True)


def filtered_notebooks(root: Path, names: Iterable[str]) -> list[str]:
    """Return the notebooks that Git's filter strips, by the attributes in the work tree."""
    notebooks = [name for name in names if name.endswith(".ipynb")]
    if not notebooks:
        return []
    return [name for name, _, value in attributes(root, notebooks, "filter") if value == FILTER]
