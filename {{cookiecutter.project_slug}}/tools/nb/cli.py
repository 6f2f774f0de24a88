"""The command `nb`: arguments, messages and exit codes. What it does is in the modules below it."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import gitwiring
from .project import CONFIG, EXECUTED, INDEX, SITE, NbError, find_root, program_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .doctor import Finding
    from .duplicates import Duplicate
    from .pipeline import Change, StageState
    from .promote import Promotion
    from .record import Options, RunRecord
    from .rerun import Compared

NO_NOTEBOOK = """\
There is no production notebook yet. `nb new NAME --production` makes one that runs, its parameters
and its stage in dvc.yaml; the README says how it goes on ("Add a production notebook").
"""
# Commands that Git itself calls, or that report what is wrong, change nothing on the way.
WITHOUT_REPAIR = (
    None,
    "check",
    "stages",
    "setup",
    "doctor",
    "verify",
    "credentials",
    "unpushed",
    "merge-lock",
    "hook",
)
LEFT_BY_RUNS = (
    "reports/site",
    ".nb/report",
    "reports/notebooks/*",
    ".nb/what-if/*",
    ".pytest_cache",
    ".ruff_cache",
)


class Commands(click.Group):
    """Commands whose expected errors end as one line on standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NbError as error:
            for line in str(error).splitlines():
                click.secho(f"nb: {line}", fg="red", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nb-tools", prog_name="nb")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Run, check and version the notebooks of this project."""
    ctx.obj = find_root()
    if ctx.invoked_subcommand not in WITHOUT_REPAIR:
        for change in gitwiring.heal(ctx.obj):
            click.echo(f"nb: {change}", err=True)


@main.command()
@click.pass_obj
def setup(root: Path) -> None:
    """Wire this clone: Git repository, notebook filter and diff, hooks.

    Safe to repeat. `make setup` makes the environment first and then calls this.
    """
    from . import fingerprints

    for change in gitwiring.wire(root) or ["nothing to do, the clone is wired"]:
        click.echo(f"setup: {change}")
    fingerprints.refresh(root)


@main.command()
@click.argument("stages", nargs=-1)
@click.option("-j", "--jobs", type=click.IntRange(1), help="Stages at a time; default: cores.")
@click.option("-k", "--keep-going", is_flag=True, help="After a failure, go on with the rest.")
@click.option("-f", "--force", is_flag=True, help="Run even what is up to date.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would run, and why; run nothing.")
@click.option("--downstream", is_flag=True, help="STAGES and what depends on them.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds a stage may run.")
@click.option("--pull", is_flag=True, help="Fetch missing data from the storage.")
@click.option("--verify", is_flag=True, help="Fail stages that use files they do not declare.")
@click.option("--cold", is_flag=True, help="Start each kernel anew, without warm imports.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="STAGE.PARAMETER=VALUE",
    help="Run with another value, in a copy of the project; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the record of the run as JSON.")
@click.pass_obj
def run(root: Path, /, dry_run: bool, as_json: bool, jobs: int | None, **chosen: Any) -> None:
    """Run the production notebooks that are stale, side by side, then make the report.

    STAGES are names from dvc.yaml, of a matrix as a whole or of one value; without any, the whole
    pipeline runs. What became of each stage is written to reports/runs.

    \b
    Exit codes: 0 done, 1 a stage failed, 2 wrong usage or parameters, 3 a contract is broken,
    124 timed out, 130 interrupted, 137 killed or out of memory, 143 terminated.

    \b
    Examples:
      nb run                  what is stale
      nb run train            train, and what it depends on
      nb run -f evaluate      evaluate and what it depends on, even if nothing changed
      nb run -j1 -k           one stage at a time, and on after a failure
      nb run --set train.seed=7 --set features.correlation_limit=0.9
      nb run --verify -f      everything, held to what dvc.yaml declares
    """
    from . import record, stamp
    from .project import cores

    options = record.Options(jobs=jobs or cores(), **chosen)
    if options.settings:
        _run_apart(root, options, dry_run=dry_run, as_json=as_json)
        return
    asks_for_all = not (options.stages or options.force or options.downstream)
    known = stamp.read(root) if asks_for_all else None
    if dry_run:
        _print_plan(root, options, known is not None, as_json=as_json)
    elif known:
        done = record.unchanged(root, vars(options), known["stages"])
        _print_end(done, INDEX if (root / INDEX).exists() else None, as_json=as_json)
    else:
        _run(root, options, as_json=as_json)


def _print_plan(root: Path, options: Options, nothing: bool, *, as_json: bool) -> None:
    """Say which of the chosen stages would run, and why."""
    from .run import preview

    states = [] if nothing else preview(root, options)
    if as_json:
        click.echo(json.dumps([vars(state) for state in states], indent=2))
    elif states:
        _print_states(states)
    else:
        click.echo("Nothing would run.")


def _run(root: Path, options: Options, *, as_json: bool, where: Path = Path()) -> None:
    """Run, make the report, and say what became of it; `where` is the root as the user sees it."""
    from . import report
    from .run import execute
    from .view import View

    done = execute(root, options, View(sys.stderr if as_json else sys.stdout))
    if done is None:
        click.echo(NO_NOTEBOOK, nl=False)
        return
    if (root / ".git").exists():
        gitwiring.settle_lock(root)
    index = report.build(root)
    done.remember([path.as_posix() for path in (EXECUTED, SITE)])
    _print_end(done.record, index and where / INDEX, as_json=as_json)


def _run_apart(root: Path, options: Options, *, dry_run: bool, as_json: bool) -> None:
    """Run with other parameters in a copy of the project, and say where that is."""
    from . import whatif

    settings = whatif.read_settings(root, options.settings)
    for setting in settings:
        if setting.others:
            shared = f"{', '.join(setting.others)}, too: {setting.config} is shared"
            click.echo(f"nb: {setting.name} is set for {shared}", err=True)
    copy = whatif.make_copy(root, settings)
    if dry_run:
        _print_plan(copy, options, nothing=False, as_json=as_json)
        shutil.rmtree(copy)
        return
    where = copy.relative_to(root)
    os.chdir(copy)
    try:
        _run(copy, options, as_json=as_json, where=where)
    finally:
        untouched = "dvc.lock and artifacts here are untouched"
        click.echo(f"nb: the results are in {where.as_posix()}; {untouched}", err=True)


def _print_end(done: RunRecord, index: Path | None, *, as_json: bool) -> None:
    """Say what became of a run, and exit with its code."""
    from .view import summary

    if as_json:
        click.echo(json.dumps(vars(done) | {"stages": [vars(s) for s in done.stages]}, indent=2))
    else:
        click.echo("\n".join(summary(done)))
    if index and not as_json:
        click.secho(f"Report: {index.as_posix()}", bold=True)
    if done.exit_code:
        raise NbError(done.problem(), done.exit_code)
    if not index and not as_json:
        click.echo("No notebook has run here, so there is no report; `nb run --force` makes one.")


@main.command()
@click.argument("stage")
@click.option("--pull", is_flag=True, help="Fetch what others computed from the storage.")
@click.option("--push", is_flag=True, help="Send the results to the storage.")
@click.option("-f", "--force", is_flag=True, help="Run even if it is up to date.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), help="Seconds it may run.")
@click.option("--cold", is_flag=True, help="Start the kernel anew, without warm imports.")
@click.option("--json", "as_json", is_flag=True, help="Print what became of it as JSON.")
@click.pass_obj
def task(root: Path, /, stage: str, push: bool, as_json: bool, **chosen: Any) -> None:
    """Run one stage, as a task of a scheduler.

    STAGE is a name from dvc.yaml, `train@forest` for a value of a matrix. No other stage runs: what
    comes before it has to be computed, here or, with --pull, anywhere. If somebody has computed the
    stage itself, its results are restored. Tasks of one project may run side by side.

    On a machine that shares nothing but the storage, check out the commit and use both --pull and
    --push; `nb assemble --pull` makes dvc.lock of what all of them have sent.

    Exit codes are those of `nb run`.

    \b
    Examples:
      nb task train@forest                  in a folder that all workers see
      nb task train@forest --pull --push    on a machine of its own
      nb task train@forest --json           the outcome on standard output, the rest on the other
    """
    from . import record
    from .task import NotSentError, execute, outcome
    from .view import View, failure_line

    options = record.Options(stages=(stage,), **chosen)
    try:
        done = execute(root, options, View(sys.stderr if as_json else sys.stdout), push=push)
    except NbError as error:
        if as_json:
            state = "not sent" if isinstance(error, NotSentError) else "not run"
            found = {"stage": stage, "state": state, "exit_code": error.exit_code}
            click.echo(json.dumps({**found, "cause": str(error)}, indent=2))
        raise
    found = outcome(root, done)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
    elif not done.exit_code:
        click.echo(_task_line(found))
    if done.broken():
        raise NbError(click.unstyle(failure_line(done.broken()[0])), done.exit_code or 1)
    if done.exit_code:
        raise NbError(done.problem(), done.exit_code)


def _task_line(found: dict[str, Any]) -> str:
    """Say what became of a task: `train@forest  restored from the run cache`."""
    from .schedule import RAN, RESTORED

    words = {RAN: f"ran; see {found['executed']}", RESTORED: "restored from the run cache"}
    words[RAN] = words[RAN] if found["executed"] else "ran"
    return f"{found['stage']}  {words.get(found['state'], found['state'])}"


@main.command()
@click.option("--pull", is_flag=True, help="Fetch what others computed from the storage.")
@click.option("--json", "as_json", is_flag=True, help="Print the state of each stage as JSON.")
@click.pass_obj
def assemble(root: Path, pull: bool, as_json: bool) -> None:
    """Make dvc.lock of results that were computed elsewhere, and run nothing.

    The same bytes as after a run on one machine. Exits with 1 if a stage was not computed.

    \b
    Examples:
      nb assemble --pull      after tasks on several machines
      nb assemble             after tasks in this folder
    """
    from .task import assemble as restore_all
    from .view import View

    states = restore_all(root, View(sys.stderr if as_json else sys.stdout), pull=pull)
    if as_json:
        click.echo(json.dumps(states, indent=2))
        return
    width = max(map(len, states), default=0)
    for name, state in states.items():
        click.echo(f"{name:{width}}  {state}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the states as JSON.")
@click.pass_obj
def status(root: Path, as_json: bool) -> None:
    """Say which stages are stale, and why."""
    from . import fingerprints, stamp
    from .pipeline import StageState, stage_states

    known = (stamp.read(root) or {}).get("shown")
    if known:
        states = [StageState(name) for name in known]
    else:
        fingerprints.refresh(root)
        states = stage_states(root)
    if as_json:
        click.echo(json.dumps([vars(state) for state in states], indent=2))
        return
    if not states:
        click.echo(NO_NOTEBOOK, nl=False)
        return
    _print_states(states)
    stale = sum(bool(state.reasons) for state in states)
    summary = f"{stale} of {len(states)} stages are stale; bring them up to date: nb run"
    click.echo(f"\n{summary if stale else 'Nothing to run.'}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print all that is known of them as JSON.")
@click.pass_obj
def stages(root: Path, as_json: bool) -> None:
    """List the stages of the pipeline, each after those that it needs.

    With --json, also what a scheduler needs: edges, commands, notebooks with their parameters,
    outputs and `meta`. Every value of a matrix is a stage.

    \b
    Examples:
      nb stages
      nb stages --json
    """
    from .stages import listed

    found = listed(root)
    if as_json:
        click.echo(json.dumps(found, indent=2, default=str))
        return
    table: list[tuple[str, ...]] = [(stage["name"], stage["desc"]) for stage in found]
    if table:
        _print_table(table, [False] * len(table))
    else:
        click.echo(NO_NOTEBOOK, nl=False)


def _print_states(states: list[StageState]) -> None:
    width = max(len(state.name) for state in states)
    for state in states:
        click.echo(_state_lines(state, width))


def _state_lines(state: StageState, width: int) -> str:
    """Show a stage: its name, one word in color, and a line for each reason."""
    if state.reasons:
        word, reasons = click.style("stale", fg="red"), state.reasons
    elif state.after:
        word = click.style("waits", fg="yellow")
        reasons = [f"runs if the results of {', '.join(state.after)} change"]
    else:
        word, reasons = click.style("fresh", fg="green"), []
    indent = "\n" + " " * (width + 9)
    return f"{state.name:{width}}  {word}  {indent.join(reasons)}".rstrip()


@main.command()
@click.argument("commit", default="HEAD")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.pass_obj
def metrics(root: Path, commit: str, as_json: bool) -> None:
    """Compare metrics and parameters with those of COMMIT.

    COMMIT is anything that Git knows: a hash, a branch, a tag; HEAD if it is left out. Every metric
    is listed, and each parameter of the pipeline that differs. `nb params` is the same for all
    parameters.

    \b
    Examples:
      nb metrics              the work tree and the last commit
      nb metrics main
      nb metrics --json HEAD~3
    """
    from .pipeline import compare

    found = compare(root, commit)
    _print_changes([c for c in found if c.kind == "metric" or c.before != c.now], commit, as_json)


@main.command()
@click.argument("notebook", required=False)
@click.option("--commit", default="HEAD", help="Without NOTEBOOK: what to compare with.")
@click.option("--json", "as_json", is_flag=True, help="Print the parameters as JSON.")
@click.pass_obj
def params(root: Path, notebook: str | None, commit: str, as_json: bool) -> None:
    """Document the parameters of a notebook, or compare those of the pipeline with a commit.

    NOTEBOOK is a path, or the name of a production notebook. Its config file is checked, too: exits
    with 2 if the values in config/<name>.yaml are not what the notebook takes. Without NOTEBOOK
    every parameter of the pipeline is listed, beside its value in the commit.

    \b
    Examples:
      nb params 20-features
      nb params --json notebooks/production/30-train.ipynb
      nb params --commit main
    """
    from .notebook import find_notebook, read_notebook
    from .parameters import check, describe, read_parameters
    from .pipeline import compare, read_config

    if notebook is None:
        _print_changes(compare(root, commit, ["parameter"]), commit, as_json)
        return
    path = find_notebook(root, notebook)
    parameters = read_parameters(read_notebook(path))
    config = root / CONFIG / f"{path.stem}.yaml"
    given = read_config(config)
    rows = describe(parameters, given)
    if as_json:
        click.echo(json.dumps(rows, indent=2, default=str))
    elif rows:
        _print_parameters(rows)
    else:
        click.echo(f"{path.name} has no parameters: no cell of it is tagged parameters.")
    # A stage may pass some with -p, so that those missing here need not be missing in a run.
    check(parameters, given, f"{CONFIG.as_posix()}/{config.name}", complete=False)


def _print_changes(changes: list[Change], commit: str, as_json: bool) -> None:
    """Print metrics and parameters, before and now; what differs is in bold."""
    if as_json:
        click.echo(json.dumps([vars(change) for change in changes], indent=2, default=str))
        return
    if not changes:
        click.echo("The pipeline has no metrics and no parameters yet.")
        return
    table = [("file", "name", commit, "now", "change"), *map(_change_cells, changes)]
    bold = [True, *(change.before != change.now for change in changes)]
    _print_table(table, bold)


def _change_cells(change: Change) -> tuple[str, ...]:
    before, now = change.before, change.now
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (before, now))
    difference = f"{now - before:+.6g}" if numbers and now != before else ""
    return change.path, change.name, _shown_value(before), _shown_value(now), difference


def _shown_value(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print_table(table: Sequence[tuple[str, ...]], bold: list[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for cells, is_bold in zip(table, bold, strict=True):
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        click.secho("  ".join(padded).rstrip(), bold=is_bold)


def _print_parameters(rows: list[dict[str, Any]]) -> None:
    """Print a table; values and defaults are written as in YAML."""
    table = [("name", "type", "default", "value", "help"), *map(_parameter_cells, rows)]
    _print_table(table, [True, *(False for _ in rows)])


def _parameter_cells(row: dict[str, Any]) -> tuple[str, ...]:
    from .kinds import shown

    default = "required" if row["required"] else shown(row["default"])
    if row["secret"]:
        default = f"${row['secret']}" + ("" if row["required"] else f" or {default}")
    value = shown(row["value"]) if "value" in row else ""
    return row["name"], row["type"], default, value, row["help"]


@main.command()
@click.argument("notebook")
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
@click.pass_obj
def trace(root: Path, notebook: str, as_json: bool) -> None:
    """Run a notebook and list the files of the project that it reads and writes.

    NOTEBOOK is a path, or the name of a production notebook, which runs with its config file. An
    exploratory notebook runs in its folder, as in Jupyter. The executed copy is thrown away.

    \b
    Examples:
      nb trace 20-features
      nb trace --json notebooks/exploratory/02-first-look.ipynb
    """
    from .footprint import table, trace_notebook
    from .notebook import find_notebook

    found = trace_notebook(root, find_notebook(root, notebook))
    click.echo(found.trace.as_json() if as_json else table(found.trace))
    if found.problem:
        raise NbError(found.problem)


@main.command()
@click.argument("notebook")
@click.option("--as", "name", default="", help="What to call it; default: its name, numbered.")
@click.option("--to", "module", default="", help="The module of src/ that its functions move to.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@click.option("-n", "--dry-run", is_flag=True, help="Prove it and show the diff; change nothing.")
@click.option("--keep", is_flag=True, help="Change the project even if an output differs.")
@click.pass_obj
def promote(
    root: Path, notebook: str, name: str, module: str, yes: bool, dry_run: bool, keep: bool
) -> None:
    """Make a production notebook of an exploratory one, and prove that it does the same.

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
    from .promote import promote as run_promotion
    from .promote import proposal

    path = Path(notebook)
    if not path.is_file():
        example = "nb promote notebooks/exploratory/01-me-idea.ipynb"
        raise NbError(f"there is no notebook {notebook or '(no name)'}; for example: {example}", 2)
    choices = proposal(root, path, name, module)
    if not (yes or dry_run):
        if not name:
            asked = click.prompt("Name of the production notebook", choices.name)
            choices = proposal(root, path, asked, module)
        if not module and choices.module:
            choices.module = click.prompt("Module for its functions", choices.module)
    agreed = False

    def agree(found: Promotion) -> bool:
        nonlocal agreed
        _print_promotion(found)
        agreed = not dry_run and (yes or click.confirm("\nChange the project?", default=True))
        return agreed

    found = run_promotion(
        root, path, choices, tell=lambda line: click.echo(f"nb: {line}"), agree=agree, keep=keep
    )
    if dry_run:
        click.echo(f"\n{found.diff}", nl=False)
    if found.differs and not keep:
        _print_promotion(found)
        raise NbError(
            "an output differs, so nothing was changed; is a seed missing, or does a time go in? "
            "(--keep goes on all the same)"
        )
    if agreed:
        click.echo(
            "\nNothing is committed yet. Look at it with git status and git diff, then: "
            "git add --all && git commit"
        )


def _print_promotion(found: Promotion) -> None:
    """Print the contract, what moved, the proof, and what is left to do."""
    choices = found.choices
    click.secho(f"\n{choices.notebook}, stage {choices.stage}", bold=True)
    facts = {
        "reads": found.reads,
        "writes": list(found.writes.values()),
        "parameters": found.parameters,
        f"moved to {choices.module}": found.moved,
        "files": sorted(found.files),
    }
    for label, names in facts.items():
        if names:
            click.echo(f"  {label}: {', '.join(names)}")
    for name, reason in found.kept.items():
        click.echo(f"  {name} stays in the notebook: {reason}")
    for name, reason in found.untested.items():
        click.echo(f"  {name} has no test: {reason}")
    width = max(len(row.output) for row in found.rows)
    click.echo()
    for row in found.rows:
        said = f"differs: {row.difference}" if row.difference else "same"
        color = "red" if row.difference else "green"
        click.echo(f"  {row.output:{width}}  {click.style(said, fg=color)}  (by {row.by})")
    for note in found.notes:
        click.echo(f"\nnb: {note}")


@main.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--select", metavar="CODES", help="Only these rules: NB301, or NB3 for all of NB3.")
@click.option("--ignore", metavar="CODES", help="Not these rules; several with commas.")
@click.option("--format", "style", type=click.Choice(["text", "json", "github"]), default="text")
@click.option("--explain", metavar="CODE", help="Say what a rule is for, with examples.")
@click.option("--rules", "listed", is_flag=True, help="List the rules.")
@click.pass_obj
def check(
    root: Path,
    paths: tuple[Path, ...],
    select: str | None,
    ignore: str | None,
    style: str,
    explain: str | None,
    listed: bool,
) -> None:
    """Check notebooks against the rules for production notebooks; change nothing.

    PATHS are notebooks, folders, or other files of the project, which concern all production
    notebooks; without any, all notebooks and dvc.yaml are checked. Exploratory notebooks get only
    the rules that protect others. Exit codes: 0 nothing found, 1 findings, 2 wrong usage.

    \b
    Examples:
      nb check
      nb check --select NB1,NB301 notebooks/production
      nb check --explain NB301
    """
    from .check import formats
    from .check.model import RULES, rules_of
    from .check.runner import check_paths  # also loads the rules

    if explain is not None:
        texts = [RULES[code].explanation() for code in sorted(rules_of((explain,), "--explain"))]
        click.echo("\n\n\n".join(texts))
        return
    if listed:
        click.echo(formats.rule_table())
        return
    result = check_paths(root, paths, _codes(select), _codes(ignore))
    if result.findings or style == "json":
        click.echo(formats.shown(result.findings, style))
    if not result.findings:
        click.echo(f"Nothing found in {_count(result.notebooks, 'notebook')}.", err=True)
        return
    hint = f"nb check --explain {result.findings[0].code} says why, and what to do"
    click.echo(f"{_count(len(result.findings), 'finding')}; {hint}.", err=True)
    raise click.exceptions.Exit(1)


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in text.split(",")) if text is not None else ()


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


@main.command()
@click.argument("name")
@click.option("--production", is_flag=True, help="With its parameters and its stage in dvc.yaml.")
@click.pass_obj
def new(root: Path, name: str, production: bool) -> None:
    """Make a notebook from a short skeleton, named by the convention.

    NAME is in words. An exploratory notebook gets the next number and your initials (of Git's
    user.name); a production notebook the next ten, or two digits that NAME begins with.

    \b
    Examples:
      nb new "outliers in sales"         notebooks/exploratory/02-dm-outliers-in-sales.ipynb
      nb new sales --production          notebooks/production/50-sales.ipynb
      nb new 25-weather --production     notebooks/production/25-weather.ipynb
    """
    from .new import new_exploratory, new_production

    made = new_production(root, name) if production else new_exploratory(root, name)
    click.echo(f"Made {made.notebook.as_posix()}")
    for file, what in made.others:
        click.echo(f"     {file}: {what}")
    if production:
        click.echo("It runs as it is: nb run. Then name its inputs and outputs in the cell below")
        click.echo(
            "*Files* and as `deps` and `outs` of its stage in dvc.yaml; nb check compares them."
        )
    else:
        click.echo("Open it: make lab.")


@main.command()
@click.pass_obj
def fingerprint(root: Path) -> None:
    """Write what each production notebook computes with to .nb/fingerprints.

    DVC runs this as the first stage of the pipeline (notebooks/dvc.yaml).
    """
    from . import fingerprints

    for path in fingerprints.refresh(root):
        click.echo(path.as_posix())


@main.command()
@click.option("--open", "and_open", is_flag=True, help="Open it in the browser.")
@click.pass_obj
def report(root: Path, and_open: bool) -> None:
    """Make the site of results: reports/site.

    An index of the pipeline, its metrics, plots and runs, and a page per executed copy. Only pages
    whose executed copy changed are made anew. `nb run` calls this at its end.

    \b
    Examples:
      nb report
      nb report --open
    """
    from .report import build

    index = build(root)
    if index is None:
        raise NbError("there is no executed copy to report on; run: nb run")
    click.echo(f"Report: {index.relative_to(root).as_posix()}")
    if and_open:
        click.launch(index.as_uri())


@main.command()
@click.argument("notebook")
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
def export(root: Path, notebook: str, kind: str, output: Path | None, no_input: bool) -> None:
    """Make a document of a notebook, in reports/documents.

    NOTEBOOK is a path, or the name of an executed copy or a production notebook. Cells tagged
    hide-input are shown without their code, cells tagged remove-cell not at all. A PDF needs
    Chromium, Chrome or Edge; nothing needs a network.

    \b
    Examples:
      nb export 40-evaluate
      nb export 40-evaluate --to pdf --no-input
      nb export notebooks/exploratory/01-dm-first-look.ipynb --to slides -o talk.html
    """
    from .export import DOCUMENTS, SUFFIXES, find
    from .export import export as write_document

    path = find(root, notebook, kind)
    target = output or root / DOCUMENTS / f"{path.stem}.{SUFFIXES[kind]}"
    write_document(path, kind, target, no_input=no_input)
    shown = target.resolve()
    click.echo(shown.relative_to(root).as_posix() if shown.is_relative_to(root) else str(target))


@main.command()
@click.option("--fix", is_flag=True, help="Repair what can be repaired safely.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def doctor(root: Path, fix: bool, as_json: bool) -> None:
    """Check all that this clone needs; exit with 1 if anything is wrong.

    Each line says what was looked at; a wrong one names the command that repairs it.
    """
    from .doctor import examine, repair

    findings = list(examine(root))
    if fix:
        for command in repair(root, findings):
            click.echo(f"doctor: {command}", err=True)
        findings = list(examine(root))
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings)
    if any(finding.problem for finding in findings):
        raise click.exceptions.Exit(1)


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        mark = click.style("✗", fg="red") if finding.problem else click.style("✓", fg="green")
        click.echo(f"{mark} {finding.name:17} {finding.problem or finding.detail}")
        if finding.problem and finding.repair:
            click.echo(f"  {'':17} → {finding.repair}")
    wrong = [finding for finding in findings if finding.problem]
    safe = sum(finding.is_safe for finding in wrong)
    hint = f"; `nb doctor --fix` repairs {safe}" if safe else ""
    click.echo(f"\n{len(wrong)} to repair{hint}." if wrong else "\nAll is well.")


@main.command()
@click.argument("files", nargs=-1)
@click.pass_obj
def verify(root: Path, files: tuple[str, ...]) -> None:
    """Verify that notebooks hold no outputs and no conflict, as Git has them; change nothing.

    FILES are looked at as they are staged; without any, every tracked notebook is. The commit hook
    and CI call this.
    """
    from .staged import named, verify_notebooks

    _fail_with(verify_notebooks(root, named(root, files)))


@main.command()
@click.argument("files", nargs=-1)
@click.pass_obj
def credentials(root: Path, files: tuple[str, ...]) -> None:
    """Look for credentials in files as they are staged, notebooks and their kept outputs included.

    Without FILES every tracked file is looked at. A line that ends with the comment
    `pragma: allowlist secret` is passed over.
    """
    from .staged import find_credentials, named

    _fail_with(find_credentials(root, named(root, files)))


@main.command()
@click.pass_obj
def push(root: Path) -> None:
    """Send results and tracked data to the DVC storage, and the run cache.

    With the run cache others can take results instead of computing them: nb run --pull. What is
    there already is not sent again, so after an interruption a second push sends the rest.
    """
    from .storage import push as send

    count = send(root, lambda line: click.echo(f"nb: {line}"))
    click.echo(f"Sent {count} files." if count else "Everything is in the storage already.")


@main.command()
@click.pass_obj
def pull(root: Path) -> None:
    """Fetch the results and the data that dvc.lock names from the DVC storage.

    The run cache comes, too: what anybody has computed and pushed is restored instead of computed
    when inputs and parameters are the same.
    """
    from . import fingerprints
    from .storage import pull as fetch

    fingerprints.refresh(root)
    count = fetch(root, lambda line: click.echo(f"nb: {line}"))
    click.echo(f"Fetched {count} files." if count else "Everything is here already.")


@main.command()
@click.pass_obj
def unpushed(root: Path) -> None:
    """Name the data and models that the storage does not have yet; the push hook calls this."""
    from .storage import unpushed as artifacts

    names = artifacts(root)
    if names:
        listed = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        hint = "make push sends them (git push --no-verify goes without)"
        raise NbError(f"not in the DVC storage yet: {listed}; {hint}")


def _fail_with(problems: list[str]) -> None:
    for problem in problems:
        click.echo(problem)
    if problems:
        raise click.exceptions.Exit(1)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def sync(root: Path, command: tuple[str, ...]) -> None:
    """Pull, and keep the outputs in your notebooks.

    COMMAND is any Git command that changes the work tree; `pull` if it is left out. Outputs are put
    back where the code is unchanged.

    \b
    Examples:
      nb sync
      nb sync checkout main
      nb sync rebase origin/main
    """
    from .sync import run_git

    kept = run_git(root, command or ["pull"])
    if kept.restored:
        click.echo(f"nb: kept the outputs of {', '.join(kept.restored)}")
    if kept.waiting:
        click.echo(f"nb: outputs of {', '.join(kept.waiting)} wait for it in .nb/outputs")


@main.command(hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("kind")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def hook(root: Path, kind: str, arguments: tuple[str, ...]) -> None:
    """Run the checks of a Git hook, with outputs set aside: pre-commit resets unstaged changes."""
    from .sync import outputs_kept

    folder = gitwiring.hooks_folder(root)
    options = ["--config=.pre-commit-config.yaml", f"--hook-type={kind}", f"--hook-dir={folder}"]
    command = [sys.executable, "-m", "pre_commit", "hook-impl", *options, "--", *arguments]
    with outputs_kept(root):
        code = subprocess.call(command, cwd=root, env=program_environment())
    raise click.exceptions.Exit(code)


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def diff(root: Path, arguments: tuple[str, ...]) -> None:
    """Show changed notebooks side by side in the browser (nbdime).

    ARGUMENTS are those of nbdiff-web: commits, and paths. `git diff` shows text in the terminal.

    \b
    Examples:
      nb diff                 what is not committed yet
      nb diff main HEAD
    """
    raise click.exceptions.Exit(
        subprocess.call(["nbdiff-web", *arguments], cwd=root, env=program_environment())
    )


@main.command()
@click.option("--check", is_flag=True, help="Exit with 1 if there are any.")
@click.option("--lines", type=click.IntRange(2), help="Lines of code from which a block counts.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_obj
def duplicates(root: Path, check: bool, lines: int | None, as_json: bool) -> None:
    """Find code that stands in several notebooks, or in a notebook and in src.

    Functions, classes and blocks are compared without their comments, docstrings and annotations;
    copies whose variables were renamed count. Those that save most lines come first, each with its
    places as path:code cell:line, and with what repairs it.

    \b
    Examples:
      nb duplicates
      nb duplicates --lines 10    only blocks of ten lines and more
      nb duplicates --check       for CI
    """
    from .duplicates import BLOCK_LINES, find

    # Syntax trees are many objects and no garbage: looking through them takes as long as the work.
    gc.disable()
    found = find(root, lines or BLOCK_LINES)
    if as_json:
        click.echo(json.dumps([duplicate.as_json() for duplicate in found], indent=2))
    else:
        for duplicate in found:
            _print_duplicate(duplicate)
        saved = sum(duplicate.saved for duplicate in found)
        total = f"{_count(len(found), 'duplicate')}; one copy of each would save {saved} lines."
        click.echo(total if found else "No duplicates.")
    if check and found:
        raise click.exceptions.Exit(1)


def _print_duplicate(duplicate: Duplicate) -> None:
    what = f"{duplicate.kind} {duplicate.name}".strip()
    click.secho(f"{what}: {_count(len(duplicate.places), 'place')}, saves {duplicate.saved} lines")
    for place in duplicate.places:
        also = place.name and place.name != duplicate.name and duplicate.kind != "block"
        click.echo(f"  {place}" + (f" ({place.name})" if also else ""))
    click.echo(f"  → {duplicate.repair}\n")


@main.command()
@click.argument("name")
@click.option("--to", default="", help="The module, such as data; default: shared.")
@click.option("--from", "origin", default="", help="The notebook, if several have a NAME.")
@click.option("-n", "--dry-run", is_flag=True, help="Show the changes as a diff; write nothing.")
@click.option("--no-run", is_flag=True, help="Do not run the notebooks that changed.")
@click.option("--keep", is_flag=True, help="Keep the changes even if outputs differ.")
@click.pass_obj
def extract(
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
    from .extract import carry_out, prepare

    found = prepare(root, name, to, origin)
    for reason in found.left:
        click.secho(f"nb: {reason}", fg="yellow", err=True)
    if dry_run:
        click.echo(found.diff(root), nl=False)
        return
    carry_out(root, found, run=not no_run, keep=keep, show=_print_compared)
    for path in found.changes:
        click.echo(f"changed {path.relative_to(root).as_posix()}")
    click.echo(f"{name} is in {found.module} now. Give it a test, then commit.")


def _print_compared(rows: Sequence[Compared]) -> None:
    width = max((len(row.path) for row in rows), default=0)
    for row in rows:
        color = "green" if row.verdict == "same" else "red"
        click.echo(f"{row.path:{width}}  {click.style(row.verdict, fg=color)}")


@main.command()
@click.argument("notebook")
@click.pass_obj
def show(root: Path, notebook: str) -> None:
    """Print a notebook as text, without outputs.

    NOTEBOOK is a path, or the name of a production notebook.

    \b
    Examples:
      nb show 20-features
      nb show notebooks/exploratory/01-dm-first-look.ipynb | less
    """
    from .editing import readable
    from .notebook import find_notebook

    path = find_notebook(root, notebook)
    click.echo(readable(path, color=sys.stdout.isatty()), nl=False)


@main.command()
@click.argument("notebook")
@click.pass_obj
def edit(root: Path, notebook: str) -> None:
    """Edit a notebook as a Python script in $VISUAL or $EDITOR (needs jupytext).

    Cells begin with `# %%`. Cells that you leave alone keep their outputs; all keep their ids.
    NOTEBOOK is a path, or the name of a production notebook.

    \b
    Examples:
      nb edit 20-features
      EDITOR="code --wait" nb edit 20-features
    """
    from .editing import script, with_script
    from .notebook import find_notebook

    path = find_notebook(root, notebook)
    before = path.read_bytes()
    edited = click.edit(script(path), extension=".py")
    if edited is None:
        click.echo("Nothing was changed.")
        return
    if path.read_bytes() != before:
        aside = root / ".nb" / f"{path.stem}.py"
        aside.write_text(edited, encoding="utf-8")
        where = aside.relative_to(root).as_posix()
        raise NbError(f"{path} was saved by another program; your text is in {where}")
    path.write_bytes(with_script(before.decode("utf-8"), edited).encode("utf-8", "surrogatepass"))
    click.echo(f"Wrote {path}.")


@main.command()
@click.pass_obj
def resolve(root: Path) -> None:
    """Resolve a conflict in dvc.lock: merge it stage by stage and add it to the index.

    Where both sides changed a stage, ours is kept; `nb run` then runs what does not fit.
    """
    from .locks import resolve as resolve_locks

    for name in resolve_locks(root):
        click.echo(f"nb: {name} is resolved; after the merge, run: nb run")


@main.command(hidden=True)
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
def merge_lock(base: Path, ours: Path, theirs: Path) -> None:
    """Merge three versions of dvc.lock into OURS: Git's merge driver."""
    from .locks import merge

    versions = (path.read_text(encoding="utf-8") for path in (base, ours, theirs))
    ours.write_text(merge(*versions), encoding="utf-8", newline="\n")


@main.command()
@click.pass_obj
def clean(root: Path) -> None:
    """Remove executed copies, reports and caches; never data, models or notebooks."""
    removed = 0
    for pattern in LEFT_BY_RUNS:
        for path in root.glob(pattern):
            if path.name != ".gitignore":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
    click.echo(f"Removed {removed} files and folders." if removed else "Nothing to remove.")


if __name__ == "__main__":
    sys.exit(main())
