"""Naming rules for new notebooks, stages and modules, shared by all commands."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from nb.notebook.modules import project_package
from nb.project import CONFIG, PRODUCTION, UsageError

from .reader import read_entries

LONGEST_SLUG = 60
# The last production notebook that two digits can number.
LAST_NUMBER = 99
DEFAULT_MODULE = "shared"
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class ProductionName:
    """The name of a new production notebook.

    Attributes:
        number: the two digits that sort the notebook in the folder.
        stage: the name of the stage, which follows the number.
    """

    number: int
    stage: str

    @property
    def stem(self) -> str:
        """The file name without the suffix."""
        return f"{self.number:02}-{self.stage}"

    @property
    def notebook(self) -> Path:
        """The path of the notebook, relative to the root."""
        return PRODUCTION / f"{self.stem}.ipynb"

    @property
    def config(self) -> Path:
        """The path of the parameter file, relative to the root."""
        return CONFIG / f"{self.stem}.yaml"


def production_name(root: Path, name: str, *, numbered: bool = True) -> ProductionName:
    """Return the name of a new production notebook.

    Args:
        name: the name as typed.
        numbered: whether two leading digits are the number; otherwise the next free number is used.

    Raises:
        NbError: if the name is invalid or taken, or no number is free (exit code 2).
    """
    slug = slug_of(name)
    given = re.match(r"(\d\d)-(.*[a-z].*)", slug) if numbered else None
    number = int(given[1]) if given else _next_number(numbers_in(root / PRODUCTION), slug)
    made = ProductionName(number, given[2] if given else slug)
    same = (root / PRODUCTION).rglob(f"[0-9]*-{made.stage}.ipynb")
    others = [path for path in same if re.fullmatch(rf"\d+-{made.stage}", path.stem)]
    for path in (*others, root / made.config):
        if path.exists():
            raise UsageError(f"{path.relative_to(root).as_posix()} exists; choose another name.")
    if made.stage in [entry.name for entry in read_entries(root)]:
        raise UsageError(f"dvc.yaml already has a stage {made.stage}; choose another name.")
    return made


def _next_number(taken: Iterable[int], slug: str) -> int:
    """Return the number after all others: the next ten, as long as two digits hold it."""
    taken = set(taken)
    last = max(taken, default=0)
    number = last // 10 * 10 + 10 if last < LAST_NUMBER // 10 * 10 else last + 1
    if number > LAST_NUMBER:
        free = next((n for n in range(LAST_NUMBER, -1, -1) if n not in taken), LAST_NUMBER)
        raise UsageError(f"{last} is the last number; give a free one: {free:02}-{slug}.")
    return number


def numbers_in(folder: Path) -> list[int]:
    """Return the numbers with which the names of notebooks below a folder begin."""
    found = (re.match(r"(\d+)-", path.name) for path in folder.rglob("*.ipynb"))
    return [int(number[1]) for number in found if number]


def slug_of(name: str) -> str:
    """Return the slug of a name for file names: `sales-by-day` for `Sales by day`.

    Raises:
        NbError: if the name is a path, or has no ASCII letter (exit code 2).
    """
    name = name.strip().removesuffix(".ipynb")
    if not name:
        raise UsageError('a notebook needs a name: nb new "sales by day".')
    if re.search(r"[/\\]|^\.", name):
        raise UsageError(f"{name!r} is a path; give a name alone, the folder is chosen for you.")
    slug = ascii_slug(name)
    if not re.search(r"[a-z]", slug):
        raise UsageError(f"{name!r} has no letter from a to z, which file names are made of.")
    if len(slug) > LONGEST_SLUG:
        raise UsageError(f"the name is longer than {LONGEST_SLUG} characters; shorten it.")
    return slug


def ascii_slug(text: str) -> str:
    """Return the letters and digits of a text in ASCII, accents left out, with hyphens between."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    letters = plain.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")


def title_of(name: str) -> str:
    """Return the title for a name: the words as typed, the first letter capitalised."""
    words = " ".join(re.sub(r"[-_]+", " ", name.strip().removesuffix(".ipynb")).split())
    words = re.sub(r"^\d\d ", "", words)
    return words[:1].upper() + words[1:]


def module_of_stage(root: Path, stage: str) -> str:
    """Return the module for the functions of a stage; empty unless `src` holds a single package."""
    package, name = project_package(root), stage.replace("-", "_")
    if not package:
        return ""
    usable = name.isidentifier() and not keyword.iskeyword(name)
    return f"{package}.{name}" if usable else f"{package}.notebook_{name}"


def module_name(root: Path, to: str) -> str:
    """Return the dotted name of a module that was named on the command line.

    Raises:
        NbError: if the name is no module name, or the package is ambiguous (exit code 2).
    """
    to = (to or DEFAULT_MODULE).removesuffix(".py").replace("/", ".")
    if not _MODULE.fullmatch(to) or any(map(keyword.iskeyword, to.split("."))):
        raise UsageError(f"{to} is no name of a module; --to takes one such as data")
    package = project_package(root)
    first = to.partition(".")[0]
    if first == package or (root / "src" / first / "__init__.py").exists():
        return to if "." in to else f"{to}.{DEFAULT_MODULE}"
    if not package:
        raise UsageError("there is not one package under src; name it: --to package.module")
    return f"{package}.{to}"
