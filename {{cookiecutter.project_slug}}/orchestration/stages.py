"""The stages of the pipeline for a scheduler, and how one of them is run.

`dvc.yaml` stays the only declaration: this asks `nb` for the stages each time a scheduler loads.
Standard library only, because a scheduler has an environment of its own, without DVC and without
the project's packages. Stages run in the project's environment.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from threading import Timer
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# What each stage command is given besides: `--pull --push` where workers share only the storage.
OPTIONS = "NB_TASK_OPTIONS"
# From SIGTERM to SIGKILL: nb gives its notebook 10 seconds to end.
GRACE_SECONDS = 20.0
# Exit codes after which another try would end in the same way: wrong usage, a broken contract.
HOPELESS = (2, 3)
Started = Callable[["subprocess.Popen[str]"], None]


@dataclass(frozen=True)
class Settings:
    """What a scheduler makes of a stage: `meta: {scheduler: {…}}` in `dvc.yaml`, or these defaults.

    Attributes:
        retries: how often a stage that failed is run again.
        retry_delay: seconds before that.
        timeout: seconds after which it is stopped and has failed.
        expected: seconds after which the log has a warning.
        queue: for which workers it is, where the scheduler has several kinds (Celery).
    """

    retries: int = 0
    retry_delay: float = 60
    timeout: float | None = None
    expected: float | None = None
    queue: str | None = None


DEFAULTS = Settings()


@dataclass(frozen=True)
class Stage:
    """A stage, one per value of a matrix, as `nb stages --json` describes it."""

    name: str
    group: str
    desc: str
    command: str
    after: list[str]
    notebook: str
    executed: str
    metrics: list[str]
    plots: list[str]
    parameters: list[dict[str, Any]]
    fixed: dict[str, Any]
    settings: Settings


class StageError(Exception):
    """A stage that failed.

    Args:
        message: stage, notebook, cell and error, in one line.
        code: the exit code of its command.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.is_hopeless = code in HOPELESS


def load() -> list[Stage]:
    """Return the stages of `dvc.yaml`, each after those that it needs.

    Raises:
        StageError: if the pipeline or a setting in it cannot be read.
    """
    done = subprocess.run([_nb(), "stages", "--json"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise StageError(done.stderr.strip(), done.returncode)
    return [_stage(found) for found in json.loads(done.stdout)]


def _stage(found: dict[str, Any]) -> Stage:
    names = {field.name for field in fields(Stage)} & found.keys()
    settings = _settings(found["meta"].get("scheduler") or {}, found["name"])
    return Stage(**{name: found[name] for name in names}, settings=settings)


def _settings(given: Any, name: str) -> Settings:
    """Return the settings of a stage as `dvc.yaml` gives them."""
    where = f"dvc.yaml: stage {name}: meta.scheduler"
    known = asdict(DEFAULTS)
    if not isinstance(given, dict):
        raise StageError(f"{where} is {given!r}; write names and values, such as retries: 2", 2)
    for key, value in given.items():
        if key not in known:
            raise StageError(f"{where} has no {key}; known are {', '.join(known)}", 2)
        kind, word = (str, "text") if key == "queue" else ((int, float), "number")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise StageError(f"{where}: {key} is {value!r}, which is no {word}", 2)
    return Settings(**given)


def run(
    stage: Stage, tell: Callable[[str], None], started: Started = lambda _: None
) -> dict[str, Any]:
    """Bring one stage up to date, as `nb run` would.

    Args:
        stage: what to run. What it needs must be up to date.
        tell: called with each line that it puts out, as it does so.
        started: called with its process.

    Returns:
        What `nb task --json` says: its state (ran, unchanged, restored), its metrics.

    Raises:
        StageError: if it failed, or took longer than it may.
    """
    options = shlex.split(os.environ.get(OPTIONS, ""))
    return call(["task", stage.name, "--json", *options], tell, stage.name, stage.settings, started)


def call(
    arguments: list[str],
    tell: Callable[[str], None],
    name: str,
    settings: Settings = DEFAULTS,
    started: Started = lambda _: None,
) -> dict[str, Any]:
    """Run `nb` and return what it prints as JSON; whatever ends this ends it, too.

    Raises:
        StageError: with its last line, if it failed.
    """
    last = ""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as result:
        process = subprocess.Popen(
            [_nb(), *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=result,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        started(process)
        with _watched(process, tell, name, settings) as late:
            for line in process.stderr or ():
                last = line.rstrip() or last
                tell(line.rstrip())
            code = process.wait()
        if late:
            raise StageError(f"{name} · ran longer than {settings.timeout:g} s", code)
        if code:
            raise StageError(last.removeprefix("nb: ") or f"{name} exited with {code}", code)
        result.seek(0)
        return dict(json.load(result))


@contextmanager
def _watched(
    process: subprocess.Popen[str], tell: Callable[[str], None], name: str, settings: Settings
) -> Iterator[list[bool]]:
    """Hold a process to its times and to the block: it does not outlive it.

    Gives a list that is not empty if the process was stopped because it took too long.
    """
    late: list[bool] = []
    timers: list[Timer] = []
    if settings.expected:
        slow = f"WARNING: {name} is expected to end within {settings.expected:g} s and still runs"
        timers.append(Timer(settings.expected, tell, [slow]))
    if settings.timeout:
        timers.append(Timer(settings.timeout, _stop_late, [process, late]))
    for timer in timers:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        for timer in timers:
            timer.cancel()
        _stop(process)


def _stop_late(process: subprocess.Popen[str], late: list[bool]) -> None:
    late.append(True)
    _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """End a process, and with it all that it started; nothing if it has ended."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _nb() -> str:
    """Return the command `nb` of the project's environment: in `.venv`, else the one on PATH."""
    own = ROOT / ".venv" / ("Scripts/nb.exe" if os.name == "nt" else "bin/nb")
    found = str(own) if own.exists() else shutil.which("nb")
    if not found:
        raise StageError(f"{ROOT} has no environment yet; run: make setup", 2)
    return found
