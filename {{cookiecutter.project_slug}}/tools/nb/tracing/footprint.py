"""Footprint of a notebook: the files that a run of the notebook alone reads and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from nb.declaration.tasks import Outcome
from nb.execution.failures import find_cause, oom_kills
from nb.programs import module_command, program_environment
from nb.project import CONFIG, PRODUCTION
from nb.terminal import in_columns

from . import trace


@dataclass(frozen=True)
class Footprint:
    """A traced run of a notebook.

    Attributes:
        trace: the files in use, without the notebook itself and the modules that were imported.
        problem: the cause of a failure, in one line; else empty.
        cell: the code cell that failed, counted from 1.
    """

    trace: trace.Trace
    problem: str = ""
    cell: int | None = None


class Forks(Protocol):
    """Traced runs of notebooks as forks of a process that has the imports."""

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], heard: Callable[[bytes], None]
    ) -> trace.Trace | None:
        """Run papermill with arguments; return the trace, or None if that takes a new process."""
        ...


def trace_notebook(
    root: Path, notebook: Path, heard: Callable[[bytes], None] | None = None
) -> Footprint:
    """Run a notebook and return the footprint, also after a failure.

    Args:
        notebook: a production notebook runs in the root, with the config file of the same name;
            other notebooks run in their folder, as in Jupyter.
        heard: takes the printed output of papermill, a few times a second.
    """
    notebook = notebook.resolve()
    options: list[str] = []
    cwd = notebook.parent
    if notebook.is_relative_to(root / PRODUCTION):
        cwd = root
        config = root / CONFIG / f"{notebook.stem}.yaml"
        options = ["-f", str(config)] if config.exists() else []
    with TemporaryDirectory(prefix="nb-run-") as folder:
        executed = Path(folder) / notebook.name
        return run_traced(root, notebook, executed, cwd, options, heard=heard)


def run_traced(
    root: Path,
    notebook: Path,
    executed: Path,
    cwd: Path,
    options: Sequence[str] = (),
    *,
    environment: Mapping[str, str] | None = None,
    forbidden: Path | None = None,
    heard: Callable[[bytes], None] | None = None,
    forks: Forks | None = None,
) -> Footprint:
    """Run a notebook with papermill and return the footprint.

    Args:
        executed: the path of the executed copy.
        cwd: the working directory of the kernel.
        options: further options of papermill.
        environment: the variables; by default those in which programs of the project are found.
        forbidden: a folder in which nothing may be written.
        heard: takes the printed output of papermill, a few times a second.
        forks: forks of a process in which nothing may be written in that folder, either.
    """
    words = [str(notebook), str(executed), "--engine", "nb", "-k", "python3"]
    words += ["--cwd", str(cwd), "--progress-bar" if heard else "--no-progress-bar", *options]
    variables = {**(environment or program_environment()), "NB_STREAM": ""}
    said, oom_before = bytearray(), oom_kills()

    def hear(output: bytes) -> None:
        said.extend(output)
        if heard:
            heard(output)

    found = forks.run(words, variables, hear) if forks else None
    if found is None:
        command = [*module_command("nb.execution.papermill_program"), *words]
        found = trace.run_under_trace(
            command, root, environment=variables, forbidden=forbidden, heard=hear
        )
    own = Path(os.path.relpath(notebook, root)).as_posix()
    accesses = [
        access for access in found.accesses if access.writes or not _is_code(access.path, own)
    ]
    traced = replace(found, accesses=accesses)
    if not found.code:
        return Footprint(traced)
    lines = said.decode(errors="replace").replace(f"{notebook}: ", "").splitlines()
    found_cause = find_cause(Outcome(status=found.code), executed, 0, oom_before, lines)
    place = f": code cell {found_cause.cell} failed" if found_cause.cell else " could not be run"
    return Footprint(traced, f"{own}{place}: {found_cause.cause}", found_cause.cell)


def _is_code(path: str, notebook: str) -> bool:
    return path == notebook or (path.startswith("src/") and path.endswith(".py"))


def trace_lines(traced: trace.Trace) -> Iterator[str]:
    """Yield a trace for people: a line per file, and the limits of the view."""
    words = {(True, False): "reads", (False, True): "writes", (True, True): "changes"}
    yield from in_columns(
        (words[access.reads, access.writes], access.path, ", ".join(access.seen))
        for access in traced.accesses
    )
    if not traced.accesses:
        yield "It uses no file of the project."
    yield f"\nSeen by an audit hook in Python and by {trace.VIEWS[traced.view]}."
    yield from (f"Not seen: {text}" for text in traced.unseen)
