"""Parameters of a notebook: reader of the parameters cell; values validated, described, written.

Standard library only, fast to import. The cell, tagged `parameters`, holds nothing but literals:

    # Share of all biopsies kept for the final test.
    test_share: float = 0.2
    model: Literal["logistic", "forest"] = "logistic"  # which model to train
    country: str = ...                                 # `...`: has to be given
    api_key: str = os.environ["API_KEY"]               # a secret

A default that is read from the environment makes a parameter secret: the value comes from there
alone, and the notebook reads the variable itself, run by hand or by papermill. So nobody hands the
value on, and no file holds a copy.
"""

from __future__ import annotations

import ast
import io
import os
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb.project import UsageError
from nb.wording import did_you_mean

from .content import Notebook
from .magics import Masked, mask
from .types.coercion import Mismatch, coerce
from .types.kinds import Kind, kind_of, kind_of_default, literal
from .types.python_code import python_code

TAG = "parameters"
REQUIRED = ...
TEXT = Kind("str", "str")


class CellError(UsageError):
    """A parameters cell that cannot be read.

    Args:
        message: the problem and its place.
        line: the line in the cell, from 1.
        reason: the problem without the place.
    """

    def __init__(self, message: str, line: int, reason: str) -> None:
        super().__init__(message)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Parameter:
    """A parameter of a notebook.

    Attributes:
        name: the name.
        kind: the type; without an annotation, the type of the default.
        annotation: the source of the annotation; empty if there is none.
        default: the default; `...` for a required parameter.
        source: the source of the default.
        help: the comment above or beside the parameter.
        secret: the environment variable with the value; None for a parameter that is not secret.
    """

    name: str
    kind: Kind
    annotation: str
    default: object
    source: str
    help: str
    secret: str | None = None

    @property
    def choices(self) -> tuple[object, ...]:
        """Allowed values, if the type lists them."""
        return next((k.choices for k in (self.kind, *self.kind.inner) if k.choices), ())

    @property
    def required(self) -> bool:
        """Return whether the parameter lacks a default, in the notebook and in the environment."""
        return self.default is REQUIRED


def read_parameters(notebook: Notebook) -> list[Parameter]:
    """Return the parameters that a notebook declares, in order; none without a tagged cell.

    Raises:
        NbError: if more than one cell is tagged, or the cell holds anything but literals.
    """
    numbers = [i for i, cell in enumerate(notebook.cells, 1) if TAG in cell.tags]
    if not numbers:
        return []
    if len(numbers) > 1:
        listed = " and ".join(map(str, numbers))
        reason = f"code cells {listed} are tagged {TAG}; keep the tag on one of them"
        raise UsageError(f"{notebook.path}: {reason}.")
    written = notebook.cells[numbers[0] - 1].source
    masked = mask(written) or Masked(written)  # a syntax error shows below
    source = masked.text
    found: dict[str, Parameter] = {}
    line = 1
    try:
        for statement in ast.parse(source).body:
            line = statement.lineno
            if line in masked.hidden_lines():
                raise ValueError("this is no Python but a line of IPython; move it to another cell")
            parameter = _parameter(statement, source)
            if parameter.name in found:
                raise ValueError(f"{parameter.name} is assigned twice")
            found[parameter.name] = parameter
    except SyntaxError as error:
        raise _unreadable(notebook, numbers[0], error.lineno or 1, error.msg) from None
    except (ValueError, TypeError) as error:
        raise _unreadable(notebook, numbers[0], line, str(error)) from None
    except (RecursionError, MemoryError):
        raise _unreadable(notebook, numbers[0], line, "it is nested too deeply") from None
    return list(found.values())


def _unreadable(notebook: Notebook, number: int, line: int, reason: str) -> CellError:
    message = f"{notebook.path}: {TAG} cell (code cell {number}), line {line}: {reason}."
    return CellError(message, line, reason)


def _parameter(statement: ast.stmt, source: str) -> Parameter:
    """Read a statement of the cell whose source is given."""
    name, annotation, value = _assignment(statement)
    secret, default = _environment(name, value)
    if annotation:
        kind = kind_of(annotation)
    else:
        kind = TEXT if secret else _kind_of_default(name, value, default)
    if secret:
        _require_text(name, kind)
    if annotation and default is not REQUIRED:
        _require_fit(name, kind, default)
    written = ast.unparse(annotation) if annotation else ""
    help_text = _help(statement, source)
    return Parameter(name, kind, written, default, ast.unparse(value), help_text, secret)


