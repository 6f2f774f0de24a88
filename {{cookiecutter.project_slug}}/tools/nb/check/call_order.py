"""Calls of functions above the assignment of a global name that the function uses.

Undefined names are found by ruff (F821), which reads a notebook as one module. A function may use
a name that is assigned below, so ruff accepts the function; a call above the assignment fails.
Nothing is executed. Doubtful cases give no finding: below an `if` an assignment counts, in a loop
from the beginning of the loop, and a notebook whose names cannot be known is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from .findings import Found
from .nodes import children
from .source import CheckedCell

# Calls and magics after which any name may be defined.
OPAQUE_CALLS = {"dir", "exec", "globals", "locals", "vars"}
OPAQUE_METHODS = {"ex", "magic", "push", "run_cell", "run_cell_magic", "run_line_magic"}
OPAQUE_MAGICS = {
    *("cpaste", "edit", "load", "loadpy", "macro", "paste", "pylab", "recall", "rerun"),
    *("reset", "reset_selective", "run", "store"),
}
FORGIVING = {"NameError", "Exception", "BaseException"}
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Lambda, *_COMPREHENSIONS)
_BINDERS = (
    *(ast.Import, ast.ImportFrom, ast.ExceptHandler),
    *(ast.MatchAs, ast.MatchStar, ast.MatchMapping),
)
# Code that runs later or in a scope of its own, and code that perhaps does not run.
_NOT_NOW = (*_FUNCTIONS, *_COMPREHENSIONS, ast.Lambda, ast.ClassDef, ast.BoolOp, ast.IfExp)
_BLOCK_PARTS = (ast.stmt, ast.ExceptHandler, ast.match_case)


def early_calls(cells: Sequence[CheckedCell]) -> Found:
    """Yield calls of functions above the assignment of a global that the function uses."""
    first = _late_names(cells)
    if not first or any(map(_is_opaque, cells)):
        return
    known: set[str] = set()
    functions: dict[str, set[str]] = {}
    told: set[str] = set()
    for cell in cells:
        known |= _bound_by_magics(cell)
        for node, bound in _steps(cell.tree.body if cell.tree else []):
            for call, name in _calls(node) if functions else ():
                for function, used in _missing(name, functions, known):
                    if used in first and used not in told:
                        told.add(used)
                        yield cell.at(call), _message(function, used, first[used], cell.number)
            known |= bound
            for name in bound:
                functions.pop(name, None)
            if isinstance(node, _FUNCTIONS):
                functions[node.name] = _surely_used(node)


def _message(function: str, used: str, where: int, here: int) -> str:
    place = "this cell" if where == here else f"code cell {where}"
    return f"{function}() is called before {place} assigns {used}, which it uses; move the call"


def _is_opaque(cell: CheckedCell) -> bool:
    """Return whether the definitions of a cell cannot be known from the source text."""
    if cell.tree is None or any(escape.magic in OPAQUE_MAGICS for escape in cell.escapes):
        return True
    return any(map(_defines_anything, cell.nodes(ast.ImportFrom, ast.Call, ast.Attribute)))


def _defines_anything(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return True
        case ast.Call(func=ast.Name(id=name), args=args) if name in OPAQUE_CALLS:
            return not args or name == "exec"
        case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method):
            return method in OPAQUE_METHODS
    return False


def _late_names(cells: Sequence[CheckedCell]) -> dict[str, int]:
    """Return the globals used by functions that no cell above all functions assigns.

    Returns:
        The first cell that assigns each. Most notebooks have no such name: the rest, which follows
        each statement, is left to others.
    """
    used: set[str] = set()
    begin = 0
    for cell in cells:
        for function in cell.nodes(*_FUNCTIONS):
            begin = begin or cell.number
            used |= _surely_used(function)
    first: dict[str, int] = {}
    for cell in cells if used else ():
        for name in used & (
            _bound_by_magics(cell) | bound_names(cell.tree.body if cell.tree else [])
        ):
            first.setdefault(name, cell.number)
    return {name: number for name, number in first.items() if number >= begin}


def _bound_by_magics(cell: CheckedCell) -> set[str]:
    """Return names that magics or, by `global`, functions of a cell may assign at any time."""
    names = {name for node in cell.nodes(ast.Global) for name in node.names}
    return names.union(*(escape.names for escape in cell.escapes))


def _steps(statements: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, set[str]]]:
    """Yield simple statements and heads of blocks in order, each with the names that it binds."""
    for node in statements:
        blocks = [each for each in children(node) if isinstance(each, _BLOCK_PARTS)]
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) or not blocks:
            yield node, bound_names([node])
        elif isinstance(node, ast.For | ast.AsyncFor | ast.While):
            # Names that the body assigns exist from the second pass on.
            yield ast.Pass(), bound_names([node])
            yield from _steps(children(node))
        elif any(map(_forgives, getattr(node, "handlers", []))):
            yield ast.Pass(), bound_names([node])
        else:
            yield ast.Pass(), set(_names_bound_by(node))  # the name of an exception
            yield from _steps(children(node))


def _forgives(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in FORGIVING) for kind in kinds
    )


def _calls(node: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls of named functions that a statement surely makes at once."""
    if isinstance(node, _NOT_NOW):
        return
    for child in children(node):
        yield from _calls(child)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield node, node.func.id


def _missing(
    called: str, functions: dict[str, set[str]], known: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield the unassigned names that a call uses, also through functions, each with its user."""
    seen: set[str] = set()
    waiting = [called]
    while waiting:
        function = waiting.pop()
        if function in seen or function not in functions:
            continue
        seen.add(function)
        for used in sorted(functions[function]):
            if used in known:
                waiting.append(used)
            else:
                yield function, used


def _surely_used(node: ast.stmt) -> set[str]:
    """Return the global names that every call of a function uses, with any arguments."""
    lazy = ast.Yield | ast.YieldFrom
    if not isinstance(node, ast.FunctionDef) or node.decorator_list:
        return set()
    if any(isinstance(inner, lazy) for inner in ast.walk(node)):
        return set()
    used: set[str] = set()
    for statement in node.body:
        if not isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.Return):
            break  # later statements may not run
        used |= _surely_loaded(statement)
    arguments = {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
    return used - bound_names(node.body) - arguments


def _surely_loaded(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Lambda | ast.IfExp | ast.BoolOp):
        return set()
    if isinstance(node, _COMPREHENSIONS):
        return _surely_loaded(node.generators[0].iter)
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    return set[str]().union(*(_surely_loaded(child) for child in children(node)))


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that code binds in the outermost scope, not in nested functions."""
    names: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):  # most nodes
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif isinstance(node, _SCOPES):
            names.update(_names_bound_around(node))
        elif not _is_declared_only(node):
            names.update(_names_bound_by(node) if isinstance(node, _BINDERS) else ())
            waiting += children(node)
    return names


def _names_bound_around(scope: ast.AST) -> Iterator[str]:
    """Yield the names that code with a scope of its own binds outside of that scope."""
    if isinstance(scope, (*_FUNCTIONS, ast.ClassDef)):
        yield scope.name
    elif isinstance(scope, _COMPREHENSIONS):
        yield from (n.target.id for n in ast.walk(scope) if isinstance(n, ast.NamedExpr))


def _is_declared_only(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and not node.value


def _names_bound_by(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=aliases):
            yield from (alias.asname or alias.name.split(".")[0] for alias in aliases)
        case ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
