"""Reproduction of a stage by DVC, and restoration of stages from cached results."""

from __future__ import annotations

import logging
import os
import re
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

from nb.declaration.tasks import BROKEN_CONTRACT, RAN, RESTORED, UNCHANGED, Outcome
from nb.project import NbError, one_line

from .loaded import LoadedPipeline
from .lockfiles import stages_by_lock, write_changed_lines_only
from .protocols import Config, DvcStage, Repo
from .repository import BUSY_SECONDS, LOCK_SECONDS, failure_text, locked_repository
from .run_cache import guard_runs
from .shortcuts import compile_schemas, known_hashes, nested_path_locks
from .undocumented import RESTORED_MESSAGES, RUNNING_MESSAGE, STATUS_MESSAGE

# A file with its inode, time of change and size.
FileMark = tuple[Path, int, int, int]


def reproduce(
    root: Path,
    name: str,
    *,
    force: bool,
    pull: bool,
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
    persisted: Sequence[str] = (),
    loaded: LoadedPipeline | None = None,
) -> Outcome:
    """Reproduce one stage with DVC, in the process of a worker.

    Args:
        root: the project's root, also the working directory.
        name: the stage.
        force: run the stage even if nothing changed.
        pull: fetch missing data from the storage.
        tell: called with each line of DVC's log.
        stopped: whether to give up waiting for another process.
        persisted: outputs that DVC keeps before a run (`persist: true`), as absolute paths. They
            are committed only if the run wrote them.
        loaded: the pipeline as the parent of this process loaded it.
    """
    from dvc.lock import LockError

    messages = _Messages(tell)
    told = ""
    with write_changed_lines_only() as written:
        while True:
            try:
                outcome = _reproduce(root, name, force, pull, messages, persisted, loaded)
                return replace(outcome, written=written)
            except LockError as error:
                if stopped():
                    return Outcome(error=one_line(error))
                if told != str(error):
                    tell(f"waiting: {one_line(error).partition(' If there are no')[0]}")
                told = str(error)
                time.sleep(BUSY_SECONDS)


def _reproduce(
    root: Path,
    name: str,
    force: bool,
    pull: bool,
    messages: _Messages,
    persisted: Sequence[str],
    loaded: LoadedPipeline | None,
) -> Outcome:
    """Reproduce a stage with DVC.

    Raises:
        LockError: if another process holds an input or output of the stage.
    """
    import dvc.lock
    from dvc.exceptions import ConfirmRemoveError, DvcException
    from dvc.output import OutputDoesNotExistError

    dvc.lock.DEFAULT_TIMEOUT = LOCK_SECONDS
    try:
        repo, run = _repository(root, name, loaded)
        # The worker keeps a loaded pipeline for its next stage.
        with nullcontext() if loaded else repo, nested_path_locks(), known_hashes():
            repo.stage_cache.pull = lambda *_: []  # the run fetches once: see `storage`
            before = _mark_times(repo, persisted)
            done = run(force=force, pull=pull, no_commit=bool(persisted))
            if done and persisted:
                left = [] if messages.is_restored() else _left_alone(before)
                if left:
                    _forget(repo, root, name)
                    return Outcome(BROKEN_CONTRACT, error=_contract_error(root, left))
                repo.commit(name, force=True)
        return Outcome(RESTORED if messages.is_restored() else RAN if done else UNCHANGED)
    except DvcException as error:
        cause = error.__cause__ or error
        if isinstance(cause, dvc.lock.LockError):
            raise cause from None
        if pull and isinstance(cause, ConfirmRemoveError):  # a local file that the storage lacks
            return _reproduce(root, name, force, False, messages, persisted, loaded)
        if isinstance(cause, OutputDoesNotExistError):
            return Outcome(BROKEN_CONTRACT, error=f"{one_line(cause)} after its command ran")
        return Outcome(status=_status(cause), error=failure_text(root, cause))


def _repository(
    root: Path, name: str, loaded: LoadedPipeline | None
) -> tuple[Repo, Callable[..., object]]:
    """Return DVC's view of the project, and a function that reproduces a stage in it."""
    import dvc.repo
    from dvc.lock import make_lock
    from dvc.repo.reproduce import _reproduce as reproduce_all
    from dvc.repo.scm_context import scm_context

    if loaded is None:
        compile_schemas()
        opened: Repo = dvc.repo.Repo(str(root), _wait_for_lock=True)
        guard_runs(opened)
        return opened, partial(opened.reproduce, name, single_item=True)
    repo = loaded.repo
    lock = Path(repo.tmp_dir) / "lock"
    hardlink = loaded.config["core"].get("hardlink_lock", False)
    repo.lock = make_lock(str(lock), repo.tmp_dir, hardlink_lock=hardlink, friendly=True, wait=True)
    if loaded.scm:
        vars(repo).update(scm=loaded.scm)
        vars(repo).pop("scm_context", None)  # knows the former

    def run(**options: bool) -> object:
        # DVC's own way to hold its lock drops what it has read so far, settings included, twice.
        with repo.lock:
            repo._lock_depth += 1
            try:
                stage = loaded.stage(name)  # until the lock is held others may record the stage
                if stage is None:
                    return repo.reproduce(name, single_item=True, **options)
                with _kept_open(repo, loaded.config):
                    return scm_context(reproduce_loaded)(repo, stage, **options)
            finally:
                repo._lock_depth -= 1

    def reproduce_loaded(repo: Repo, stage: DvcStage, **options: bool) -> object:
        return reproduce_all([stage], interactive=False, **options)

    return repo, run


