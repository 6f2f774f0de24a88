"""Recorder of the calls of a module's functions, in the kernel while a notebook runs.

The hook in Python's start-up (`tracing/hook`) starts the recorder. The arguments of the first
calls are kept, cut to a few rows where they are tables.
"""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Protocol, TypeVar, cast

_R = TypeVar("_R")
# Limits of the recorded rows of a table, items of a list, and calls of a function.
ROWS, ITEMS, MOST_CALLS = 4, 8, 3
# The variables that name the module, and the folder of the recorded calls.
MODULE, FOLDER = "NB_CALLS_MODULE", "NB_CALLS_FOLDER"


class _Table(Protocol):
    """The part of a data frame of pandas that a sample needs."""

    def head(self, rows: int) -> _Table: ...
    def copy(self) -> _Table: ...


class _Array(Protocol):
    """The part of an array of NumPy that a sample needs."""

    def __getitem__(self, rows: slice) -> _Array: ...
    def copy(self) -> _Array: ...


def record_calls(module: ModuleType, folder: Path) -> None:
    """Make the functions of a module record their first calls, a file per call, in a folder."""
    for name, value in list(vars(module).items()):
        if inspect.isfunction(value) and value.__module__ == module.__name__:
            setattr(module, name, _recording(value, folder))


def _recording(function: Callable[..., _R], folder: Path) -> Callable[..., _R]:
    count = 0

    @functools.wraps(function)
    def call(*arguments: object, **options: object) -> _R:
        nonlocal count
        if count < MOST_CALLS:
            count += 1
            # A value that cannot be copied or kept is no example; the notebook must not notice.
            with suppress(Exception):
                content = pickle.dumps((_sample(arguments), _sample(options)))
                (folder / f"{function.__name__}-{count}.pickle").write_bytes(content)
        return function(*arguments, **options)

    return call


def _sample(value: object) -> object:
    """Return a copy of a value with no more than a few rows of each table in it."""
    if hasattr(value, "iloc"):
        return cast("_Table", value).head(ROWS).copy()
    if type(value).__name__ == "ndarray":
        return cast("_Array", value)[:ROWS].copy()
    if type(value) is dict:
        return {key: _sample(item) for key, item in value.items()}
    if type(value) is tuple:
        return tuple(map(_sample, value))
    if isinstance(value, list):
        return [_sample(item) for item in value[:ITEMS]]
    return copy.deepcopy(value)
