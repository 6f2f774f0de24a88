"""Python names of notebooks and modules: imports, definitions, variables and their dependencies.

Standard library only, fast to import. Changes of code are in `refactoring`.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .content import Cell
from .file import CellFile
from .magics import Masked, mask, parse_python

# Names that IPython defines in every notebook, and how a module imports them.
IPYTHON_NAMES = {"display": "IPython.display"}
# Calls that give a constant: they read nothing and always return the same.
CONSTANT_CALLS = {"re.compile", "Path", "pathlib.Path", "frozenset", "set", "tuple", "dict", "list"}
# Calls that read or change the names of the code that calls them.
NAMESPACE_READERS = {
    *("eval", "exec", "globals", "locals", "get_ipython", "currentframe", "pd.eval"),
    *("inspect.currentframe", "inspect.stack", "sys._getframe", "inspect.getouterframes"),
}
Function = ast.FunctionDef | ast.AsyncFunctionDef

# Functions and methods that evaluate a text.
_EVALUATE = {"eval", "exec", "query"}
_NAME_IN_TEXT = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?=\.[A-Za-z_]|\()|(?<=@)[A-Za-z_]\w*")


@dataclass(frozen=True)
class Import:
    """An import of a name: `import module [as alias]` or `from module import name [as alias]`."""

    module: str
    name: str = ""
    alias: str = ""

    @property
    def binds(self) -> str:
        """The name that the import binds."""
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def origin(self) -> str:
        """The full dotted name of the imported module or object."""
        if self.name:
            return f"{self.module}.{self.name}"
        return self.module if self.alias else self.binds


def imports_of(statement: ast.stmt) -> list[Import]:
    """Return the absolute imports of a statement; none for any other statement."""
    if isinstance(statement, ast.Import):
        return [Import(alias.name, "", alias.asname or "") for alias in statement.names]
    if isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
        module = statement.module
        return [Import(module, alias.name, alias.asname or "") for alias in statement.names]
    return []


@dataclass(frozen=True)
class Definition:
    """A function, a class or a constant at the top level of a cell.

    Attributes:
        name: the name.
        cell: the number of the code cell, from 1.
        node: the syntax tree.
        masked: the cell's source.
    """

    name: str
    cell: int
    node: ast.stmt = field(compare=False)
    masked: Masked = field(compare=False)

    @property
    def line(self) -> int:
        """The first line in the cell, from 1, decorators included."""
        return first_line_number(self.node)

    @property
    def text(self) -> str:
        """The lines of the definition, without comments above."""
        lines = self.masked.text.split("\n")
        return "\n".join(lines[self.line - 1 : self.node.end_lineno])

    @property
    def kind(self) -> str:
        """`function`, `class` or `constant`."""
        if isinstance(self.node, Function):
            return "function"
        return "class" if isinstance(self.node, ast.ClassDef) else "constant"

    @property
    def is_constant(self) -> bool:
        """Return whether the definition is neither function nor class."""
        return self.kind == "constant"

    @property
    def has_magic(self) -> bool:
        """Return whether the definition holds lines of IPython, which a module cannot."""
        return parse_python(self.masked.unmask(self.text)) is None


def is_code_line(line: str) -> bool:
    """Return whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def first_line_number(node: ast.stmt) -> int:
    """Return the number of the first line of a statement, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


@dataclass
class Names:
    """Names at the top level of a notebook or a module.

    Attributes:
        definitions: functions, classes, and constants that are assigned once, by name.
        imports: by the name that they bind.
        variables: all other assigned names, with the cells that assign them.
        unreadable: the cells that are no Python.
    """

    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    variables: dict[str, list[int]] = field(default_factory=dict)
    unreadable: list[int] = field(default_factory=list)

    def function(self, name: str) -> Definition | None:
        """Return the function or class of a name, if no other has the name."""
        found = [d for d in self.definitions.get(name, []) if not d.is_constant]
        return found[0] if len(found) == 1 and name not in self.variables else None


def names_of_notebook(file: CellFile) -> Names:
    """Return the names at the top level of a notebook."""
    return names_of(file.cells)


def names_of_module(source: str) -> Names:
    """Return the names at the top level of a module."""
    return names_of([Cell(1, source, ())])


def names_of(cells: Iterable[Cell]) -> Names:
    """Return the names at the top level of cells, all cells taken together."""
    names = Names()
    constants: list[Definition] = []
    for cell in cells:
        masked = mask(cell.source)
        if masked is None:
            names.unreadable.append(cell.number)
            continue
        body = masked.tree.body
        alone = Counter(node.lineno for node in body)
        for node in body:
            if isinstance(node, Function | ast.ClassDef):
                found = Definition(node.name, cell.number, node, masked)
                names.definitions.setdefault(node.name, []).append(found)
                continue
            names.imports.update({found.binds: found for found in imports_of(node)})
            for name in assigned_names(node):
                names.variables.setdefault(name, []).append(cell.number)
            target = _constant_name(node)
            if target and alone[node.lineno] == 1 and "parameters" not in cell.tags:
                constants.append(Definition(target, cell.number, node, masked))
    for constant in constants:
        if len(names.variables.get(constant.name, [])) == 1:
            del names.variables[constant.name]
            names.definitions.setdefault(constant.name, []).append(constant)
    return names


def assigned_names(node: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement assigns in its own scope, imports left out."""
    waiting: list[ast.AST] = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Function | ast.ClassDef):
            if current is not node:
                yield current.name
            continue
        if isinstance(current, ast.Lambda | ast.Constant):
            continue
        if isinstance(current, ast.Name):
            if not isinstance(current.ctx, ast.Load):
                yield current.id
            continue  # most nodes are names and constants, with nothing below
        if isinstance(current, ast.ExceptHandler) and current.name:
            yield current.name
        elif isinstance(current, ast.comprehension):
            waiting.append(current.iter)
            continue
        for key in current._fields:
            value = getattr(current, key, None)
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif isinstance(value, list):
                waiting.extend(part for part in value if isinstance(part, ast.AST))


