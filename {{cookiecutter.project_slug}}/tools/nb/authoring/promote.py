"""Promotion of an exploratory notebook to a stage with module and tests; outputs are compared.

All work is done in a private copy of the project. The changed files are brought back at the end,
as ordinary changes, or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from nb import pipeline
from nb.declaration.editor import add_stage
from nb.declaration.reader import FILE, read_entries
from nb.git.text_view import readable_diff
from nb.notebook import fingerprints
from nb.notebook.content import Notebook, notebooks_below, read_notebook
from nb.notebook.magics import without_timing
from nb.notebook.modules import SourcePackages
from nb.notebook.path_literals import FIGURES
from nb.programs import run_program
from nb.project import PRODUCTION, NbError, write_whole
from nb.refactoring.rerun import content_or_none
from nb.runtime.traced_forks import traced_forks
from nb.workcopy import trial_copy

from .lint import mark_proven_lines, require_defined_names, undefined_names
from .original import Original, run_original
from .production import Production, write_production
from .promotion import Choices, Promotion, Workspace
from .proof import difference_when_repeated, prove
from .randomness import unseeded_calls
from .stage_tests import ExampleTests, sample_inputs, write_example_tests


def promote_notebook(
    root: Path,
    notebook: Path,
    choices: Choices,
    *,
    tell: Callable[[str], None],
    agree: Callable[[Promotion], bool],
    keep: bool = False,
) -> Promotion:
    """Promote an exploratory notebook to a production notebook with stage, module and tests.

    Args:
        choices: names; `proposal` gives them.
        tell: called with a line about each step.
        agree: called after the proof; returns whether to change the project.
        keep: change the project also if an output differs.

    Raises:
        NbError: if the notebook fails or the result breaks a rule; the project is unchanged then.
    """
    relative = Path(os.path.relpath(notebook.resolve(), root))
    with (
        trial_copy.trial_copy(root) as copy,
        traced_forks(copy.root, copy.root / relative, root) as forks,
    ):
        space = Workspace(root=root, copy=copy.root, source=relative, forks=forks)
        tell(f"running {relative.as_posix()} from top to bottom, in a copy of the project")
        original = run_original(space, choices)
        hidden = _undefined_names(space, original)
        production = write_production(space, original, choices)
        _declare(copy.root, original, production)
        tell(f"running {choices.notebook} as the stage {choices.stage}")
        found = replace(_proved(space, original, production), hidden=hidden)
        if found.differs and not (keep or found.unseeded):
            tell(f"running {relative.as_posix()} once more: do its results repeat?")
            found = replace(found, unrepeated=difference_when_repeated(space, original))
        if (keep or not found.differs) and agree(found):
            outputs = [new for new in found.writes.values() if (copy.root / new).exists()]
            added = [new for old, new in original.reads.items() if old != new]
            brought = [name for name in [*found.files, *outputs, *added] if name != FILE]
            sources = [name for name in copy.states if name.startswith("src/")]

            def finish() -> None:
                _declare(root, original, production)
                _add_to_dvc(root, added)
                with pipeline.lines_put_back_on_error(
                    root, [choices.stage, pipeline.FINGERPRINT_STAGE]
                ):
                    _record(root, choices)

            trial_copy.bring_to_project(copy, brought, finish, [*original.reads, *sources])
        return found


def _proved(space: Workspace, original: Original, production: Production) -> Promotion:
    """Run the stage, write samples and tests, and return the result of the promotion."""
    choices = production.choices
    samples = sample_inputs(space, original.reads)
    rows = prove(space, original.writes, choices)
    tests = ExampleTests()
    if choices.module and not any(row.difference for row in rows):
        tests = write_example_tests(space, production.moved, choices)
    files = [*production.files, FILE, *samples.files, *([tests.path] if tests.path else [])]
    calls = unseeded_calls(original.file)
    findings = [*_findings(space.copy, choices), *production.findings]
    helpers = [
        f"{old} is copied to {new}; {old} may go"
        for old, new in original.modules.items()
        if (space.root / old).exists()
    ]
    gaps = [f"the contract may lack {unseen}" for unseen in original.unseen]
    if original.untagged:
        gaps.append(f"the parameters cell is an ordinary cell now: {original.untagged}")
    return Promotion(
        choices=choices,
        reads=list(original.reads.values()),
        writes=original.writes,
        parameters=production.parameters,
        moved=production.moved,
        kept=production.kept,
        untested=tests.untested,
        rows=rows,
        files=files,
        stale=_made_stale(space, files),
        notes=[*gaps, *helpers, *samples.notes, *findings],
        unseeded=[f"{call.name} in code cell {call.cell}" for call in calls],
        seedable=bool(calls) and all(call.generator for call in calls),
        diff=_diff(space, files),
    )


def _undefined_names(space: Workspace, original: Original) -> list[str]:
    """Refuse undefined names in the exploratory notebook; return those beside a `# noqa`.

    Timing magics are taken out first: names that are assigned in their lines are none to ruff.
    """
    plain = {cell.number: without_timing(cell.source) for cell in original.file.cells}
    write_whole(space.copy / space.source, original.file.edited(plain))
    source = space.source.as_posix()
    require_defined_names(space.copy, [source])
    return undefined_names(space.copy, [source], "--ignore-noqa")


def _made_stale(space: Workspace, files: Sequence[str]) -> list[str]:
    """Return the stages whose notebooks import, or that declare, a module that changes."""
    changed = {n for n in files if n.startswith("src/") and (space.root / n).exists()}
    if not changed:
        return []
    sources = SourcePackages(space.root / "src")
    importing = [
        notebook.path.relative_to(space.root).as_posix()
        for path in notebooks_below(space.root / PRODUCTION)
        if changed & _modules_of(notebook := read_notebook(path), sources)
    ]
    return [
        entry.name
        for entry in read_entries(space.root)
        if changed.intersection(entry.inputs) or any(map(entry.runs, importing))
    ]


def _modules_of(notebook: Notebook, sources: SourcePackages) -> set[str]:
    """Return the paths, from the root, of the modules that a notebook imports."""
    root = sources.folder.parent
    return {
        sources.modules[name].relative_to(root).as_posix() for name in sources.used_by(notebook)
    }


def _declare(root: Path, original: Original, production: Production) -> None:
    """Declare the stage in the `dvc.yaml` of the copy or of the project."""
    choices, outputs = production.choices, list(original.writes.values())
    owners = {out: s.name for s in read_entries(root) for out in s.outputs}
    for out in outputs:
        if out in owners:
            reason = f"which is the output of the stage {owners[out]}"
            name = original.file.path.name
            raise NbError(f"{name} writes {out}, {reason}; write to another file")
    metrics = [o for o in outputs if o.startswith("reports/metrics/") and o.endswith(".json")]
    plots = [out for out in outputs if Path(out).suffix.lower() in FIGURES]
    add_stage(
        root,
        choices.stage,
        Path(choices.notebook),
        desc=production.title,
        deps=list(original.reads.values()),
        params=production.has_config,
        outs=[out for out in outputs if out not in (*metrics, *plots)],
        metrics=metrics,
        plots=plots,
    )


def _findings(root: Path, choices: Choices) -> list[str]:
    """Return the findings of `nb check` in the new notebook, a line each."""
    from nb.check.runner import check_paths

    found = check_paths(root, (root / choices.notebook,), (), ()).findings
    mark_proven_lines(root / choices.notebook, found, root)
    return [str(finding) for finding in found]


def _add_to_dvc(root: Path, files: Sequence[str]) -> None:
    """Have DVC track inputs that were copied to `data/raw`; on failure none is tracked."""
    if not files:
        return
    try:
        _run_dvc(root, ["add", "--quiet", *files])
    except BaseException:
        for name in files:
            root.joinpath(f"{name}.dvc").unlink(missing_ok=True)
        raise


def _record(root: Path, choices: Choices) -> None:
    """Have DVC record the output hashes of the new stage in `dvc.lock`."""
    fingerprints.refresh(root)
    _run_dvc(root, ["commit", "--force", "--quiet", pipeline.FINGERPRINT_STAGE, choices.stage])


def _run_dvc(root: Path, arguments: Sequence[str]) -> None:
    """Run DVC in the project.

    Raises:
        NbError: if DVC refuses.
    """
    done = run_program(root, "dvc", *arguments)
    if done.returncode:
        raise NbError(f"DVC: {' '.join(done.stderr.split())}")


def _diff(space: Workspace, files: Sequence[str]) -> str:
    """Return the project's changes as a unified diff, notebooks as text."""
    return "".join(
        readable_diff(name, content_or_none(space.root / name), (space.copy / name).read_bytes())
        for name in sorted(files)
    )
