"""Remove the empty folders of options that were not chosen; print the next steps.

A file that was not chosen has an empty name, so cookiecutter never writes it. Folders must have a
name: where not chosen, `docs` is made as `.not-chosen-docs`, and holds nothing. Nothing but empty
folders of such names is removed, so this may run over anybody's files, and again.

In a repository that was made first, cookiecutter -s skips files that are there. The template's
version of each is kept in `.nb/skipped`, and named: it may hold lines that the project needs.

Offline, inside the new folder only.
"""

import json
import os
import shutil
import sys
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

# A team's own Makefile stays, and `make setup` would be another task, or none.
NEXT_STEPS_WITHOUT_MAKEFILE = """
{slug} is ready. Your Makefile stays, so type the lines of the template's. Next:

    cd {slug}
    python3 -I tools/bootstrap.py {manager}     the environment, Git and DVC (once per clone)
    {nb} run        run the production notebooks and make a report
    {nb} --help     everything else there is

Where a message says `make setup`, the first of them is meant.
"""

SKIPPED = """
These files were here before, and stay as they are. The template's are in .nb/skipped:

    {names}

To add the lines that the project needs to them (nothing is changed or removed):

    python3 -I tools/bootstrap.py --add-lines
"""
CONTEXT = r"""{{ cookiecutter | tojson }}"""
TEMPLATE = r"""{{ '' | template_folder }}"""


def drop_unchosen(root: Path) -> None:
    """Remove the empty folders of options that were not chosen."""
    for parent in PARENTS:
        for unchosen in (root / parent).glob(".not-chosen-*"):
            if unchosen.is_symlink():
                continue
            for folder, _, _ in os.walk(unchosen, topdown=False):
                with suppress(OSError):  # somebody put something into it
                    Path(folder).rmdir()


def keep_skipped(root: Path) -> list[str]:
    """Write the template's version of each skipped file to `.nb/skipped`; return the names."""
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return []  # a new folder
    from cookiecutter.generate import generate_files  # of the cookiecutter that runs this hook

    sys.path.insert(0, TEMPLATE)
    kept = root / ".nb" / "skipped"
    kept.parent.mkdir(exist_ok=True)
    shutil.rmtree(kept, ignore_errors=True)
    context = {"cookiecutter": json.loads(CONTEXT)}
    draft = kept.with_name("draft")
    made = Path(generate_files(TEMPLATE, context, str(draft), accept_hooks=False))
    names = []
    for path in sorted(made.rglob("*")):
        name = path.relative_to(made).as_posix()
        theirs = root / name
        if path.is_file() and theirs.is_file() and path.read_bytes() != theirs.read_bytes():
            names.append(name)
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            path.replace(kept / name)
    shutil.rmtree(draft)
    if not names:
        with suppress(OSError):  # of a project that was here before
            kept.parent.rmdir()
    return names


if __name__ == "__main__":
    drop_unchosen(Path.cwd())
    skipped = keep_skipped(Path.cwd())
    if skipped:
        print(SKIPPED.format(names="\n    ".join(skipped)))
    steps = NEXT_STEPS_WITHOUT_MAKEFILE if "Makefile" in skipped else NEXT_STEPS
    manager = json.loads(CONTEXT)["environment"]
    nb = Path(".venv", "Scripts" if os.name == "nt" else "bin", "nb")
    print(steps.format(slug=Path.cwd().name, manager=manager, nb=nb))
