"""Check what is about to be committed, or all that is tracked: the second and third ring.

The filter strips notebooks; this verifies that it did, and changes nothing.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from .credentials import find_in_file
from .gitfilter import clean
from .gitwiring import git
from .notebook import source_text
from .strip import RefusedError, load

FILTER = "nbstripout"  # as .gitattributes names it
CONFLICT = re.compile(r"^(<{7}|>{7})( |$)", re.M)


def index_ids(root: Path) -> dict[str, str]:
    """Return the id of each file in the index, by name; links and submodules are left out."""
    entries = git(root, "ls-files", "--stage", "-z").split("\0")
    pairs = (entry.split("\t", 1) for entry in entries if entry.startswith("100"))
    return {name: fields.split()[1] for fields, name in pairs}


def staged(root: Path) -> list[str]:
    """Return the files that are added or changed in the index."""
    listed = git(root, "diff", "--cached", "--name-only", "--diff-filter=ACMRT", "-z")
    return [name for name in listed.split("\0") if name]


def blobs(root: Path, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield each file with its content as the index holds it, all through one Git process."""
    wanted = list(names)
    request = "".join(f":{name}\n" for name in wanted).encode(errors="surrogateescape")
    done = subprocess.run(
        ["git", "cat-file", "--batch"], cwd=root, input=request, capture_output=True
    )
    position = 0
    for name in wanted:
        end = done.stdout.index(b"\n", position)
        header = done.stdout[position:end].split()
        if len(header) != 3 or not header[2].isdigit():
            position = end + 1  # "missing": a deletion, or a name that Git would have to quote
            continue
        size = int(header[2])
        yield name, done.stdout[end + 1 : end + 1 + size]
        position = end + 2 + size


def filtered(root: Path, names: Iterable[str]) -> list[str]:
    """Return the notebooks that Git's filter strips, by the attributes in the work tree."""
    notebooks = [name for name in names if name.endswith(".ipynb")]
    if not notebooks:
        return []
    fields = git(root, "check-attr", "-z", "filter", "--", *notebooks).split("\0")
    return [name for name, value in zip(fields[::3], fields[2::3], strict=False) if value == FILTER]


def verify_notebooks(root: Path, names: Iterable[str]) -> list[str]:
    """Return a sentence for each notebook that holds outputs, a conflict, or is not a notebook."""
    found = (_problem(name, content) for name, content in blobs(root, filtered(root, names)))
    return [problem for problem in found if problem]


def _problem(name: str, content: bytes) -> str | None:
    try:
        cells = load(content)["cells"] if content else []
        conflicts = [n for n, cell in enumerate(cells, 1) if CONFLICT.search(source_text(cell))]
    except (ValueError, KeyError, TypeError):  # the filter lets it pass, outputs and all
        return f"{name} is not a notebook that can be read: finish its merge, or repair it."
    if conflicts:
        return (
            f"{name}: cell {conflicts[0]} holds a merge conflict: edit it, then git add it again."
        )
    try:
        if clean(content, name) == content:
            return None
    except RefusedError as error:
        return f"{name}: {error}"
    return f"{name} holds outputs: run `nb setup`, then `git add --renormalize {name}`."


def find_credentials(root: Path, names: Iterable[str]) -> list[str]:
    """Return a phrase for each credential in the files as the index holds them."""
    return [found for name, content in blobs(root, names) for found in find_in_file(name, content)]
