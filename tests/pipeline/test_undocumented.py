"""Names of other packages that their documentation does not promise: each is in the one list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from nb.pipeline import undocumented
from nb.pipeline.undocumented import (
    DVC,
    EXECUTION,
    INSTANCE_ATTRIBUTES,
    OPTIONAL,
    STANDARD_LIBRARY,
)

from tests.architecture import modules

PRIVATE = re.compile(r"_[A-Za-z]\w*")
# Documented in spite of the underscore.
DOCUMENTED = {"_exit", "_fields", "_getframe", "_replace", "_value_"}
# A key of notebooks from Kaggle, which no module defines.
DOCUMENTED |= {"_uuid"}
LISTED = (*DVC, *INSTANCE_ATTRIBUTES, *STANDARD_LIBRARY, *EXECUTION, *OPTIONAL)
# The modules that name attributes of others, and use none.
NAMING = ("pipeline.protocols", "pipeline.undocumented")
ASKING = {"delattr", "getattr", "hasattr", "setattr"}


def private_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names with an underscore that a module reads from other objects."""
    for node in ast.walk(tree):
        texts: list[ast.expr] = []
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ASKING:
            texts = node.args[1:2]
        elif isinstance(node, ast.Subscript):
            texts = [node.slice]
        elif isinstance(node, ast.Tuple):  # (object, name)
            texts = node.elts[1:]
        yield from (str(t.value) for t in texts if isinstance(t, ast.Constant))


def own_names(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module defines, attributes of its objects included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            owner = getattr(node, "value", None)
            if owner is None or getattr(owner, "id", "") in ("self", "cls"):
                yield node.attr if isinstance(node, ast.Attribute) else node.id


def undeclared(trees: dict[str, ast.AST]) -> set[tuple[str, str]]:
    """Return the private names that no module defines and no list holds, each with its module."""
    own = {n for name, tree in trees.items() if name not in NAMING for n in own_names(tree)}
    known = own | DOCUMENTED | {part for name in LISTED for part in re.split(r"[.:]", name)}
    return {
        (module, name)
        for module, tree in trees.items()
        for name in private_names(tree)
        if PRIVATE.fullmatch(name) and name not in known
    }


def sources() -> dict[str, ast.AST]:
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in modules().items()}


def test_each_private_name_of_another_package_is_listed() -> None:
    assert undeclared(sources()) == set()


@pytest.mark.parametrize(
    "line",
    ["repo._secret()", "from dvc.x import _secret", "getattr(x, '_secret')", "vars(x)['_secret']"],
)
def test_a_private_name_that_is_not_listed_is_found(line: str) -> None:
    assert undeclared({"new": ast.parse(line)}) == {("new", "_secret")}


def test_each_name_imported_from_dvc_is_listed() -> None:
    listed = {re.sub(r"(:[^.]+).*", r"\1", name) for name in LISTED}
    listed |= {":".join(name.partition(":")[0].rsplit(".", 1)) for name in LISTED}  # the modules
    imported = {
        f"{node.module}:{alias.name}"
        for tree in sources().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dvc.")
        for alias in node.names
    }
    assert imported - listed == set()


def test_each_listed_name_is_used() -> None:
    texts = [p.read_text("utf-8") for name, p in modules().items() if name not in NAMING]
    used = set(re.findall(r"\w+", "\n".join(texts)))
    assert {name for name in LISTED if re.split(r"[.:]", name)[-1] not in used} == set()


def test_a_name_is_looked_for_in_a_source_without_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "somebody").mkdir()
    (tmp_path / "somebody/__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "somebody/client.py").write_text("class Client:\n    def _reply(self): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    is_in_source = undocumented._is_in_source
    assert is_in_source("somebody.client:Client._reply")
    for name in ("somebody.client:Client._rep", "somebody.other:Client", "nobody.client:Client"):
        assert not is_in_source(name)
