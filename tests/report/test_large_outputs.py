"""Outputs of megabytes, and texts made to keep a pattern busy: a page that a phone can load."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from nb import report
from nb.project import EXECUTED
from nb.report.rich.frames import static_frame
from nb.report.rich.libraries import figure_of_html
from nb.report.rich.media import find_media
from nb.report.rich.outputs import HTML_LIMIT
from nb.report.rich.sanitised import harmless, is_plain, without_pandas_style, without_scripts
from nb.secrets.columns import names_columns

pytest.importorskip("nbconvert", reason="a dependency of generated projects")

# Far above the seconds of a reading that grows with the length of the text; others take hours.
PATIENCE = 10
SIZE = HTML_LIMIT // 3
UNCLOSED = (
    *("<script", "<script ", "<style>", "<style scoped>", "<img src=", "<img src=data:", "<link "),
    *(
        "<h1>",
        "<",
        "< ",
        " onx='",
        "<a b='",
        "<!--",
        "vegaEmbed ",
        "<script src=//",
        "<div>",
        "<b>",
    ),
    *("<iframe srcdoc=", "<td>1", "&#", "x", "x.", "</", "<audio>", "<svg><g>"),
)
LARGE = 20_000_000
# Type, begin, the part that is repeated, and end.
OUTPUTS = (
    ("text/plain", "", "x", ""),
    ("text/plain", "", "\x1b[31mx\n", ""),
    ("text/html", "<table>", "<tr><td>1", "</table>"),
    ("text/html", "", "<div>", ""),
    ("text/html", "<style>b{}</style>", "<img src=", ""),
    ("text/html", "<script>1</script>", "x", ""),
    ("text/html", "", "<script", ""),
    ("text/markdown", "", "[", ""),
    ("text/latex", "$", "{", "$"),
    ("image/png", "", "A", ""),
    ("image/svg+xml", "<svg>", "<g>", ""),
    ("application/json", "", "x", ""),
    ("application/vnd.plotly.v1+json", "", "x", ""),
)


@pytest.mark.slow
@pytest.mark.parametrize("begin", ["", "<style>b{}</style>"])
@pytest.mark.parametrize("part", UNCLOSED)
@pytest.mark.parametrize("end", ["", ">"])
def test_html_is_read_in_a_time_that_grows_with_its_length(begin: str, part: str, end: str) -> None:
    html = begin + part * (SIZE // len(part)) + end
    before = time.process_time()
    for read in (is_plain, without_scripts, without_pandas_style, find_media, figure_of_html):
        read(html)
    static_frame(html, "x")
    names_columns(html)
    if is_plain(html):
        harmless(html)
    assert time.process_time() - before < PATIENCE


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "begin", "part", "end"), OUTPUTS)
def test_a_page_of_twenty_megabytes_loads_on_a_phone(
    tmp_path: Path, kind: str, begin: str, part: str, end: str
) -> None:
    text = begin + part * (LARGE // len(part)) + end
    data: dict[str, Any] = {kind: {"data": text} if kind.endswith("json") else text}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "execution_count": 1}
    cells = [{**cell, "outputs": [output]}]
    copy = tmp_path / EXECUTED / "x.ipynb"
    copy.parent.mkdir(parents=True)
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    copy.write_text(json.dumps(content), encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    assert report.make_page(tmp_path, copy).stat().st_size < 1_000_000


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("a<script>1</script>b<SCRIPT x>2</script >c", "abc"),
        ("a<script>1", "a<script>1"),
        ("<scripts>a</scripts>", "<scripts>a</scripts>"),
    ],
)
def test_scripts_are_taken_out(html: str, shown: str) -> None:
    assert without_scripts(html) == shown


def test_pictures_of_the_notebook_and_text_behind_the_last_tag_stay_in_a_frame() -> None:
    html = "<img src='data:image/png;base64,A'><img src=x.png><b onclick='x'>b</b> 1 < 2"
    kept = static_frame(html, "x")
    assert "base64,A" in kept and "x.png" not in kept and "onclick" not in kept
    assert kept.endswith('b&lt;/b&gt; 1 &lt; 2"></iframe>')


def test_a_column_is_found_by_its_whole_name() -> None:
    assert names_columns("user,db.password\n") and names_columns(f"{'x' * 60}_api_token,b")
    assert not names_columns("user,keyboard\n")
