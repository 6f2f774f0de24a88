"""Commands for experiments: run many parameter values, and look at the results in a table."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from nb.project import NbError, UsageError
from nb.terminal import echo, secho
from nb.wording import count, value_text

from . import SuggestingGroup, note, print_json, print_table
from .running import run_programs
from .variants import VARIANT_COMMANDS, metric_text

if TYPE_CHECKING:
    from nb.experiments.definition import Experiment
    from nb.experiments.store import VariantRecord
    from nb.experiments.table import VariantRow, VariantTable


@click.command("experiment")
@click.argument("axes", nargs=-1, metavar="STAGE.PARAMETER=VALUES…")
@click.option("--file", type=click.Path(path_type=Path), help="A file that defines the variants.")
@click.option("--sample", type=click.IntRange(1), help="As many random variants, not a grid.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of --sample.")
@click.option(
    "-j", "--jobs", type=click.IntRange(1), help="Stages at a time; default: cores and one more."
)
@click.option("-n", "--dry-run", is_flag=True, help="Print the variants; run nothing.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a stage may run.")
@click.option("--pull", is_flag=True, help="Fetch what others computed from the storage.")
@click.option("--cold", is_flag=True, help="Start each kernel anew, without warm imports.")
@click.option("--json", "as_json", is_flag=True, help="Print the variants as JSON.")
@click.pass_obj
def experiment_command(
    root: Path,
    /,
    axes: tuple[str, ...],
    file: Path | None,
    sample: int | None,
    seed: int,
    jobs: int | None,
    dry_run: bool,
    timeout: float | None,
    pull: bool,
    cold: bool,
    as_json: bool,
) -> None:
    """Run the pipeline with many values of its parameters.

    VALUES are a list (3,5,10), a range with its step (0.8:0.95:0.05) or, with --sample, an interval
    (1..100, log:0.01..100). Every combination is a variant, run in a copy of the project; stages
    that variants have in common run once. Results of the project and its dvc.lock do not change.
    The same command again runs what is missing.

    \b
    Exit codes are those of `nb run`; a variant that fails does not end the others.

    \b
    Examples:
      nb experiment train.folds=3,5,10 features.correlation_limit=0.8:0.95:0.05
      nb experiment --sample 40 --seed 1 features.correlation_limit=0.8..0.99
      nb experiment --file experiments/threshold.yaml
      nb experiments           the table of all variants
    """
    from nb.experiments.planning import check_variations
    from nb.experiments.run import ExperimentView, run_experiment
    from nb.experiments.table import best_first, project_table
    from nb.programs import cores
    from nb.run.record import Options

    definition = _definition(axes, file, sample, seed)
    if dry_run:
        check_variations(root, definition.variations)
        _print_variations(definition, as_json=as_json)
        return
    # A fifth of its time a small stage waits: for its kernel, for the disk, for DVC.
    options = Options(jobs=jobs or cores() + 1, timeout=timeout, pull=pull, cold=cold)
    view = ExperimentView(sys.stderr if as_json else sys.stdout)
    done = run_experiment(root, definition, options, view, run_programs())
    table = project_table(root, done.records, definition.best)
    _print_variants(table, best_first(table), as_json=as_json)
    if not as_json:
        _print_page(root, definition.name)
        if any(record.state == "done" for record in done.records):
            echo("To keep one: nb experiments apply NUMBER")
    if done.reused:
        note(f"{count(done.reused, 'variant')} had been run before", err=True)
    _fail_with(done.records, done.exit_code)


def _fail_with(records: Sequence[VariantRecord], exit_code: int) -> None:
    failed = [record for record in records if record.state != "done"]
    if failed:
        problem = f"{count(len(failed), 'variant')} of {len(records)} did not end well"
        raise NbError(f"{problem}: nb experiments show {failed[0].number}", exit_code or 1)


def _print_page(root: Path, experiment: str) -> None:
    """Write the pages of experiments, and say where that of an experiment is."""
    from nb.project import SITE
    from nb.report import write_experiments

    for overview in write_experiments(root):
        if overview.name == experiment:
            secho(f"Page: {(SITE / overview.page).as_posix()}", bold=True)


def _definition(
    axes: Sequence[str], file: Path | None, sample: int | None, seed: int
) -> Experiment:
    from nb.experiments.definition import experiment_from_arguments, experiment_from_file

    if bool(axes) == bool(file):
        problem = "give values, or a file with --file" if not axes else "values and --file exclude"
        hint = "; see nb experiment --help" if not axes else " each other"
        raise UsageError(f"{problem}{hint}")
    return experiment_from_file(file) if file else experiment_from_arguments(axes, sample, seed)


def _print_variations(definition: Experiment, *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(each) for each in definition.variations])
        return
    for variation in definition.variations:
        values = ", ".join(
            f"{name}={value_text(value)}" for name, value in variation.settings.items()
        )
        echo(f"{variation.name}: {values}" if variation.name else values)
    echo(f"{count(len(definition.variations), 'variant')} would run.")


@click.group("experiments", cls=SuggestingGroup, invoke_without_command=True)
@click.option("--experiment", help="Only the variants of this experiment.")
@click.option("--sort", "column", help="Sort by a column; -COLUMN: the highest first.")
@click.option(
    "--filter", "conditions", multiple=True, help="COLUMN=VALUE, COLUMN>VALUE; repeatable."
)
@click.option("--best", help="The metric to judge by: max:METRIC or min:METRIC.")
@click.option("--metric", "metrics", multiple=True, help="A metric to show; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the table as CSV.")
@click.pass_context
def experiments_command(
    ctx: click.Context,
    experiment: str | None,
    column: str | None,
    conditions: tuple[str, ...],
    best: str | None,
    metrics: tuple[str, ...],
    as_json: bool,
    as_csv: bool,
) -> None:
    """Show the variants of experiments in a table.

    A column may be named by the end of its name: `folds` for `train.folds`. Metrics that do not fit
    the terminal are left out; --metric chooses. In parentheses: the difference to the project.
    A stage in dvc.yaml may name the metric to judge by: `meta: {nb: {best: max:test.roc_auc}}`.

    \b
    Examples:
      nb experiments --best max:evaluate.test.roc_auc
      nb experiments --sort -roc_auc --filter 'folds>3'
      nb experiments show 7
      nb experiments compare 3 7
      nb experiments apply 7
      nb experiments save 7
      nb experiments remove 9 --older-than 30d
    """
    from nb.experiments import store
    from nb.experiments import table as tables
    from nb.experiments.definition import read_best

    if ctx.invoked_subcommand:
        return
    root: Path = ctx.obj
    judge = read_best(best) if best else None
    records = store.with_dead_runs_ended(root, store.read_experiment(root, experiment))
    if not records and not (as_json or as_csv):
        echo("There is no experiment yet: nb experiment --help")
        return
    table = tables.project_table(root, records, judge)
    rows = tables.best_first(table)
    if column:
        rows = tables.sort_rows(table, column.lstrip("-"), descending=column.startswith("-"))
        table = tables.metric_first(table, column.lstrip("-"))
    for condition in conditions:
        kept = {row.number for row in tables.filter_rows(table, condition)}
        rows = [row for row in rows if row.number in kept]
    if metrics:
        table = tables.select_metrics(table, metrics)
    _print_variants(table, rows, as_json=as_json, as_csv=as_csv)


for variant_command in VARIANT_COMMANDS:
    experiments_command.add_command(variant_command)


def _print_variants(
    table: VariantTable, rows: Sequence[VariantRow], *, as_json: bool, as_csv: bool = False
) -> None:
    if as_json:
        print_json([asdict(row) | {"best": row.number == table.best} for row in rows])
    elif as_csv:
        echo(_as_csv(table, rows), nl=False)
    else:
        _print_rows(table, rows)


def _as_csv(table: VariantTable, rows: Sequence[VariantRow]) -> str:
    import csv  # late: the list of commands imports this module

    text = io.StringIO()
    columns = ["number", "experiment", "name", *table.parameters, *table.metrics]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "state", "seconds"])
    for row in rows:
        writer.writerow([row.value(name) for name in (*columns, "state", "seconds")])
    return text.getvalue()


def _print_rows(table: VariantTable, rows: Sequence[VariantRow]) -> None:
    """Print a table that fits the terminal: metrics that do not fit are left out and counted."""
    from nb.experiments.table import fitting_columns, short_names

    short = short_names([*table.parameters, *table.metrics])
    before = [["#", *(str(row.number) for row in rows)]]
    if any(row.name for row in rows):
        before.append(["name", *(row.name for row in rows)])
    before += [
        [short[n], *(value_text(r.parameters.get(n, ""), 40) for r in rows)]
        for n in table.parameters
    ]
    metrics = [[short[name], *(metric_text(row, name) for row in rows)] for name in table.metrics]
    after = [["state", *(row.state for row in rows)]]
    after.append(["seconds", *(f"{row.seconds:.1f}" for row in rows)])
    widths = [[max(map(len, column)) + 2 for column in part] for part in (metrics, before + after)]
    space = get_terminal_size().columns if sys.stdout.isatty() else None
    shown = fitting_columns(widths[0], sum(widths[1]) - 2, space)
    heading, *lines = zip(*before, *metrics[:shown], *after, strict=True)
    print_table(lines, heading=heading, bold=(row.number == table.best for row in rows))
    left = len(metrics) - shown
    if left > 0:
        echo(f"{count(left, 'more metric')} differ{'s' if left == 1 else ''}: --metric, --csv")
    for row in rows:
        if row.cause:
            echo(f"{row.number}: {row.cause}")
