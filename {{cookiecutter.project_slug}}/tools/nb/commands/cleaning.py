"""Command that removes files that runs have left and others can be made from."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from nb.terminal import echo

from . import count

LEFT_BY_RUNS = (
    "reports/site",
    ".nb/report",
    "reports/notebooks/*",
    ".nb/what-if/*",
    ".pytest_cache",
    ".ruff_cache",
)


@click.command("clean")
@click.option("--yes", is_flag=True, help="Remove variants of experiments, too; do not ask.")
@click.pass_obj
def clean_command(root: Path, yes: bool) -> None:
    """Remove executed copies, pages and caches; no data or models.

    Variants of experiments are results: a question comes first, and without a terminal they stay.
    """
    from nb.run.pipeline_run import while_idle

    removed = 0
    with while_idle(root):
        for pattern in LEFT_BY_RUNS:
            for path in root.glob(pattern):
                if path.name != ".gitignore":
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                    removed += 1
    echo(f"Removed {removed} files and folders." if removed else "Nothing to remove.")
    _clean_variants(root, yes)


def _clean_variants(root: Path, yes: bool) -> None:
    from nb.experiments import removal, store

    numbers = store.variant_numbers(root)
    if not numbers:
        return
    there = f"{count(len(numbers), 'variant')} of experiments"
    if yes or (_is_person_there() and click.confirm(f"Remove {there}, too?")):
        freed = removal.remove_variants(root, numbers)
        echo(f"Removed {there}, {freed / 1e6:.1f} MB.")
    else:
        echo(f"Kept {there}: nb experiments remove --all")


def _is_person_there() -> bool:
    return sys.stdin.isatty()
