"""Name resolution: finds names that a notebook, run top to bottom, uses before a definition.

Nothing is executed and outputs are not looked at. Doubtful cases give no finding: below
an `if` a definition counts, in a loop it counts from the loop's beginning, and a notebook with a
star import, `exec` or `globals()` is left alone.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .findings import Found, Place
from .source import CheckedCell

KNOWN = {
    *dir(builtins),
    "__annotations__",
    "__builtin__",
    "__builtins__",
    "__doc__",
    "__name__",
} | {
    *("display", "get_ipython", "In", "Out", "exit", "quit", "__IPYTHON__", "__session__"),
    *("__loader__", "__package__", "__spec__", "__class__", "__file__"),
}
# The last results and inputs of IPython.
IPYTHON_HISTORY = re.compile(r"_+|_\d+|_i+\d*|_(oh|dh|ih|exit_code)")
# Calls and magics after which any name may be defined.
OPAQUE_CALLS = {"dir", "exec", "globals", "locals", "vars"}
OPAQUE_METHODS = {"ex", "magic", "push", "run_cell", "run_cell_magic", "run_line_magic"}
OPAQUE_MAGICS = {
    *("cpaste", "edit", "load", "loadpy", "macro", "paste", "pylab", "recall", "rerun"),
    *("reset", "reset_selective", "run", "store"),
}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FORGIVING = {"NameError", "Exception", "BaseException"}


def undefined_names(cells: Sequence[CheckedCell], also_known: Iterable[str] = ()) -> Found:
    """Yield each name that is used before it is defined, once, with what to do."""
    if any(map(_is_opaque, cells)):
        return
    bound: dict[ast.AST, set[str]] = {
        statement: bound_names([statement])
        for cell in cells
        for statement in (cell.tree.body if cell.tree else [])
    }
    flow = _Flow(_first_definitions(cells, bound), bound, KNOWN.union(also_known))
    for cell in cells:
        flow.run(cell)
    flow.finish()
    yield from flow.found.values()


def _is_opaque(cell: CheckedCell) -> bool:
    """Whether the definitions of a cell cannot be told from the source text."""
    if cell.tree is None or any(escape.magic in OPAQUE_MAGICS for escape in cell.escapes):
        return True
    return any(_defines_anything(node) for node in cell.nodes)


def _defines_anything(node: ast.AST) -> bool:
    match node:
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            return True
        case ast.Call(func=ast.Name(id=name), args=args) if name in OPAQUE_CALLS:
            return not args or name == "exec"
        case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=method):
            return method in OPAQUE_METHODS
    return False


def _first_definitions(
    cells: Sequence[CheckedCell], bound: Mapping[ast.AST, set[str]]
) -> dict[str, int]:
    """Return the cell that first defines each global name."""
    first: dict[str, int] = {}
    for cell in cells:
        names = _globals_in(cell).union(*(escape.names for escape in cell.escapes))
        body = cell.tree.body if cell.tree else []
        for name in names.union(*(bound[each] for each in body)):
            first.setdefault(name, cell.number)
    return first


def _globals_in(cell: CheckedCell) -> set[str]:
    """Return the names declared `global` in functions of a cell: a call may define them."""
    return {name for node in cell.nodes if isinstance(node, ast.Global) for name in node.names}


_LEAVES = (ast.Constant, ast.Load, ast.Store, ast.alias)


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that code binds in the outermost scope, not in nested functions."""
    names: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind in _LEAVES:
            continue
        if kind is ast.Name:  # most nodes: told apart before the slow comparison below
            if isinstance(node.ctx, ast.Store):  # type: ignore[attr-defined]
                names.add(node.id)  # type: ignore[attr-defined]
            continue
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Lambda():
                pass
            case ast.AnnAssign(target=ast.Name(), value=None):
                pass
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner = (n.target.id for n in ast.walk(node) if isinstance(n, ast.NamedExpr))
                names.update(inner)
            case _:
                names.update(_names_bound_by(node))
                waiting.extend(ast.iter_child_nodes(node))
    return names


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


