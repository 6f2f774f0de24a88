"""DVC's view of the project, and its locks."""

from __future__ import annotations

import importlib
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from nb.declaration.reader import MOST_STAGES, read_entries, stage_count
from nb.notebook.config import read_config
from nb.notebook.yaml_file import TooLargeError
from nb.project import NbError, one_line, parse_json

from .loaded import LoadedPipeline
from .run_cache import guard_runs

# The stage that writes the fingerprints: part of the machinery, not of anybody's pipeline.
FINGERPRINT_STAGE = "notebooks/dvc.yaml:fingerprints"
# What DVC imports when it reproduces a stage, some of it as late as then.
MODULES = (
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc.repo.reproduce",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.metrics",
    "dvc.repo.params",
    "dvc.repo.plots",
    "dvc.repo.stage",
    "dvc.lock",
    "dvc.rwlock",
    "dvc.scm",
    "dvc.utils.strictyaml",
    "dvc_data.hashfile.db.local",
    "dvc_data.hashfile.status",
    "dulwich.worktree",
    "fsspec.implementations.memory",
    "ruamel.yaml",
)


def import_modules() -> None:
    """Import what DVC would import in each worker that is forked from this process."""
    for name in MODULES:
        with suppress(ModuleNotFoundError):  # of another version
            importlib.import_module(name)


# DVC polls its lock six times in this time, which it sets to 3: stages that end in a second would
# spend it waiting for each other.
LOCK_SECONDS = 0.3
BUSY_SECONDS = 0.3


@contextmanager
def open_project(root: Path) -> Iterator[Any]:
    """Open DVC's view of the project; what it has to say in errors becomes one line."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    for file in (root / "dvc.yaml", *root.glob("*/dvc.yaml")):
        _require_bounds(root, file.relative_to(root).as_posix())
    before = Path.cwd()
    os.chdir(root)  # DVC names stages relative to the working directory
    try:
        with Repo(str(root)) as repo:
            guard_runs(repo)
            yield repo
    except (DvcException, OSError) as error:  # the latter of a link to what is gone
        raise NbError(f"DVC: {one_line(error)}") from None
    except ImportError as error:
        if "is supported, but requires" not in str(error):  # the package for a path at an address
            raise
        repair = "add it to pyproject.toml, then make setup"
        raise NbError(f"DVC: {one_line(error)}; {repair}") from None
    except UnicodeEncodeError as error:
        name = one_line(ValueError(error.object))
        raise NbError(f"DVC: the name of {name} is not UTF-8; rename it") from None
    except RecursionError:
        raise NbError("DVC: a file of the pipeline is nested too deeply") from None
    finally:
        os.chdir(before)


def _require_bounds(root: Path, file: str) -> None:
    """Refuse a `dvc.yaml` that stands for so much that DVC would not end to read it.

    Raises:
        NbError: if its matrices or its aliases do; what else is wrong with it DVC says.
    """
    try:
        text = (root / file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    if not any(word in text for word in ("matrix", "foreach", "*")):
        return
    try:
        entries = read_entries(root, file)
    except TooLargeError:
        raise
    except NbError:  # DVC says it, whoever needs the pipeline
        return
    for entry in entries:
        count = stage_count(entry)
        if count > MOST_STAGES:
            limit = f"at most {MOST_STAGES:,} can be run"
            raise NbError(f"{file}: stage {entry.name} stands for {count:,} stages; {limit}")


@contextmanager
def locked_repository(root: Path, tell: Callable[[str], None]) -> Iterator[Any]:
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


def rehearse(root: Path) -> LoadedPipeline | None:
    """Load the pipeline as a run does, so that forks of this process need not.

    Forks find the patterns of `.gitignore` and the like compiled, too. Whoever plans the run says
    what is wrong with the pipeline.

    Args:
        root: the project's root, also the working directory.
    """
    from dvc.repo import Repo

    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    _check_texts_once()
    loaded = None
    with suppress(Exception), Repo(str(root)) as repo:
        loaded = LoadedPipeline(repo, root)
    logger.setLevel(level)
    return loaded


def _check_texts_once() -> None:
    """Have DVC check a file against its schema only if its text is not what passed already."""
    from dvc.utils import strictyaml

    validate = strictyaml.validate
    passed: set[tuple[int, str]] = set()

    def check(data: Any, schema: Any, text: str | None = None, **options: Any) -> Any:
        if text and (id(schema), text) in passed:
            return data
        checked = validate(data, schema, text=text, **options)
        if text:
            passed.add((id(schema), text))
        return checked

    strictyaml.validate = check


@contextmanager
def path_locks_read_once(repo: Any) -> Iterator[None]:
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
        parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except ValueError:
        path.unlink()


def shown_stages(graph: Any) -> list[Any]:
    """Return the stages that run something, in the order in which they run."""
    from networkx import topological_sort  # DVC's own graphs are networkx graphs

    # DVC's edges point from a stage to what it depends on.
    stages = topological_sort(graph.reverse())
    return [s for s in stages if s.cmd and s.addressing != FINGERPRINT_STAGE]


def folder_of(stage: Any, root: Path) -> str:
    """Return the working directory of a stage's command, relative to the root."""
    return Path(os.path.relpath(stage.wdir, root)).as_posix()


def path_of(item: Any, root: Path) -> str:
    """Return an input or output of a stage relative to the root; what is not local stays."""
    if item.fs is None or item.protocol != "local" or Path(item.def_path).is_absolute():
        return str(item.def_path)
    return Path(os.path.relpath(item.fs_path, root)).as_posix()


def with_fingerprints(repo: Any, stages: list[Any]) -> list[Any]:
    """Add the stage of the fingerprints, if it can run: `dvc status` tells of it in any case.

    Without stages none is added: DVC takes an empty list for the whole project.
    """
    found = [s for s in repo.index.stages if s.addressing == FINGERPRINT_STAGE]
    can_run = [stage for stage in found if all(dep.exists for dep in stage.deps)]
    return [*stages, *can_run] if stages else []


def stage_parameters(stage: Any, made: Set[str]) -> dict[str, Any]:
    """Return the parameters that a stage depends on, by name.

    Args:
        stage: the stage.
        made: the absolute paths of what stages write: a file of parameters among them is judged
            when it is made.

    Raises:
        NbError: if a file of them does not hold names and values, or has two readings.
    """
    found: dict[str, Any] = {}
    for params in stage.params:
        is_yaml = str(params.fs_path).endswith((".yaml", ".yml"))
        if is_yaml and params.fs_path not in made:
            read_config(Path(params.fs_path))
        values = params.read_params()
        if not isinstance(values, dict):
            raise NbError(
                f"{params.def_path} holds no names and values, which {stage.addressing} reads", 2
            )
        found |= values
    return found
