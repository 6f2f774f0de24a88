"""The command `nb`: arguments, messages and exit codes. What it does is in the modules below it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import fingerprints, gitwiring
from .notebook import find_notebook, read_notebook
from .project import CONFIG, PRODUCTION, NbError, find_root, program_environment

if TYPE_CHECKING:
    from .doctor import Finding
    from .pipeline import Change, StageState
    from .runner import Options

NO_NOTEBOOK = f"""\
There is no production notebook yet. To make one:
  1. save it as {PRODUCTION.as_posix()}/10-<name>.ipynb, with one cell tagged "parameters";
  2. write the values of its parameters to config/10-<name>.yaml;
  3. declare its stage in dvc.yaml (README, "Add a production notebook", has one to copy).
"""
# Commands that Git itself calls, or that report what is wrong, change nothing on the way.
WITHOUT_REPAIR = (
    None,
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
@click.option("--cold", is_flag=True, help="Start each kernel anew, without warm imports.")
@click.option("--json", "as_json", is_flag=True, help="Print the record of the run as JSON.")
@click.pass_obj
def run(root: Path, /, dry_run: bool, as_json: bool, jobs: int | None, **chosen: Any) -> None:
    """Run the production notebooks that are stale, side by side, then make the report.

    STAGES are names from dvc.yaml, of a matrix as a whole or of one value; without any, the whole
    pipeline runs. What became of each stage is written to reports/runs.

    \b
    Exit codes: 0 done, 1 a stage failed, 2 wrong usage or parameters, 124 timed out,
    130 interrupted, 137 killed or out of memory, 143 terminated.

    \b
    Examples:
      nb run                  what is stale
      nb run train            train, and what it depends on
      nb run -f evaluate      evaluate and what it depends on, even if nothing changed
      nb run -j1 -k           one stage at a time, and on after a failure
    """
    from . import report
    from .run import execute
    from .runner import Options, cores
    from .view import View, summary

    options = Options(jobs=jobs or cores(), **chosen)
    if dry_run:
        _print_plan(root, options, as_json=as_json)
        return
    done = execute(root, options, View(sys.stderr if as_json else sys.stdout))
    if done is None:
        click.echo(NO_NOTEBOOK, nl=False)
        return
    if (root / ".git").exists():
        gitwiring.settle_lock(root)
    index = report.build(root)
    if as_json:
        click.echo(json.dumps(vars(done) | {"stages": [vars(s) for s in done.stages]}, indent=2))
    else:
        click.echo("\n".join(summary(done)))
    if index and not as_json:
        click.secho(f"Report: {index.relative_to(root).as_posix()}", bold=True)
    if done.exit_code:
        raise NbError(done.problem(), done.exit_code)
    if not index and not as_json:
        click.echo("No notebook has run here, so there is no report; `nb run --force` makes one.")


def _print_plan(root: Path, options: Options, *, as_json: bool) -> None:
    """Say which of the chosen stages would run, and why."""
    from .run import preview

    states = preview(root, options)
    if as_json:
        click.echo(json.dumps([vars(state) for state in states], indent=2))
    elif not states:
        click.echo("Nothing would run.")
    width = max((len(state.name) for state in states), default=0)
    for state in [] if as_json else states:
        click.echo(_state_lines(state, width))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print the states as JSON.")
@click.pass_obj
def status(root: Path, as_json: bool) -> None:
    """Say which stages are stale, and why."""
    from .pipeline import stage_states

    fingerprints.refresh(root)
    states = stage_states(root)
    if as_json:
        click.echo(json.dumps([vars(state) for state in states], indent=2))
        return
    if not states:
        click.echo(NO_NOTEBOOK, nl=False)
        return
    width = max(len(state.name) for state in states)
    for state in states:
        click.echo(_state_lines(state, width))
    stale = sum(bool(state.reasons) for state in states)
    summary = f"{stale} of {len(states)} stages are stale; bring them up to date: nb run"
    click.echo(f"\n{summary if stale else 'Nothing to run.'}")


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


def _print_table(table: list[tuple[str, ...]], bold: list[bool]) -> None:
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
@click.pass_obj
def fingerprint(root: Path) -> None:
    """Write what each production notebook computes with to .nb/fingerprints.

    DVC runs this as the first stage of the pipeline (notebooks/dvc.yaml).
    """
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
def unpushed(root: Path) -> None:
    """Name the data and models that the storage does not have yet; the push hook calls this."""
    from .pipeline import unpushed as artifacts

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
