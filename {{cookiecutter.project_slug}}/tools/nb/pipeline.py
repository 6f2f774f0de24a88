"""The pipeline as `dvc.yaml` declares it, and what DVC says of it. Only this module imports DVC."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .fingerprints import explain
from .project import FINGERPRINTS, NbError

# The stage that writes the fingerprints: part of the machinery, not of anybody's pipeline.
FINGERPRINT_STAGE = "notebooks/dvc.yaml:fingerprints"


@dataclass
class StageState:
    """A stage, and why it would run.

    Attributes:
        name: its name as DVC addresses it, `train@forest` for a value of a matrix.
        reasons: what changed, in words; empty if nothing did.
        after: the stages before it that are stale: it runs, too, if their results change.
    """

    name: str
    reasons: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


def read_config(path: Path) -> dict[str, Any]:
    """Return the parameters that a file of `config/` gives; none if there is no such file.

    They are read as papermill reads them (`-f`), by YAML 1.1 and with dates as text, so that what
    passes here passes there. DVC's YAML 1.2 reads `no`, `010` and `12:30` as other values.

    Raises:
        NbError: if it is not valid YAML, or holds something else than names and values.
    """
    import yaml

    where = f"{path.parent.name}/{path.name}"
    try:
        loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        loader.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in loader.yaml_implicit_resolvers.items()
        }
        content = loader.get_single_data() or {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NbError(f"{where} cannot be read: {_one_line(error)}", 2) from None
    if not isinstance(content, dict):
        raise NbError(f"{where} holds no parameters; write one `name: value` per line.", 2)
    return content


@contextmanager
def _repo(root: Path) -> Iterator[Any]:
    """Open DVC's view of the project; what it has to say in errors becomes one line."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise NbError(f"DVC: {_one_line(error)}") from None


def stage_states(root: Path) -> list[StageState]:
    """Return the state of each stage, in the order in which they run.

    Fingerprints must be up to date (`fingerprints.refresh`).

    Raises:
        NbError: if `dvc.yaml` cannot be read or is not a pipeline.
    """
    from networkx import ancestors, topological_sort  # DVC's own graphs are networkx graphs

    with _repo(root) as repo:
        # DVC's edges point from a stage to what it depends on.
        graph = repo.index.graph.reverse()
        stages = {s.addressing: s for s in topological_sort(graph) if s.cmd}
        changes = repo.status()
        makers = {out.def_path: s.addressing for s in graph for out in s.outs}
        upstream = {n: {a.addressing for a in ancestors(graph, s)} for n, s in stages.items()}
        locked = {name: _locked_hashes(s) for name, s in stages.items()}
    stages.pop(FINGERPRINT_STAGE, None)
    states: list[StageState] = []
    for name in stages:
        # In order, so what is stale before a stage is known. An input that a stale stage makes is
        # no reason of its own: that stage runs first, and may make it as it was.
        after = [state.name for state in states if state.reasons and state.name in upstream[name]]
        kept = {path: maker for path, maker in makers.items() if maker not in after}
        reasons = _reasons(root, changes.get(name, []), locked[name], kept, set(makers) - set(kept))
        states.append(StageState(name, reasons, after))
    return states


def check_pipeline(root: Path) -> int:
    """Return the number of stages.

    Raises:
        NbError: if `dvc.yaml` cannot be read or is not a pipeline.
    """
    with _repo(root) as repo:
        return sum(1 for s in repo.index.stages if s.cmd and s.addressing != FINGERPRINT_STAGE)


def storage_problem(root: Path) -> tuple[str, str]:
    """Return where DVC stores artifacts, and why it cannot be reached (empty if it can)."""
    with _repo(root) as repo:
        name = repo.config["core"].get("remote")
        if not name:
            return "", "no storage is configured: dvc remote add --default NAME URL"
        url = str(repo.config["remote"].get(name, {}).get("url", ""))
        try:
            odb = repo.cloud.get_remote_odb(name)
            odb.fs.exists(odb.path)
            if odb.fs.protocol == "local":
                _require_writable(Path(odb.path))
        except Exception as error:  # each kind of storage has errors of its own
            return url, f"{url} cannot be reached: {_one_line(error)}"
    return url, ""


def _require_writable(folder: Path) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise OSError(f"{existing} is not a folder that can be written to")


def missing_data(root: Path) -> list[str]:
    """Return the outputs that `dvc.lock` names and that are neither here nor in DVC's cache."""
    with _repo(root) as repo:
        outs = [out for stage in repo.index.stages for out in stage.outs]
        outs = [out for out in outs if out.hash_info and out.use_cache]
        return [o.def_path for o in outs if not o.exists and o.changed_cache()]


def unpushed(root: Path) -> list[str]:
    """Return the artifacts of this commit that the storage does not have yet.

    Raises:
        NbError: if the storage cannot be reached.
    """
    with _repo(root) as repo:
        return sorted(name for name, what in repo.status(cloud=True).items() if what == "new")


def _one_line(error: BaseException) -> str:
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return " ".join(f"{error}{cause}".split())


def _locked_hashes(stage: Any) -> dict[str, str]:
    """Return what `dvc.lock` holds for a stage: the hash of each dependency, by path."""
    return {dep.def_path: dep.hash_info.value for dep in stage.deps if dep.hash_info}


def _reasons(
    root: Path,
    changes: list[Any],
    locked: Mapping[str, str],
    makers: Mapping[str, str],
    awaited: set[str],
) -> list[str]:
    """Put DVC's report on one stage into words.

    Args:
        root: the project's root.
        changes: what DVC reports.
        locked: the hashes of its inputs in `dvc.lock`, by path.
        makers: the stage that makes an input, by path.
        awaited: inputs that stale stages make, which are no reasons.
    """
    if changes and not locked:
        return ["it has not been run yet"]
    reasons: list[str] = []
    for change in changes:
        if change == "changed command":
            reasons.append("its command in dvc.yaml changed")
        elif isinstance(change, str):
            reasons.append(f"it is {change}")  # "always changed"
        else:
            for path, what in change.get("changed outs", {}).items():
                reasons.append(f"{path} {_OUTPUT_WORDS.get(what, what)}")
            for path, what in change.get("changed deps", {}).items():
                if path not in awaited:
                    reasons += _input_reasons(root, path, what, locked, makers)
    return reasons


def _input_reasons(
    root: Path, path: str, what: Any, locked: Mapping[str, str], makers: Mapping[str, str]
) -> list[str]:
    if path.startswith(FINGERPRINTS.as_posix()):
        return explain(root, Path(path), locked.get(path))
    if isinstance(what, dict):
        return [f"{key} in {path} {_PARAMETER_WORDS.get(v, v)}" for key, v in what.items()]
    maker = f", made by {makers[path]}," if path in makers else ""
    return [f"{path}{maker} {_INPUT_WORDS.get(what, what)}"]


_OUTPUT_WORDS = {
    "deleted": "is missing",
    "modified": "is not what the last run wrote",
    "new": "was never recorded",
    "not in cache": "is neither here nor in DVC's cache",
}
_PARAMETER_WORDS = {"deleted": "is gone", "modified": "changed", "new": "is new"}
_INPUT_WORDS = {"deleted": "is missing", "modified": "changed", "new": "is a new input"}
