"""The pipeline as `dvc.yaml` declares it, and what DVC says of it.

Only this module and `storage` import DVC.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import os
import re
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any

from . import fingerprints, stamp
from .gitwiring import git
from .project import FINGERPRINTS, NbError
from .schedule import BROKEN_CONTRACT, RAN, RESTORED, UNCHANGED, Task
from .stamp import Watched

# The stage that writes the fingerprints: part of the machinery, not of anybody's pipeline.
FINGERPRINT_STAGE = "notebooks/dvc.yaml:fingerprints"
# All of DVC that this module and `storage` use and that its documentation does not promise. If a
# new version of DVC lacks one, `nb run` says so and leaves the work to `dvc repro`.
UNDOCUMENTED = (
    "dvc.dependency.param:ParamsDependency.read_params",
    "dvc.ignore:DvcIgnoreFilter.is_ignored_dir",
    "dvc.lock:DEFAULT_TIMEOUT",
    "dvc.lock:LockError",
    "dvc.output:OutputDoesNotExistError",
    "dvc.repo.index:Index.graph",
    "dvc.repo.reproduce:collect_stages",
    "dvc.repo.reproduce:get_active_graph",
    "dvc.repo.reproduce:plan_repro",
    "dvc.repo:Repo.commit",
    "dvc.repo:Repo.index",
    "dvc.repo:Repo.reproduce",
    "dvc.repo:Repo.tmp_dir",
    "dvc.repo:lock_repo",
    "dvc.rwlock:_edit_rwlock",
    "dvc.repo:Repo.unprotect",
    "dvc.data_cloud:DataCloud.get_remote_odb",
    "dvc.data_cloud:DataCloud.pull",
    "dvc.data_cloud:DataCloud.push",
    "dvc.fs:get_cloud_fs",
    "dvc.stage.cache:StageCache._create_stage",
    "dvc.stage.cache:StageCache._get_cache_path",
    "dvc.stage.cache:StageCache._load",
    "dvc.stage.cache:StageCache.get_used_objs",
    "dvc.stage.cache:StageCache.pull",
    "dvc.stage.cache:_can_hash",
    "dvc.stage.cache:_get_cache_hash",
    "dvc.stage.serialize:to_single_stage_lockfile",
    "dvc.stage.exceptions:StageCmdFailedError",
    "dvc.stage:Stage.addressing",
    "dvc.stage:Stage.changed",
    "dvc.stage:Stage.params",
    "dvc.utils.serialize:modify_yaml",
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
    where = f"{path.parent.name}/{path.name}"
    try:
        content = _load(path.read_text(encoding="utf-8"), where) or {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NbError(f"{where} cannot be read: {one_line(error)}", 2) from None
    if not isinstance(content, dict):
        raise NbError(f"{where} holds no parameters; write one `name: value` per line.", 2)
    return content


def read_value(text: str, where: str) -> Any:
    """Return a value as a file of `config/` would give it.

    Args:
        text: the value as YAML.
        where: what to name in a message.

    Raises:
        NbError: if it is not valid YAML.
    """
    return _load(text, where)


def change_config(path: Path, name: str, value: Any) -> None:
    """Give a parameter another value in a file of `config/`; its comments go."""
    import yaml

    content = {**read_config(path), name: value}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _load(text: str, where: str) -> Any:
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        loader.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in loader.yaml_implicit_resolvers.items()
        }
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise NbError(f"{where} cannot be read: {one_line(error)}", 2) from None


@contextmanager
def open_project(root: Path) -> Iterator[Any]:
    """Open DVC's view of the project; what it has to say in errors becomes one line."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    before = Path.cwd()
    os.chdir(root)  # DVC names stages relative to the working directory
    try:
        with Repo(str(root)) as repo:
            yield repo
    except (DvcException, OSError) as error:  # the latter of a link to what is gone
        raise NbError(f"DVC: {one_line(error)}") from None
    finally:
        os.chdir(before)


def stage_states(root: Path) -> list[StageState]:
    """Return the state of each stage, in the order in which they run.

    Fingerprints must be up to date (`fingerprints.refresh`).

    Raises:
        NbError: if `dvc.yaml` cannot be read or is not a pipeline.
    """
    with open_project(root) as repo:
        return _states(repo, root)


