"""The DVC repository: opened and locked, with errors as one line; facts about its stages."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

from nb.declaration.reader import read_entries
from nb.declaration.templates import MOST_STAGES, stage_count
from nb.locks import require_locks
from nb.notebook.config import read_config
from nb.notebook.yaml_file import TooLargeError, read_as_dvc
from nb.project import PYPROJECT, NbError, UsageError, from_root, one_line, parse_json
from nb.uptodate import file_system_time

from .loaded import LoadedPipeline, outputs_in_git
from .protocols import DvcStage, Graph, Item, Repo
from .run_cache import guard_runs
from .shortcuts import compile_schemas

if TYPE_CHECKING:
    from dvc.lock import LockError

# The stage that writes the fingerprints: part of the machinery, not of anybody's pipeline.
FINGERPRINT_STAGE = "notebooks/dvc.yaml:fingerprints"
# Modules that DVC imports to reproduce a stage, some late: imported once, before forks.
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
    """Import the modules that DVC would import in each worker forked from this process."""
    for name in MODULES:
        with suppress(ModuleNotFoundError):  # of another version
            importlib.import_module(name)
    from dvc.utils.serialize import dumps_yaml

    dumps_yaml({"a": {"md5": "0a", "size": 1}})  # compiles the patterns of scalars


# DVC polls its lock six times within this timeout. With DVC's own 3 s, short stages would spend
# their time waiting for each other: 20 `echo` stages took 5.2 CPU seconds instead of 4.9, 100 took
# 21.5 instead of 20.0 (means of three interleaved pairs).
LOCK_SECONDS = 0.3
BUSY_SECONDS = 0.3


def failure_text(root: Path, cause: BaseException) -> str:
    """Return why DVC could not reproduce a stage; of a missing input, also the next step."""
    if not isinstance(cause, FileNotFoundError) or not cause.filename:
        return one_line(cause)
    name = from_root(str(cause.filename), root)
    return f"{name} is missing: dvc add and make push where it is, then nb pull here"


@contextmanager
def open_project(root: Path) -> Iterator[Repo]:
    """Open the DVC repository of the project; errors of DVC become one line."""
    from sqlite3 import OperationalError

    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo

    found = (root / "dvc.yaml", *root.glob("*/dvc.yaml"))
    declarations = [file.relative_to(root).as_posix() for file in found]
    for file in declarations:
        _require_bounds(root, file)
    compile_schemas()
    before = Path.cwd()
    os.chdir(root)  # DVC names stages relative to the working directory
    try:
        require_locks(root / PYPROJECT)
        with Repo(str(root)) as repo:
            guard_runs(repo)
            yield repo
    except LockError as error:
        raise NbError(_busy_text(error)) from None
    # OSError: a link whose target is gone; OperationalError: no room for DVC's databases.
    except (DvcException, OSError, OperationalError) as error:
        for file in declarations:
            _require_yaml(root, file)
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
    except Exception as error:  # a value that no schema of DVC covers: it fails with any error
        if not (problem := _failure_inside_dvc(error)):
            raise
        for file in declarations:
            _require_yaml(root, file)
        raise NbError(problem) from None
    finally:
        os.chdir(before)


def _busy_text(error: LockError) -> str:
    """Return that another run is at work; DVC names its processes once for each file."""
    holders = dict.fromkeys(re.findall(r"\(PID (\d+)\)", str(error)))
    names = f" (process {', '.join(holders)})" if holders else ""
    return f"another run is at work{names}; try again when it has ended"


def _failure_inside_dvc(error: Exception) -> str:
    """Return an error of DVC's own code, with the stage that DVC was loading; empty if of nb's."""
    stage, is_inside = "", False
    for frame, _ in walk_tb(error.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module.startswith(("nb.", "dvc")):
            is_inside = module.startswith("dvc")
        if module == "dvc.stage.loader" and frame.f_code.co_name == "__getitem__":
            stage = f"stage {frame.f_locals['name']}: "
    reason = one_line(error) or type(error).__name__
    advice = "" if stage and str(error) else "; dvc status -v shows where"
    return f"DVC: {stage}{reason}{advice}" if is_inside else ""


def _require_yaml(root: Path, file: str) -> None:
    """Refuse a `dvc.yaml` that is no YAML, in fewer words than DVC, and with the line.

    Raises:
        NbError: if the file is no YAML.
    """
    with suppress(OSError, UnicodeDecodeError):
        read_as_dvc((root / file).read_text(encoding="utf-8"), file)


def _require_bounds(root: Path, file: str) -> None:
    """Refuse a `dvc.yaml` whose matrices or aliases expand beyond any time and memory.

    Raises:
        NbError: if a matrix or an alias does; DVC reports all other errors.
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
        count = stage_count(entry.spread)
        if count > MOST_STAGES:
            limit = f"at most {MOST_STAGES:,} can be run"
            raise NbError(f"{file}: stage {entry.name} stands for {count:,} stages; {limit}")


