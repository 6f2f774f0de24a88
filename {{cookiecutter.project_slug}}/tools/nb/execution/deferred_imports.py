"""Deferred imports: libraries imported in a block import two slow modules at their first call."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

# Names that libraries import: of jsonschema the parser of IRIs, two thirds of the import of
# nbformat; of papermill the opener of hdfs:// addresses, and with that Arrow and NumPy.
SLOW = {
    "rfc3987_syntax": ("is_valid_syntax",),
    "pyarrow.fs": ("FileSelector", "HadoopFileSystem"),
}


@contextmanager
def defer_slow_imports() -> Iterator[None]:
    """Have libraries that are imported in the block import the `SLOW` modules as they call them.

    After the block an import gives the real module.
    """
    unused = [name for name in SLOW if name not in sys.modules]
    absent = [name for name in unused if importlib.util.find_spec(name.partition(".")[0])]
    for name in absent:
        module = ModuleType(name)
        vars(module).update({function: _calling(name, function) for function in SLOW[name]})
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def _calling(module: str, name: str) -> Callable[..., object]:
    def call(*args: object, **options: object) -> object:
        function: Callable[..., object] = getattr(importlib.import_module(module), name)
        return function(*args, **options)

    return call
