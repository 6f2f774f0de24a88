"""Notebook files of any quality, each a reason for a reader to stop, hang or crash."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

NESTED = "[" * 3000 + "]" * 3000


def cell(source: Any = "x = 1", **metadata: Any) -> dict[str, Any]:
    """Return a code cell."""
    return {
        "cell_type": "code",
        "source": source,
        "metadata": metadata,
        "outputs": [],
        "execution_count": None,
    }


def notebook(*cells: Any, **others: Any) -> str:
    """Return the text of a notebook file."""
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": list(cells), **others}
    )


# No reader takes these for notebooks.
UNREADABLE = {
    "v2": '{"nbformat": 2, "metadata": {}, "worksheets": []}',
    "v3": '{"nbformat": 3, "metadata": {}, "worksheets": [{"cells": []}]}',
    "conflict": "<<<<<<< ours",
    "list": "[1]",
    "number": "5",
    "null": "null",
    "empty": "",
    "cells-object": notebook(cells={"a": 1}),
    "cells-number": notebook(5),
    "source-number": notebook(cell(5)),
    "source-numbers": notebook(cell([1, 2])),
    "metadata-list": notebook(metadata=[]),
    "cell-metadata-list": notebook({**cell(), "metadata": [1]}),
    "tag-object": notebook(cell(tags=[{"a": 1}])),
    "tags-text": notebook(cell(tags="parameters")),
    "kernel-number": notebook(metadata={"kernelspec": {"name": 5}}),
    "kernel-list": notebook(metadata={"kernelspec": []}),
    "no-number": '{"nbformat": NaN, "cells": []}',
    "nested": notebook().replace('"metadata": {}', f'"metadata": {{"a": {NESTED}}}'),
    "nested-less": notebook().replace(
        '"metadata": {}', f'"metadata": {{"a": {NESTED[2900:3100]}}}'
    ),
    "byte-order-mark": "\ufeff" + notebook(),
}
# These are notebooks, strange as they are.
STRANGE = {
    "half-characters": notebook(cell("x = '\ud800'"), cell("print('\udcff')", tags=["\ud800"])),
    "nested-code": notebook(
        *(cell(f"x = {'(' * 3000}{')' * 3000}"), cell(f"y = {'-' * 5000}1")),
        cell(f"a{'.b' * 5000}"),
    ),
    "nested-parameter": notebook(cell(f"x: int = {'-' * 5000}1", tags=["parameters"])),
    "null-byte": notebook(cell("x = 1\0"), cell("y\0=2", tags=["parameters"])),
    "patterns": notebook(
        *(cell(" " * 100_000 + "?"), cell("a" * 20_000 + "?"), cell("a " * 10_000 + "=")),
        *(cell("%" + " " * 20_000), cell("\\\n" * 10_000), cell("x = " + "!" * 10_000)),
        *(cell("x," * 10_000 + "= !ls"), cell("!ls\nx = 1\n" * 1_000)),
    ),
    "line-ends": notebook(cell("a = 1\r\nb = 2")).replace(", ", ",\r\n"),
    "long-line": notebook(cell("x = '" + "a" * 1_000_000 + "'")),
}
GOOD = notebook(cell("def f(a):\n    b = a + 1\n    c = b * 2\n    return c - 3"))
# A terminal would obey these names.
NAMES = ("esc\x1b[31mred\x1b]0;t\x07", "bidi\u202egnp", "c1\x9b31m")
OBEYED = ("\x1b", "\x9b", "\u202e", "\x07")


def write(folder: Path, *, pipes: bool = True) -> None:
    """Write all of them to a folder, and three that are good.

    Args:
        folder: the folder; it is made.
        pipes: also what is no regular file, and a name that is not UTF-8, none of which DVC can
            hash.
    """
    folder.mkdir(parents=True)
    for name, text in {**UNREADABLE, **STRANGE}.items():
        (folder / f"{name}.ipynb").write_bytes(text.encode("utf-8"))
    for name in ("good-1", "good-2", *NAMES):
        (folder / f"{name}.ipynb").write_text(GOOD)
    if pipes and os.name == "posix":
        os.mkfifo(folder / "pipe.ipynb")
        (folder / "folder.ipynb").mkdir()
        (folder / "dangling.ipynb").symlink_to("nowhere")
        (folder / "itself.ipynb").symlink_to("itself.ipynb")
        Path(os.fsdecode(os.fsencode(folder) + b"/latin-\xff.ipynb")).write_text(GOOD)
