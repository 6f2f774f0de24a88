"""Names of other packages that are used although their documentation does not promise them.

All are listed here, for all rooms; a test compares the lists with the sources. A run begins with
`missing_names`: if a new version lacks a name, `nb run` says so and leaves the work to `dvc repro`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

DVC = (
    "dvc.config:Config",
    "dvc.config_schema:RelPath",
    "dvc.data_cloud:DataCloud.get_remote_odb",
    "dvc.data_cloud:DataCloud.pull",
    "dvc.data_cloud:DataCloud.push",
    "dvc.dependency.param:ParamsDependency.read_params",
    "dvc.dependency:Dependency",
    "dvc.dependency:ParamsDependency",
    "dvc.dvcfile:Lockfile.dump_stages",
    "dvc.dvcfile:ProjectFile.SCHEMA",
    "dvc.exceptions:CollectCacheError",
    "dvc.exceptions:ConfirmRemoveError",
    "dvc.exceptions:DvcException",
    "dvc.fs:generic.copy",
    "dvc.fs:get_cloud_fs",
    "dvc.ignore:DvcIgnoreFilter.is_ignored_dir",
    "dvc.lock:DEFAULT_TIMEOUT",
    "dvc.lock:LockError",
    "dvc.lock:LockNoop",
    "dvc.output:Output.get_hash",
    "dvc.output:OutputDoesNotExistError",
    "dvc.repo.index:Index.graph",
    "dvc.lock:make_lock",
    "dvc.repo.reproduce:_reproduce",
    "dvc.repo.reproduce:collect_stages",
    "dvc.repo.reproduce:get_active_graph",
    "dvc.repo.reproduce:plan_repro",
    "dvc.repo.scm_context:scm_context",
    "dvc.repo:Repo._reset",
    "dvc.repo:Repo.commit",
    "dvc.repo:Repo.config",
    "dvc.repo:Repo.index",
    "dvc.repo:Repo.reproduce",
    "dvc.repo:Repo.tmp_dir",
    "dvc.repo:Repo.scm",
    "dvc.repo:Repo.scm_context",
    "dvc.repo:Repo.unprotect",
    "dvc.repo:lock_repo",
    "dvc.scm:NoSCM",
    "dvc.rwlock:rwlock",
    "dvc.schema:COMPILED_LOCK_FILE_STAGE_SCHEMA",
    "dvc.schema:COMPILED_MULTI_STAGE_SCHEMA",
    "dvc.schema:DO_KWD",
    "dvc.schema:FOREACH_IN",
    "dvc.schema:FOREACH_KWD",
    "dvc.schema:MULTI_STAGE_SCHEMA",
    "dvc.schema:STAGES",
    "dvc.schema:STAGE_DEFINITION",
    "dvc.schema:either_or",
    "dvc.stage.cache:StageCache._create_stage",
    "dvc.stage.cache:StageCache._get_cache_dir",
    "dvc.stage.cache:StageCache._get_cache_path",
    "dvc.stage.cache:StageCache._load",
    "dvc.stage.cache:StageCache._load_cache",
    "dvc.stage.cache:StageCache._uncached_outs",
    "dvc.stage.cache:StageCache.get_used_objs",
    "dvc.stage.cache:StageCache.pull",
    "dvc.stage.cache:_can_hash",
    "dvc.stage.cache:_get_cache_hash",
    "dvc.stage.cache:_get_stage_hash",
    "dvc.stage.exceptions:StageCmdFailedError",
    "dvc.stage.serialize:to_lockfile",
    "dvc.stage.serialize:to_single_stage_lockfile",
    "dvc.stage:Stage.addressing",
    "dvc.stage:Stage.changed",
    "dvc.stage:Stage.params",
    "dvc.stage:Stage.status",
    "dvc.utils.serialize:dump_yaml",
    "dvc.utils.serialize:dumps_yaml",
    "dvc.utils.serialize:load_yaml",
    "dvc.utils.serialize:modify_yaml",
    "fsspec.asyn:AsyncFileSystem._put_file",
    "scmrepo.git:Git._add_entry_to_gitignore",
    "scmrepo.git:Git._get_gitignore",
    "scmrepo.git:Git.is_tracked",
)
# Used in processes with warm imports, and where they end (`processes/`).
STANDARD_LIBRARY = (
    "atexit:_run_exitfuncs",
    "logging:Manager._clear_cache",
    "logging:_levelToName",
    "logging:_logRecordFactory",
    "logging:_loggerClass",
    "logging:_nameToLevel",
    "logging:_warnings_showwarning",
    "multiprocessing.context:_default_context._actual_context",
    "threading:_counter",
    "threading:_shutdown",
)
# Attributes of objects, which their classes do not show: the sources are searched.
INSTANCE_ATTRIBUTES = ("dvc.repo.__init__:Repo._lock_depth",)
# Used where notebooks are executed (`execution/`). To import these takes a second, which a run
# spends in its warm process: their sources are searched instead.
EXECUTION = (
    "jupyter_client.client:KernelClient._handle_kernel_info_reply",
    "nbclient.client:NotebookClient.task_poll_for_reply",
    "nbclient.client:NotebookClient.async_wait_for_reply",
    "nbclient.client:NotebookClient.clear_output",
    "nbclient.client:NotebookClient.output",
    "nbclient.client:NotebookClient.process_message",
    "papermill.clientwrap:PapermillNotebookClient.log_output_message",
    "papermill.clientwrap:PapermillNotebookClient.papermill_execute_cells",
    "papermill.inspection:nb_kernel_name",
    "papermill.inspection:nb_language",
    "papermill.iorw:PapermillIO.get_handler",
    "papermill.iorw:LocalHandler.cwd",
)
# Names that some versions of Python do without: each use allows for that.
OPTIONAL = ("asyncio.events:_event_loop_policy", "sys:_base_executable")
# Messages of DVC's log that tell a stage that ran from one that was restored.
RUNNING_MESSAGE = "Running stage '%s':"
RESTORED_MESSAGES = {
    "dvc.stage.cache": "Stage '%s' is cached - skipping run, checking out outputs",
    "dvc.stage": "Pulling data for %s",
}
MESSAGES = {**RESTORED_MESSAGES, "dvc.stage.run": RUNNING_MESSAGE}
STATUS_MESSAGE = "exited with "


def missing_names() -> list[str]:
    """Return the listed names and messages that the installed packages lack."""
    return [
        *(name for name in (*DVC, *STANDARD_LIBRARY) if not _exists(name)),
        *(name for name in (*INSTANCE_ATTRIBUTES, *EXECUTION) if not _is_in_source(name)),
        *_missing_messages(),
    ]


def _missing_messages() -> Iterator[str]:
    from dvc.repo import Repo
    from dvc.stage import exceptions

    if "_wait_for_lock" not in inspect.signature(Repo.__init__).parameters:
        yield "dvc.repo:Repo(_wait_for_lock)"
    for module, message in MESSAGES.items():
        if message not in inspect.getsource(importlib.import_module(module)):
            yield f"{module}: the message {message!r}"
    if STATUS_MESSAGE not in inspect.getsource(exceptions):
        yield f"dvc.stage.exceptions: the message {STATUS_MESSAGE!r}"


def _exists(name: str) -> bool:
    module, _, path = name.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError):
        return False
    return True


def _is_in_source(name: str) -> bool:
    """Return whether the file of a module mentions a class and its attribute, without import."""
    module, _, path = name.partition(":")
    package, *inner = module.split(".")
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        file = Path(folder, *inner).with_suffix(".py")
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if all(re.search(rf"\b{part}\b", text) for part in path.split(".")):
            return True
    return False
