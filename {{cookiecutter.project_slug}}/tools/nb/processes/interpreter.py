"""Interpreter state (loggers, filters, hooks), put back to hide programs' imports from kernels.

The warm process imports programs (DVC, papermill, …) that a kernel never imports. Their loggers,
warning filters and the like would reach every notebook: DVC, for one, sets asyncio's logger to
CRITICAL, and tasks would fail without a word. An `InterpreterState` is taken before such imports
and put back where they are to be as if they had never happened.
"""

from __future__ import annotations

import asyncio.events
import atexit
import builtins
import decimal
import faulthandler
import gc
import itertools
import locale
import logging
import multiprocessing.context
import os
import signal
import socket
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import partial
from types import ModuleType
from typing import Any, cast

# Objects and their attributes.
ATTRIBUTES: tuple[tuple[object, str], ...] = (
    (asyncio.events, "_event_loop_policy"),
    (logging, "_logRecordFactory"),
    (logging, "_loggerClass"),
    (logging, "_warnings_showwarning"),
    (logging, "lastResort"),
    (logging, "raiseExceptions"),
    (logging.Logger.manager, "disable"),
    (logging.Logger.manager, "loggerClass"),
    (vars(multiprocessing.context)["_default_context"], "_actual_context"),
    (sys, "breakpointhook"),
    (sys, "displayhook"),
    (sys, "dont_write_bytecode"),
    (sys, "excepthook"),
    (sys, "unraisablehook"),
    (threading, "excepthook"),
    (warnings, "formatwarning"),
    (warnings, "showwarning"),
)
LISTS: tuple[list[Any], ...] = (sys.meta_path, sys.path, sys.path_hooks)
DICTIONARIES: tuple[dict[Any, Any], ...] = (logging._levelToName, logging._nameToLevel)


def _set_umask(mask: int | None) -> int:
    """Set the mask of new files and return the mask before; None changes nothing."""
    before = os.umask(mask or 0)
    if mask is None:
        os.umask(before)
    return before


# The reader of a setting, and the setter.
SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (lambda: decimal.getcontext().copy(), decimal.setcontext),
    (faulthandler.is_enabled, lambda on: faulthandler.enable() if on else faulthandler.disable()),
    (gc.get_threshold, lambda counts: gc.set_threshold(*counts)),
    (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    (os.getcwd, os.chdir),
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (lambda: _set_umask(None), _set_umask),
)


class InterpreterState:
    """The interpreter's state at the moment when this object was made."""

    def __init__(self) -> None:
        self.packages = {_package(name) for name in sys.modules}
        self.loggers = {name: _fields(logger) for name, logger in _loggers().items()}
        self.names = set(logging.Logger.manager.loggerDict)  # also those above loggers
        self.filters = list(warnings.filters)
        self._attributes = {(o, n): getattr(o, n) for o, n in ATTRIBUTES if hasattr(o, n)}
        self._lists = [list(each) for each in LISTS]
        self._dictionaries = [dict(each) for each in DICTIONARIES]
        self._settings = [read() for read, _ in SETTINGS]
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}

    def put_back(self) -> None:
        """Put the interpreter back into this state, except for loggers of imported packages.

        Loggers of a package are as they would be without the other imports.
        """
        _forget_finders(set(map(id, self._lists[LISTS.index(sys.meta_path)])))
        for (owner, name), value in self._attributes.items():
            setattr(owner, name, value)
        for live, content in zip(LISTS, self._lists, strict=True):
            live[:] = content
        for table, entries in zip(DICTIONARIES, self._dictionaries, strict=True):
            table.clear()
            table.update(entries)
        for (read, write), value in zip(SETTINGS, self._settings, strict=True):
            if read() != value:
                write(value)
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) != handler:
                signal.signal(number, handler)
        warnings.resetwarnings()  # warnings that were shown may be shown again
        _warning_filters()[:] = self.filters
        self._put_back_loggers()

    def _put_back_loggers(self) -> None:
        new = _fields(logging.Logger("new"))
        for name, logger in _loggers().items():
            fields = self.loggers.get(name)
            if fields is None and _package(name) not in sys.modules:  # made by somebody else
                fields = new
            if fields is not None:
                logger.level, logger.disabled, logger.propagate = fields[:3]
                logger.handlers[:], logger.filters[:] = fields[3:]
        logging.Logger.manager._clear_cache()  # type: ignore[attr-defined]  # undocumented


