"""Differences between two versions: metrics, parameters, stages, code and artifacts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nb.authoring.compare import difference
from nb.experiments.store import FIGURE_SUFFIXES
from nb.git.text_view import readable_text
from nb.pipeline import Change, cached_files
from nb.project import FINGERPRINTS

from .version import Version

# Reading these formats would run code that the file holds.
UNSAFE = (".joblib", ".pkl", ".pickle", ".npy", ".npz")


@dataclass(frozen=True, kw_only=True)
class StageDifference:
    """The difference of a stage.

    Attributes:
        name: the stage.
        inputs: the inputs that differ: code, the command, parameters, and paths.
        outputs: the outputs that differ.
        only_in: the name of the version that has the stage; empty if both do.
    """

    name: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    only_in: str = ""


@dataclass(frozen=True, kw_only=True)
class FileDifference:
    """The difference of a file.

    Attributes:
        path: the file, relative to the root.
        words: the difference in words; of code, a unified diff.
    """

    path: str
    words: str


@dataclass(frozen=True, kw_only=True)
class Differences:
    """The differences between two versions.

    Attributes:
        before: the older version in words.
        now: the newer version in words.
        metrics: all metrics, changed or not.
        parameters: the parameters that differ, those of a stage below its name.
        stages: the stages that differ.
        code: the notebooks, as text without outputs, and modules that differ.
        artifacts: the outputs that differ, with the difference of their values.
        figures: the pictures that differ: path, content before, content now.
        stale: the stages of the newer version that would run, with the reasons.
    """

    before: str
    now: str
    metrics: list[Change] = field(default_factory=list)
    parameters: list[Change] = field(default_factory=list)
    stages: list[StageDifference] = field(default_factory=list)
    code: list[FileDifference] = field(default_factory=list)
    artifacts: list[FileDifference] = field(default_factory=list)
    figures: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    stale: dict[str, list[str]] = field(default_factory=dict)

    def as_data(self) -> dict[str, object]:
        """Return the differences for JSON; of figures the paths."""
        return {**asdict(self), "figures": [path for path, *_ in self.figures]}


def compare_versions(
    root: Path, old: Version, new: Version, stale: Mapping[str, list[str]] | None = None
) -> Differences:
    """Compare two versions of the project.

    Args:
        root: the project's root, whose cache holds the artifacts.
        old: the version before.
        new: the version now.
        stale: the stages of the new version that would run, with the reasons.
    """
    artifacts, figures = _artifacts(root, old, new)
    return Differences(
        before=old.title,
        now=new.title,
        metrics=_changes("metric", old.metrics, new.metrics),
        parameters=[
            change
            for change in _changes("parameter", old.parameters, new.parameters)
            if change.before != change.now
        ],
        stages=list(_stages(old, new)),
        code=list(_code(old, new)),
        artifacts=artifacts,
        figures=figures,
        stale=dict(stale or {}),
    )


def _changes(
    kind: str, old: Mapping[str, Mapping[str, object]], new: Mapping[str, Mapping[str, object]]
) -> list[Change]:
    return [
        Change(
            kind=kind,
            path=path,
            name=name,
            before=old.get(path, {}).get(name),
            now=new.get(path, {}).get(name),
        )
        for path in sorted(old.keys() | new.keys())
        for name in dict.fromkeys([*old.get(path, {}), *new.get(path, {})])
    ]


def _stages(old: Version, new: Version) -> Iterator[StageDifference]:
    if old.folder is None or new.folder is None:
        return
    for name in dict.fromkeys([*old.lock, *new.lock]):
        if name not in old.lock or name not in new.lock:
            yield StageDifference(name=name, only_in=(old if name in old.lock else new).title)
            continue
        before, now = old.lock[name], new.lock[name]
        inputs = _differing(_hashes(before, "deps"), _hashes(now, "deps"))
        inputs = ["code" if p.startswith(FINGERPRINTS.as_posix()) else p for p in inputs]
        inputs += ["parameters"] * (before.get("params") != now.get("params"))
        inputs += ["the command"] * (before.get("cmd") != now.get("cmd"))
        outputs = _differing(_hashes(before, "outs"), _hashes(now, "outs"))
        if inputs or outputs:
            yield StageDifference(name=name, inputs=inputs, outputs=outputs)


def _hashes(entry: Mapping[str, Any], kind: str) -> dict[str, str]:
    files = entry.get(kind) or []
    return {f["path"]: str(f.get("md5") or f.get("etag") or f.get("checksum")) for f in files}


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    return [path for path in dict.fromkeys([*old, *new]) if old.get(path) != new.get(path)]


def _code(old: Version, new: Version) -> Iterator[FileDifference]:
    if old.folder is None or new.folder is None:
        return
    before, now = (dict(_sources(version.folder)) for version in (old, new) if version.folder)
    for path in sorted(before.keys() | now.keys()):
        texts = [_text(files.get(path)) for files in (before, now)]
        if texts[0] != texts[1]:
            one, other = (text.splitlines() for text in texts)
            diff = unified_diff(one, other, old.name, new.name, lineterm="")
            yield FileDifference(path=path, words="\n".join(diff))


def _sources(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the notebooks and modules of a version by path."""
    for top, pattern in (("notebooks", "*.ipynb"), ("src", "*.py")):
        for path in (folder / top).rglob(pattern):
            if path.is_file() and ".ipynb_checkpoints" not in path.parts:
                yield path.relative_to(folder).as_posix(), path


