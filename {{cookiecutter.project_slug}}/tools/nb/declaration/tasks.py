"""Tasks: stages of a plan, the states that they may be in, and the outcome of one that was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

# What a stage may have come to. A stage after it may run only if it is `DONE`.
RAN, UNCHANGED, RESTORED = "ran", "unchanged", "restored"
FAILED, TIMED_OUT, KILLED, OUT_OF_MEMORY = "failed", "timed out", "killed", "out of memory"
BROKEN_CONTRACT = "broken contract"
NOT_RUN, RUNNING, WAITING = "not run", "running", "waiting"
DONE = (RAN, UNCHANGED, RESTORED)
BROKEN = (FAILED, TIMED_OUT, KILLED, OUT_OF_MEMORY, BROKEN_CONTRACT)


@dataclass(frozen=True)
class Task:
    """A stage of a plan.

    Attributes:
        name: its name as DVC addresses it.
        command: what it runs; empty for data that DVC merely tracks.
        folder: the working directory of its command, relative to the root.
        after: the stages of the plan that make what it needs.
        changed: it would run even if no stage before it does.
        parameters: the values of its parameters, by name.
        hidden: part of the machinery, shown only if it fails.
        memory: how much it is declared to need, in bytes.
        persisted: outputs that DVC does not remove before a run, as absolute paths.
    """

    name: str
    _: KW_ONLY
    command: str = ""
    folder: str = ""
    after: frozenset[str] = frozenset()
    changed: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    hidden: bool = False
    memory: int | None = None
    persisted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of a stage that was reproduced.

    Attributes:
        state: ran, restored or unchanged; broken contract, if its command did not write what
            dvc.yaml declares; empty if it failed.
        status: the exit status of its command, if that is what failed; negative for a signal.
        error: what failed, in one line.
        written: the lines of stages that were written into lock files, by path and by name.
    """

    state: str = ""
    status: int | None = None
    error: str = ""
    written: dict[str, dict[str, str]] = field(default_factory=dict)