def _states(repo: Any, root: Path) -> list[StageState]:
    from networkx import descendants

    graph = repo.index.graph
    stages = {s.addressing: s for s in _shown(graph)}
    changes = repo.status()
    makers = {out.def_path: s.addressing for s in graph for out in s.outs}
    states: list[StageState] = []
    stale: set[str] = set()
    for name, stage in stages.items():
        # In order, so what is stale before a stage is known. An input that a stale stage makes is
        # no reason of its own: that stage runs first, and may make it as it was.
        upstream = {other.addressing for other in descendants(graph, stage)} & stale
        after = [state.name for state in states if state.name in upstream] if upstream else []
        reasons: list[str] = []
        if name in changes:
            kept = {path: maker for path, maker in makers.items() if maker not in upstream}
            awaited = makers.keys() - kept.keys()
            reasons = _reasons(root, changes[name], _locked_hashes(stage), kept, awaited)
        stale |= {name} if reasons else set()
        states.append(StageState(name, reasons, after))
    return states


@dataclass(frozen=True)
class Contract:
    """What a stage declares: inputs, parameter files among them, and outputs; files or folders."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def contracts(root: Path) -> dict[str, Contract]:
    """Return what each stage declares that runs a command, by name.

    Raises:
        NbError: if `dvc.yaml` cannot be read or is not a pipeline.
    """
    with open_project(root) as repo:
        return {
            stage.addressing: Contract(
                tuple(str(dep.def_path) for dep in stage.deps),
                tuple(str(out.def_path) for out in stage.outs),
            )
            for stage in repo.index.stages
            if stage.cmd and stage.addressing != FINGERPRINT_STAGE
        }


def check_pipeline(root: Path) -> int:
    """Return the number of stages.

    Raises:
        NbError: if `dvc.yaml` cannot be read or is not a pipeline.
    """
    with open_project(root) as repo:
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
    if not git(root, "rev-parse", "--quiet", "--verify", f"{commit}^{{commit}}", check=False):
        what = "nothing is committed yet" if commit == "HEAD" else f"there is no commit {commit}"
        raise NbError(f"{what}, so there is nothing to compare with", 2)
    found: list[Change] = []
    with open_project(root) as repo:
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
        state: ran, restored or unchanged; broken contract, if its command did not write what
            dvc.yaml declares; empty if it failed.
        status: the exit status of its command, if that is what failed; negative for a signal.
        error: what failed, in one line.
    """

    state: str = ""
    status: int | None = None
    error: str = ""


def missing_names() -> list[str]:
    """Return what this version of DVC lacks of what we use."""
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


@dataclass(frozen=True)
class Plan:
    """What DVC would look at.

    Attributes:
        tasks: the stages, each after those that it depends on.
        shown: the names of all stages of the project, as `stage_states` orders them.
        order: the names of all stages of the pipeline, as `dvc repro` runs them.
        watched: what the pipeline reads and writes; None if only DVC can tell whether it changed.
    """

    tasks: list[Task]
    shown: list[str]
    order: list[str]
    watched: Watched | None


def plan(
    root: Path,
    targets: Sequence[str],
    *,
    force: bool,
    downstream: bool,
    tell: Callable[[str], None],
) -> Plan:
    """Return the stages that DVC would look at.

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


def preview(
    root: Path, targets: Sequence[str], *, force: bool, downstream: bool
) -> tuple[list[Task], list[StageState]]:
    """Return what `plan` and `stage_states` do, loading the pipeline once.

    Raises:
        NbError: as `plan` does.
    """
    fingerprints.refresh(root)
    try:
        with _locked_repo(root, lambda line: None) as repo:
            tasks = _plan(repo, root, targets, force, downstream).tasks
            with _path_locks_read_once(repo):
                return tasks, _states(repo, root)
    except NbError as error:
        raise NbError(str(error), 2) from None


@contextmanager
def _locked_repo(root: Path, tell: Callable[[str], None]) -> Iterator[Any]:
    """Open the project and hold DVC's lock."""
    with open_project(root) as repo, hold_lock(repo, tell):
        yield repo


