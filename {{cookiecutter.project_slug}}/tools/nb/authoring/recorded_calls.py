"""Unit tests from recorded calls of a notebook: functions called again, tests written and run.

`python -m nb.authoring.recorded_calls` calls the functions again, without the notebook, writes
asserts about results that are readable and reproducible, and runs them: a single start of Python,
and a single import of the libraries, for both.
"""

from __future__ import annotations

import importlib
import inspect
import io
import json
import math
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb.tracing.call_recorder import ROWS

if TYPE_CHECKING:
    import pandas as pd

# Columns of a table in a test, and characters of a value: people have to review the test.
COLUMNS = 12
LONGEST_CODE = 1200
LONGEST_TEXT = 60


class NotPlain(ValueError):
    """A value without a readable Python literal."""


def _text(value: str | bytes) -> str:
    code = repr(value)
    if len(code) > LONGEST_TEXT:  # ruff breaks no text, so the line would be too long
        raise NotPlain("too long a text")
    return code


def code_of(value: object) -> str:
    """Return a Python expression for a value.

    Raises:
        NotPlain: for any value but plain values, small tables and small arrays.
    """
    code = _code(value)
    if len(code) > LONGEST_CODE:
        raise NotPlain("too long")
    return code


def _code(value: Any) -> str:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    kind = type(value).__name__
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if type(value) in (str, bytes):
        return _text(value)
    if value is None or type(value) in (bool, int, float):
        return repr(value)
    if kind == "Timestamp":
        return f'pd.Timestamp("{value}")'
    if type(value) in (list, set, tuple):
        inner = ", ".join(map(_code, value))
        if isinstance(value, list):
            return f"[{inner}]"
        if isinstance(value, set):
            return f"{{{inner}}}" if value else "set()"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if type(value) is dict:
        return "{" + ", ".join(f"{_code(k)}: {_code(v)}" for k, v in value.items()) + "}"
    if kind == "DataFrame" and len(value.columns) <= COLUMNS:
        columns = {name: value[name].tolist() for name in value.columns}
        return f"pd.DataFrame({_code(columns)}{_index(value)})"
    if kind == "Series":
        name = f", name={value.name!r}" if value.name is not None else ""
        return f"pd.Series({_code(value.tolist())}{_index(value)}{name})"
    if kind == "ndarray":
        return f"np.array({_code(value.tolist())})"
    raise NotPlain(kind)


def _index(table: pd.DataFrame | pd.Series) -> str:
    index = table.index.tolist()
    return "" if index == list(range(len(index))) else f", index={_code(index)}"


def asserts(name: str, value: Any) -> list[str]:
    """Return assert statements, as lines, that a name stands for a value.

    Raises:
        NotPlain: if the asserts would not be readable.
    """
    kind = type(value).__name__
    if kind == "DataFrame":
        if not len(value) or len(value) > 3 * ROWS or len(value.columns) > COLUMNS:
            raise NotPlain("no table of a few rows")
        columns = [f"assert list({name}.columns) == {code_of(list(value.columns))}"]
        lines = [
            _equality(f"{name}[{column!r}].tolist()", value[column].tolist())
            for column in value.columns
        ]
        return columns + lines
    if kind == "Series" or kind == "ndarray":
        if not 0 < len(value) <= 3 * ROWS:
            raise NotPlain("not a few values")
        return [_equality(f"{name}.tolist()", value.tolist())]
    if value is None:
        raise NotPlain("it returns nothing")
    return [_equality(name, value)]


def _equality(name: str, value: Any) -> str:
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if value is True or value is False or value is None:
        return f"assert {name} is {value}"
    code = code_of(value)
    items = value.values() if isinstance(value, dict) else value
    flat = list(items) if isinstance(value, list | tuple | dict) else [value]
    if any(isinstance(item, float) for item in flat):
        if not all(isinstance(item, int | float) for item in flat):
            raise NotPlain("numbers among other things")
        nan = ", nan_ok=True" if any(item != item for item in flat) else ""
        return f"assert {name} == pytest.approx({code}{nan})"
    if not _holds(value, code):  # tables in a list, NaN in a nested list
        raise NotPlain("it cannot be compared")
    return f"assert {name} == {code}"


def _holds(value: object, code: str) -> bool:
    """Return whether a value equals the evaluated expression, as the test will compare."""
    try:
        return bool(value == eval(code, _aliases([code])))
    except Exception:  # `==` runs the user's or a library's code
        return False


def _aliases(codes: Iterable[str]) -> dict[str, object]:
    """Return library modules by the import aliases that occur in expressions."""
    codes = list(codes)
    return {
        alias: importlib.import_module(library)
        for alias, library in (("np", "numpy"), ("pd", "pandas"))
        if any(f"{alias}." in code for code in codes)
    }


@dataclass
class WrittenTests:
    """A test file for a module's functions.

    Attributes:
        text: the test file; empty if no function gave an example.
        passes: whether pytest was content with the text.
        untested: by name of a function without a test, the reason.
    """

    text: str = ""
    passes: bool = False
    untested: dict[str, str] = field(default_factory=dict)


