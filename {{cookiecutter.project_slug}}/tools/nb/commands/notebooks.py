"""Commands for working on notebooks: make, promote, check, refactor, read and edit them."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.exit_codes import ExitCode
from nb.project import NbError, UsageError, write_whole
from nb.terminal import colored, echo, is_colored, secho, style, wrapped

from . import count

if TYPE_CHECKING:
    from nb.authoring.promotion import Promotion
    from nb.refactoring.duplicates import Duplicate
    from nb.refactoring.rerun import Compared


@click.command("new")
@click.argument("name")
@click.option("--production", is_flag=True, help="With its parameters and its stage in dvc.yaml.")
@click.pass_obj
def new_command(root: Path, name: str, production: bool) -> None:
    """Make a notebook from a short skeleton, named by the convention.

    NAME is in words. An exploratory notebook gets the next number and your initials (of Git's
    user.name); a production notebook the next ten, or two digits that NAME begins with.

    \b
    Examples:
      nb new "outliers in sales"         notebooks/exploratory/02-dm-outliers-in-sales.ipynb
      nb new sales --production          notebooks/production/50-sales.ipynb
      nb new 25-weather --production     notebooks/production/25-weather.ipynb
    """
    from nb.authoring.new import new_exploratory, new_production

    made = new_production(root, name) if production else new_exploratory(root, name)
    echo(f"Made {made.notebook.as_posix()}")
    for file, purpose in made.others:
        echo(f"     {file}: {purpose}")
    if production:
        echo("It runs as it is: nb run. Then name its inputs and outputs in the cell below")
        echo("*Files* and as `deps` and `outs` of its stage in dvc.yaml; nb check compares them.")
    else:
        echo("Open it: make lab")


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

    NOTEBOOK runs from top to bottom in a copy of the project. Its constants become parameters, its
    functions move to src/ with a first test, what it reads and writes becomes its stage in
    dvc.yaml. The new notebook runs as that stage, and its outputs are compared with those of
    NOTEBOOK. Only if they are the same does the project change; nothing is committed.

    \b
    Examples:
      nb promote notebooks/exploratory/02-am-prices.ipynb
      nb promote --yes --as prices notebooks/exploratory/02-am-prices.ipynb
      nb promote --dry-run notebooks/exploratory/02-am-prices.ipynb
    """
    from nb.authoring.promote import promote_notebook as run_promotion
    from nb.authoring.promotion import proposal

    proposed = partial(proposal, leave_functions=leave_functions, seed=seed)
    path = Path(notebook)
    if not path.is_file():
        example = "nb promote notebooks/exploratory/01-me-idea.ipynb"
        raise UsageError(f"there is no notebook {notebook or '(no name)'}; for example: {example}")
    choices = proposed(root, path, name, module)
    if not (yes or dry_run):
        if not name:
            asked = click.prompt("Name of the production notebook", choices.name)
            choices = proposed(root, path, asked, module)
        if not module and choices.module:
            module = click.prompt("Module for its functions", choices.module)
            choices = proposed(root, path, choices.name, module)
    agreed = False

    def agree(found: Promotion) -> bool:
        nonlocal agreed
        _print_promotion(found)
        agreed = not dry_run and (yes or click.confirm("\nChange the project?", default=True))
        return agreed

    found = run_promotion(
        root, path, choices, tell=lambda line: echo(f"nb: {line}"), agree=agree, keep=keep
    )
    if dry_run:
        echo(f"\n{found.diff}", nl=False)
    if found.differs and not keep:
        _print_promotion(found)
        raise NbError(f"an output differs, so nothing was changed; {_reason_of_difference(found)}")
    if agreed:
        echo("\nNothing is committed yet. Look at it with git status and git diff, then:")
        echo("  git add --all && git commit")


def _reason_of_difference(found: Promotion) -> str:
    """Return the calls that differ from run to run, and the next step."""
    if not found.unseeded:
        return "is a seed missing, or does a time go in? (--keep goes on all the same)"
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
    for note in found.notes:
        echo(f"\nnb: {note}")


