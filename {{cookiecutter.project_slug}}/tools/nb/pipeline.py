"""The pipeline as `dvc.yaml` declares it, and what DVC says of it. Only this module imports DVC."""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from . import fingerprints
from .project import FINGERPRINTS, NbError
from .schedule import RAN, RESTORED, UNCHANGED, Task

# The stage that writes the fingerprints: part of the machinery, not of anybody's pipeline.
FINGERPRINT_STAGE = "notebooks/dvc.yaml:fingerprints"
# All of DVC that `plan` and `reproduce` use and that its documentation does not promise. If a new
# version of DVC lacks one, `nb run` says so and leaves the work to `dvc repro`.
UNDOCUMENTED = (
    "dvc.dependency.param:ParamsDependency.read_params",
    "dvc.lock:DEFAULT_TIMEOUT",
    "dvc.lock:LockError",
    "dvc.repo.index:Index.graph",
    "dvc.repo.reproduce:collect_stages",
    "dvc.repo.reproduce:get_active_graph",
    "dvc.repo.reproduce:plan_repro",
    "dvc.repo:Repo.index",
    "dvc.repo:Repo.reproduce",
    "dvc.repo:Repo.tmp_dir",
    "dvc.stage.exceptions:StageCmdFailedError",
    "dvc.stage:Stage.addressing",
    "dvc.stage:Stage.changed",
    "dvc.stage:Stage.params",
)
# What DVC imports when it reproduces a stage, some of it as late as then.
MODULES = (
    "dvc.repo.reproduce",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.plots",
    "dvc.lock",
    "dvc.rwlock",
    "dvc.scm",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.status",
    "ruamel.yaml",
)
RESTORED_MESSAGES = {
    "dvc.stage.cache": "Stage '%s' is cached - skipping run, checking out outputs",
    "dvc.stage": "Pulling data for %s",
}
STATUS_MESSAGE = "exited with "
# DVC polls its lock six times in this time, which it sets to 3: stages that end in a second would
# spend it waiting for each other.
LOCK_SECONDS = 0.3
BUSY_SECONDS = 0.3


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

    before = Path.cwd()
    os.chdir(root)  # DVC names stages relative to the working directory
    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise NbError(f"DVC: {_one_line(error)}") from None
    finally:
        os.chdir(before)


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


@dataclass(frozen=True)
class Change:
    """A metric or a parameter, in a commit and now.

    Attributes:
        kind: metric or parameter.
        path: the file that holds it.
        name: its name, dotted where it is nested.
        before: its value in the commit; None if it has none there.
        now: its value in the work tree; None if it is gone.
    """

    kind: str
    path: str
    name: str
    before: Any
    now: Any


def compare(
    root: Path, commit: str, kinds: Iterable[str] = ("metric", "parameter")
) -> list[Change]:
    """Compare metrics and parameters of the work tree with those of a commit.

    Raises:
        NbError: if there is no such commit, or DVC cannot read it.
    """
    found: list[Change] = []
    with _repo(root) as repo:
        for kind in kinds:
            command = repo.metrics.diff if kind == "metric" else repo.params.diff
            for path, values in command(a_rev=commit, all=True).get("diff", {}).items():
                for name, change in values.items():
                    found.append(Change(kind, path, name, change.get("old"), change.get("new")))
    return sorted(found, key=lambda change: (change.kind, change.path, change.name))


@dataclass(frozen=True)
class Outcome:
    """What became of a stage that was reproduced.

    Attributes:
        state: ran, restored or unchanged; empty if it failed.
        status: the exit status of its command, if that is what failed; negative for a signal.
        error: what failed, in one line.
    """

    state: str = ""
    status: int | None = None
    error: str = ""


def missing_names() -> list[str]:
    """Return what this version of DVC lacks of that which `plan` and `reproduce` use."""
    from dvc.repo import Repo
    from dvc.stage import exceptions

    missing = [name for name in UNDOCUMENTED if not _exists(name)]
    if "_wait_for_lock" not in inspect.signature(Repo.__init__).parameters:
        missing.append("dvc.repo:Repo(_wait_for_lock)")
    for module, message in RESTORED_MESSAGES.items():
        if message not in inspect.getsource(importlib.import_module(module)):
            missing.append(f"{module}: the message {message!r}")
    if STATUS_MESSAGE not in inspect.getsource(exceptions):
        missing.append(f"dvc.stage.exceptions: the message {STATUS_MESSAGE!r}")
    return missing


def _exists(name: str) -> bool:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return False
    return True


def plan(
    root: Path,
    targets: Sequence[str],
    *,
    force: bool,
    downstream: bool,
    tell: Callable[[str], None],
) -> list[Task]:
    """Return the stages that DVC would look at, each after those that it depends on.

    Args:
        root: the project's root.
        targets: names of stages, of a matrix as a whole, or files that declare stages; empty for
            the whole pipeline.
        force: all of them are to run.
        downstream: plan the targets and what depends on them, not what they depend on.
        tell: called with one line while another DVC process is waited for.

    Raises:
        NbError: if the pipeline cannot be read (exit code 2), or a target is unknown.
    """
    try:
        with _locked_repo(root, tell) as repo:
            return _plan(repo, root, targets, force, downstream)
    except NbError as error:
        raise NbError(str(error), 2) from None


