"""Health check of files that were there before the project was generated over them."""

from __future__ import annotations

from pathlib import Path

from nb.skipped import SKIPPED_FILES, additions, incomplete, skipped_names
from nb.wording import count, enumerated

from .diagnosis import Diagnosis

# The same before there is an environment, for which pyproject.toml may lack too much.
ADD_LINES = "python3 -I tools/bootstrap.py --add-lines"


def skipped_files(root: Path) -> Diagnosis:
    """Name the lines that skipped files lack; a file that nobody can complete is only listed."""
    lacking = additions(root)
    if lacking:
        text = next(iter(lacking.values()))
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        problem = f"{enumerated(lacking)} was here before the template, and lacks "
        problem += f"{count(len(lines), 'line')}: {enumerated(lines, 3)}"
        return Diagnosis("files kept", problem, repair=ADD_LINES, is_safe=True)
    by_hand = incomplete(root)
    if by_hand:
        name, reason = next(iter(by_hand.items()))
        problem = f"{name} was here before the template; it {reason}"
        compare = f"git diff --no-index {name} {(SKIPPED_FILES / name).as_posix()}"
        return Diagnosis("files kept", problem, repair=compare)
    names = skipped_names(root)
    detail = "none stood in the template's way"
    if names:
        detail = f"{', '.join(names)}: yours, complete where needed; the template's: .nb/skipped"
    return Diagnosis("files kept", detail=detail)
