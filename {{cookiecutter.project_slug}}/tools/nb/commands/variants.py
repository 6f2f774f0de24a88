"""Subcommands of `nb experiments` for single variants: show, compare, apply, save, remove."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.terminal import echo
from nb.wording import byte_size, count, value_text

from . import complete_variants, note, print_json, print_table

if TYPE_CHECKING:
    from nb.experiments.table import VariantRow


def metric_text(row: VariantRow, name: str) -> str:
    if name not in row.metrics:
        return ""
    change = row.changes.get(name)
    return f"{row.metrics[name]:.6g}" + (f" ({change:+.3g})" if change else "")


@click.command("show")
@click.argument("number", type=int, shell_complete=complete_variants)
@click.option("--pages", is_flag=True, help="Make the site of the variant, with its notebooks.")
@click.option("--json", "as_json", is_flag=True, help="Print the record as JSON.")
@click.pass_obj
def show_variant_command(root: Path, number: int, pages: bool, as_json: bool) -> None:
    """Show a variant: its values, stages, metrics and files.

    \b
    Examples:
      nb experiments show 7
      nb experiments show 7 --pages
    """
    from nb.experiments import store
    from nb.experiments.values import public_parameters, public_record

    (record,) = store.with_dead_runs_ended(root, [store.find_variant(root, number)])
    if as_json:
        print_json(public_record(record))
        return
    (values,) = public_parameters([record])
    title = f"{record.experiment}, {record.name}" if record.name else record.experiment
    echo(f"variant {number} of {title}: {record.state}")
    rows = [(name, value_text(values[name])) for name in record.settings]
    rows += [(stage.name, f"{stage.state} {stage.cause}".strip()) for stage in record.stages]
    rows += [
        (f"{path} {name}", f"{value:.6g}")
        for path, numbers in record.metrics.items()
        for name, value in numbers.items()
    ]
    print_table(rows)
    copy = store.variant_copy(root, number)
    size = f"{byte_size(store.variant_size(root, number))} besides DVC's cache"
    echo(f"results: {copy.relative_to(root).as_posix()}, {size}")
    if not pages:
        return
    from nb import report

    index = report.build(copy)
    if index:
        report.write_experiments(root)
        echo(f"pages: {index.relative_to(root).as_posix()}")


@click.command("compare")
@click.argument("first", type=int, shell_complete=complete_variants)
@click.argument("second", type=int, shell_complete=complete_variants)
@click.pass_obj
def compare_variants_command(root: Path, first: int, second: int) -> None:
    """Show the parameters and metrics in which two variants differ.

    \b
    Example:
      nb experiments compare 3 7
    """
    from nb.experiments import store
    from nb.experiments.table import make_table

    records = [store.find_variant(root, number) for number in (first, second)]
    table = make_table(records, {})
    one, other = table.rows
    rows = [(n, value_text(one.value(n)), value_text(other.value(n)), "") for n in table.parameters]
    for name in table.metrics:
        before, now = one.metrics.get(name), other.metrics.get(name)
        change = f"{now - before:+.6g}" if before is not None and now is not None else ""
        rows.append((name, metric_text(one, name), metric_text(other, name), change))
    if not rows:
        echo(f"The variants {first} and {second} do not differ.")
        return
    print_table(rows, heading=("", f"#{first}", f"#{second}", ""))


@click.command("apply")
@click.argument("number", type=int, shell_complete=complete_variants)
@click.pass_obj
def apply_command(root: Path, number: int) -> None:
    """Make a variant the project's own: values and results.

    Files of config/ get the values and keep their comments; results come out of DVC's cache, so
    that `nb run` finds nothing to do. Refused while a file to change is not committed.

    \b
    Example:
      nb experiments apply 7
    """
    from nb.experiments.application import apply_variant

    for line in apply_variant(root, number, partial(note, err=True)):
        echo(line)


@click.command("save")
@click.argument("number", type=int, shell_complete=complete_variants)
@click.argument("name", default="")
@click.pass_obj
def save_variant_command(root: Path, number: int, name: str) -> None:
    """Save a variant as a DVC experiment.

    `dvc exp` and its editors list and push the experiment. NAME is by default that of the variant,
    or variant-NUMBER. Neither files nor branches change.

    \b
    Examples:
      nb experiments save 7
      nb experiments save 7 few-folds
    """
    from nb.experiments.saving import save_variant

    saved = save_variant(root, number, name)
    echo(
        f"Saved {saved}: dvc exp show --all-commits lists it, dvc exp push REMOTE {saved} sends it"
    )


@click.command("export")
@click.option("--mlflow", "uri", required=True, metavar="URI", help="The tracking server.")
@click.option("--experiment", help="Only the variants of this experiment.")
@click.pass_obj
def export_variants_command(root: Path, uri: str, experiment: str | None) -> None:
    """Log finished variants to MLflow, each once.

    Parameters, metrics and figures are logged. Needs the package mlflow-skinny in the environment.

    \b
    Examples:
      nb experiments export --mlflow http://mlflow.example.org:5000
      nb experiments export --mlflow sqlite:///mlflow.db
    """
    from nb.experiments import store
    from nb.experiments.mlflow_export import export_variants

    records = store.read_experiment(root, experiment)
    logged = there = 0
    for record, is_new in export_variants(root, records, uri):
        logged, there = logged + is_new, there + (not is_new)
        if is_new:
            echo(f"variant {record.number}")
    echo(f"Logged {count(logged, 'variant')}; {there} had been logged before.")


@click.command("remove")
@click.argument("numbers", type=int, nargs=-1, shell_complete=complete_variants)
@click.option("--older-than", metavar="AGE", help="All that ended before: 12h, 30d, 6w.")
@click.option("--all", "everything", is_flag=True, help="All variants.")
@click.pass_obj
def remove_command(
    root: Path, numbers: tuple[int, ...], older_than: str | None, everything: bool
) -> None:
    """Remove variants; DVC's cache stays as it is.

    \b
    Examples:
      nb experiments remove 3 4
      nb experiments remove --older-than 30d
      nb experiments remove --all
    """
    from nb.experiments import removal

    chosen = removal.variants_to_remove(root, numbers, older_than, everything=everything)
    freed = removal.remove_variants(root, chosen)
    echo(f"Removed {count(len(chosen), 'variant')}, {byte_size(freed)}.")


VARIANT_COMMANDS = (
    show_variant_command,
    compare_variants_command,
    apply_command,
    save_variant_command,
    export_variants_command,
    remove_command,
)
