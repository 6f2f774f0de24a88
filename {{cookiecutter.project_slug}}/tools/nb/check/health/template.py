"""Health of the template's record: its version, a newer one, and an update that waits."""

from __future__ import annotations

from pathlib import Path

from nb.update import merging
from nb.update.provenance import newer_version, read_provenance, version_line

from .diagnosis import Diagnosis


def template(root: Path) -> Diagnosis:
    """Name the version of the template, and an update that waits for its conflicts."""
    if merging.read_state(root):
        problem = "an update of the template is not finished"
        return Diagnosis("template", problem, repair="nb update --continue")
    known = read_provenance(root)
    newer = newer_version(root, known) if known else ""
    detail = version_line(root) + (f"; newer: {newer}, nb update" if newer else "")
    return Diagnosis("template", detail=detail)