@contextmanager
def hold_lock(repo: Any, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold DVC's lock; who waits for it says for whom."""
    import dvc.lock
    from dvc.repo import lock_repo

    dvc.lock.DEFAULT_TIMEOUT = LOCK_SECONDS
    with ExitStack() as held:
        told = False
        while True:
            try:
                held.enter_context(lock_repo(repo))
                break
            except dvc.lock.LockError:
                if not told:
                    holder = (Path(repo.tmp_dir) / "lock").read_text(errors="replace").strip()
                    tell(f"waiting for DVC's lock, which process {holder or 'unknown'} holds")
                told = True
        _repair_path_locks(Path(repo.tmp_dir) / "rwlock")
        yield


@contextmanager
def _path_locks_read_once(repo: Any) -> Iterator[None]:
    """Keep DVC's list of paths in use in memory: only who holds DVC's lock changes it, and we do.

    It would be read and written five times for each stage that is looked at.
    """
    import dvc.rwlock

    edit = dvc.rwlock._edit_rwlock
    with edit(repo.tmp_dir, repo.fs, repo.config["core"].get("hardlink_lock", False)) as paths:

        @contextmanager
        def shared(*_: Any) -> Iterator[Any]:
            for mode, kind in (("read", list), ("write", dict)):
                paths.setdefault(mode, defaultdict(kind))
            yield paths

        dvc.rwlock._edit_rwlock = shared
        try:
            yield
        finally:
            dvc.rwlock._edit_rwlock = edit


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


def declared(root: Path) -> list[Task]:
    """Return all stages with their commands, as `dvc.yaml` files declare them.

    Raises:
        NbError: if the pipeline cannot be read (exit code 2).
    """
    try:
        with open_project(root) as repo:
            stages = _shown(repo.index.graph)
    except NbError as error:
        raise NbError(str(error), 2) from None
    return [Task(s.addressing, " && ".join(_commands(s))) for s in stages]


@dataclass(frozen=True)
class Definition:
    """A stage as the `dvc.yaml` files define it, with all values filled in.

    Attributes:
        name: as DVC addresses it, `train@forest` for a value of a matrix.
        command: what it runs.
        after: the stages that make what it reads.
        desc: its description.
        meta: what `dvc.yaml` says of it for others than DVC.
        frozen: DVC never runs it.
        inputs: what it reads, parameter files among them; files or folders.
        outputs: what it writes, metrics and plots included.
        metrics: the outputs that hold metrics.
        plots: the outputs that are plots.
    """

    name: str
    command: str
    after: list[str]
    desc: str
    meta: dict[str, Any]
    frozen: bool
    inputs: list[str]
    outputs: list[str]
    metrics: list[str]
    plots: list[str]


def definitions(root: Path) -> list[Definition]:
    """Return all stages that run a command, each after those that it needs.

    Raises:
        NbError: if the pipeline cannot be read (exit code 2).
    """
    try:
        with open_project(root) as repo:
            graph = repo.index.graph
            stages = _shown(graph)
            return [_definition(stage, set(graph.successors(stage)), stages) for stage in stages]
    except NbError as error:
        raise NbError(str(error), 2) from None


def _definition(stage: Any, makers: Set[Any], shown: Sequence[Any]) -> Definition:
    outs = [out for out in stage.outs if out.protocol == "local"]
    return Definition(
        stage.addressing,
        " && ".join(_commands(stage)),
        [other.addressing for other in shown if other in makers],
        stage.desc or "",
        stage.meta if isinstance(stage.meta, dict) else {},
        bool(stage.frozen),
        [str(dep.def_path) for dep in stage.deps],
        [str(out.def_path) for out in stage.outs],
        [str(out.def_path) for out in outs if out.metric],
        [str(out.def_path) for out in outs if out.plot],
    )


def work_apart(root: Path, copy: Path) -> None:
    """Make a copy of the project a DVC repository of its own that shares the cache.

    Raises:
        NbError: if one of the two cannot be read.
    """
    from dvc.config import Config

    with open_project(root) as repo:
        cache, remotes = repo.cache.local_cache_dir, repo.config["remote"]
        stages = repo.index.stages
        made = {out.fs_path for stage in stages for out in stage.outs}
        inputs = {d.fs_path for s in stages for d in s.deps if d.protocol == "local"} - made
        uncached = {o.fs_path for s in stages for o in s.outs if not o.use_cache}
    for path in map(Path, sorted(inputs | uncached)):
        target = copy / path.relative_to(root) if path.is_relative_to(root) else path
        if path.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            if str(path) in inputs:
                target.symlink_to(path)
            else:
                (shutil.copytree if path.is_dir() else shutil.copy2)(path, target)
    with Config(str(copy / ".dvc"), validate=False).edit("local") as local:
        local.setdefault("core", {})["no_scm"] = True
        local.setdefault("cache", {})["dir"] = cache
        for name, remote in remotes.items():  # with what config.local says of them
            local.setdefault("remote", {}).setdefault(name, {}).update(remote)
    with open_project(copy) as repo:
        repo.checkout(force=True, allow_missing=True)


def sort_locks(root: Path, order: Sequence[str]) -> None:
    """Bring the stages in lock files into the order in which `dvc repro` would have run them all.

    DVC appends what it has not seen before, so the order would be that in which stages ended. Lines
    are moved and stay as DVC wrote them; stages that are no longer declared come last.

    Args:
        root: the project's root.
        order: the names of the stages.
    """
    with _locked_repo(root, lambda _: None):
        for path, content in read_locks(root, order).items():
            file = path.relative_to(root).with_name("dvc.yaml").as_posix()
            prefix = "" if file == "dvc.yaml" else f"{file}:"
            ranks = {name.removeprefix(prefix): rank for rank, name in enumerate(order)}
            text = content.decode()
            found = _sorted_lock(text, ranks)
            if found != text:
                draft = path.with_name(f".{path.name}.draft")
                draft.write_text(found, encoding="utf-8", newline="")
                draft.replace(path)


def _sorted_lock(text: str, ranks: Mapping[str, int]) -> str:
    """Sort the blocks of lines below `stages:`; where they cannot be told apart leave all alone."""
    head, found, rest = text.partition("\nstages:\n")
    end = re.search(r"^\S", rest, re.MULTILINE)
    body, tail = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    blocks = re.findall(r"^  \S.*\n(?:    .*\n|\n)*", body, re.MULTILINE)
    heads = [block.partition("\n")[0].strip() for block in blocks]
    if "".join(blocks) != body or not all(line.endswith(":") for line in heads):
        return text
    places = [ranks.get(line[:-1].strip("'\""), len(ranks)) for line in heads]
    ordered = sorted(zip(places, blocks, strict=True), key=lambda pair: pair[0])
    return f"{head}{found}{''.join(block for _, block in ordered)}{tail}"


def _plan(repo: Any, root: Path, targets: Sequence[str], force: bool, downstream: bool) -> Plan:
    from dvc.repo.reproduce import get_active_graph, plan_repro

    graph = get_active_graph(repo.index.graph)
    whole = _collect(repo, ["dvc.yaml"])
    chosen = _collect(repo, targets) if targets else whole
    stages = plan_repro(graph, chosen, downstream=downstream)
    order = plan_repro(graph, whole) if targets else stages
    names = {stage: stage.addressing for stage in stages}
    watched = None if targets else _watched(repo, root, stages)
    if FINGERPRINT_STAGE in names.values():
        fingerprints.refresh(root)
    with _path_locks_read_once(repo):
        tasks = [
            Task(
                name=name,
                command=" && ".join(_commands(stage)),
                after=frozenset(names[o] for o in graph.successors(stage) if o in names),
                changed=force or _changed(stage),
                parameters=_parameters(stage),
                memory=_memory(stage),
                hidden=name == FINGERPRINT_STAGE,
                persisted=() if name == FINGERPRINT_STAGE else _persisted(stage),
            )
            for stage, name in names.items()
        ]
    shown = [stage.addressing for stage in _shown(repo.index.graph)]
    return Plan(tasks, shown, [stage.addressing for stage in order], watched)


def _shown(graph: Any) -> list[Any]:
    """Return the stages that run something, in the order in which they run."""
    from networkx import topological_sort  # DVC's own graphs are networkx graphs

    # DVC's edges point from a stage to what it depends on.
    stages = topological_sort(graph.reverse())
    return [s for s in stages if s.cmd and s.addressing != FINGERPRINT_STAGE]


def _watched(repo: Any, root: Path, stages: Sequence[Any]) -> Watched | None:
    """Return what stages read and write; None if only DVC can tell whether it changed."""
    import dvc

    if any(_is_always_looked_at(stage) for stage in stages):
        return None
    written = {s.addressing: [out.fs_path for out in s.outs] for s in stages}
    made = {path for paths in written.values() for path in paths}
    declared = {Path(stage.path) for stage in repo.index.stages}
    locks = {path.with_name(stamp.LOCK) for path in declared if path.suffix == ".yaml"}
    read = {dep.fs_path for stage in stages if not stage.frozen for dep in stage.deps} - made
    variables = [_variables(path) for path in declared]
    if None in variables:
        return None
    read |= {str(path) for path in (*declared, *chain.from_iterable(filter(None, variables)))}
    read |= set(repo.config.files.values())
    tooling = [str(path) for path in (Path(dvc.__file__), *Path(__file__).parent.glob("*.py"))]
    searched, ignored, left = stamp.search(
        root,
        made,
        repo.dvcignore.is_ignored_dir,
        lambda path: bool(repo.scm.is_ignored(f"{path}{os.sep}")),
    )
    caches = [odb.path for odb in (repo.cache.local, repo.cache.legacy)]
    inodes = {str(path): stamp.inode(path) for path in sorted(locks)}
    watched = Watched(sorted(read), written, searched, ignored, left, tooling, caches, inodes)
    return replace(watched, before=stamp.look(root, watched))


def _is_always_looked_at(stage: Any) -> bool:
    """Return whether a stage runs each time, or deals with what is not a local file."""
    from dvc.dependency import Dependency, ParamsDependency

    deps = [] if stage.frozen else stage.deps
    plain = all(type(dep) in (Dependency, ParamsDependency) for dep in deps)
    if not plain or any(item.protocol != "local" for item in (*deps, *stage.outs)):
        return True
    return not stage.frozen and bool(stage.is_callback or stage.always_changed)


def _variables(path: Path) -> list[Path] | None:
    """Return the files whose values a `dvc.yaml` uses, there or not; None if they may be others."""
    import yaml

    found = [path.with_name("params.yaml")]
    text = path.read_text(encoding="utf-8") if path.suffix == ".yaml" else ""
    if "vars" in text:
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if "vars" in str(
            content.get("stages")
        ):  # of a single stage: relative to where that one runs
            return None
        items = [item for item in content.get("vars", ()) if isinstance(item, str)]
        found += [path.parent / item.partition(":")[0] for item in items]
    return found


def _collect(repo: Any, targets: Sequence[str]) -> list[Any]:
    from dvc.exceptions import DvcException
    from dvc.repo.reproduce import collect_stages

    # DVC would load the file again for each target.
    by_target: dict[str, list[Any]] = {}
    for stage in repo.index.stages:
        file = os.path.relpath(stage.path)
        for key in {stage.addressing, stage.addressing.partition("@")[0], file}:
            by_target.setdefault(key, []).append(stage)
    found: list[Any] = []
    for target in targets:
        try:
            found += by_target.get(target) or collect_stages(repo, [target])
        except DvcException:
            if target == "dvc.yaml":
                raise
            names = sorted(by_target.keys() - {FINGERPRINT_STAGE})
            nearest = get_close_matches(target, names, 1)
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


def _persisted(stage: Any) -> tuple[str, ...]:
    return tuple(str(out.fs_path) for out in stage.outs if stage.cmd and out.persist)


def _parameters(stage: Any) -> dict[str, Any]:
    return {key: value for params in stage.params for key, value in params.read_params().items()}


def _memory(stage: Any) -> int | None:
    """Return how much memory a stage needs by its `meta: {nb: {memory: 8GB}}`, in bytes."""
    declared = ((stage.meta or {}).get("nb") or {}).get("memory")
    if declared is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kMGT]?)(i?)B)?", str(declared).strip())
    if not found:
        what = f"stage {stage.addressing} needs {declared!r} of memory, which is no size"
        raise NbError(f"{stage.relpath}: {what}; write it as 8GB or 500MB", 2)
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kMGT".index(prefix or " "))


