"""The CPU that each process of `nb run` takes, by role and part: a hook for Python's start.

`notebook_costs` puts this file into a project's environment, where a `.pth` file imports it. The
processes of a run are forks, which end with `os._exit`: each writes its figures there.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections import defaultdict
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

FOLDER = Path(__file__).with_suffix("")
# The module that is imported by the time a process forks papermill and kernels.
LAST_IMPORT = "nb.execution.engine"
# Functions by the part of the work that they are; time in a function that they call is that one's.
PARTS = {
    "papermill.clientwrap:PapermillNotebookClient.execute": "papermill: kernel's start and end",
    "nb.execution.client:Client.papermill_execute_cells": "papermill: cells",
    "nbformat.validator:_validate": "papermill: validation (nbformat)",
    "papermill.execute:write_ipynb": "papermill: writing the copy",
    "ipykernel.kernelapp:IPKernelApp.initialize": "kernel: set-up (IPython)",
    "ipykernel.kernelapp:IPKernelApp.start": "kernel: cells",
}
# The rest of a process, by a function that is running as the process ends.
REST = {
    "make_pages": "page",
    "work": "DVC: the worker of the stage",
    "_end": "fork server of the stage",
}
FORKS = {"papermill": "papermill: reading, parameters, masking", "kernel": "kernel: fork and exit"}


class Clock:
    """The CPU seconds of this process by part; the part that was entered last gets the time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.part = ""
        self.since = 0.0

    def enter(self, part: str) -> str:
        """Begin a part and return the part before."""
        now, before = time.process_time(), self.part
        self.seconds[before] += now - self.since
        self.part, self.since = part, now
        return before


clock = Clock()


def measured(function: Any, part: str) -> Any:
    """Return a function whose time counts as a part."""

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        before = clock.enter(part)
        try:
            return function(*arguments, **options)
        finally:
            clock.enter(before)

    return call


def measure_parts() -> None:
    """Replace the functions of `PARTS`, once."""
    while PARTS:
        place, part = PARTS.popitem()
        module, _, names = place.partition(":")
        owner: Any = importlib.import_module(module)
        *inner, name = names.split(".")
        for each in inner:
            owner = getattr(owner, each)
        setattr(owner, name, measured(getattr(owner, name), part))


def rest_of_process() -> str:
    """Return the part that the rest of this process is, from the functions that are running."""
    frame: Any = sys._getframe(2)
    while frame:
        request = frame.f_locals.get("request")
        if isinstance(request, dict) and request.get("kind") in FORKS:
            return FORKS[request["kind"]]
        if frame.f_code.co_name in REST:
            return REST[frame.f_code.co_name]
        frame = frame.f_back
    return "other forks"


def fork() -> int:
    """Fork; the clock of the child begins anew."""
    if LAST_IMPORT in sys.modules:
        measure_parts()
    pid = original_fork()
    if pid == 0:
        clock.__init__()  # type: ignore[misc]  # anew, in place: hooks hold the object
    return pid


def leave(code: int) -> NoReturn:
    """End this process, with its figures in a file."""
    clock.enter("")
    used = resource.getrusage(resource.RUSAGE_SELF)
    parts = dict(clock.seconds)
    inner = sum(seconds for part, seconds in parts.items() if part)
    parts[rest_of_process()] = used.ru_utime + used.ru_stime - inner
    parts.pop("", None)
    with (FOLDER / str(os.getpid())).open("a", encoding="utf-8") as file:
        file.write(json.dumps(parts) + "\n")
    original_exit(code)


if FOLDER.is_dir():
    original_fork, original_exit = os.fork, os._exit
    vars(os).update(fork=fork, _exit=leave)
