"""Versions of a notebook for three-way merges: shapes that each edit one thing, and their words."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

Notebook = dict[str, Any]
MARK = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.M)
PRINTED = {"name": "stdout", "output_type": "stream"}
KEPT = {"tags": ["keep_output"]}


def cell(kind: str, source: str, id: str | None = None, **fields: Any) -> dict[str, Any]:
    made = {"cell_type": kind, "metadata": {}, "source": source, **({"id": id} if id else {})}
    if kind == "code":
        made |= {"execution_count": None, "outputs": []}
    return made | copy.deepcopy(fields)


def notebook(*cells: dict[str, Any], minor: int = 5, **metadata: Any) -> Notebook:
    return {
        "cells": copy.deepcopy(list(cells)),
        "metadata": copy.deepcopy(metadata),
        "nbformat": 4,
        "nbformat_minor": minor,
    }


def packed(version: Notebook | None) -> bytes:
    return b"" if version is None else json.dumps(version).encode()


def sources(version: Notebook | None) -> list[str]:
    return ["".join(cell["source"]) for cell in version["cells"]] if version else []


def lines(version: Notebook | None) -> set[str]:
    found = (line for source in sources(version) for line in source.splitlines())
    return {line for line in found if line.strip()}


def is_marked(text: str) -> bool:
    return any(MARK.search(source) for source in sources(json.loads(text)))


def holds(text: str, words: str) -> bool:
    return all(word in text for word in words.split())


FIRST, TITLE = cell("code", "x = 1", "a1"), cell("markdown", "# Title", "t1")
LAST = cell("code", "print(x)", "d4")
ALICE, BOB = cell("code", "alice()", "e5"), cell("code", "bob()", "f6")
LONG = cell(
    "code", "def outliers(frame):\n    low = frame.price.quantile(0.01)\n    return low", "e5"
)
OTHER = cell("code", "fig, ax = plt.subplots()\nax.hist(customers.age)\nax.set_title('Ages')", "f6")
TRIMMED = {**LONG, "id": "f6", "source": LONG["source"].replace("0.01", "0.99")}


def kept(text: str, made: dict[str, Any] = FIRST) -> dict[str, Any]:
    return {**made, "metadata": KEPT, "outputs": [{**PRINTED, "text": text}]}


def pictured(image: str) -> dict[str, Any]:
    return {**TITLE, "attachments": {"i.png": {"image/png": image}}}


def tagged(*tags: str) -> dict[str, Any]:
    return {**FIRST, "metadata": {"tags": list(tags)}}


def without_ids(*made: dict[str, Any]) -> Notebook:
    """A notebook in format 4.4, which knows no ids."""
    return notebook(*({k: v for k, v in one.items() if k != "id"} for one in made), minor=4)


START, ALL = notebook(FIRST, LAST), notebook(FIRST, TITLE, LAST)
# What both sides insert, and what else they do there; the words that may not be lost; the conflict.
INSERTIONS: dict[str, tuple[Notebook | None, Notebook, Notebook, str, bool]] = {
    "similar-cells": (
        START,
        notebook(FIRST, LAST, ALICE),
        notebook(FIRST, LAST, BOB),
        "alice bob",
        False,
    ),
    "dissimilar-cells": (
        START,
        notebook(FIRST, LAST, LONG),
        notebook(FIRST, LAST, OTHER),
        "outliers Ages",
        False,
    ),
    "versions-of-a-cell": (
        START,
        notebook(FIRST, LAST, LONG),
        notebook(FIRST, LAST, TRIMMED),
        "0.01 0.99",
        True,
    ),
    "equal-cells": (
        START,
        notebook(FIRST, LAST, ALICE),
        notebook(FIRST, LAST, {**ALICE, "id": "z"}),
        "alice",
        False,
    ),
    "trailing-empty-cells": (
        START,
        notebook(FIRST, LAST, cell("code", "", "q1")),
        notebook(FIRST, LAST, cell("code", "", "q2")),
        "",
        False,
    ),
    "at-the-top": (
        START,
        notebook(ALICE, FIRST, LAST),
        notebook(BOB, FIRST, LAST),
        "alice bob",
        False,
    ),
    "in-the-middle": (
        START,
        notebook(FIRST, ALICE, LAST),
        notebook(FIRST, BOB, LAST),
        "alice bob",
        False,
    ),
    "several-and-one": (
        START,
        notebook(FIRST, LAST, LONG, ALICE),
        notebook(FIRST, LAST, BOB),
        "outliers alice bob",
        False,
    ),
    "one-id": (
        START,
        notebook(FIRST, LAST, ALICE),
        notebook(FIRST, LAST, {**BOB, "id": "e5"}),
        "alice bob",
        True,
    ),
    "beside-a-deleted-cell": (
        ALL,
        notebook(FIRST, TITLE, ALICE, LAST),
        notebook(FIRST, BOB, LAST),
        "alice bob",
        False,
    ),
    "beside-an-edited-cell": (
        START,
        notebook(FIRST, LAST, ALICE),
        notebook(FIRST, {**LAST, "source": "print(x, x)"}),
        "alice x,",
        False,
    ),
    "text-and-code": (
        START,
        notebook(FIRST, LAST, TITLE),
        notebook(FIRST, LAST, BOB),
        "Title bob",
        False,
    ),
    "without-ids": (
        without_ids(FIRST, LAST),
        without_ids(FIRST, LAST, ALICE),
        without_ids(FIRST, LAST, BOB),
        "alice bob",
        False,
    ),
    "one-new-notebook": (
        None,
        notebook(FIRST, LAST),
        notebook({**FIRST, "id": "b1"}, {**LAST, "id": "b2"}),
        "print",
        False,
    ),
    "two-new-notebooks": (
        None,
        notebook(FIRST, LONG),
        notebook({**FIRST, "id": "b1"}, TRIMMED),
        "0.01 0.99",
        True,
    ),
}
CHANGES: dict[str, tuple[Notebook | None, Notebook, Notebook, str, bool]] = {
    "one-line": (
        notebook(FIRST),
        notebook({**FIRST, "source": "x = 2"}),
        notebook({**FIRST, "source": "x = 3"}),
        "2 3",
        True,
    ),
    "deleted-and-changed": (
        ALL,
        notebook(FIRST, LAST),
        notebook(FIRST, {**TITLE, "source": "# Other"}, LAST),
        "Other",
        True,
    ),
    "deleted-and-tagged": (
        ALL,
        notebook(TITLE, LAST),
        notebook(tagged("new"), TITLE, LAST),
        "new",
        True,
    ),
    "tags": (
        notebook(FIRST),
        notebook(tagged("parameters")),
        notebook(tagged("keep_output")),
        "parameters keep_output",
        False,
    ),
    "kernels": (
        notebook(FIRST),
        notebook(FIRST, kernelspec={"name": "julia", "display_name": "julia"}),
        notebook(FIRST, kernelspec={"name": "sql", "display_name": "sql"}),
        "julia sql",
        True,
    ),
    "cell-metadata": (
        notebook(FIRST),
        notebook({**FIRST, "metadata": {"role": "one"}}),
        notebook({**FIRST, "metadata": {"role": "two"}}),
        "one two",
        True,
    ),
    "values-that-python-takes-for-equal": (
        notebook({**FIRST, "metadata": {"n": 1}}),
        notebook({**FIRST, "metadata": {"n": True}}),
        notebook({**FIRST, "metadata": {"n": 2}}),
        "true 2",
        True,
    ),
    "images": (
        notebook(pictured("AAAA")),
        notebook(pictured("BBBB")),
        notebook(pictured("CCCC")),
        "BBBB CCCC",
        True,
    ),
    "kept-outputs": (
        notebook(kept("a")),
        notebook(kept("ours-out")),
        notebook(kept("theirs-out")),
        "ours-out theirs-out",
        True,
    ),
    "an-output-that-is-kept-no-more": (
        notebook(kept("a")),
        notebook({**kept("a"), "metadata": {}}),
        notebook(kept("changed")),
        "x",
        False,
    ),
    "types": (
        notebook(FIRST),
        notebook({**TITLE, "id": "a1"}),
        notebook(cell("raw", "x = 1", "a1")),
        "Title markdown raw",
        True,
    ),
    "an-image-of-a-cell-that-became-code": (
        notebook(pictured("AAAA")),
        notebook(cell("code", "# Title", "t1")),
        notebook(pictured("CCCC")),
        "CCCC",
        True,
    ),
    "copies-of-a-line": (
        notebook(FIRST, {**FIRST, "id": "b1"}),
        notebook(FIRST),
        notebook({**FIRST, "id": "b1"}),
        "1",
        True,
    ),
}
SHAPES = {**INSERTIONS, **CHANGES}
