"""The folder to adopt, from a path, a Git URL or a single notebook, and its files by kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.git.command import clone_repository
from nb.project import UsageError

# Machinery and caches; a folder of an environment is known by the file in it.
NOT_LOOKED_AT = {
    *(".git", ".hg", ".svn", ".venv", "venv", "env", "node_modules", "__pycache__", ".nb", ".dvc"),
    *(".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".tox", ".idea"),
    *(".vscode", ".Rproj.user", ".virtual_documents", "site-packages", ".DS_Store", ".cache"),
}
REQUIREMENTS = re.compile(
    r"requirements[\w.-]*\.txt|environment\.ya?ml|Pipfile|setup\.py|pyproject\.toml"
)
PROJECT_TEXTS = re.compile(r"readme(\.\w+)?|licen[cs]e(\.\w+)?|copying|\.gitignore", re.I)
SECRET_NAMES = re.compile(
    r"\.env.*|.*\.(pem|key|p12|pfx|kdbx|ppk)|id_[dr]sa.*|credentials?\b.*|secrets?\b.*|"
    r"\.netrc|\.pypirc|\.aws|client_secret.*|service[_-]?account.*\.json|kaggle\.json|token\b.*",
    re.I,
)
CODE = {".c", ".cpp", ".h", ".java", ".jl", ".js", ".m", ".r", ".rmd", ".scala", ".sh", ".ts"}
TEXTS = {".dvc", ".md", ".rst", ".cfg", ".ini", ".toml", ".lock", ".bat", ".ps1", ".yaml", ".yml"}
TEXTS |= {".css", ".html"}
URL = re.compile(r"(https?|ssh|git|file)://|[\w.-]+@[\w.-]+:")


@dataclass(frozen=True)
class Origin:
    """The folder that is adopted.

    Attributes:
        folder: the folder; a temporary clone for a URL.
        label: the name in messages.
        only: the single notebook to adopt, relative to the folder; empty for all.
        inside: the path in the project, for a folder of the project.
    """

    folder: Path
    label: str
    only: str = ""
    inside: str | None = None


@dataclass(frozen=True)
class Contents:
    """The files of the adopted folder by kind, with slashes, relative to the folder."""

    notebooks: tuple[str, ...]
    modules: tuple[str, ...]
    data: tuple[str, ...]
    requirements: tuple[str, ...]
    documents: tuple[str, ...]
    secret: tuple[str, ...]
    others: tuple[str, ...]


@contextmanager
def open_origin(root: Path, source: str) -> Iterator[Origin]:
    """Find the folder to adopt; clone a Git URL into a temporary folder.

    Raises:
        NbError: if there is no such folder, or the URL cannot be cloned (exit code 2).
    """
    if URL.match(source):
        with TemporaryDirectory(prefix="nb-adopt-") as name:
            folder = Path(name) / "source"
            if reason := clone_repository(source, folder, cwd=root):
                raise UsageError(f"{source} cannot be cloned: {reason}")
            yield Origin(folder, _label(source))
        return
    path = Path(source).expanduser()
    if not path.exists():
        raise UsageError(f"there is no {source}; name a folder, a notebook or a Git URL.")
    path = path.resolve()
    only = ""
    if path.is_file():
        if path.suffix != ".ipynb":
            raise UsageError(f"{source} is no notebook; name a folder, a notebook or a Git URL.")
        path, only = path.parent, path.name
    if root.is_relative_to(path):
        raise UsageError(f"{source} holds this project; name the folder with the notebooks.")
    inside = path.relative_to(root).as_posix() if path.is_relative_to(root) else None
    if inside is not None and inside.startswith(("notebooks/production", "notebooks/exploratory")):
        raise UsageError(f"{inside} is a home of notebooks already; there is nothing to adopt.")
    yield Origin(path, path.name, only, inside)


def _label(url: str) -> str:
    return re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git") or "source"


def contents_of(origin: Origin) -> Contents:
    """Return the files of the folder by kind; links that lead out of the folder are others."""
    kinds: dict[str, list[str]] = {name: [] for name in Contents.__dataclass_fields__}
    for path in sorted(_files(origin.folder)):
        name = path.relative_to(origin.folder).as_posix()
        kinds[_kind(path, origin.folder)].append(name)
    if origin.only:
        kinds["notebooks"] = [origin.only]
        kinds["documents"] = []
    return Contents(**{name: tuple(found) for name, found in kinds.items()})


def _files(folder: Path) -> Iterator[Path]:
    for entry in os.scandir(folder):
        path = Path(entry.path)
        if entry.name in NOT_LOOKED_AT or entry.name.endswith(".egg-info"):
            continue
        if entry.is_dir(follow_symlinks=False):
            if not (path / "pyvenv.cfg").exists():
                yield from _files(path)
        else:
            yield path


def _kind(path: Path, folder: Path) -> str:
    name, suffix = path.name, path.suffix.lower()
    if not is_own_file(folder, path.relative_to(folder).as_posix()):
        return "others"
    if suffix == ".ipynb":
        return "notebooks"
    if REQUIREMENTS.fullmatch(name):
        return "requirements"
    if PROJECT_TEXTS.fullmatch(name) and path.parent == folder:
        return "documents"
    if SECRET_NAMES.fullmatch(name):
        return "secret"
    if suffix == ".py":
        return "modules"
    is_other = suffix in CODE | TEXTS or name.startswith(".") or name in ("Makefile", "Dockerfile")
    return "others" if is_other else "data"


def is_own_file(folder: Path, name: str) -> bool:
    """Return whether a name stands for a file of the folder, not for a file elsewhere."""
    path = folder / name
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())