class ImportRecord:
    """Notes, inside the block, which package imports which.

    Attributes:
        of: the packages that each package imports.
        at_exit: calls that were to be made at the end of the process; None lets them be registered.
    """

    def __init__(self) -> None:
        self.of: dict[str, set[str]] = defaultdict(set)
        self.at_exit: list[partial[object]] | None = []

    def __enter__(self) -> ImportRecord:
        self._import, self._register = builtins.__import__, atexit.register
        vars(builtins)["__import__"] = self._note_import
        vars(atexit)["register"] = self._note_exit
        return self

    def __exit__(self, *_: object) -> None:
        vars(builtins)["__import__"] = self._import
        vars(atexit)["register"] = self._register

    def _note_import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if not level and globals:
            self.of[_package(str(globals.get("__name__") or ""))].add(_package(name))
        return self._import(name, globals, locals, fromlist, level)

    def _note_exit(
        self, function: Callable[..., object], *arguments: object, **options: object
    ) -> Callable[..., object]:
        if self.at_exit is None:
            return self._register(function, *arguments, **options)
        self.at_exit.append(partial(function, *arguments, **options))
        return function

    def reached_from(self, names: Iterable[str]) -> set[str]:
        """Return the packages that the given modules import, directly or through others."""
        waiting = [_package(name) for name in names]
        reached: set[str] = set()
        while waiting:
            package = waiting.pop()
            if package not in reached:
                reached.add(package)
                waiting += self.of.get(package, ())
        return reached


class ProgramImports:
    """Imports that a process has in advance and that kernels among its forks are not to notice.

    Args:
        before: the state before these imports, to be put back.
        imports: the record of imports, which goes on.
    """

    def __init__(self, before: InterpreterState, imports: ImportRecord) -> None:
        self._state = InterpreterState()
        self._before = before
        self._imports = imports
        self._at_exit, imports.at_exit = imports.at_exit or [], None
        self._loggers = self._state.names - before.names
        self._filters = [each for each in self._state.filters if each not in before.filters]
        self._packages = self._state.packages - before.packages - sys.stdlib_module_names
        before.put_back()

    def keep_for(self, names: Iterable[str]) -> list[Any]:
        """Let the state that the given modules would bring, imported by themselves, stay.

        Returns:
            The filters of warnings that they added, with those that come from the programs.
        """
        kept = self._packages & self._imports.reached_from(names)
        filters = [each for each in warnings.filters if each not in self._before.filters]
        filters += [each for each in self._filters if _package(each[2].__module__) in kept]
        put_filters_first(filters)
        for call in self._at_exit:
            if _package(call.func.__module__) in kept:
                atexit.register(call)
        self._packages -= kept
        return filters

    def resume(self) -> None:
        """Put back the state after these imports, in a fork that is to run the programs."""
        self._state.put_back()

    def call_at_exit(self) -> None:
        """Register the functions of the programs for the end of the process."""
        for call in self._at_exit:
            atexit.register(call)

    def hide(self) -> None:
        """Take away the loggers that nobody but the programs made."""
        named = logging.Logger.manager.loggerDict
        for name in self._loggers & named.keys():
            if _package(name) in self._packages or _package(name) not in sys.modules:
                del named[name]


def put_filters_first(filters: Sequence[object]) -> None:
    """Let some filters of warnings come before all others, as if they had been added last."""
    live = _warning_filters()
    live[:] = [*filters, *(each for each in live if each not in filters)]


def _warning_filters() -> list[Any]:
    return cast("list[Any]", warnings.filters)  # typeshed knows a Sequence only


def named_thread_count() -> int:
    """Return how many threads were given a name so far, `Thread-1` and so on."""
    return int(next(copy(vars(threading)["_counter"].__self__))) - 1


def continue_thread_names(after: int = 0) -> None:
    """Give new threads the names that follow after so many others."""
    vars(threading)["_counter"] = itertools.count(after + 1).__next__


def _package(module: str) -> str:
    return module.partition(".")[0]


def _loggers() -> dict[str, logging.Logger]:
    named = logging.Logger.manager.loggerDict.items()
    found = {name: logger for name, logger in named if isinstance(logger, logging.Logger)}
    return {"root": logging.getLogger(), **found}


def _fields(
    logger: logging.Logger,
) -> tuple[int, bool, bool, list[logging.Handler], list[logging.Filter]]:
    # A filter may be a function as well, which makes no difference here.
    filters = cast("list[logging.Filter]", list(logger.filters))
    return logger.level, logger.disabled, logger.propagate, list(logger.handlers), filters


def _forget_finders(known: set[int]) -> None:
    """Forget the modules that put other finders on `sys.meta_path`: the next user imports anew.

    Without a finder of its own, `six`, for example, would lack made-up modules.
    """
    for finder in sys.meta_path:
        owner = getattr(finder, "__module__", None) or type(finder).__module__
        if id(finder) not in known:
            for name in [n for n in sys.modules if n == owner or n.startswith(f"{owner}.")]:
                del sys.modules[name]