class NotComputedError(NbError):
    """A stage has no result for its inputs as they are."""


def restore(
    root: Path, names: Sequence[str], *, pull: bool, tell: Callable[[str], None]
) -> dict[str, str]:
    """Bring stages up to date with results that are kept, and run none of them.

    Args:
        root: the project's root.
        names: the stages, each after those that it depends on.
        pull: fetch from the storage what is missing.
        tell: called with one line while another process is waited for.

    Returns:
        The state of each, unchanged or restored, by name.

    Raises:
        NotComputedError: if neither the cache nor, with `pull`, the storage holds its results.
    """
    states: dict[str, str] = {}
    told = ""
    _Messages(tell)
    while True:
        with _locked_repo(root, tell) as repo:
            busy = _restore_until_busy(repo, names, states, pull)
        if not busy:
            return states
        if told != busy:  # who works on it needs DVC's lock to end: wait without it
            tell(f"waiting: {busy}")
        told = busy
        time.sleep(BUSY_SECONDS)


def _restore_until_busy(repo: Any, names: Sequence[str], states: dict[str, str], pull: bool) -> str:
    """Note the states of stages; return what another process works on, if it does, and stop."""
    from dvc.lock import LockError

    stages = {stage.addressing: stage for stage in repo.index.stages}
    try:
        for name in names:
            if name not in states:
                states[name] = _restore(repo, stages[name], pull)
    except LockError as error:
        return one_line(error).partition(" If there are no")[0]
    return ""


