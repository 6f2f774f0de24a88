"""Command `nb onboard`: wires Git, fetches results, checks health, shows the report."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nb.exit_codes import ExitCode
from nb.git import wiring
from nb.project import EXECUTED, NbError
from nb.terminal import echo, secho, style

if TYPE_CHECKING:
    from nb.check.health.diagnosis import Diagnosis

STEPS = ("the clone", "data and results", "health", "the report")
NEXT_THINGS = 3
# The repair of data that are not here.
FETCH = "nb pull"


@click.command("onboard")
@click.option("--open/--no-open", "and_open", default=None, help="Open the report in the browser.")
@click.pass_obj
def onboard_command(root: Path, and_open: bool | None) -> None:
    """Make a new clone ready, fetch results, say how to go on.

    Four steps: Git's wiring; nb pull; the checks of nb doctor, your identity and the storage among
    them; the report, which opens on a terminal. A step that fails does not keep the next from
    running. Safe to repeat. `make onboard` makes the environment first. Exits with 1 if anything
    is left to repair.

    \b
    Examples:
      nb onboard
      nb onboard --no-open
    """
    _announce(0)
    for change in wiring.wire(root) or ["is wired"]:
        _tell(change)
    _announce(1)
    failure = _fetch(root)
    _announce(2)
    findings = _health(root, failure)
    _announce(3)
    _report(root, sys.stdout.isatty() if and_open is None else and_open)
    secho("\nNext:", bold=True)
    for line in next_things(findings, fetched=not failure, has_report=_has_copies(root)):
        echo(f"  {line}")
    if failure or any(finding.problem for finding in findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def next_things(findings: list[Diagnosis], *, fetched: bool, has_report: bool) -> list[str]:
    """Return the next things to do, the repairs first.

    Args:
        findings: the findings of the health checks.
        fetched: whether data and results are here.
        has_report: whether there is an executed copy.
    """
    repairs = [_repair(f.repair, f.problem) for f in findings if f.problem and f.repair]
    pull = [] if fetched else [f"{'make pull':25} fetch data and results again"]
    runs = {
        True: f"{'make run-notebooks':25} see that nothing is stale",
        False: f"{'nb run --force':25} run the notebooks once here: the report is made of that",
    }
    rest = [
        runs[has_report],
        f"{'make new-notebook NAME=…':25} begin a notebook of your own",
        f"{'CONTRIBUTING.md':25} how this team works",
    ]
    return [*repairs, *pull, *rest][: max(NEXT_THINGS, len(repairs))]


def _repair(repair: str, problem: str) -> str:
    """Return a command beside the problem; a sentence behind it."""
    return f"{repair:25} {problem}" if len(repair) <= 25 else f"{problem}: {repair}"


def _announce(step: int) -> None:
    secho(f"{step + 1}/{len(STEPS)} {STEPS[step]}", bold=True)


def _tell(line: str) -> None:
    echo(f"    {line}")


def _health(root: Path, failure: str) -> list[Diagnosis]:
    """Print the findings of the health checks and return them, without those that are known."""
    from nb.check.doctor import examine

    findings = list(examine(root))
    well = sum(not finding.problem for finding in findings)
    news = news_beside(failure, findings)
    for finding in news:
        if finding.problem:
            _tell(f"{style('✗', fg='red')} {finding.name}: {finding.problem}")
    above = f", see {STEPS[1]} for the rest" if len(news) < len(findings) else ""
    _tell(f"{well} of {len(findings)} checks are well{above}")
    return news


def news_beside(failure: str, findings: list[Diagnosis]) -> list[Diagnosis]:
    """Return the findings that a failed fetch has not said, nor has caused.

    Args:
        failure: the reason why data and results could not be fetched; empty if they are here.
        findings: the findings of the health checks.
    """
    if not failure:
        return findings
    said = [f for f in findings if f.problem and (f.problem in failure or f.repair == FETCH)]
    return [finding for finding in findings if finding not in said]


def _fetch(root: Path) -> str:
    """Fetch data and results; return why that failed, empty if all that was pushed is here."""
    from nb.run.executed_copies import pull_results_and_copies

    if not any(_locks(root)):
        _tell("nobody has run the pipeline yet, so there is nothing to fetch")
        return ""
    try:
        count = pull_results_and_copies(root, _tell)
    except NbError as error:
        _tell(f"{style('✗', fg='red')} {error}")
        return str(error)
    _tell(f"fetched {count} files" if count else "everything is here already")
    return ""


def _locks(root: Path) -> Iterator[Path]:
    """Yield the files that name data in the storage: `dvc.lock`, and those of `dvc add`."""
    yield from (path for path in (root / "dvc.lock",) if path.is_file())
    yield from (root / "data").rglob("*.dvc")


def _report(root: Path, and_open: bool) -> None:
    from nb.report import build

    index = build(root)
    if index is None:
        _tell("it is made of executed copies, and no notebook was run here yet")
        return
    _tell(index.relative_to(root).as_posix())
    if and_open:
        click.launch(index.as_uri())


def _has_copies(root: Path) -> bool:
    return any((root / EXECUTED).glob("*.ipynb"))