@contextmanager
def _locked_repo(root: Path, tell: Callable[[str], None]) -> Iterator[Any]:
    """Open the project and hold DVC's lock; who waits for it says for whom."""
    import dvc.lock

    dvc.lock.DEFAULT_TIMEOUT = LOCK_SECONDS
    with _repo(root) as repo:
        told = False
        while True:
            try:
                repo.lock.lock()
                break
            except dvc.lock.LockError:
                if not told:
                    holder = (Path(repo.tmp_dir) / "lock").read_text(errors="replace").strip()
                    tell(f"waiting for DVC's lock, which process {holder or 'unknown'} holds")
                told = True
        try:
            _repair_path_locks(Path(repo.tmp_dir) / "rwlock")
            yield repo
        finally:
            repo.lock.unlock()


def _repair_path_locks(path: Path) -> None:
    """Remove DVC's list of paths in use if a killed process left half of it.

    DVC writes it under its lock, which we hold: nobody is in the middle of writing it.
    """
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except ValueError:
        path.unlink()


def read_locks(root: Path, names: Iterable[str]) -> dict[Path, bytes]:
    """Return the content of the lock files that hold the given stages."""
    files = {Path(name.rpartition(":")[0] or "dvc.yaml").with_name("dvc.lock") for name in names}
    return {root / file: (root / file).read_bytes() for file in files if (root / file).exists()}


def mend_locks(root: Path, before: Mapping[Path, bytes]) -> None:
    """Put back a lock file that a killed DVC left half-written.

    What stages recorded since comes back from DVC's run cache when they are looked at again.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with _locked_repo(root, lambda _: None):
        for path, content in before.items():
            try:
                whole = isinstance(YAML(typ="safe").load(path), dict)
            except (YAMLError, FileNotFoundError):
                whole = False
            if not whole:
                path.write_bytes(content)


def _plan(
    repo: Any, root: Path, targets: Sequence[str], force: bool, downstream: bool
) -> list[Task]:
    from dvc.repo.reproduce import get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)
    stages = plan_repro(graph, _collect(repo, targets or ["dvc.yaml"]), downstream=downstream)
    names = {stage: stage.addressing for stage in stages}
    if FINGERPRINT_STAGE in names.values():
        fingerprints.refresh(root)
    return [
        Task(
            name=name,
            command=" && ".join(_commands(stage)),
            after=frozenset(names[other] for other in graph.successors(stage) if other in names),
            changed=force or _changed(stage),
            parameters=_parameters(stage),
            hidden=name == FINGERPRINT_STAGE,
        )
        for stage, name in names.items()
    ]


def _collect(repo: Any, targets: Sequence[str]) -> list[Any]:
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import collect_stages

    names = {stage.addressing for stage in repo.index.stages}
    names |= {name.partition("@")[0] for name in names}
    found: list[Any] = []
    for target in targets:
        try:
            found += collect_stages(repo, [target])
        except DvcException:
            if target in names or target == "dvc.yaml":
                raise
            nearest = get_close_matches(target, sorted(names - {FINGERPRINT_STAGE}), 1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ". All stages: nb status"
            raise NbError(f"there is no stage {target}{hint}") from None
    return list(dict.fromkeys(found))


def _commands(stage: Any) -> list[str]:
    return list(stage.cmd) if isinstance(stage.cmd, list) else (stage.cmd or "").splitlines()


def _changed(stage: Any) -> bool:
    from dvc.lock import LockError

    try:
        return bool(stage.changed())
    except LockError:  # another process works on it: who reproduces it waits and then looks again
        return True


def _parameters(stage: Any) -> dict[str, Any]:
    return {key: value for params in stage.params for key, value in params.read_params().items()}


def reproduce(
    root: Path,
    name: str,
    *,
    force: bool,
    pull: bool,
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
) -> Outcome:
    """Have DVC bring one stage up to date, in a process of its own.

    Args:
        root: the project's root, also the working directory.
        name: the stage.
        force: run it even if nothing changed.
        pull: fetch from the storage what is missing.
        tell: called with each line that DVC has to say.
        stopped: whether to give up waiting for another process.
    """
    import dvc.lock
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    dvc.lock.DEFAULT_TIMEOUT = LOCK_SECONDS
    messages = _Messages(tell)
    told = ""
    while True:
        try:
            with Repo(str(root), _wait_for_lock=True) as repo:
                done = repo.reproduce(name, single_item=True, force=force, pull=pull)
            return Outcome(RESTORED if messages.restored else RAN if done else UNCHANGED)
        except DvcException as error:
            cause = error.__cause__ or error
            if not isinstance(cause, dvc.lock.LockError) or stopped():
                return Outcome(status=_status(cause), error=_one_line(cause))
            if told != str(cause):
                tell(f"waiting: {_one_line(cause).partition(' If there are no')[0]}")
            told = str(cause)
            time.sleep(BUSY_SECONDS)


class _Messages(logging.Handler):
    """Passes on the commands and the warnings of DVC's log, and notes what was restored."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.tell = tell
        self.restored = False
        logger = logging.getLogger("dvc")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [self]  # DVC's own would show every message, too

    def emit(self, record: logging.LogRecord) -> None:
        self.restored |= record.msg in RESTORED_MESSAGES.values()
        text = record.getMessage()
        if record.levelno >= logging.WARNING or text.startswith("> "):
            self.tell(text)


def _status(error: BaseException) -> int | None:
    """Return the exit status of a command; None if something else failed."""
    from dvc.stage.exceptions import StageCmdFailedError

    found = re.search(rf"{STATUS_MESSAGE}(-?\d+)$", str(error))
    return int(found[1]) if found and isinstance(error, StageCmdFailedError) else None


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
        return fingerprints.explain(root, Path(path), locked.get(path))
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
