"""Notebooks and sources of cells for tests, plain and as Hypothesis makes them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

LINES = st.sampled_from(
    [
        "x = 1",
        "%timeit f(1)",
        "!ls | head",
        "files = !ls",
        "text = '''\n%not a magic\n!nor this\n'''",
        "y = (3\n     % 2)",
        "for i in range(3):\n    print(i)\n    %time i",
        "# a comment",
        "print( 'Ä', \"'\" );",
        "pd?",
        "",
        "   ",
        "if x:\n\n        print(x)  # far in",
    ]
)
SOURCES = st.one_of(
    st.lists(LINES, max_size=6).map("\n".join),
    st.text(max_size=30),
    st.sampled_from(["%%bash\nls *\n", "%%time\nx = 1", "%%html\n<b>", "def broken(:"]),
)


def notebook(*sources: str, **layout: Any) -> str:
    """Return the text of a notebook; `layout` is that of the JSON."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell{number}",
            "metadata": {},
            "outputs": [],
            "source": source.splitlines(keepends=True),
        }
        for number, source in enumerate(sources)
    ]
    content = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, **{"indent": 1, "ensure_ascii": False, **layout}) + "\n"
