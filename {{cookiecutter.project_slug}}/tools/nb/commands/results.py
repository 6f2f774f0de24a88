"""Commands that show results: metrics, parameters, versions compared, reports, files of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.project import CONFIG, PRODUCTION, NbError, from_root, write_whole
from nb.terminal import echo

from . import complete_notebooks, note, print_json, print_table

if TYPE_CHECKING:
    from nb.pipeline import Change


@click.command("metrics")
@click.argument("commit", default="HEAD")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.pass_obj
def metrics_command(root: Path, commit: str, as_json: bool) -> None:
    """Compare metrics and parameters with those of a commit.

    COMMIT is anything that Git knows: a hash, a branch, a tag; HEAD if it is left out. Every metric
    is listed, and each parameter of the pipeline that differs. `nb params` is the same for all
    parameters.

    \b
    Examples:
      nb metrics              the work tree and the last commit
      nb metrics main
      nb metrics --json HEAD~3
    """
    from nb.pipeline import compare_with_commit

    found = compare_with_commit(root, commit)
    _print_changes([c for c in found if c.kind == "metric" or c.before != c.now], commit, as_json)


@click.command("params")
@click.argument("notebook", required=False, shell_complete=complete_notebooks)
@click.option("--commit", default="HEAD", help="Without NOTEBOOK: the commit to compare with.")
@click.option("--json", "as_json", is_flag=True, help="Print the parameters as JSON.")
@click.pass_obj
def params_command(root: Path, notebook: str | None, commit: str, as_json: bool) -> None:
    """Document parameters, or compare them with those of a commit.

    NOTEBOOK is a path or a name. Its config file is checked, too: exits with 2 if the values in
    config/<name>.yaml do not fit the notebook. Without NOTEBOOK every parameter of the pipeline is
    listed, beside its value in the commit.

    \b
    Examples:
      nb params 20-features
      nb params --json notebooks/production/30-train.ipynb
      nb params --commit main
    """
    from nb.notebook.config import read_config
    from nb.notebook.content import find_notebook, read_notebook
    from nb.notebook.parameters import check_values, describe, read_parameters
    from nb.pipeline import compare_with_commit

    if notebook is None:
        _print_changes(compare_with_commit(root, commit, ["parameter"]), commit, as_json)
        return
    path = find_notebook(root, notebook)
    parameters = read_parameters(read_notebook(path))
    config = root / CONFIG / f"{path.stem}.yaml"
    given = read_config(config)
    rows = describe(parameters, given)
    if as_json:
        print_json(rows)
    elif rows:
        _print_parameters(rows)
    else:
        echo(f"{path.name} has no parameters: no cell of it is tagged parameters.")
    # A stage may pass some with -p, so that those missing here need not be missing in a run.
    check_values(parameters, given, f"{CONFIG.as_posix()}/{config.name}", complete=False)


def _print_changes(changes: list[Change], commit: str, as_json: bool) -> None:
    """Print metrics and parameters, before and now; differences are in bold."""
    if as_json:
        print_json([vars(change) for change in changes])
        return
    if not changes:
        echo("The pipeline has no metrics and no parameters yet.")
        return
    from nb.versions.summary import change_row

    is_changed = (change.before != change.now for change in changes)
    heading = ("file", "name", commit, "now", "change")
    print_table(map(change_row, changes), heading=heading, bold=is_changed)


def _print_parameters(rows: list[dict[str, object]]) -> None:
    """Print a table; values and defaults are written as in YAML."""
    heading = ("name", "type", "default", "value", "help")
    print_table(map(_parameter_cells, rows), heading=heading)


def _parameter_cells(row: Mapping[str, object]) -> tuple[str, ...]:
    from nb.notebook.types.kinds import shown_value

    default = "required" if row["required"] else shown_value(row["default"])
    if row["secret"]:
        default = f"${row['secret']}" + ("" if row["required"] else f" or {default}")
    value = shown_value(row["value"]) if "value" in row else ""
    return str(row["name"]), str(row["type"]), default, value, str(row["help"])


@click.command("compare")
@click.argument("before", default="HEAD")
@click.argument("now", default=".")
@click.option(
    "--to",
    "kind",
    type=click.Choice(["text", "markdown", "html"]),
    default="text",
    show_default=True,
    help="The form; a page goes to reports/documents.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write.")
@click.pass_obj
def compare_command(
    root: Path, before: str, now: str, kind: str, as_json: bool, output: Path | None
) -> None:
    """Show two versions of the project side by side.

    BEFORE and NOW are commits, branches, numbers of nb experiments, ids of runs, or `.` for the
    work tree; HEAD and the work tree if left out. Shown are metrics with differences, parameters
    that changed, stages and the inputs that differ, tables by values, code cells as a diff, and
    with --to html figures beside each other. Of a run only metrics and parameters are known.

    \b
    Examples:
      nb compare                       the last commit and the work tree
      nb compare main                  the branch main and the work tree
      nb compare 3 5                   two variants of nb experiments
      nb compare main --to html        the same as a page, with figures
      nb compare origin/main --to markdown >> "$GITHUB_STEP_SUMMARY"
    """
    from nb.report.export import DOCUMENTS
    from nb.versions import compare_versions, open_version, summary

    stale = _stale(root) if now == "." else {}
    with open_version(root, before) as old, open_version(root, now) as new:
        found = compare_versions(root, old, new, stale)
    if as_json:
        text = json.dumps(found.as_data(), indent=2, default=str)
    elif kind == "html":
        text = summary.as_page(found, root.name)
    else:
        text = summary.as_markdown_summary(found) if kind == "markdown" else summary.as_text(found)
    if output is None and kind == "html" and not as_json:
        output = root / DOCUMENTS / "compare.html"
    if output is None:
        echo(text)
        return
    write_whole(output, text)
    echo(from_root(str(output), root))


def _stale(root: Path) -> dict[str, list[str]]:
    """Return the stages of the work tree that would run, with the reasons."""
    from nb.notebook import fingerprints
    from nb.pipeline import stage_states

    fingerprints.refresh(root)
    return {state.name: state.reasons for state in stage_states(root) if state.reasons}


@click.command("trace")
@click.argument("notebook", shell_complete=complete_notebooks)
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
@click.pass_obj
def trace_command(root: Path, notebook: str, as_json: bool) -> None:
    """Run a notebook, and list the files that it reads and writes.

    NOTEBOOK is a path or a name. A production notebook runs with its config file, an exploratory
    notebook in its folder, as in Jupyter. The executed copy is thrown away.

    \b
    Examples:
      nb trace 20-features
      nb trace --json notebooks/exploratory/01-dm-first-look.ipynb
    """
    from nb.notebook.content import find_notebook
    from nb.run.view import live_line
    from nb.tracing.footprint import trace_lines, trace_notebook

    path = find_notebook(root, notebook)
    if not as_json:
        note(f"running {path.name} from top to bottom", err=True)
    with live_line(path.stem) as heard:
        found = trace_notebook(root, path, heard)
    if as_json:
        print_json(asdict(found.trace))
    else:
        echo("\n".join(trace_lines(found.trace)))
    if found.problem:
        raise NbError(found.problem)


@click.command("debug")
@click.argument("notebook", shell_complete=complete_notebooks)
@click.pass_obj
def debug_command(root: Path, notebook: str) -> None:
    """Run a notebook as a script that stops in the debugger.

    NOTEBOOK is a path or a name; the values are those of its config file. The script,
    .nb/debug/<name>.py, stops before the first cell: in pdb on a terminal, in VS Code with the
    launch entry "Production notebook, with its parameters". What it writes stays, and nb status
    tells.

    \b
    Example:
      nb debug 20-features
    """
    from nb.execution.debugging import run_script, write_script
    from nb.notebook.content import find_notebook

    script = write_script(root, find_notebook(root, notebook))
    note(f"runs {script.relative_to(root).as_posix()}", err=True)
    run_script(root, script)


@click.command("report")
@click.option("--open", "and_open", is_flag=True, help="Open it in the browser.")
@click.pass_obj
def report_command(root: Path, and_open: bool) -> None:
    """Make the site of results: reports/site.

    An index of the pipeline, its metrics, plots and runs, and a page per executed copy, of whatever
    is here: in a new clone, `nb pull` brings the copies first. Only pages whose executed copy
    changed are made anew. `nb run` calls this at its end.

    \b
    Examples:
      nb report
      nb report --open
    """
    from nb.report import build

    index = build(root)
    echo(f"Report: {index.relative_to(root).as_posix()}")
    if and_open:
        click.launch(index.as_uri())


@click.command("export")
@click.argument("notebook", shell_complete=complete_notebooks)
@click.option(
    "--to",
    "kind",
    type=click.Choice(["html", "pdf", "slides", "markdown", "script"]),
    default="html",
    show_default=True,
    help="The kind of document.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write.")
@click.option("--no-input", is_flag=True, help="Leave out all code.")
@click.pass_obj
def export_command(
    root: Path, notebook: str, kind: str, output: Path | None, no_input: bool
) -> None:
    """Make a document of a notebook, in reports/documents.

    NOTEBOOK is a path or a name, of which the executed copy is taken if there is one. Cells tagged
    hide-input are shown without their code, cells tagged remove-cell not at all. A PDF needs
    Chromium, Chrome or Edge; nothing needs a network. Exits with 1 if there are no outputs to show:
    the document is written all the same, and begins with that.

    \b
    Examples:
      nb export 40-evaluate
      nb export 40-evaluate --to pdf --no-input
      nb export notebooks/exploratory/01-dm-first-look.ipynb --to slides -o talk.html
    """
    from nb.report.export import DOCUMENTS, SUFFIXES, find_executed
    from nb.report.export import export_document as write_document

    path = find_executed(root, notebook, kind)
    target = output or root / DOCUMENTS / f"{path.stem}.{SUFFIXES[kind]}"
    is_complete = write_document(path, kind, target, no_input=no_input)
    place = target.resolve()
    shown = place.relative_to(root).as_posix() if place.is_relative_to(root) else str(target)
    echo(shown)
    if not is_complete:
        is_production = path.is_relative_to(root / PRODUCTION)
        advice = "nb pull fetches its executed copy, nb run -f makes it" if is_production else ""
        raise NbError(f"{shown} has no outputs; {advice or 'run and save the notebook first'}")


@click.command("describe")
@click.argument("outputs", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The page to write.")
@click.option("--json", "as_json", is_flag=True, help="Print the descriptions as JSON.")
@click.pass_obj
def describe_command(
    root: Path, outputs: tuple[str, ...], output: Path | None, as_json: bool
) -> None:
    """Describe the tables, models and figures of the pipeline.

    OUTPUTS are paths as dvc.yaml has them; without any, all are described: columns, types, missing
    values, ranges, and the stage with its inputs. Values of text columns are never shown. Of a CSV
    file the first 10,000 rows are read, of a Parquet file no row.

    \b
    Examples:
      nb describe data/processed/train.parquet
      nb describe -o data/DICTIONARY.md
    """
    from nb.report.data_dictionary import as_markdown, describe_outputs, write_dictionary

    found = describe_outputs(root, outputs)
    if as_json:
        print_json([asdict(described) for described in found])
        return
    if output is None:
        echo(as_markdown(found), nl=False)
        return
    write_dictionary(output, found)
    echo(f"Wrote {output.as_posix()}")
