"""Stages of `dvc.yaml`, read without DVC; of stages that ran, the values in `dvc.lock` count.

An *entry* is the value of a name below `stages`: a stage, or a matrix of stages. A *stage* has the
values of the matrix filled in. Values that only DVC can resolve (`vars`, imported parameters) are
taken from `dvc.lock`, which holds them after the first run of a stage.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from nb.notebook.content import notebooks_below
from nb.notebook.yaml_file import parse_as_dvc, read_as_dvc
from nb.project import FINGERPRINTS, PRODUCTION, NbError, UsageError, one_line, parse_json

from .papermill_command import (
    PapermillCommand,
    notebooks_run,
    papermill_command,
    papermill_commands,
    path_from_root,
)
from .tasks import group_of
from .templates import as_glob, expand, fill

FILE = "dvc.yaml"
LOCK = "dvc.lock"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An entry of `dvc.yaml`, with templates (`${…}`) unresolved.

    Attributes:
        name: the key below `stages`.
        line: the line in the file, from 1.
        body: the content; of a `foreach`, the content below `do`.
        spread: the `matrix` or `foreach` with its value; empty for a single stage.
        base: the folder of the file, relative to the root.
    """

    name: str
    line: int
    body: Mapping[str, object]
    spread: Mapping[str, object] = field(default_factory=dict)
    base: str = ""

    @property
    def folder(self) -> str:
        """The working directory of the command, relative to the root."""
        return path_from_root(self.base, str(self.body.get("wdir") or "."))

    @property
    def command(self) -> str:
        """The commands in one line."""
        return one_command(self.body.get("cmd"))

    @cached_property
    def papermill(self) -> list[PapermillCommand]:
        """The calls of papermill in the command."""
        return papermill_commands(self.command, self.folder)

    @cached_property
    def notebooks(self) -> list[str]:
        """The notebooks that the command runs, of all values of a matrix, relative to the root."""
        found = notebooks_run(self.command, self.folder)
        if not any("${" in notebook for notebook in found):
            return found
        each = [values for _, values in expand(self.name, self.spread)] or [{}]
        lines = {(fill(self.command, values), fill(self.folder, values)) for values in each}
        return sorted({notebook for line in lines for notebook in notebooks_run(*line)})

    @property
    def outputs(self) -> list[str]:
        """The declared outputs, metrics and plots, relative to the root."""
        kinds = ("outs", "metrics", "plots")
        return [
            path_from_root(self.folder, path) for kind in kinds for path, _ in self.artifacts(kind)
        ]

    @property
    def inputs(self) -> list[str]:
        """The declared dependencies, relative to the root."""
        return [path_from_root(self.folder, path) for path, _ in self.artifacts("deps")]

    def artifacts(self, kind: str) -> list[tuple[str, Mapping[str, object]]]:
        """Return the path and the settings of each entry of `deps`, `outs`, `metrics`, `plots`."""
        entries = self.body.get(kind)
        found: list[tuple[str, Mapping[str, object]]] = []
        for entry in entries if isinstance(entries, list) else [entries] if entries else []:
            if isinstance(entry, dict):
                found += [
                    (str(path), settings if isinstance(settings, dict) else {})
                    for path, settings in entry.items()
                ]
            else:
                found.append((str(entry), {}))
        return found

    def runs(self, notebook: str) -> bool:
        """Return whether the entry runs a notebook, whose path is relative to the root."""
        return any(fnmatchcase(notebook, as_glob(run)) for run in self.notebooks)


@dataclass(frozen=True)
class Artifact:
    """An input or output of a stage, with the size in bytes if `dvc.lock` holds the size."""

    path: str
    size: int | None = None