def _text(path: Path | None) -> str:
    """Return a notebook as cells without outputs, a module as it is; empty for no file."""
    return readable_text(path.name, path.read_bytes()) if path else ""


def _artifacts(
    root: Path, old: Version, new: Version
) -> tuple[list[FileDifference], list[tuple[str, bytes, bytes]]]:
    """Return the outputs in both versions that differ, and the pictures among them."""
    versions = (old, new)
    hashes = [
        {p: h for entry in version.lock.values() for p, h in _hashes(entry, "outs").items()}
        for version in versions
    ]
    shown = {*old.metrics, *new.metrics}
    paths = [p for p in _differing(*hashes) if all(p in h for h in hashes) and p not in shown]
    cached = cached_files(root, [h[path] for path in paths for h in hashes]) if paths else {}
    words: list[FileDifference] = []
    figures: list[tuple[str, bytes, bytes]] = []
    for path in paths:
        files = [_file(v, path, cached.get(h[path])) for v, h in zip(versions, hashes, strict=True)]
        words.append(FileDifference(path=path, words=_words(path, files)))
        old_file, new_file = files
        if path.lower().endswith(FIGURE_SUFFIXES) and old_file and new_file:
            figures.append((path, old_file.read_bytes(), new_file.read_bytes()))
    return words, figures


def _file(version: Version, path: str, cached: Path | None) -> Path | None:
    """Return a file with the content of an artifact in a version; None if none is here."""
    if cached:
        return cached
    own = version.folder / path if version.folder and version.is_complete else None
    return own if own and own.is_file() else None


def _words(path: str, files: Sequence[Path | None]) -> str:
    old, new = files
    if not old or not new:
        return "other bytes; to compare values, nb pull the results of both"
    suffix = Path(path).suffix.lower()
    if suffix in UNSAFE:
        return f"other bytes ({old.stat().st_size} and {new.stat().st_size})"
    with TemporaryDirectory(prefix="nb-version-") as folder:  # files of the cache have no suffix
        named = [Path(folder, f"{side}{suffix}") for side in ("old", "new")]
        for link, file in zip(named, files, strict=True):
            if file:
                _link(file, link)
        return difference(*named) or "other bytes, the same values"


def _link(file: Path, link: Path) -> None:
    try:
        link.symlink_to(file.resolve())
    except OSError:  # Windows without the permission
        shutil.copyfile(file, link)
