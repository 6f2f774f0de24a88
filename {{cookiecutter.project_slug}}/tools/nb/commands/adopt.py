"""Command `nb adopt`: brings in notebooks, code and data, tries them, and promotes if asked to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.grouping import grouped
from nb.processes.signals import exit_when_terminated
from nb.project import NbError, UsageError, warn
from nb.terminal import echo, secho
from nb.wording import count, enumerated

from . import note, print_table

if TYPE_CHECKING:
    from nb.adoption.overview import AdoptedRow, Overview
    from nb.adoption.plan import AdoptionPlan
    from nb.adoption.trials import Trial

# Seconds for the trial run of a notebook.
LIMIT = 300.0
# Files left behind for the same reason that are named; --json names all.
NAMED_FILES = 6
HEADINGS = ("Notebook", "State", "Seconds", "Reads", "Writes", "Readiness")


@click.command("adopt")
@click.argument("source", required=False)
@click.option("-n", "--dry-run", is_flag=True, help="Show the plan and the table; change nothing.")
@click.option("--history", is_flag=True, help="Merge the history of the other repository.")
@click.option("--report", "as_report", is_flag=True, help="The table of the last adoption again.")
@click.option("--promote", "promoting", is_flag=True, help="Promote what is ready, in order.")
@click.option("--continue", "goes_on", is_flag=True, help="Finish or put back after a kill.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; take large data files, too.")
@click.option("--no-run", is_flag=True, help="Bring the notebooks in without running them.")
@click.option(
    "--timeout",
    "limit",
    type=click.FloatRange(0, min_open=True),
    default=LIMIT,
    show_default=True,
    help="Seconds a notebook may run.",
)
@click.pass_obj
def adopt_command(
    root: Path,
    source: str | None,
    dry_run: bool,
    history: bool,
    as_report: bool,
    promoting: bool,
    goes_on: bool,
    as_json: bool,
    yes: bool,
    no_run: bool,
    limit: float,
) -> None:
    """Bring existing notebooks into this project.

    Each is tried in a copy, and an order to promote them in is proposed.

    SOURCE is a folder, a folder of this project, a Git URL or a notebook. Notebooks get names by
    the convention, modules beside them move to src/, data to data/ under DVC; paths, imports and
    dependencies follow. All of it is one commit. Then each notebook runs once in a copy.

    \b
    Examples:
      nb adopt --dry-run ../old-repository
      nb adopt ../old-repository
      nb adopt --report --json
      nb adopt --promote
    """
    from nb.adoption.overview import read_overview

    if goes_on:
        if not _finish(root):
            raise NbError("no adoption was broken off")
        return
    if as_report or promoting:
        if source:
            raise UsageError("--report and --promote are about the last adoption: no SOURCE")
        overview = read_overview(root)
        _promote(root, overview) if promoting else _show(root, overview, as_json)
        return
    if not source:
        raise UsageError("adopt what? For example: nb adopt ../old-repository")
    _adopt(root, source, dry_run, history, yes, None if no_run else limit, as_json)


def _adopt(
    root: Path,
    source: str,
    dry_run: bool,
    history: bool,
    yes: bool,
    limit: float | None,
    as_json: bool,
) -> None:
    from nb.adoption.bringing_back import bring_back, set_up
    from nb.adoption.plan import plan_adoption
    from nb.adoption.preparing import prepared_adoption, require_clean
    from nb.adoption.source_folder import open_origin

    tell = partial(note, err=True)

    def ask(question: str) -> bool:
        return yes or (sys.stdin.isatty() and not dry_run and click.confirm(question))

    if not dry_run:
        _finish(root)
    require_clean(root)
    with exit_when_terminated(), open_origin(root, source) as origin:
        tell(f"looking at {origin.label}")
        plan = plan_adoption(root, origin, ask)
        with prepared_adoption(root, plan, tell, history=history) as prepared:
            if not as_json:
                _print_plan(plan)
            if dry_run:
                overview = _tried(prepared.clone, plan, limit)
                _show(None, overview, as_json)
                echo("Nothing was changed.", err=True)
                return
            bring_back(root, plan, prepared)
    secho(f"\nAdopted {count(len(plan.names), 'notebook')} in one commit.", err=True)
    if history and plan.left:
        echo("The merged history holds the files that were left behind, too.", err=True)
    echo(f"To get back: git reset --hard {prepared.base[:10]}", err=True)
    if not set_up(root, prepared.base):
        warn("the new dependencies are not installed: make setup, then nb adopt --report")
    overview = _tried(root, plan, limit)
    overview.base = prepared.base
    _save(root, overview)
    _show(root, overview, as_json)


def _finish(root: Path) -> bool:
    """Finish or put back work that was killed, and say so; return whether there was any."""
    from nb.adoption.bringing_back import finish_broken_off

    said = finish_broken_off(root)
    if said:
        echo(said, err=True)
    return bool(said)


def _tried(root: Path, plan: AdoptionPlan, limit: float | None) -> Overview:
    """Run the notebooks in a copy and return the overview."""
    from nb.adoption import overview as found
    from nb.adoption.trials import can_go_offline, run_trials
    from nb.declaration.tasks import NOT_RUN

    python = [plan.names[name] for name, book in plan.notebooks.items() if book.is_python]
    trials: list[Trial] = []
    if limit is not None and python:
        network = "off" if can_go_offline() else "on"
        line = f"running {count(len(python), 'notebook')} in a copy, network {network}"
        note(f"{line}, at most {limit:g} s each", err=True)
        trials = run_trials(root, python, limit=limit, tell=_print_trial)
    rows = [found.outcome_row(trial) for trial in trials]
    tried = {row.notebook for row in rows}
    for name, new in plan.names.items():
        if new not in tried:
            book = plan.notebooks[name]
            why = "--no-run" if book.is_python else f"a notebook of {book.language}"
            rows.append(found.AdoptedRow(new, NOT_RUN, why))
    found.note_predecessors(rows)
    found.rate_readiness(rows)
    found.add_details(root, [row for row in rows if row.notebook in set(python)])
    rows.sort(key=lambda row: row.notebook)
    overview = found.Overview(plan.origin.label, rows, plan.moves, plan.left)
    overview.unknown = plan.requested.unknown
    return overview


def _print_trial(trial: Trial) -> None:
    where = f"code cell {trial.cell}: " if trial.cell else ""
    said = f"{where}{trial.problem}" if trial.problem else "runs"
    echo(f"nb:   {Path(trial.notebook).name}  {said[:100]}", err=True)


def _print_plan(plan: AdoptionPlan) -> None:
    secho("Old place and new place", bold=True)
    for old, new in plan.moves.items():
        echo(f"  {old} -> {new}")
    if plan.requested.requirements:
        secho("Dependencies", bold=True)
        echo(f"  {', '.join(plan.requested.requirements.values())}")
    for name, files in plan.requested.unknown.items():
        echo(f"  {name}: no list knows its package; add it by hand ({files[0]})")
    for entry, reason in plan.requested.left_out.items():
        echo(f"  {entry}: {reason}")
    if plan.left:
        secho("Left behind", bold=True)
        by_reason = grouped((reason, name) for name, reason in plan.left.items())
        for reason, names in by_reason.items():
            echo(f"  {enumerated(names, NAMED_FILES)}: {reason}")


def _save(root: Path, overview: Overview) -> None:
    from nb.adoption.overview import save_overview
    from nb.adoption.overview_page import write_overview_page

    save_overview(root, overview)
    page = write_overview_page(root, overview)
    echo(f"The table as a page: {page.relative_to(root).as_posix()}", err=True)


def _show(root: Path | None, overview: Overview, as_json: bool) -> None:
    if as_json:
        echo(overview.as_json())
        return
    echo()
    print_table(map(_cells, overview.rows), heading=HEADINGS)
    proposed = overview.proposed()
    if proposed:
        echo("\nReady, in this order (nb adopt --promote does all):")
        for name in proposed:
            echo(f"  nb promote {name}")
    else:
        echo(f"\n{overview.advice()}")


def _cells(row: AdoptedRow) -> tuple[str, ...]:
    files = (_files(row.reads), _files(row.writes))
    seconds = f"{row.seconds:.1f}" if row.seconds else ""
    return (Path(row.notebook).name, row.state, seconds, *files, row.readiness[:100])


def _files(paths: Sequence[str]) -> str:
    return enumerated((Path(path).name for path in paths), 2)


def _promote(root: Path, overview: Overview) -> None:
    from nb.adoption.promotions import promote_in_order

    done = promote_in_order(root, overview, tell=note)
    for found in done:
        echo(f"promoted {found.choices.notebook}")
    echo(f"{count(len(done), 'notebook')} promoted, a commit each.")
