"""Unit tests for the functions that a promotion moved, from the calls recorded in the proof."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nb.project import module, program
from nb.workcopy import clean_copy

from . import lint
from .promotion import Choices, Workspace


@dataclass(frozen=True, kw_only=True)
class ExampleTests:
    """The test file, relative to the root (empty: none), and why functions have no test."""

    path: str = ""
    untested: Mapping[str, str] = field(default_factory=dict)


def write_example_tests(space: Workspace, moved: Sequence[str], choices: Choices) -> ExampleTests:
    """Write unit tests with expected values from the recorded calls into the copy, and run them."""
    variables = {**clean_copy.copy_environment(space.copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*module("nb.authoring.recorded_calls"), choices.module, str(space.calls)]
    done = subprocess.run(
        [*command, space.source.as_posix()],
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
    path = _test_path(space.root, choices)
    (space.copy / path).write_text(written["text"], encoding="utf-8")
    lint.repair_code(space.copy, [path])
    check = [program("pytest"), "-q", "-p", "no:cacheprovider", path]
    passed = subprocess.run(check, cwd=space.copy, env=variables, capture_output=True)
    if passed.returncode:
        return ExampleTests(untested=dict.fromkeys(moved, "the test written did not pass"))
    return ExampleTests(path=path, untested=untested)


def _test_path(root: Path, choices: Choices) -> str:
    stem = choices.module.rpartition(".")[2]
    if (root / "tests" / f"test_{stem}.py").exists():
        stem = f"{stem}_{choices.stage.replace('-', '_')}"
    return f"tests/test_{stem}.py"
