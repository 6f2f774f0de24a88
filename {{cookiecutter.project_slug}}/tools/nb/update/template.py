"""A clone of the template: versions, questions and changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from nb.git.command import clone_repository, commit_hash, git
from nb.project import NbError, parse_json
from nb.wording import shortened

from .provenance import public_address

VERSION = re.compile(r'^version = "([^"]+)"', re.MULTILINE)
# Characters of an entry of the changelog that are shown.
LONGEST_ENTRY = 110
# The newest commit of the branch that a plain `cookiecutter` would generate from.
NEWEST = "origin/HEAD"


@dataclass(frozen=True)
class Release:
    """A commit of the template.

    Attributes:
        commit: the full id.
        version: the version in pyproject.toml.
    """

    commit: str
    version: str

    def __str__(self) -> str:
        return f"{self.version} ({self.commit[:7]})"


@dataclass(frozen=True)
class Template:
    """A clone of the template's repository.

    Attributes:
        clone: the folder of the clone.
        directory: the template's folder in the repository.
        address: the address of the original, without a password.
    """

    clone: Path
    directory: str
    address: str

    @property
    def folder(self) -> Path:
        """Return the folder of the template in the clone."""
        return self.clone / self.directory

    def find(self, name: str) -> Release:
        """Find a commit by version, tag, branch or id.

        Raises:
            NbError: if there is none.
        """
        for commit in self._candidates(name):
            found = commit_hash(self.clone, commit)
            if found:
                return Release(found, self._version(found))
        versions = ", ".join(sorted(self.versions(), key=_sort_key)) or "none"
        raise NbError(
            f"the template at {self.address} has no version, tag or commit {name!r}; versions: "
            f"{versions}"
        )

    def _candidates(self, name: str) -> Iterator[str]:
        if name == NEWEST:
            yield NEWEST
            return
        yield f"refs/tags/{name}"
        yield f"refs/tags/v{name}"
        if name in (versions := self.versions()):
            yield versions[name]
        yield f"refs/remotes/origin/{name}"
        yield name

    def versions(self) -> dict[str, str]:
        """Return the commit of each version: the first from which a project can be generated."""
        path = self._path("pyproject.toml")
        log = git(
            self.clone, *("log", "--format=%H", "-G^version = ", NEWEST, "--", path), check=False
        )
        found: dict[str, str] = {}
        for commit in log.split():
            found.setdefault(self._version(commit), commit)
        return {v: self._first_complete(commit) for v, commit in found.items() if v != "unknown"}

    def _first_complete(self, commit: str) -> str:
        """Return a commit, or the first later commit that holds the questions of a template."""
        questions = self._path("cookiecutter.json")
        if git(self.clone, "ls-tree", "--name-only", commit, "--", questions).strip():
            return commit
        later = git(
            self.clone, *("log", "--reverse", "--format=%H", f"{commit}..{NEWEST}", "--", questions)
        )
        return next(iter(later.split()), commit)

    def _version(self, commit: str) -> str:
        found = VERSION.search(self._show(commit, "pyproject.toml"))
        return found[1] if found else "unknown"

    def _show(self, commit: str, name: str) -> str:
        return git(self.clone, "show", f"{commit}:{self._path(name)}", check=False)

    def _path(self, name: str) -> str:
        return f"{self.directory}/{name}" if self.directory else name

    def check_out(self, release: Release) -> None:
        """Put the files of a commit into the clone's work tree.

        Raises:
            NbError: if the commit holds no template.
        """
        git(self.clone, "checkout", "--quiet", "--force", "--detach", release.commit)
        if not (self.folder / "cookiecutter.json").is_file():
            raise NbError(
                f"commit {release.commit[:7]} of {self.address} holds no template: no "
                "cookiecutter.json"
            )

    def questions(self, release: Release) -> Mapping[str, object]:
        """Return the questions of a commit with their defaults, and their prompts."""
        try:
            found = parse_json(self._show(release.commit, "cookiecutter.json"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NbError(f"commit {release.commit[:7]} of {self.address} holds no questions")
        return found

    def contains(self, newer: Release, older: Release) -> bool:
        """Return whether a commit has another among its ancestors."""
        base = git(self.clone, "merge-base", newer.commit, older.commit, check=False).strip()
        return base == older.commit

    def news(self, old: Release, new: Release) -> list[str]:
        """Return the entries of the changelog that the newer version has and the older has not."""
        before = set(_entries(self._show(old.commit, "CHANGELOG.md")))
        added = [e for e in _entries(self._show(new.commit, "CHANGELOG.md")) if e not in before]
        return [shortened(entry, LONGEST_ENTRY) for entry in added]


def _entries(changelog: str) -> list[str]:
    """Return headings of versions and list entries, each as a line."""
    found = re.findall(r"^(?:## |- ).*(?:\n  .*)*", changelog, re.MULTILINE)
    return [" ".join(entry.split()) for entry in found]


def _sort_key(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def clone_template(root: Path, address: str, directory: str, target: Path) -> Template:
    """Clone the template; the path of a folder may be relative to the project's root.

    Raises:
        NbError: if there is no template at the address, or no way to the address.
    """
    if Path(directory).is_absolute() or ".." in Path(directory).parts:
        raise NbError(f"the record's directory {directory!r} leads out of the template")
    if reason := clone_repository(address, target, "--no-checkout", cwd=root):
        raise NbError(
            f"the template at {public_address(address)} cannot be fetched ({reason}); if it has "
            "moved, name its new place: nb update --template ADDRESS"
        )
    git(target, "remote", "set-head", "origin", "--auto", check=False)
    return Template(target, directory, public_address(address))