@contextmanager
def _kept_open(repo: Repo, settings: Config) -> Iterator[None]:
    """Have DVC keep its settings and its database of hashes while the command of a stage runs.

    DVC drops all that it has read when it gives up its lock for the command; reading that again
    takes a fifth of the CPU of a small stage. The rules of `.dvcignore` files are dropped here,
    too: a command may write such a file into its output.
    """

    def forget() -> None:
        vars(repo).pop("dvcignore", None)

    vars(repo).update(config=settings, _reset=forget)
    try:
        yield
    finally:
        del vars(repo)["_reset"]


def _mark_times(repo: Repo, paths: Sequence[str]) -> dict[str, set[FileMark]]:
    """Return the files of persisted outputs with their times of change."""
    for path in filter(os.path.lexists, paths):
        # DVC replaces links to its cache by copies before a command may write: done here, that
        # copy does not count as a change by the command.
        repo.unprotect(path)
    return {path: _files(Path(path)) for path in paths}


def _files(path: Path) -> set[FileMark]:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return {
        (file, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        for file in files
        if file.exists() and (stat := file.stat())
    }


def _left_alone(before: Mapping[str, set[FileMark]]) -> list[str]:
    return [path for path, files in before.items() if files and _files(Path(path)) == files]


def _contract_error(root: Path, paths: Sequence[str]) -> str:
    names = ", ".join(Path(os.path.relpath(path, root)).as_posix() for path in paths)
    return f"{names} persisted from an earlier run, and its command did not write to it"


def _forget(repo: Repo, root: Path, name: str) -> None:
    """Remove a stage from its lock file, so that the stage is stale."""
    from dvc.utils.serialize import modify_yaml

    ((file, (stage,)),) = stages_by_lock([name]).items()
    with repo.lock, modify_yaml(root / file) as content:
        content.get("stages", {}).pop(stage, None)


class NotComputedError(NbError):
    """No cached result of a stage fits the present inputs."""


@write_changed_lines_only()
def restore(
    root: Path, names: Sequence[str], *, pull: bool, tell: Callable[[str], None]
) -> dict[str, str]:
    """Bring stages up to date with cached results, without running a command.

    Args:
        names: the stages, in topological order.
        pull: fetch missing results from the storage.
        tell: called with one line while another process holds a lock.

    Returns:
        The state of each stage, unchanged or restored, by name.

    Raises:
        NotComputedError: if neither the cache nor, with `pull`, the storage holds the results.
    """
    states: dict[str, str] = {}
    told = ""
    _Messages(tell)
    while True:
        with locked_repository(root, tell) as repo:
            busy = _restore_until_busy(repo, names, states, pull)
        if not busy:
            return states
        if told != busy:  # the other process needs DVC's lock to finish: wait without holding it
            tell(f"waiting: {busy}")
        told = busy
        time.sleep(BUSY_SECONDS)


def _restore_until_busy(
    repo: Repo, names: Sequence[str], states: dict[str, str], pull: bool
) -> str:
    """Restore stages until another process holds one; return DVC's message, empty at the end."""
    from dvc.lock import LockError

    stages = {stage.addressing: stage for stage in repo.index.stages}
    try:
        for name in names:
            if name not in states:
                states[name] = _restore(repo, stages[name], pull)
    except LockError as error:
        return one_line(error).partition(" If there are no")[0]
    return ""


def _restore(repo: Repo, stage: DvcStage, pull: bool) -> str:
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


def _kept_result(repo: Repo, stage: DvcStage) -> DvcStage | None:
    """Return the result in the run cache for the present inputs of a stage; None if none fits."""
    from dvc.stage.cache import _can_hash

    if not _can_hash(stage):
        return None
    stage.save_deps()
    entry = repo.stage_cache._load(stage)
    return repo.stage_cache._create_stage(entry, wdir=stage.wdir) if entry else None


def _fetched(repo: Repo, stage: DvcStage, pull: bool) -> bool:
    """Return whether the outputs of a stage are in the cache; with `pull` they are fetched."""
    if pull and not stage.outs_cached():
        for objects in stage.get_used_objs().values():
            repo.cloud.pull(objects)
    return bool(stage.outs_cached())


def _not_computed(stage: DvcStage, pull: bool) -> str:
    name = stage.addressing
    if not stage.cmd:
        path = stage.outs[0].def_path
        if stage.outs[0].exists:
            quoted = shlex.quote(path)
            return f"{path} is not what {name} says: dvc add {quoted}, or dvc checkout {quoted}"
        where = "in the storage" if pull else "here"
        return f"{path} as {name} names it is not {where}: make push where it was added"
    if pull:
        return f"{name} has not been computed and pushed for these inputs: nb task {name} --push"
    return f"{name} has not been computed here for these inputs: nb task {name}"


class _Messages(logging.Handler):
    """Log handler that passes on commands and warnings of DVC, and records the messages."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__()
        self.tell = tell
        self.heard: set[str] = set()
        logger = logging.getLogger("dvc")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.handlers = [self]  # DVC's own handler would print every message as well

    def is_restored(self) -> bool:
        """Return whether results were restored and not computed.

        DVC runs a stage whose data could not be pulled, after the message of a restoration.
        """
        return RUNNING_MESSAGE not in self.heard and bool(
            self.heard & set(RESTORED_MESSAGES.values())
        )

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.add(str(record.msg))
        text = record.getMessage()
        if record.levelno >= logging.WARNING or text.startswith("> "):
            self.tell(text)


def _status(error: BaseException) -> int | None:
    """Return the exit status of the failed command; None if anything else failed."""
    from dvc.stage.exceptions import StageCmdFailedError

    found = re.search(rf"{STATUS_MESSAGE}(-?\d+)$", str(error))
    return int(found[1]) if found and isinstance(error, StageCmdFailedError) else None