def _constant_name(node: ast.stmt) -> str:
    """Return the name that a statement assigns, if its value is a constant; or nothing."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AnnAssign) and node.value:
        target = node.target
    else:
        return ""
    assert node.value
    return target.id if isinstance(target, ast.Name) and _is_constant(node.value) else ""


def _is_constant(value: ast.expr) -> bool:
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and ast.unparse(node.func) not in CONSTANT_CALLS:
            return False
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return False
    return True


def needed_names(source: str) -> set[str]:
    """Return the names from outside that a piece of top-level source uses, builtins left out.

    Raises:
        SyntaxError: if the source is not Python.
    """
    top = symtable.symtable(source, "cell", "exec")
    own = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned()}
    own |= {child.get_name() for child in top.get_children()}
    used = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    used |= {s.get_name() for table in _inner(top) for s in table.get_symbols() if _is_global(s)}
    return (used | set(quoted_names(source))) - own - set(dir(builtins)) - {"__class__"}


def _is_global(symbol: symtable.Symbol) -> bool:
    # Before Python 3.13, symtable takes the block of a function called `top` for the module, and
    # calls its local names global as well.
    return symbol.is_global() and (symbol.is_declared_global() or not symbol.is_local())


def quoted_names(source: str) -> Iterator[str]:
    """Yield the names in annotations that are written as strings."""
    for node in ast.walk(ast.parse(source)):
        for kind in ("annotation", "returns"):
            annotation = getattr(node, kind, None)
            if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
                try:
                    tree = ast.parse(annotation.value, mode="eval")
                except SyntaxError:
                    continue
                yield from (name.id for name in ast.walk(tree) if isinstance(name, ast.Name))


def trees_of(file: CellFile) -> list[ast.Module]:
    """Return the syntax trees of the cells, without those that are no Python."""
    return [masked.tree for cell in file.cells if (masked := mask(cell.source))]


def names_in_texts(tree: ast.AST) -> set[str]:
    """Return the names that formulas, queries and evaluated texts call, read from or mark with `@`.

    Examples: `np` of `"np.log(price) ~ rooms"`, `least` of `"area > @least"`.
    """
    texts = [text for text in _texts(tree) if re.search("~(?!/)", text)]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func).rpartition(".")[2] in _EVALUATE:
            texts += _texts(call)
    return {name for text in texts for name in _NAME_IN_TEXT.findall(text)}


def _texts(tree: ast.AST) -> list[str]:
    values = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [value for value in values if isinstance(value, str)]


def caller_access(node: ast.AST) -> str:
    """Return a call in some code that depends on the namespace around it; empty if there is none.

    Such code means something else in another module: `eval("rate")` looks for `rate` there.
    """
    for call in (inner for inner in ast.walk(node) if isinstance(inner, ast.Call)):
        name = ast.unparse(call.func)
        if name in NAMESPACE_READERS or (name == "vars" and not call.args):
            return name
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("query", "eval"):
            texts = [a.value for a in ast.walk(call) if isinstance(a, ast.Constant)]
            if any(isinstance(text, str) and "@" in text for text in texts):
                return f".{call.func.attr}"
    return ""


def changed_globals(source: str) -> set[str]:
    """Return the names that a piece of source declares `global` and assigns."""
    return {
        symbol.get_name()
        for table in _inner(symtable.symtable(source, "cell", "exec"))
        for symbol in table.get_symbols()
        if symbol.is_declared_global() and symbol.is_assigned()
    }


def _inner(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield the scopes inside a scope, at any depth."""
    for child in table.get_children():
        yield child
        yield from _inner(child)