def write_tests(module: str, folder: Path, origin: str) -> WrittenTests:
    """Return unit tests of a module's functions, from the recorded calls.

    Args:
        module: the module's dotted name, to be imported.
        folder: the folder of the recorded calls.
        origin: the notebook from which the module was made, for the first line.
    """
    functions = {
        name: value
        for name, value in vars(importlib.import_module(module)).items()
        if inspect.isfunction(value) and value.__module__ == module
    }
    written = WrittenTests()
    bodies: dict[str, list[str]] = {}
    for name, function in functions.items():
        reason = "the notebook does not call it"
        for path in sorted(folder.glob(f"{name}-*.pickle")):
            try:
                bodies.setdefault(name, []).extend(_body(name, function, path, bodies.get(name)))
            except NotPlain as error:
                reason = f"its arguments or results cannot be written as an example ({error})"
            except Exception as error:  # the function is the user's
                reason = f"it cannot be called by itself ({type(error).__name__})"
        if not bodies.get(name):
            bodies.pop(name, None)
            written.untested[name] = reason
    if bodies:
        written.text = _file(module, origin, bodies)
    return written


def _body(
    name: str, function: Callable[..., object], path: Path, before: list[str] | None
) -> list[str]:
    """Return a test's lines from a call; none if there is a test with many lines already."""
    arguments, options = pickle.loads(path.read_bytes())
    signature = inspect.signature(function)
    codes = {key: code_of(value) for key, value in _named(signature, arguments, options)}
    results = [_call(function, codes, signature) for _ in range(2)]
    lines = asserts("result", results[0])
    if lines != asserts("result", results[1]):
        raise NotPlain("its results are not the same every time")
    short = all(len(code) < 60 for code in codes.values())
    call = f"{name}({_arguments(codes if short else {key: key for key in codes}, signature)})"
    if short and len(lines) == 1:
        line = lines[0].replace("assert result", f"assert {call}", 1)
        return [] if line in (before or []) else [line]
    if before:
        return []
    given = [] if short else [f"{key} = {code}" for key, code in codes.items()]
    return [*given, f"result = {call}", *lines]


def _named(
    signature: inspect.Signature, arguments: tuple[object, ...], options: dict[str, object]
) -> Iterator[tuple[str, object]]:
    bound = signature.bind(*arguments, **options)
    for key, value in bound.arguments.items():
        if signature.parameters[key].kind in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        ):
            raise NotPlain("it takes any number of arguments")
        yield key, value


def _arguments(codes: dict[str, str], signature: inspect.Signature) -> str:
    words: list[str] = []
    skipped = False
    for key, parameter in signature.parameters.items():
        if key not in codes:
            skipped = True
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY or skipped:
            words.append(f"{key}={codes[key]}")
        else:
            words.append(codes[key])
    return ", ".join(words)


def _call(
    function: Callable[..., object], codes: dict[str, str], signature: inspect.Signature
) -> object:
    """Call a function with the literal arguments of the test."""
    known = {**_aliases(codes.values()), "function": function}
    with redirect_stdout(io.StringIO()):
        return eval(f"function({_arguments(codes, signature)})", known)


def _file(module: str, origin: str, bodies: dict[str, list[str]]) -> str:
    text = "\n".join(line for body in bodies.values() for line in body)
    imports = [
        f"import {library}\n"
        for mark, library in (
            ("np.", "numpy as np"),
            ("pd.", "pandas as pd"),
            ("pytest.", "pytest"),
        )
        if mark in text
    ]
    tests = "".join(
        f"\n\ndef test_{name.lstrip('_')}() -> None:\n" + "".join(f"    {line}\n" for line in body)
        for name, body in bodies.items()
    )
    names = ", ".join(sorted(bodies))
    gap = "\n" if imports else ""
    head = f'"""Examples of {module}, recorded in a notebook.\n\n{origin}\n"""\n\n'
    return f"{head}{''.join(imports)}{gap}from {module} import {names}\n{tests}"


@contextmanager
def _files_forbidden(root: str) -> Iterator[None]:
    """Refuse writes and data files: a unit test must not need them."""
    is_over = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and not is_over and isinstance(arguments[0], str):
            path = os.path.abspath(arguments[0])  # noqa: PTH100 - an audit hook opens nothing
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            writes = flags & (os.O_WRONLY | os.O_RDWR)
            if writes or (path.startswith(root + os.sep) and not path.endswith((".py", ".pyc"))):
                raise PermissionError(f"{path}: an example uses no files")

    sys.addaudithook(hook)  # no hook can be removed
    yield
    is_over = True


def _passes(test: Path) -> bool:
    """Return whether pytest is content with a test file."""
    import pytest

    with redirect_stdout(io.StringIO()):
        return pytest.main(["-q", "-p", "no:cacheprovider", str(test)]) == 0


def main(arguments: Iterable[str]) -> int:
    """Write the generated tests, run them, and print the outcome as JSON.

    Args:
        arguments: the module, the folder of the recorded calls, the notebook that made them, and
            the test file.
    """
    module, folder, origin, test = arguments
    importlib.import_module(module)
    sys.dont_write_bytecode = True
    with _files_forbidden(str(Path.cwd())):
        written = write_tests(module, Path(folder), origin)
    if written.text:
        Path(test).write_text(written.text, encoding="utf-8")
        written.passes = _passes(Path(test))
    print(json.dumps(vars(written)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
