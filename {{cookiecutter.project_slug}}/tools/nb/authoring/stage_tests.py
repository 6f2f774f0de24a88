"""Tests of a promoted notebook: smoke-test samples; unit tests of recorded calls, run once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nb.check.reads import SharedFiles
from nb.declaration.reader import read_entries
from nb.programs import module_command
from nb.workcopy import trial_copy
from nb.workcopy.copying import copy_file
from nb.workcopy.smoke import COPIED, SMALL

from . import lint
from .promotion import Choices, Workspace

# A smaller input is copied whole: the smoke test gains nothing from cutting a sample.
SMALL_BYTES = 200_000
SAMPLE_ROWS = 200


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The samples that were written, and a note on each input that needs a hand."""

    files: Sequence[str]
    notes: Sequence[str]


def sample_inputs(space: Workspace, reads: Mapping[str, str]) -> Samples:
    """Write samples of the inputs that no stage makes into the copy."""
    made = {out for stage in read_entries(space.root) for out in stage.outputs}
    shared = SharedFiles(space.root, made)
    files: list[str] = []
    notes: list[str] = []
    for old, name in reads.items():
        if name in made or PurePosixPath(name).parts[0] in COPIED:
            continue
        sample = SMALL / name
        if not (space.root / sample).exists():
            if write_sample(space.copy / name, space.copy / sample):
                files.append(sample.as_posix())
            else:
                notes.append(
                    f"the smoke test (make test) needs a small {sample.as_posix()}: {name} is too "
                    "large to be one"
                )
        if old != name:
            notes.append(f"{old} is copied to {name}, where DVC keeps it; {old} may go")
        elif problem := shared.problem(name, space.root):
            notes.append(problem)
    return Samples(files=files, notes=notes)


def write_sample(source: Path, target: Path) -> bool:
    """Write a small sample of an input for the smoke test; return whether that was possible."""
    if source.stat().st_size <= SMALL_BYTES:
        copy_file(source, target)
        return True
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (".csv", ".tsv"):
        with source.open("rb") as file:
            target.write_bytes(
                b"".join(line for line, _ in zip(file, range(SAMPLE_ROWS), strict=False))
            )
        return True
    if source.suffix == ".parquet":
        import pandas as pd

        pd.read_parquet(source).head(SAMPLE_ROWS).to_parquet(target)
        return target.stat().st_size <= SMALL_BYTES
    return False


@dataclass(frozen=True, kw_only=True)
class ExampleTests:
    """The test file, relative to the root (empty: none), and why functions have no test."""

    path: str = ""
    untested: Mapping[str, str] = field(default_factory=dict)


def write_example_tests(space: Workspace, moved: Sequence[str], choices: Choices) -> ExampleTests:
    """Write unit tests with expected values from the recorded calls into the copy, and run them."""
    variables = {**trial_copy.trial_environment(space.copy), "PYTHONDONTWRITEBYTECODE": "1"}
    path = _test_path(space.root, choices)
    words = [choices.module, str(space.calls), space.source.as_posix(), path]
    done = subprocess.run(
        [*module_command("nb.authoring.recorded_calls"), *words],
        cwd=space.copy,
        env=variables,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return ExampleTests(untested=dict.fromkeys(moved, "the module cannot be imported"))
    written = json.loads(done.stdout.splitlines()[-1])
    untested = {name: why for name, why in written["untested"].items() if name in moved}
    if not written["text"]:
        return ExampleTests(untested=untested)
    if not written["passes"]:
        return ExampleTests(untested=dict.fromkeys(moved, "the test written did not pass"))
    lint.repair_code(space.copy, [path])
    return ExampleTests(path=path, untested=untested)


def _test_path(root: Path, choices: Choices) -> str:
    stem = choices.module.rpartition(".")[2]
    if (root / "tests" / f"test_{stem}.py").exists():
        stem = f"{stem}_{choices.stage.replace('-', '_')}"
    return f"tests/test_{stem}.py"