@click.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--select", metavar="CODES", help="Only these rules: NB301, or NB3 for all of NB3.")
@click.option("--ignore", metavar="CODES", help="Not these rules; several with commas.")
@click.option("--format", "style", type=click.Choice(["text", "json", "github"]), default="text")
@click.option("--explain", metavar="CODE", help="Explain a rule, with examples.")
@click.option("--rules", "listed", is_flag=True, help="List the rules.")
@click.pass_obj
def check_command(
    root: Path,
    paths: tuple[Path, ...],
    select: str | None,
    ignore: str | None,
    style: str,
    explain: str | None,
    listed: bool,
) -> None:
    """Check notebooks against the rules; change nothing.

    PATHS are notebooks, folders, or other files of the project, which concern all production
    notebooks; without any, all notebooks and dvc.yaml are checked. Exploratory notebooks get only
    the rules that protect others. Exit codes: 0 nothing found, 1 findings, 2 wrong usage.

    \b
    Examples:
      nb check
      nb check --select NB1,NB301 notebooks/production
      nb check --explain NB301
    """
    from nb.check import formats
    from nb.check.model import RULES, rules_of
    from nb.check.runner import check_paths  # also loads the rules

    if explain is not None:
        texts = [RULES[code].explanation() for code in sorted(rules_of((explain,), "--explain"))]
        echo("\n\n\n".join(texts))
        return
    if listed:
        echo(formats.rule_table())
        return
    result = check_paths(root, paths, _codes(select), _codes(ignore))
    if result.findings or style == "json":
        echo(formats.shown_findings(result.findings, style))
    for name, language in result.skipped.items():
        echo(f"nb: {name} is left out: its language is {language}", err=True)
    if not result.findings:
        echo(f"Nothing found in {count(result.notebooks, 'notebook')}.", err=True)
        return
    hint = f"nb check --explain {result.findings[0].code} explains the rule"
    echo(f"{count(len(result.findings), 'finding')}; {hint}.", err=True)
    raise click.exceptions.Exit(ExitCode.FAILED)


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in text.split(",")) if text is not None else ()


@click.command("duplicates")
@click.option("--check", is_flag=True, help="Exit with 1 if there are any.")
@click.option("--lines", type=click.IntRange(2), help="Lines of code from which a block counts.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def duplicates_command(root: Path, check: bool, lines: int | None, as_json: bool) -> None:
    """Find code that stands in several notebooks, or also in src.

    Functions, classes and blocks are compared without their comments, docstrings and annotations;
    copies whose variables were renamed count. Those that save most lines come first, each with its
    places as path:code cell:line, and the command that repairs it.

    \b
    Examples:
      nb duplicates
      nb duplicates --lines 10    only blocks of ten lines and more
      nb duplicates --check       for CI
    """
    from nb.refactoring.duplicates import BLOCK_LINES, find_duplicates

    # Syntax trees are many objects and no garbage: looking through them takes as long as the work.
    gc.disable()
    found = find_duplicates(root, lines or BLOCK_LINES)
    if as_json:
        echo(json.dumps([duplicate.as_json() for duplicate in found], indent=2))
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


def _print_compared(rows: Sequence[Compared]) -> None:
    width = max((len(row.path) for row in rows), default=0)
    for row in rows:
        color = "green" if row.verdict == "same" else "red"
        echo(f"{row.path:{width}}  {style(row.verdict, fg=color)}")


@click.command("show")
@click.argument("notebook")
@click.pass_obj
def show_command(root: Path, notebook: str) -> None:
    """Print a notebook as text, without outputs.

    NOTEBOOK is a path, or the name of a production notebook.

    \b
    Examples:
      nb show 20-features
      nb show notebooks/exploratory/01-dm-first-look.ipynb | less
    """
    from nb.authoring.editing import readable
    from nb.notebook.content import find_notebook

    path = find_notebook(root, notebook)
    echo(colored(readable(path, color=is_colored(sys.stdout))), nl=False)


@click.command("edit")
@click.argument("notebook")
@click.pass_obj
def edit_command(root: Path, notebook: str) -> None:
    """Edit a notebook as a Python script in your editor.

    The editor is that of $VISUAL or $EDITOR; jupytext is needed. Cells begin with `# %%`. Cells
    that you leave alone keep their outputs; all keep their ids. NOTEBOOK is a path, or the name of
    a production notebook.

    \b
    Examples:
      nb edit 20-features
      EDITOR="code --wait" nb edit 20-features
    """
    from nb.authoring.editing import script, with_script
    from nb.notebook.content import find_notebook

    path = find_notebook(root, notebook)
    before = path.read_bytes()
    edited = click.edit(script(path), extension=".py")
    if edited is None:
        echo("Nothing was changed.")
        return
    if path.read_bytes() != before:
        aside = root / ".nb" / f"{path.stem}.py"
        write_whole(aside, edited)
        where = aside.relative_to(root).as_posix()
        raise NbError(f"{path} was saved by another program; your text is in {where}")
    content = with_script(before.decode("utf-8"), edited).encode("utf-8", "surrogatepass")
    write_whole(path, content)
    echo(f"Wrote {path}.")