def _restore(repo: Any, stage: Any, pull: bool) -> str:
    always_runs = stage.is_callback or stage.always_changed
    if not (stage.changed_outs() if always_runs else stage.changed()):
        return UNCHANGED
    if not stage.changed(allow_missing=True) and _fetched(repo, stage, pull):
        stage.checkout()  # inputs are what dvc.lock says, outputs are missing
        if not stage.changed():
            return RESTORED
    kept = _kept_result(repo, stage)
    if kept is None or not _fetched(repo, kept, pull):
        raise NotComputedError(_not_computed(stage, pull))
    stage.remove_outs()
    kept.checkout()
    stage.save(run_cache=False)
    stage.commit()
    stage.dump(update_pipeline=False)
    return RESTORED


def _kept_result(repo: Any, stage: Any) -> Any:
    """Return what the run cache holds for a stage with its inputs as they are; None if nothing."""
    from dvc.stage.cache import _can_hash

    if not _can_hash(stage):
        return None
    stage.save_deps()
    entry = repo.stage_cache._load(stage)
    return entry and repo.stage_cache._create_stage(entry, wdir=stage.wdir)


def _fetched(repo: Any, stage: Any, pull: bool) -> bool:
    """Return whether the outputs of a stage are in the cache; with `pull` they are fetched."""
    if pull and not stage.outs_cached():
        for objects in stage.get_used_objs().values():
            repo.cloud.pull(objects)
    return bool(stage.outs_cached())


