"""What of DVC is used that its documentation does not promise."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

# All of DVC that this package and `storage` use and that its documentation does not promise. If a
# new version of DVC lacks one, `nb run` says so and leaves the work to `dvc repro`.
UNDOCUMENTED = (
    "dvc.dependency.param:ParamsDependency.read_params",
    "dvc.dvcfile:Lockfile.dump_stages",
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
    "dvc.repo.stage:StageLoad.load_all",
    "dvc.data_cloud:DataCloud.get_remote_odb",
    "dvc.data_cloud:DataCloud.pull",
    "dvc.data_cloud:DataCloud.push",
    "dvc.fs:get_cloud_fs",
    "dvc.stage.cache:StageCache._create_stage",
    "dvc.stage.cache:StageCache._get_cache_path",
    "dvc.stage.cache:StageCache._get_cache_dir",
    "dvc.stage.cache:StageCache._load",
    "dvc.stage.cache:StageCache._load_cache",
    "dvc.stage.cache:StageCache.get_used_objs",
    "dvc.stage.cache:StageCache.pull",
    "dvc.stage.cache:_can_hash",
    "dvc.stage.cache:_get_cache_hash",
    "dvc.stage.cache:_get_stage_hash",
    "dvc.schema:COMPILED_LOCK_FILE_STAGE_SCHEMA",
    "dvc.stage.serialize:to_lockfile",
    "dvc.stage.serialize:to_single_stage_lockfile",
    "dvc.stage.exceptions:StageCmdFailedError",
    "dvc.stage:Stage.addressing",
    "dvc.stage:Stage.changed",
    "dvc.stage:Stage.params",
    "dvc.utils.serialize:dumps_yaml",
    "dvc.utils.serialize:load_yaml",
    "dvc.utils.serialize:modify_yaml",
    "dvc.utils.strictyaml:validate",
)
# Messages of DVC's log that tell a stage that ran from one that was restored.
RUNNING_MESSAGE = "Running stage '%s':"
RESTORED_MESSAGES = {
    "dvc.stage.cache": "Stage '%s' is cached - skipping run, checking out outputs",
    "dvc.stage": "Pulling data for %s",
}
MESSAGES = {**RESTORED_MESSAGES, "dvc.stage.run": RUNNING_MESSAGE}
STATUS_MESSAGE = "exited with "


def missing_names() -> list[str]:
    """Return what this version of DVC lacks of what we use."""
    from dvc.repo import Repo
    from dvc.stage import exceptions

    missing = [name for name in UNDOCUMENTED if not _exists(name)]
    if "_wait_for_lock" not in inspect.signature(Repo.__init__).parameters:
        missing.append("dvc.repo:Repo(_wait_for_lock)")
    for module, message in MESSAGES.items():
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
