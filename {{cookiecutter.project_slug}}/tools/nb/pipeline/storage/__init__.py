"""The DVC storage: results, the run cache and files by name, and diagnosis of what is wrong."""

from .access import (
    ANSWER_SECONDS,
    TIMEOUT,
    answer_seconds,
    diagnose_storage,
    probe,
    require_storage,
    secret_in_config,
)
from .named_files import NamedFiles, named_files
from .results import fetch_run_cache, pull_results, push_results, unpushed_results
from .trouble import Trouble, explain_failure

__all__ = [
    "ANSWER_SECONDS",
    "TIMEOUT",
    "NamedFiles",
    "Trouble",
    "answer_seconds",
    "diagnose_storage",
    "explain_failure",
    "fetch_run_cache",
    "named_files",
    "probe",
    "pull_results",
    "push_results",
    "require_storage",
    "secret_in_config",
    "unpushed_results",
]
