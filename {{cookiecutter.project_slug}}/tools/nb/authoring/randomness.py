"""Randomness of a notebook: calls that no seed makes repeatable, and a seed for them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from nb.notebook.code import Names, imports_of, names_of_notebook
from nb.notebook.file import CellFile, parse_cells
from nb.notebook.magics import mask
from nb.notebook.source_edits import Edit, byte_offsets, byte_span, with_edits

# Random number generators that a process shares: the function that seeds each.
SEED_FUNCTIONS = {"numpy.random": "numpy.random.seed", "random": "random.seed"}
SEED_FUNCTIONS |= {"torch": "torch.manual_seed"}
# The lines that import a generator, and those that seed it.
_IMPORTS = {"numpy.random": "import numpy as np", "random": "import random"}
_IMPORTS |= {"torch": "import torch"}
_CALLS = {"numpy.random": "np.random.seed(seed)  # noqa: NPY002", "random": "random.seed(seed)"}
_CALLS |= {"torch": "torch.manual_seed(seed)"}
_TORCH = ("torch.rand", "torch.normal", "torch.bernoulli", "torch.multinomial")
# Calls that no seed reaches: clocks, random identifiers, generators of their own.
_UNREPEATABLE = {"datetime.datetime.now", "datetime.datetime.today", "datetime.date.today"}
_UNREPEATABLE |= {"time.time", "uuid.uuid1", "uuid.uuid4", "os.urandom", "pandas.Timestamp.now"}
_UNREPEATABLE |= {"secrets.token_bytes", "secrets.token_hex", "secrets.token_urlsafe"}
_OWN_SEED = {"numpy.random.default_rng", "numpy.random.RandomState", "random.Random"}
# Functions that draw from NumPy's shared generator unless they are given a state.
_STATE_TAKERS = {"sample", "train_test_split", "shuffle", "rvs"}
# Estimators, splits and generated data of scikit-learn that do so.
_RANDOM_ESTIMATORS = re.compile(
    r"sklearn\.(datasets\.make_\w+|.*\.(resample|permutation_importance|TSNE|NMF|SpectralClustering|"
    r"\w*(AdaBoost|Bagging|DecisionTree|Dirichlet|ExtraTree|GaussianMixture|GradientBoosting|KMeans|"
    r"MLP|Perceptron|Random|SGD|ShuffleSplit|IsolationForest|Sparse)\w*))"
)
# Plots of seaborn draw error bars by a bootstrap: with a generator of each call's own, and a
# keyword for the seed.
_SEED_TAKERS = re.compile(r"seaborn\.(barplot|catplot|lineplot|lmplot|pointplot|regplot)")
_KEYWORD = "the keyword seed"


@dataclass(frozen=True, kw_only=True)
class UnseededCall:
    """A call with another result in each run.

    Attributes:
        name: the function, as the notebook writes it.
        cell: the number of the code cell.
        generator: the shared generator whose seed makes the call repeatable, or the keyword that
            does; empty if nothing does.
    """

    name: str
    cell: int
    generator: str


def unseeded_calls(file: CellFile) -> list[UnseededCall]:
    """Return the calls that draw random numbers without a seed, or read a clock."""
    names = names_of_notebook(file)
    calls = [(cell.number, call) for cell in file.cells for call in _calls(cell.source)]
    seeds = {_origin(call.func, names) for _, call in calls}
    seeded = {generator for generator, seed in SEED_FUNCTIONS.items() if seed in seeds}
    found = [
        UnseededCall(name=ast.unparse(call.func), cell=cell, generator=generator)
        for cell, call in calls
        if (generator := _generator(call, names)) is not None and generator not in seeded
    ]
    return list(dict.fromkeys(found))


def _calls(source: str) -> Iterator[ast.Call]:
    masked = mask(source)
    nodes = ast.walk(masked.tree) if masked else iter(())
    found = [node for node in nodes if isinstance(node, ast.Call)]
    return iter(sorted(found, key=lambda call: (call.lineno, call.col_offset)))


def _generator(call: ast.Call, names: Names) -> str | None:
    """Return the generator that a call draws from; None for a repeatable call."""
    origin = _origin(call.func, names)
    library, _, function = origin.rpartition(".")
    if origin in _UNREPEATABLE:
        return ""
    if origin in _OWN_SEED:
        return None if call.args or call.keywords else ""
    if library in ("random", "numpy.random"):
        draws = function.islower() and function not in ("seed", "get_state", "set_state")
        return library if draws else None
    if origin.startswith(_TORCH):
        return "torch"
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    if _SEED_TAKERS.fullmatch(origin):
        settled = keywords.keys() & {"seed", None} or "None" in (
            keywords.get("errorbar"),
            keywords.get("ci"),
        )
        return None if settled else _KEYWORD
    method = call.func.attr if isinstance(call.func, ast.Attribute) else function or origin
    states = keywords.keys() & {"random_state", "seed", None}
    draws = method in _STATE_TAKERS or bool(_RANDOM_ESTIMATORS.fullmatch(origin))
    return "numpy.random" if draws and not states else None


def _origin(function: ast.expr, names: Names) -> str:
    """Return the full dotted name of a function that the notebook imports; empty for others."""
    first, _, rest = ast.unparse(function).partition(".")
    if first not in names.imports:
        return ""
    return ".".join(filter(None, [names.imports[first].origin, rest]))


def with_seed(file: CellFile, seed: int) -> CellFile:
    """Return a notebook that seeds shared generators before the first unseeded call.

    Calls that take a seed of their own get the same seed.
    """
    calls = [call for call in unseeded_calls(file) if call.generator]
    if not calls:
        return file
    generators = sorted({call.generator for call in calls} - {_KEYWORD})
    names = names_of_notebook(file)
    taken = {*names.variables, *names.definitions, *names.imports}
    variable = next(name for name in ("seed", "random_seed", "promoted_seed") if name not in taken)
    given = {cell.number: _with_keyword(cell.source, names, variable) for cell in file.cells}
    file = parse_cells(file.path, file.edited(given))
    cell = file.cells[calls[0].cell - 1]
    known = {line for one in file.cells[: cell.number] for line in _import_lines(one.source)}
    lines = [line for name in generators if (line := _IMPORTS[name]) not in known]
    lines += ["# Seed of everything random.", f"{variable} = {seed}"]
    lines += [_CALLS[name].replace("(seed)", f"({variable})") for name in generators]
    old = cell.source.split("\n")
    place = _first_line_after_imports(cell.source)
    source = "\n".join([*old[:place], *lines, *old[place:]])
    return parse_cells(file.path, file.edited({cell.number: source}))


def _with_keyword(source: str, names: Names, variable: str) -> str:
    """Return the source of a cell whose calls that take a seed are given a variable."""
    masked = mask(source)
    if not masked:
        return source
    lines = byte_offsets(masked.text)
    edits: list[Edit] = []
    for call in (node for node in ast.walk(masked.tree) if isinstance(node, ast.Call)):
        if _generator(call, names) == _KEYWORD:
            end = byte_span(call, lines)[1] - 1
            values = [*call.args, *(keyword.value for keyword in call.keywords)]
            last = max((byte_span(value, lines)[1] for value in values), default=end)
            after = masked.text.encode()[last:end].decode()
            is_separated = not values or "," in re.sub("#.*", "", after)
            edits.append((end, end, f"{'' if is_separated else ', '}seed={variable}"))
    return masked.unmask(with_edits(masked.text, edits)) if edits else source


def _import_lines(source: str) -> Iterator[str]:
    masked = mask(source)
    for node in masked.tree.body if masked else ():
        for one in imports_of(node):
            if not one.name:
                yield f"import {one.module}" + (f" as {one.alias}" if one.alias else "")


def _first_line_after_imports(source: str) -> int:
    masked = mask(source)
    place = 1 if source.startswith("%%") else 0
    for node in masked.tree.body if masked else ():
        if not isinstance(node, ast.Import | ast.ImportFrom):
            break
        place = node.end_lineno or place
    return place