def _not_computed(stage: Any, pull: bool) -> str:
    name = stage.addressing
    if not stage.cmd:
        path = stage.outs[0].def_path
        if stage.outs[0].exists:
            return f"{path} is not what {name} says: dvc add {path}, or dvc checkout {path}"
        where = "in the storage" if pull else "here"
        return f"{path} as {name} names it is not {where}: make push where it was added"
    if pull:
        return f"{name} has not been computed and pushed for these inputs: nb task {name} --push"
    return f"{name} has not been computed here for these inputs: nb task {name}"


def reproduce(
    root: Path,
    name: str,
    *,
    force: bool,
    pull: bool,
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
    persisted: Sequence[str] = (),
) -> Outcome:
    """Have DVC bring one stage up to date, in a process of its own.

    Args:
        root: the project's root, also the working directory.
        name: the stage.
        force: run it even if nothing changed.
        pull: fetch from the storage what is missing.
        tell: called with each line that DVC has to say.
        stopped: whether to give up waiting for another process.
        persisted: outputs that DVC does not remove before a run, as absolute paths. They are stored
            only after the run is found to have written them.
    """
    import dvc.lock
    from dvc.exceptions import DvcException
    from dvc.output import OutputDoesNotExistError
    from dvc.repo import Repo

    dvc.lock.DEFAULT_TIMEOUT = LOCK_SECONDS
    messages = _Messages(tell)
    told = ""
    while True:
        try:
            with Repo(str(root), _wait_for_lock=True) as repo:
                repo.stage_cache.pull = lambda *_: []  # once for the run is enough: see `storage`
                before = _mark_times(repo, persisted)
                done = repo.reproduce(
                    name, single_item=True, force=force, pull=pull, no_commit=bool(persisted)
                )
                if done and persisted:
                    left = [] if messages.restored else _left_alone(before)
                    if left:
                        _forget(repo, root, name)
                        return Outcome(BROKEN_CONTRACT, error=_contract_error(root, left))
                    repo.commit(name, force=True)
            return Outcome(RESTORED if messages.restored else RAN if done else UNCHANGED)
        except DvcException as error:
            cause = error.__cause__ or error
            if isinstance(cause, OutputDoesNotExistError):
                return Outcome(BROKEN_CONTRACT, error=f"{one_line(cause)} after its command ran")
            if not isinstance(cause, dvc.lock.LockError) or stopped():
                return Outcome(status=_status(cause), error=one_line(cause))
            if told != str(cause):
                tell(f"waiting: {one_line(cause).partition(' If there are no')[0]}")
            told = str(cause)
            time.sleep(BUSY_SECONDS)


