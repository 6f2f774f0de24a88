"""Health of the pipeline: notebooks, declaration, storage, data, and disk space for a run."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from nb.check.reads import SharedFiles
from nb.declaration.reader import FILE, read_stages
from nb.git.command import git
from nb.notebook.content import notebooks_below
from nb.project import PRODUCTION, NbError
from nb.skipped import SKIPPED_FILES
from nb.wording import byte_size, count, enumerated

from .diagnosis import Diagnosis, HealthCheck, file_repair

# Below this, a run of the pipeline is likely to end half-way.
LEAST_FREE_BYTES = 1_000_000_000


def _production(root: Path) -> Diagnosis:
    """Read every production notebook: a write that was cut short leaves half of one."""
    notebooks = notebooks_below(root / PRODUCTION)
    for path in notebooks:
        try:
            is_notebook = isinstance(json.loads(path.read_bytes())["cells"], list)
        except (ValueError, KeyError, TypeError, RecursionError):
            is_notebook = False
        if not is_notebook:
            name = path.relative_to(root).as_posix()
            problem = f"{name} is not a notebook that can be read"
            stored = git(root, "ls-files", "--", name).strip()
            command = f"git checkout HEAD -- {shlex.quote(name)}"
            return Diagnosis(
                "notebooks", problem, repair=command if stored else f"repair or delete {name}"
            )
    return Diagnosis("notebooks", detail=f"{len(notebooks)} for production can be read")


def _pipeline(root: Path) -> Diagnosis:
    from nb.declaration.reader import undeclared_notebooks
    from nb.git.merge_lock import conflicting_locks
    from nb.pipeline import check_pipeline

    in_conflict = conflicting_locks(root)
    if in_conflict:
        problem = f"{in_conflict[0]} holds the marks of a merge conflict"
        return Diagnosis("pipeline", problem, repair="nb resolve", is_safe=True)
    try:
        stages = check_pipeline(root)
        lost = undeclared_notebooks(root)
    except NbError as error:
        if "git-ignored" in str(error):  # DVC reads none that are; `_ignored` says by which line
            return Diagnosis("pipeline", detail="not known while Git ignores its files")
        return Diagnosis(
            "pipeline", str(error), repair=file_repair(root, str(error)) or f"edit {FILE}"
        )
    if lost:
        problem = f"no stage of dvc.yaml runs {lost[0]}"
        return Diagnosis("pipeline", problem, repair=_declaration_repair(root))
    return Diagnosis("pipeline", detail=count(stages, "stage"))


def _declaration_repair(root: Path) -> str:
    """Return the way to a stage; in a dvc.yaml of before the project, the example has none."""
    skipped = SKIPPED_FILES / "dvc.yaml"
    if not (root / skipped).is_file():
        return "edit dvc.yaml"
    return f"copy its stage from {skipped.as_posix()} to dvc.yaml, or delete the notebook"


def _storage(root: Path) -> Diagnosis:
    from nb.pipeline.storage import diagnose_storage, secret_in_config

    url, trouble = diagnose_storage(root)
    trouble = secret_in_config(root) or trouble
    if trouble:
        return Diagnosis("DVC storage", trouble.what, repair=trouble.repair)
    return Diagnosis("DVC storage", detail=url)


def _data(root: Path) -> Diagnosis:
    from nb.pipeline import missing_data

    try:
        missing = missing_data(root)
    except NbError:
        return Diagnosis("data", detail="not known while the pipeline cannot be read")
    if missing:
        problem = f"{enumerated(missing)} is named in dvc.lock, but not here"
        return Diagnosis("data", problem, repair="nb pull", is_safe=True)
    lost = lost_inputs(root)
    if lost:
        problem = f"{enumerated(lost)} is missing, and neither Git nor DVC has it"
        return Diagnosis("data", problem, repair="dvc add it where it is, then make push there")
    return Diagnosis("data", detail="all that dvc.lock names is here")


def lost_inputs(root: Path) -> list[str]:
    """Return the inputs of stages that are missing, and that a pull cannot bring either."""
    stages = read_stages(root)
    shared = SharedFiles(root, {made.path for stage in stages for made in stage.writes})
    reads = sorted({read.path for stage in stages for read in stage.reads})
    local = (path for path in reads if "$" not in path and "://" not in path)
    return [p for p in local if not (root / p).exists() and shared.problem(p, root)]


def _disk(root: Path) -> Diagnosis:
    free = shutil.disk_usage(root).free
    text = f"{byte_size(free)} free"
    problem = f"only {text}" if free < LEAST_FREE_BYTES else ""
    return Diagnosis("disk space", problem, detail=text, repair="dvc gc --workspace")


PIPELINE_CHECKS: tuple[HealthCheck, ...] = (_production, _pipeline, _storage, _data, _disk)
