"""Run the pipeline: DVC decides what is stale, papermill executes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def program_environment() -> dict[str, str]:
    """Return environment variables with which `papermill` and `nb` are found, activated or not."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", "")])
    # Containers often set this; every stage would then compile all that it imports anew.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PATH": path}


def reproduce(
    root: Path, stages: Sequence[str], *, force: bool = False, keep_going: bool = False
) -> int:
    """Run the stages that are stale, with what they depend on, and return DVC's exit code.

    Args:
        root: the project's root.
        stages: the names of stages; empty for all.
        force: run them even if nothing changed.
        keep_going: after a failure, go on with what does not depend on it.
    """
    flags = ["--force"] * force + ["--keep-going"] * keep_going
    command = [sys.executable, "-m", "dvc", "repro", *flags, *stages]
    process = subprocess.Popen(command, cwd=root, env=program_environment())
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal sends Ctrl-C to DVC and papermill, too: wait for them to tidy up.
            continue
