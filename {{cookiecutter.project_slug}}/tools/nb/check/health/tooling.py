"""Health check of the bundled tooling: as released, edited, mixed, or an installed package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from nb.git.command import git
from nb.project import NbError, parse_json, read_regular
from nb.wording import enumerated

from .diagnosis import SETUP, Diagnosis

MANIFEST = Path("tools/manifest.json")
MANIFEST_SCHEMA = 1
# Commits that changed the manifest, the newest first, in which a foreign file is looked up.
MOST_MANIFESTS = 20


@dataclass(frozen=True)
class Manifest:
    """The files of a released version of the tooling.

    Attributes:
        version: the template's version.
        files: the SHA-256 of each file, by path relative to `tools/`.
    """

    version: str
    files: Mapping[str, str]


def tooling(root: Path) -> Diagnosis:
    """Compare the files of `tools/` with the manifest of the version that was released.

    Raises:
        NbError: if there is no manifest that can be read.
    """
    if not (root / "tools" / "pyproject.toml").is_file():
        return _package()
    released = read_manifest(root)
    wrong = differences(root, released)
    if not wrong:
        return Diagnosis("tooling", detail=f"{released.version}, as released")
    foreign = _versions(root, wrong) - {released.version}
    named = enumerated(wrong, 3)
    if foreign:
        others = ", ".join(sorted(foreign))
        problem = f"mixed: {named} of version {others} among files of {released.version}"
    else:
        problem = f"edited since {released.version}: {named}"
    command = "nb update, which replaces tools/ and keeps your edit as a patch"
    return Diagnosis("tooling", problem, repair=command)


def _package() -> Diagnosis:
    """Tell of the installed package that stands for the folder (`nb help tooling-as-a-package`)."""
    try:
        found = metadata.distribution("nb-tools")
    except metadata.PackageNotFoundError:
        problem = "neither tools/pyproject.toml nor the package nb-tools is there"
        return Diagnosis("tooling", problem, repair=SETUP)
    return Diagnosis("tooling", detail=f"{found.version}, the package nb-tools")


def read_manifest(root: Path) -> Manifest:
    """Read the manifest of the tooling.

    Raises:
        NbError: if there is none, or another version of the tooling wrote it.
    """
    try:
        return parse_manifest(read_regular(root / MANIFEST))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise NbError(f"{MANIFEST.as_posix()} cannot be read") from None


def parse_manifest(content: bytes | str) -> Manifest:
    """Return the manifest in a JSON text.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: if the text is not one of this schema.
    """
    known = parse_json(content)
    if known["schema"] != MANIFEST_SCHEMA:
        raise ValueError("the manifest is of another version")
    return Manifest(str(known["version"]), {str(k): str(v) for k, v in known["files"].items()})


def differences(root: Path, released: Manifest) -> dict[str, str]:
    """Return the hash of each file that differs, is missing (empty) or was added to the package."""
    tools = root / "tools"
    names = {p.relative_to(tools).as_posix() for p in (tools / "nb").rglob("*.py")}
    found = {name: _hash(tools / name) for name in sorted({*released.files, *names})}
    return {name: digest for name, digest in found.items() if digest != released.files.get(name)}


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(read_regular(path)).hexdigest()
    except OSError:
        return ""


def _versions(root: Path, wrong: Mapping[str, str]) -> set[str]:
    """Return the versions in the history of the project whose manifests hold one of the files."""
    limit = f"--max-count={MOST_MANIFESTS}"
    log = git(root, "log", "--all", limit, "--format=%H", "--", str(MANIFEST), check=False)
    found = set()
    for commit in log.split():
        text = git(root, "show", f"{commit}:./{MANIFEST.as_posix()}", check=False)
        try:
            known = parse_manifest(text)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if any(digest and known.files.get(name) == digest for name, digest in wrong.items()):
            found.add(known.version)
    return found
