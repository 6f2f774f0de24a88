"""Calls of a module's functions, recorded in the kernel while a notebook runs.

The hook in Python's start-up (`tracing/hook`) installs the recorder. The arguments of the first
calls are kept, cut to a few rows where they are tables.
"""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

# Of an argument, how much is kept: rows of a table, items of a list; and calls of a function.
ROWS, ITEMS, CALLS = 4, 8, 3
# The variables that name the module, and the folder of the recorded calls.
MODULE, FOLDER = "NB_CALLS_MODULE", "NB_CALLS_FOLDER"


def install_recorder(name: str, where: str) -> None:
    """Record the calls of the functions of a module, from when it is imported, in a folder."""
    folder = Path(where)

    class Finder:
        @staticmethod
        def find_spec(found: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
            spec = PathFinder.find_spec(found, path, target) if found == name else None
            if spec and spec.loader:
                execute = spec.loader.exec_module

                def exec_module(module: ModuleType) -> None:
                    execute(module)
                    for key, value in list(vars(module).items()):
                        if inspect.isfunction(value) and value.__module__ == name:
                            setattr(module, key, _recording(value, folder))

                spec.loader.exec_module = exec_module  # type: ignore[method-assign]
            return spec

    sys.meta_path.insert(0, Finder)


def _recording(function: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    count = 0

    @functools.wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        if count < CALLS:
            count += 1
            # A value that cannot be copied or kept is no example; the notebook must not notice.
            with suppress(Exception):
                content = pickle.dumps((_sample(arguments), _sample(options)))
                (folder / f"{function.__name__}-{count}.pickle").write_bytes(content)
        return function(*arguments, **options)

    return call


def _sample(value: Any) -> Any:
    """Return a copy of a value with no more than a few rows of each table in it."""
    if hasattr(value, "iloc"):
        return value.head(ROWS).copy()
    if type(value).__name__ == "ndarray":
        return value[:ROWS].copy()
    if type(value) is dict:
        return {key: _sample(item) for key, item in value.items()}
    if type(value) is tuple:
        return tuple(map(_sample, value))
    if isinstance(value, list):
        return [_sample(item) for item in value[:ITEMS]]
    return copy.deepcopy(value)
