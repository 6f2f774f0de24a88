"""Starts the command `nb`, whatever PYTHONPATH holds.

A module of its own: a folder on PYTHONPATH may hold another module named `nb`, or a `click`, and
comes before those of the environment.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

# A command makes many objects and little garbage; passes of the collector took a twentieth of the
# time of a help page.
NEW_OBJECTS_PER_PASS = 20_000


def main() -> None:
    """Import `nb` from beside this file, forget folders that hide its libraries, and run `nb`."""
    gc.set_threshold(NEW_OBJECTS_PER_PASS)
    here = str(Path(__file__).parent)
    sys.path.insert(0, here)
    from nb import surroundings

    sys.path.remove(here)
    surroundings.open_closed_streams()
    if os.environ.get("PYTHONPATH"):
        import sysconfig  # late: reads how Python was built

        installed = Path(sysconfig.get_path("purelib"))
        for sentence in surroundings.forget_modules(os.environ, installed):
            print(f"nb: {sentence}", file=sys.stderr)
    from nb.cli import main as run
    from nb.exit_codes import leave

    try:
        run()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            leave(end.code or 0)
        raise
