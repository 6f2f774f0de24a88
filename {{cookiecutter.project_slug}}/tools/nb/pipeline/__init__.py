"""Planning, running and storing the pipeline through DVC, the only importer of `dvc`.

DVC takes half a second to import, so each function imports the parts that the function uses.
"""

from __future__ import annotations

from .comparison import Change, cached_files, compare_with_commit
from .definitions import (
    Contract,
    StageDefinition,
    check_pipeline,
    contracts,
    declared,
    definitions,
    inputs_hash,
    missing_data,
    plain_outputs,
)
from .isolated import commit_fingerprints, isolate_copy, take_results
from .lockfiles import (
    Written,
    hold_only,
    lines_put_back_on_error,
    mend_locks,
    read_locks,
    sort_locks,
    sort_private_locks,
)
from .places import check_places, misplaced, require_places
from .planning import Plan, plan, preview
from .repository import FINGERPRINT_STAGE, hold_lock, open_project
from .reproducing import NotComputedError, reproduce, restore
from .states import stage_states
from .undocumented import missing_names

__all__ = [
    "FINGERPRINT_STAGE",
    "Change",
    "Contract",
    "NotComputedError",
    "Plan",
    "StageDefinition",
    "Written",
    "cached_files",
    "check_pipeline",
    "check_places",
    "commit_fingerprints",
    "compare_with_commit",
    "contracts",
    "declared",
    "definitions",
    "hold_lock",
    "hold_only",
    "inputs_hash",
    "isolate_copy",
    "lines_put_back_on_error",
    "mend_locks",
    "misplaced",
    "missing_data",
    "missing_names",
    "open_project",
    "plain_outputs",
    "plan",
    "preview",
    "read_locks",
    "reproduce",
    "require_places",
    "restore",
    "sort_locks",
    "sort_private_locks",
    "stage_states",
    "take_results",
]
