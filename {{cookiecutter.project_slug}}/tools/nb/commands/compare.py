"""The command that shows two versions of the project side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nb.project import from_root, write_whole
from nb.terminal import echo


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