class _Flow:
    """Name resolution over the cells in order; keeps the names defined so far.

    Args:
        first: the cell that first defines each global name.
        bound: the names that each top-level statement of a cell defines.
        always: the names that need no definition.
    """

    def __init__(
        self, first: Mapping[str, int], bound: Mapping[ast.AST, set[str]], always: set[str]
    ) -> None:
        self.first = first
        self.bound = bound
        self.always = always
        self.found: dict[str, tuple[Place, str]] = {}
        self._known: set[str] = set()
        self._deleted: dict[str, int] = {}
        self._functions: dict[str, set[str]] = {}
        self._later: list[tuple[str, Place]] = []
        self._branches = 0  # depth of enclosing `if`, loops and the like
        self._forgiven = 0  # depth of enclosing `try` that expect a missing name
        self._cell: CheckedCell

    def run(self, cell: CheckedCell) -> None:
        """Go through a cell."""
        self._cell = cell
        self._known.update(*(escape.names for escape in cell.escapes), _globals_in(cell))
        self._block(cell.tree.body if cell.tree else [])

    def finish(self) -> None:
        """Report names that functions use and that no cell defines, before or after."""
        for name, place in self._later:
            if name not in self.first and name not in self.found:
                self.found[name] = place, _nowhere(name)

    def _block(self, statements: Iterable[ast.stmt], branch: bool = False) -> None:
        self._branches += branch
        for statement in statements:
            self._statement(statement)
        self._branches -= branch

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._eval(node, frozenset(), True)
                self._bind([node.name])
                self._functions[node.name] = _surely_used(node)
            case ast.If(test=test, body=body, orelse=other):
                self._eval(test)
                self._block(body, branch=True)
                self._block(other, branch=True)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(node)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    self._evaluate_and_bind(item)
                self._block(body)
            case ast.Match(subject=subject, cases=cases):
                self._eval(subject)
                for case in cases:
                    self._bind(bound_names([case.pattern]))
                    self._eval(case.pattern)
                    self._eval(case.guard)
                    self._block(case.body, branch=True)
            case ast.Delete(targets=targets):
                self._delete(targets)
            case ast.AugAssign(target=ast.Name(id=name) as target):
                self._use(name, self._cell.at(target), frozenset(), True)
                self._evaluate_and_bind(node)
            case _ if hasattr(node, "handlers"):  # `try`, also with `except*`
                self._try(node)
            case _:
                self._evaluate_and_bind(node)

    def _evaluate_and_bind(self, node: ast.AST) -> None:
        self._eval(node)
        self._bind(self.bound[node] if node in self.bound else bound_names([node]))

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        # Names that the body defines exist from the second pass on.
        if isinstance(node, ast.While):
            self._bind(bound_names([node]))
            self._eval(node.test)
        else:
            self._eval(node.iter)
            self._bind(bound_names([node]))
            self._eval(node.target)
        self._block(node.body, branch=True)
        self._block(node.orelse, branch=True)

    def _try(self, node: Any) -> None:
        forgiving = any(map(_forgives, node.handlers))
        self._forgiven += forgiving
        self._block(node.body, branch=True)
        self._forgiven -= forgiving
        for handler in node.handlers:
            known = handler.name in self._known
            self._eval(handler.type)
            self._bind([handler.name] if handler.name else [])
            self._block(handler.body, branch=True)
            if not known:
                self._known.discard(handler.name or "")
        self._block(node.orelse, branch=True)
        self._block(node.finalbody)

    def _delete(self, targets: Sequence[ast.expr]) -> None:
        for target in targets:
            if isinstance(target, ast.Tuple | ast.List):
                self._delete(target.elts)
            elif not isinstance(target, ast.Name):
                self._eval(target)
            else:
                self._use(target.id, self._cell.at(target), frozenset(), True)
                if not self._branches:
                    self._known.discard(target.id)
                    self._deleted[target.id] = self._cell.number

    def _bind(self, names: Iterable[str]) -> None:
        for name in names:
            self._known.add(name)
            self._functions.pop(name, None)

    def _eval(
        self, node: ast.AST | None, local: frozenset[str] = frozenset(), now: bool = True
    ) -> None:
        """Note the names that an expression or a nested statement uses.

        Args:
            node: the code.
            local: the names of the enclosing scopes, up to that of the notebook.
            now: whether the code runs at once; the body of a function runs later.
        """
        match node:
            case None:
                return
            case ast.Name(id=name, ctx=ast.Load()):
                self._use(name, self._cell.at(node), local, now)
                return
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, local, now)
                return
            case ast.ClassDef():
                self._class(node, local, now)
                return
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, local, now)
                return
            case ast.AnnAssign(annotation=annotation, value=value, target=target):
                self._eval(annotation, local, False)
                self._eval(value, local, now)
                self._eval(target, local, now)
                return
            case ast.NamedExpr(target=target, value=value):
                self._eval(value, local, now)
                self._bind([target.id])
                return
            case _ if type(node).__name__ == "TypeAlias":  # of Python 3.12; evaluated when used
                now = False
        for child in ast.iter_child_nodes(node):
            self._eval(child, local, now)
        if now and isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            self._call(node.func.id, self._cell.at(node))

    def _function(
        self,
        node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda,
        local: frozenset[str],
        now: bool,
    ) -> None:
        arguments = node.args
        for default in (*arguments.defaults, *arguments.kw_defaults):
            self._eval(default, local, now)
        inner = local | {argument.arg for argument in _arguments(arguments)}
        if isinstance(node, ast.Lambda):
            self._eval(node.body, inner | bound_names([node.body]), False)
            return
        for decorator in node.decorator_list:
            self._eval(decorator, local, now)
        typed = local | _type_parameters(node)
        for annotation in (node.returns, *(a.annotation for a in _arguments(arguments))):
            self._eval(annotation, typed, False)
        inner |= typed | bound_names(node.body)
        for statement in node.body:
            self._eval(statement, inner, False)

    def _class(self, node: ast.ClassDef, local: frozenset[str], now: bool) -> None:
        for expression in node.decorator_list:
            self._eval(expression, local, now)
        typed = local | _type_parameters(node)
        for expression in (*node.bases, *(keyword.value for keyword in node.keywords)):
            self._eval(expression, typed, now)
        own = typed | bound_names(node.body) | {"__module__", "__qualname__"}
        for statement in node.body:
            # Functions in a class do not see the names of the class scope; other code there does.
            self._eval(statement, typed if isinstance(statement, FUNCTIONS) else own, now)
        if now and not local:
            self._bind([node.name])

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        local: frozenset[str],
        now: bool,
    ) -> None:
        self._eval(node.generators[0].iter, local, now)
        now = now and not isinstance(node, ast.GeneratorExp)
        inner = local | bound_names(generator.target for generator in node.generators)
        for index, generator in enumerate(node.generators):
            if index:
                self._eval(generator.iter, inner, now)
            for condition in generator.ifs:
                self._eval(condition, inner, now)
        elements = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for element in elements:
            self._eval(element, inner, now)

    def _use(self, name: str, place: Place, local: frozenset[str], now: bool) -> None:
        if (
            name in local
            or name in self.always
            or IPYTHON_HISTORY.fullmatch(name)
            or self._forgiven
        ):
            return
        if not now:
            self._later.append((name, place))
        elif name not in self._known and name not in self.found:
            self.found[name] = place, self._problem(name)

    def _problem(self, name: str) -> str:
        here = self._cell.number
        if name in self._deleted:
            return f"{name} is used after cell {self._deleted[name]} has deleted it"
        where = self.first.get(name)
        if where is None:
            return _nowhere(name)
        if where == here:
            return f"{name} is used before this cell defines it"
        return f"{name} is used before cell {where} defines it; move one of the two"

    def _call(self, name: str, place: Place) -> None:
        """Report names that a called function uses and that are defined only after the call."""
        seen: set[str] = set()
        waiting = [name]
        while waiting and not self._forgiven:
            function = waiting.pop()
            if function in seen or function not in self._functions:
                continue
            seen.add(function)
            for used in sorted(self._functions[function]):
                if used in self._known or used in self.always:
                    waiting.append(used)
                elif used in self.first and used not in self.found:
                    reason = self._problem(used)
                    self.found[used] = place, f"{function}() is called here, but {reason}"


def _nowhere(name: str) -> str:
    return f"{name} is defined in no cell; a cell that was changed or removed left it in the kernel"


def _forgives(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in FORGIVING) for kind in kinds
    )


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    several = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return several + [each for each in (arguments.vararg, arguments.kwarg) if each]


def _type_parameters(node: ast.AST) -> set[str]:
    return {parameter.name for parameter in getattr(node, "type_params", ())}


def _surely_used(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the global names that every call of a function uses, with any arguments."""
    lazy = ast.Yield | ast.YieldFrom
    if node.decorator_list or isinstance(node, ast.AsyncFunctionDef):
        return set()
    if any(isinstance(inner, lazy) for inner in ast.walk(node)):
        return set()
    used: set[str] = set()
    for statement in node.body:
        if not isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.Return):
            break  # later statements may not run
        used |= _surely_loaded(statement)
    own = bound_names(node.body) | {argument.arg for argument in _arguments(node.args)}
    return used - own


def _surely_loaded(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Lambda | ast.IfExp | ast.BoolOp):
        return set()
    if isinstance(node, COMPREHENSIONS):
        return _surely_loaded(node.generators[0].iter)
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    return set[str]().union(*(_surely_loaded(child) for child in ast.iter_child_nodes(node)))