@contextmanager
def locked_repository(root: Path, tell: Callable[[str], None]) -> Iterator[Repo]:
    """Open the project and hold DVC's lock."""
    with open_project(root) as repo, hold_lock(repo, tell):
        yield repo


@contextmanager
def hold_lock(repo: Repo, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold DVC's lock; a process that waits names the holder."""
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
            except OSError as error:
                if error.errno != errno.EROFS or isinstance(repo.lock, dvc.lock.LockNoop):
                    raise
                repo.lock = dvc.lock.LockNoop()  # there is nothing to guard: nobody can write
        _repair_path_locks(Path(repo.tmp_dir) / "rwlock")
        yield


def rehearse(root: Path) -> LoadedPipeline | None:
    """Load the pipeline as a run does, so that forks of this process need not.

    Forks inherit the compiled patterns of `.gitignore` files, too. The planner of the run reports
    errors in the files.

    Args:
        root: the project's root, also the working directory.
    """
    from dvc.repo import Repo

    loaded = None
    began = file_system_time(root)
    compile_schemas()
    with without_warnings(), suppress(Exception), Repo(str(root)) as repo:
        guard_runs(repo)
        loaded = LoadedPipeline(repo, began, outputs_in_git(repo))
    return loaded


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep warnings of DVC and of its libraries from being printed while the block runs."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(before)


def _repair_path_locks(path: Path) -> None:
    """Remove DVC's list of paths in use if a killed process left a torn file.

    DVC writes the list under the repository lock, which this process holds: no write is under way.
    """
    try:
        parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    except ValueError:
        path.unlink()


def shown_stages(graph: Graph) -> list[DvcStage]:
    """Return the stages with a command, in topological order."""
    from networkx import topological_sort  # DVC's own graphs are networkx graphs

    # DVC's edges point from a stage to its dependencies.
    stages = topological_sort(graph.reverse())
    return [s for s in stages if s.cmd and s.addressing != FINGERPRINT_STAGE]


def folder_of(stage: DvcStage, root: Path) -> str:
    """Return the working directory of a stage's command, relative to the root."""
    return Path(os.path.relpath(stage.wdir, root)).as_posix()


def path_of(item: Item, root: Path) -> str:
    """Return an input or output of a stage relative to the root; a path that is not local stays."""
    if item.fs is None or item.protocol != "local" or Path(item.def_path).is_absolute():
        return str(item.def_path)
    return Path(os.path.relpath(item.fs_path, root)).as_posix()


def with_fingerprints(repo: Repo, stages: list[DvcStage]) -> list[DvcStage]:
    """Add the stage of the fingerprints if its inputs exist: `dvc status` reports the stage anyway.

    An empty list stays empty: DVC takes it for the whole project.
    """
    found = [s for s in repo.index.stages if s.addressing == FINGERPRINT_STAGE]
    can_run = [stage for stage in found if all(dep.exists for dep in stage.deps)]
    return [*stages, *can_run] if stages else []


def require_parameter_files(stages: Iterable[DvcStage], made: Set[str]) -> None:
    """Refuse parameter files that DVC would read otherwise than papermill, or never finish.

    Args:
        stages: the stages that depend on the files.
        made: the absolute paths of outputs: a parameter file among them is validated when its stage
            has written the file.

    Raises:
        NbError: if a file is no YAML, ambiguous, or expands beyond any memory (exit code 2).
    """
    for params in (params for stage in stages for params in stage.params):
        is_yaml = str(params.fs_path).endswith((".yaml", ".yml"))
        if is_yaml and params.fs_path not in made:
            read_config(Path(params.fs_path))


def stage_parameters(stage: DvcStage, made: Set[str]) -> dict[str, object]:
    """Return the parameters that a stage depends on, by name.

    Args:
        made: the absolute paths of outputs, as for `require_parameter_files`.

    Raises:
        NbError: if a parameter file does not hold names and values, or is ambiguous YAML.
    """
    found: dict[str, object] = {}
    require_parameter_files([stage], made)
    for params in stage.params:
        values = params.read_params()
        if not isinstance(values, dict):
            raise UsageError(
                f"{params.def_path} holds no names and values, which {stage.addressing} reads"
            )
        found |= values
    return found
