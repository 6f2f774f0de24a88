"""A diagnosis: the result of a health check, with the command that repairs the clone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SETUP = "make setup"
WIRE = "nb setup"


@dataclass(frozen=True)
class Diagnosis:
    """The result of one check.

    Attributes:
        name: the thing that was checked.
        problem: the fault, in words; empty if there is none.
        detail: the observation of a check without a problem.
        repair: the command that removes the problem.
        is_safe: whether `nb doctor --fix` may run that command.
    """

    name: str
    problem: str = ""
    detail: str = ""
    repair: str = ""
    is_safe: bool = False


HealthCheck = Callable[[Path], Diagnosis]
