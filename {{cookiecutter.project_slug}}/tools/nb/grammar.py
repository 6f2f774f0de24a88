"""Spares those who never check an IRI the parser of IRIs: two thirds of the import of nbformat."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

MODULE = "rfc3987_syntax"


@contextmanager
def put_off() -> Iterator[None]:
    """Have jsonschema, if it is imported in the block, make its parser of IRIs when it needs one.

    After the block the module is the real one for whoever imports it.
    """
    if MODULE in sys.modules:
        yield
        return
    module = ModuleType(MODULE)
    vars(module)["is_valid_syntax"] = _is_valid_syntax
    sys.modules[MODULE] = module
    try:
        yield
    finally:
        del sys.modules[MODULE]


def _is_valid_syntax(term: str, text: str) -> bool:
    answer: bool = importlib.import_module(MODULE).is_valid_syntax(term, text)
    return answer
