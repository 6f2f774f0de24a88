"""Commands on the way to production: promote a notebook, move duplicated code to `src/`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.exit_codes import ExitCode
from nb.processes.garbage import no_collection
from nb.project import NbError, UsageError
from nb.terminal import echo, secho, style, wrapped
from nb.wording import count

from . import note, print_json, print_table

if TYPE_CHECKING:
    from nb.authoring.promotion import Choices, Promotion
    from nb.refactoring.duplicates import Duplicate
    from nb.refactoring.rerun import OutputComparison


EXAMPLE = "nb promote notebooks/exploratory/01-me-idea.ipynb"


@click.command("promote")
@click.argument("notebook")
@click.option("--as", "name", default="", help="What to call it; default: its name, numbered.")
@click.option("--to", "module", default="", help="The module of src/ that its functions move to.")
@click.option("--leave-functions", is_flag=True, help="Leave its functions in the notebook.")
@click.option("--seed", type=int, help="Seed its random numbers with this, as a parameter.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@click.option("-n", "--dry-run", is_flag=True, help="Prove it and show the diff; change nothing.")
@click.option("--keep", is_flag=True, help="Change the project even if an output differs.")
@click.pass_obj
def promote_command(
    root: Path,
    notebook: str,
    name: str,
    module: str,
    leave_functions: bool,
    seed: int | None,
    yes: bool,
    dry_run: bool,
    keep: bool,
) -> None:
    """Make an exploratory notebook a production notebook, with proof.

    NOTEBOOK, a path or the name of an exploratory notebook, runs from top to bottom in a copy of
    the project. Its constants become parameters, its functions move to src/ with a first test, what
    it reads and writes becomes its stage in dvc.yaml. The new notebook runs as that stage, and its
    outputs are compared with those of NOTEBOOK. Only if they are the same does the project change;
    nothing is committed.

    \b
    Examples:
      nb promote 02-am-prices
      nb promote --yes --as prices notebooks/exploratory/02-am-prices.ipynb
      nb promote --dry-run notebooks/exploratory/02-am-prices.ipynb
    """
    from nb.authoring.new import EXPLORATORY
    from nb.authoring.promote import promote_notebook as run_promotion
    from nb.authoring.promotion import proposal
    from nb.notebook.content import find_notebook

    if not notebook:  # make promote without NB=
        raise UsageError(f"name the notebook to promote; for example: {EXAMPLE}")
    path = find_notebook(root, notebook, EXPLORATORY)
    propose = partial(proposal, root, path, leave_functions=leave_functions, seed=seed)
    choices = propose(name, module)
    if not (yes or dry_run):
        choices = _ask_for_names(choices, propose, name, module)
    agreed = False

    def agree(found: Promotion) -> bool:
        nonlocal agreed
        _print_promotion(found)
        agreed = not dry_run and (yes or click.confirm("\nChange the project?", default=True))
        return agreed

    found = run_promotion(root, path, choices, tell=note, agree=agree, keep=keep)
    if dry_run:
        echo(f"\n{found.diff}", nl=False)
    if found.differs and not keep:
        _print_promotion(found)
        raise NbError(f"an output differs, so nothing was changed; {_reason_of_difference(found)}")
    if agreed:
        echo("\nNothing is committed yet. Look at it with git status and git diff, then:")
        echo("  git add --all && git commit")


def _ask_for_names(
    choices: Choices, propose: Callable[[str, str], Choices], name: str, module: str
) -> Choices:
    """Ask for the names that the command line does not give."""
    if not name:
        name = click.prompt("Name of the production notebook", choices.name)
        choices = propose(name, module)
    if not module and choices.module:
        module = click.prompt("Module for its functions", choices.module)
        choices = propose(choices.name, module)
    return choices


def _reason_of_difference(found: Promotion) -> str:
    """Return the calls that differ from run to run, and the next step."""
    keep = "(--keep goes on all the same)"
    if found.unrepeated:
        causes = "is a seed missing, or does a time or the order of a set go in?"
        each = "the exploratory notebook itself gives another result in each run"
        return f"{each}: {found.unrepeated}; {causes} {keep}"
    if not found.unseeded:
        repeats = "the exploratory notebook repeats its own results, so the promotion changed them"
        return f"{repeats}, such as a path in a printed text {keep}"
    calls = f"each run gives another result of {', '.join(found.unseeded)}"
    advice = "--seed 42 makes the seed a parameter" if found.seedable else "--keep goes on"
    return f"{calls} ({advice})"


def _print_promotion(found: Promotion) -> None:
    """Print the contract, the moved files, the proof, and the remaining steps."""
    choices = found.choices
    secho(f"\n{choices.notebook}, stage {choices.stage}", bold=True)
    facts = {
        "reads": found.reads,
        "writes": list(found.writes.values()),
        "parameters": found.parameters,
        f"moved to {choices.module}": found.moved,
        "files": sorted(found.files),
    }
    for label, names in facts.items():
        if names:
            echo(wrapped(f"  {label}: {', '.join(names)}"))
    for name, reason in found.kept.items():
        echo(f"  {name} stays in the notebook: {reason}")
    for name, reason in found.untested.items():
        echo(f"  {name} has no test: {reason}")
    width = max(len(row.output) for row in found.rows)
    echo()
    for row in found.rows:
        said = f"differs: {row.difference}" if row.difference else "same"
        color = "red" if row.difference else "green"
        echo(f"  {row.output:{width}}  {style(said, fg=color)}  (by {row.by})")
    if found.stale:
        advice = "nb run runs them again, or name a new module with --to"
        echo(f"\nnb: {choices.module} changes, so these stages are stale: ", nl=False)
        echo(f"{', '.join(found.stale)}; {advice}")
    for remark in (*found.notes, *found.hidden):
        echo(f"\nnb: {remark}")


@click.command("duplicates")
@click.option("--check", is_flag=True, help="Exit with 1 if there are any.")
@click.option("--lines", type=click.IntRange(2), help="Lines of code from which a block counts.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def duplicates_command(root: Path, check: bool, lines: int | None, as_json: bool) -> None:
    """Find code that stands in several notebooks, or also in src.

    Functions, classes and blocks are compared without their comments, docstrings and annotations;
    copies whose variables were renamed count. Those that save most lines come first, each with its
    places and the command that repairs it.

    \b
    Examples:
      nb duplicates
      nb duplicates --lines 10    only blocks of ten lines and more
      nb duplicates --check       for CI
    """
    from nb.refactoring.duplicates import BLOCK_LINES, find_duplicates

    # Syntax trees are many objects and no garbage: looking through them takes as long as the work.
    with no_collection():
        found = find_duplicates(root, lines or BLOCK_LINES)
    if as_json:
        print_json([duplicate.as_json() for duplicate in found])
    else:
        for duplicate in found:
            _print_duplicate(duplicate)
        saved = sum(duplicate.saved for duplicate in found)
        total = f"{count(len(found), 'duplicate')}; one copy of each would save {saved} lines."
        echo(total if found else "No duplicates.")
    if check and found:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _print_duplicate(duplicate: Duplicate) -> None:
    title = f"{duplicate.kind} {duplicate.name}".strip()
    secho(f"{title}: {count(len(duplicate.places), 'place')}, saves {duplicate.saved} lines")
    for place in duplicate.places:
        also = place.name and place.name != duplicate.name and duplicate.kind != "block"
        echo(f"  {place}" + (f" ({place.name})" if also else ""))
    echo(f"  → {duplicate.repair}\n")


@click.command("extract")
@click.argument("name")
@click.option("--to", default="", help="The module, such as data; default: shared.")
@click.option("--from", "origin", default="", help="The notebook, if several have a NAME.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the changes as a diff; write nothing.")
@click.option("--no-run", is_flag=True, help="Do not run the notebooks that changed.")
@click.option("--keep", is_flag=True, help="Keep the changes even if outputs differ.")
@click.pass_obj
def extract_command(
    root: Path, name: str, to: str, origin: str, dry_run: bool, no_run: bool, keep: bool
) -> None:
    """Move a function or class from notebooks to a module of src.

    What it needs (imports, helpers, constants) goes along. An import takes the place of each copy,
    also of those with other names. The production notebooks among them run again; if one fails or
    gives other outputs, everything is put back.

    \b
    Examples:
      nb extract clean --to data
      nb extract clean --dry-run
      nb extract clean --from 02-dm-second-look.ipynb
    """
    from nb.refactoring.extract import carry_out, prepare_extraction

    found = prepare_extraction(root, name, to, origin)
    for reason in found.left:
        secho(f"nb: {reason}", fg="yellow", err=True)
    if dry_run:
        echo(found.diff(root), nl=False)
        return
    carry_out(root, found, run=not no_run, keep=keep, show=_print_compared)
    for path in found.changes:
        echo(f"changed {path.relative_to(root).as_posix()}")
    echo(f"{name} is in {found.module} now. Give it a test, then commit.")


def _print_compared(rows: Sequence[OutputComparison]) -> None:
    colors = {"same": "green"}
    print_table((row.path, style(row.verdict, fg=colors.get(row.verdict, "red"))) for row in rows)
