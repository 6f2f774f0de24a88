"""Health of the template's record: its version, a newer one, and an update that waits."""

from __future__ import annotations

from pathlib import Path

from nb.update import pending
from nb.update.provenance import newer_version, read_provenance, version_line

from .diagnosis import Diagnosis


def template(root: Path) -> Diagnosis:
    """Name the version of the template, and an update that waits for its conflicts."""
    state = pending.read_state(root)
    if state:
        command = "nb update" if state.work == pending.UPDATE else "nb adopt"
        problem = f"an {state.work} is not finished"
        return Diagnosis("template", problem, repair=f"{command} --continue")
    known = read_provenance(root)
    newer = newer_version(root, known) if known else ""
    detail = version_line(root) + (f"; newer: {newer}, nb update" if newer else "")
    return Diagnosis("template", detail=detail)