@dataclass(frozen=True)
class Plot:
    """A plot of `dvc.yaml`: a figure, or a table with the columns to draw.

    Attributes:
        path: the file.
        settings: the settings in `dvc.yaml`: x, y, title, template.
    """

    path: str
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A resolved stage of `dvc.yaml`; a matrix gives a stage per value.

    Attributes:
        name: the name as DVC addresses the stage, `train@forest` for a value of a matrix.
        command: the command line.
        folder: the working directory of the command, relative to the root.
        desc: the description.
        reads: the inputs without fingerprints.
        writes: the outputs, metrics and plots included.
        metrics: the outputs that hold metrics.
        plots: the outputs that are plots.
        parameters: the values of the last run.
    """

    name: str
    command: str
    _: KW_ONLY
    folder: str = ""
    desc: str = ""
    reads: tuple[Artifact, ...] = ()
    writes: tuple[Artifact, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def group(self) -> str:
        """The stage as `dvc.yaml` names it, without the value of the matrix."""
        return group_of(self.name)

    @cached_property
    def papermill(self) -> PapermillCommand:
        """The call of papermill in the command; without a notebook if there is no call."""
        return papermill_command(self.command, self.folder)


def one_command(cmd: object) -> str:
    """Return the commands of a stage, a list or lines of text, joined into a single line."""
    return " && ".join(split_commands(cmd))


def split_commands(cmd: object) -> list[str]:
    """Return the commands of a stage as a list, as DVC passes them to the shell."""
    return [str(each) for each in cmd] if isinstance(cmd, list) else str(cmd or "").splitlines()


def undeclared_notebooks(root: Path) -> list[str]:
    """Return the production notebooks that no entry of `dvc.yaml` runs, relative to the root.

    Raises:
        NbError: if `dvc.yaml` cannot be read (exit code 2).
    """
    entries = read_entries(root)
    notebooks = notebooks_below(root / PRODUCTION)
    names = (path.relative_to(root).as_posix() for path in notebooks)
    return [name for name in names if not any(entry.runs(name) for entry in entries)]


def read_entries(root: Path, file: str = FILE) -> list[Entry]:
    """Return the entries of a `dvc.yaml`, in order.

    Args:
        file: the file, relative to the root.

    Raises:
        NbError: if the file cannot be read or parsed (exit code 2).
    """
    base = posixpath.dirname(file)
    return list(_entries(read_dvc_yaml(root, file), file, base))


def read_dvc_yaml(root: Path, file: str = FILE) -> str:
    """Return the text of a `dvc.yaml`, line ends as they are.

    Raises:
        NbError: if the file cannot be read (exit code 2).
    """
    try:
        return (root / file).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise UsageError(
            f"there is no {file} in {root.name}; git checkout HEAD -- {file} brings it back."
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {one_line(error)}") from None


def _entries(text: str, file: str, base: str) -> Iterator[Entry]:
    node, content = parse_as_dvc(text, file)
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        return
    assert node
    (mapping,) = (value for key, value in node.value if key.value == "stages")
    lines = {key.value: key.start_mark.line + 1 for key, _ in mapping.value}
    for name, spec in stages.items():
        body = spec if isinstance(spec, dict) else {}
        spread = {key: body[key] for key in ("matrix", "foreach") if body.get(key)}
        inner = body.get("do")
        body = {**body, **inner} if isinstance(inner, dict) else body
        yield Entry(
            name=str(name), line=lines.get(str(name), 1), body=body, spread=spread, base=base
        )


def value_files(path: Path) -> list[Path] | None:
    """Return the files whose values a `dvc.yaml` fills in, there or not; None if only DVC can tell.

    Args:
        path: the file; a declaration of data (`.dvc`) fills in none.
    """
    found = [path.with_name("params.yaml")]
    text = path.read_text(encoding="utf-8") if path.suffix == ".yaml" else ""
    if "vars" in text:
        content = read_as_dvc(text, path.name)
        content = content if isinstance(content, dict) else {}
        # The `vars` of a single stage are relative to the working directory of that stage.
        if "vars" in str(content.get("stages")):
            return None
        items = [item for item in content.get("vars", ()) if isinstance(item, str)]
        found += [path.parent / item.partition(":")[0] for item in items]
    return found


def read_stages(
    root: Path, files: Iterable[str] = (FILE,), *, with_lock: bool = True
) -> list[Stage]:
    """Return the stages of the given files, in order; an unreadable file has none.

    Args:
        files: the files, relative to the root.
        with_lock: prefer the values in `dvc.lock`, where templates are resolved; sizes and the
            parameters of the last run are only there.
    """
    return [stage for file in files for stage in _stages(root, file, with_lock)]


def read_lock(root: Path, file: str = FILE) -> dict[str, Any]:
    """Return the entries of `dvc.lock` by stage; none if the file cannot be read."""
    path = (root / file).with_name(LOCK)
    try:
        text = path.read_text(encoding="utf-8")
        content = parse_json(text) if text[:1] == "{" else read_as_dvc(text, path.name)
    except (OSError, ValueError, NbError):
        return {}
    stages = content.get("stages") if isinstance(content, dict) else None
    found = stages if isinstance(stages, dict) else {}
    return {str(name): entry for name, entry in found.items() if isinstance(entry, dict)}


def _stages(root: Path, file: str, with_lock: bool) -> Iterator[Stage]:
    try:
        entries = read_entries(root, file)
    except NbError:
        return
    locked = read_lock(root, file) if with_lock else {}
    prefix = "" if file == FILE else f"{file}:"
    for entry in entries:
        for name, values in expand(entry.name, entry.spread, locked):
            yield _stage(prefix + name, entry, values, locked.get(name) or {})


def _stage(name: str, entry: Entry, values: Mapping[str, object], lock: Mapping[str, Any]) -> Stage:
    folder = path_from_root(entry.base, fill(entry.body.get("wdir") or ".", values))

    def declared(kind: str) -> dict[str, Mapping[str, object]]:
        return {path_from_root(folder, fill(path, values)): s for path, s in entry.artifacts(kind)}

    def artifacts(kind: str, names: Iterable[str]) -> tuple[Artifact, ...]:
        locked = [
            Artifact(path_from_root(folder, e["path"]), e.get("size")) for e in lock.get(kind) or ()
        ]
        found = locked or [Artifact(name) for name in names]
        return tuple(a for a in found if not a.path.startswith(FINGERPRINTS.as_posix()))

    metrics, plots = declared("metrics"), declared("plots")
    writes = artifacts("outs", [*declared("outs"), *metrics, *plots])
    parameters = {k: v for file in (lock.get("params") or {}).values() for k, v in file.items()}
    return Stage(
        name,
        one_command(lock.get("cmd")) or fill(entry.command, values),
        folder=folder,
        desc=fill(entry.body.get("desc", ""), values),
        reads=artifacts("deps", declared("deps")),
        writes=writes,
        metrics=tuple(a.path for a in writes if _find(a.path, metrics) is not None),
        plots=tuple(Plot(a.path, s) for a in writes if (s := _find(a.path, plots)) is not None),
        parameters=parameters,
    )


def _find(path: str, declared: Mapping[str, Mapping[str, object]]) -> Mapping[str, object] | None:
    """Return the settings of a path; an unresolved template matches any text."""
    for name, settings in declared.items():
        if fnmatchcase(path, as_glob(name)):
            return settings
    return None
