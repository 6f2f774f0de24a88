"""Remove the empty folders of options that were not chosen; print the next steps.

A file that was not chosen has an empty name, so cookiecutter never writes it. Folders must have a
name: where not chosen, `docs` is made as `.not-chosen-docs`, and holds nothing. Nothing but empty
folders of such names is removed, so this may run over anybody's files, and again.

Standard library only, offline, inside the new folder only.
"""

import os
from contextlib import suppress
from pathlib import Path

# The folders that hold optional folders.
PARENTS = (".", ".dvc", "notebooks", "tests")

NEXT_STEPS = """
{slug} is ready. Next:

    cd {slug}
    make setup            the environment, Git and DVC (once per clone)
    make run-notebooks    run the production notebooks and make a report
    make                  everything else there is
"""


def drop_unchosen(root: Path) -> None:
    """Remove the empty folders of options that were not chosen."""
    for parent in PARENTS:
        for unchosen in (root / parent).glob(".not-chosen-*"):
            if unchosen.is_symlink():
                continue
            for folder, _, _ in os.walk(unchosen, topdown=False):
                with suppress(OSError):  # somebody put something into it
                    Path(folder).rmdir()


if __name__ == "__main__":
    drop_unchosen(Path.cwd())
    print(NEXT_STEPS.format(slug=Path.cwd().name))