def _mark_times(repo: Any, paths: Sequence[str]) -> dict[str, set[tuple[Any, ...]]]:
    """Return which files persisted outputs consist of now, and when each was written."""
    for path in filter(os.path.lexists, paths):
        # DVC copies links to its cache before a command may write to them: done here, it is no
        # change that the command made.
        repo.unprotect(path)
    return {path: _files(Path(path)) for path in paths}


def _files(path: Path) -> set[tuple[Any, ...]]:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return {
        (file, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        for file in files
        if file.exists() and (stat := file.stat())
    }


def _left_alone(before: Mapping[str, set[tuple[Any, ...]]]) -> list[str]:
    return [path for path, files in before.items() if files and _files(Path(path)) == files]


def _contract_error(root: Path, paths: Sequence[str]) -> str:
    names = ", ".join(Path(os.path.relpath(path, root)).as_posix() for path in paths)
    return f"{names} persisted from an earlier run, and its command did not write to it"


def _forget(repo: Any, root: Path, name: str) -> None:
    """Take a stage out of its lock file: it is stale, whatever changes."""
    from dvc.utils.serialize import modify_yaml

    file, _, stage = name.rpartition(":")
    with repo.lock, modify_yaml(root / Path(file or "dvc.yaml").with_name("dvc.lock")) as content:
        content.get("stages", {}).pop(stage, None)


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


def missing_data(root: Path) -> list[str]:
    """Return the outputs that `dvc.lock` names and that are neither here nor in DVC's cache."""
    with open_project(root) as repo:
        outs = [out for stage in repo.index.stages for out in stage.outs]
        outs = [out for out in outs if out.hash_info and out.use_cache]
        return [o.def_path for o in outs if not o.exists and o.changed_cache()]


def one_line(error: BaseException) -> str:
    cause = f": {error.__cause__}" if error.__cause__ else ""
    return " ".join(f"{error}{cause}".split())


def _locked_hashes(stage: Any) -> dict[str, str]:
    """Return what `dvc.lock` holds for a stage: the hash of each input and output, by path."""
    return {i.def_path: i.hash_info.value for i in (*stage.deps, *stage.outs) if i.hash_info}


def _reasons(
    root: Path,
    changes: list[Any],
    locked: Mapping[str, str],
    makers: Mapping[str, str],
    awaited: Set[str],
) -> list[str]:
    """Put DVC's report on one stage into words.

    Args:
        root: the project's root.
        changes: what DVC reports.
        locked: the hashes of its inputs and outputs in `dvc.lock`, by path.
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
