"""The DVC storage: results, the run cache and files by name, and diagnosis of what is wrong."""

from .access import ANSWER_SECONDS, TIMEOUT, answer_seconds, ask, exposed, problem, require
from .named_files import NamedFiles, named_files
from .results import fetch_runs, pull_results, push_results, unpushed_results
from .trouble import Trouble, explain_failure

__all__ = [
    "ANSWER_SECONDS",
    "TIMEOUT",
    "NamedFiles",
    "Trouble",
    "answer_seconds",
    "ask",
    "explain_failure",
    "exposed",
    "fetch_runs",
    "named_files",
    "problem",
    "pull_results",
    "push_results",
    "require",
    "unpushed_results",
]
