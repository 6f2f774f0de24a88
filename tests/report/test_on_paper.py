"""Documents on paper: wide tables keep to the page, and the contents follow the title."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import browsing
import pytest
from nb.report.export import export_document
from nbformat import v4, write

A4 = {"portrait": 640, "turned": 1000}


def document(root: Path, *cells: Any) -> Path:
    path = root / "a.ipynb"
    write(v4.new_notebook(cells=list(cells)), path)
    target = root / "a.html"
    export_document(path, "html", target, no_input=False)
    return target


def wide_table(columns: int) -> Any:
    names = "".join(f"<th>a_long_name_{n}</th>" for n in range(columns))
    html = f"<table><thead><tr>{names}</tr></thead><tbody><tr><td>1</td></tr></tbody></table>"
    cell = v4.new_code_cell("table")
    cell.outputs = [v4.new_output("display_data", {"text/html": html})]
    return cell


@pytest.mark.parametrize(("columns", "page"), [(8, "portrait"), (30, "turned")])
@pytest.mark.parametrize("wide", [390, 1280])
def test_a_wide_table_takes_the_whole_width_of_the_page_and_no_more(
    tmp_path: Path, browser: Any, columns: int, page: str, wide: int
) -> None:
    context = browser.new_context(viewport={"width": wide, "height": 800})
    seen = browsing.visit(context, document(tmp_path, wide_table(columns)))
    seen.page.emulate_media(media="print")
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    region = seen.page.locator(".scroll:has(table)")
    zoom = float(region.evaluate("it => it.style.zoom"))
    assert seen.page.locator("table").evaluate("it => it.style.zoom") == "", "made smaller once"
    width = seen.page.locator("table").evaluate("it => it.offsetWidth") * zoom
    assert 0.9 * A4[page] < width <= A4[page] * 1.02
    assert ("turned" in (region.get_attribute("class") or "")) == (page == "turned")
    seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert region.evaluate("it => it.style.zoom") == ""


def test_the_contents_follow_the_title(tmp_path: Path) -> None:
    sections = [v4.new_markdown_cell(f"## Part {n}\n\ntext") for n in range(4)]
    title = v4.new_markdown_cell("# The title\n\nIntroduction")
    text = document(tmp_path, title, *sections).read_text(encoding="utf-8")
    places = [text.index(each) for each in (">The title</h1>", 'class="toc"', "Introduction")]
    assert places == sorted(places)
    late = document(tmp_path, *sections, title).read_text(encoding="utf-8")
    places = [late.index(each) for each in ('class="toc"', ">Part 0</h2>", ">The title</h1>")]
    assert places == sorted(places)