def _assignment(statement: ast.stmt) -> tuple[str, ast.expr | None, ast.expr]:
    """Take `name: type = value` apart."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=ast.expr() as value):
            return name, kind, value
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, None, value
        case ast.AnnAssign(target=ast.Name(id=name)):
            raise ValueError(f"{name} has no value; write {name}: … = ... if it has to be given")
    raise ValueError("this does not give a value to one name; move it to another cell")


def _kind_of_default(name: str, value: ast.expr, default: object) -> Kind:
    if default is REQUIRED:
        raise ValueError(f"{name} has to be given, but of which type? Write {name}: int = ...")
    try:
        return kind_of_default(value, default)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _environment(name: str, value: ast.expr) -> tuple[str | None, object]:
    """Return the environment variable that a default is read from, if any, and the default."""
    match value:
        case ast.Constant(value=default) if default is REQUIRED:
            return None, REQUIRED
        case ast.Subscript(value=called, slice=ast.Constant(value=str() as variable)) if (
            ast.unparse(called) in ("os.environ", "environ")
        ):
            return variable, REQUIRED
        case ast.Call(func=called, args=[ast.Constant(value=str() as variable), *rest]) if (
            ast.unparse(called) in ("os.environ.get", "environ.get", "os.getenv", "getenv")
            and len(rest) <= 1
        ):
            return variable, literal(rest[0]) if rest else None
    try:
        return None, literal(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; compute it in another cell") from None


def _require_text(name: str, kind: Kind) -> None:
    if "str" not in (kind.name, *(inner.name for inner in kind.inner if kind.name == "optional")):
        raise ValueError(f"{name} comes from the environment, which holds text: annotate it as str")


def _require_fit(name: str, kind: Kind, default: object) -> None:
    """Raise if a default does not fit the annotation."""
    try:
        fitting = coerce(kind, default)
    except Mismatch as error:
        raise ValueError(f"the default of {name}{error.place}: {error}") from None
    # Equal but for an int that stands for a float: text is no path, nor a list a tuple.
    if fitting is not default and fitting != default:
        code = python_code(kind, fitting)
        raise ValueError(f"the default of {name} is no {kind.text}; write {code}")


def _help(statement: ast.stmt, source: str) -> str:
    """Return the comment in the lines directly above a statement, and the comment at the end."""
    comments = dict(_comments(source))
    lines = source.splitlines()
    first = statement.lineno - 1
    while first in comments and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    numbers = [*range(first + 1, statement.lineno), statement.end_lineno]
    return " ".join(comments[number] for number in numbers if number in comments)


def _comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("#").strip()


def check_values(
    parameters: Sequence[Parameter],
    given: Mapping[str, object],
    where: Path | str,
    *,
    complete: bool = True,
) -> dict[str, object]:
    """Return the given values as the notebook's types have them.

    Args:
        parameters: the declared parameters.
        given: values by name, as YAML or papermill's command line gives them.
        where: the file to name in messages.
        complete: whether no other values follow, so that a missing value is a problem.

    Raises:
        NbError: with a line per problem, if any value is unknown, missing or wrong.
    """
    known = {parameter.name: parameter for parameter in parameters}
    problems = [_unknown(str(name), list(known)) for name in given if name not in known]
    values: dict[str, object] = {}
    for name, parameter in known.items():
        if parameter.secret:
            problems += _secret_problems(parameter, name in given, complete)
        elif name in given:
            try:
                values[name] = coerce(parameter.kind, given[name])
            except Mismatch as error:
                problems.append(f"parameter {name}{error.place}: {error}")
        elif parameter.required and complete:
            expected = parameter.kind.expected
            problems.append(f"parameter {name} is missing: give it a value, {expected}")
    if problems:
        raise UsageError("\n".join(f"{where}: {problem}" for problem in problems))
    return values


def _unknown(name: str, known: list[str]) -> str:
    # The value is not shown: the name may be a misspelt secret's.
    others = f"known are {', '.join(known)}" if known else f"no cell tagged {TAG} declares any"
    return f"unknown parameter {name}; {did_you_mean(name, known, others)}"


def _secret_problems(parameter: Parameter, given: bool, complete: bool) -> list[str]:
    source = f"the environment variable {parameter.secret}"
    if given:
        return [f"parameter {parameter.name} is secret: remove it here, and set {source}"]
    if complete and parameter.required and not os.environ.get(str(parameter.secret)):
        return [f"parameter {parameter.name} is secret: set {source}"]
    return []


def secret_values(parameters: Sequence[Parameter]) -> dict[str, str]:
    """Return the values of the secrets that are set and not empty, by environment variable."""
    names = (parameter.secret for parameter in parameters if parameter.secret)
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def assignments(parameters: Sequence[Parameter], values: Mapping[str, object]) -> str:
    """Write values that were checked as Python: an assignment per line."""
    kinds = {parameter.name: parameter.kind for parameter in parameters}
    lines = (f"{name} = {python_code(kinds[name], value)}" for name, value in values.items())
    return "\n".join(lines)


def describe(
    parameters: Sequence[Parameter], given: Mapping[str, object]
) -> list[dict[str, object]]:
    """Return a description of each parameter for a person.

    Args:
        parameters: the declared parameters.
        given: the values of the config file; secrets are left out.
    """
    return [
        {
            "name": p.name,
            "type": p.kind.text,
            "required": p.required,
            "default": None if p.required else p.default,
            "choices": list(p.choices),
            "secret": p.secret,
            "help": p.help,
            **({"value": given[p.name]} if p.name in given and not p.secret else {}),
        }
        for p in parameters
    ]
