"""Two versions of the project side by side: commits, runs, experiments and the work tree."""

from . import summary
from .differences import Differences, compare_versions
from .version import Version, open_version

__all__ = ["Differences", "Version", "compare_versions", "open_version", "summary"]
