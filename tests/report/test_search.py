"""The search over the site: every word of a page is found under its heading, without a request."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import Any

import browsing
from hypothesis import given
from hypothesis import strategies as st
from nb.report.interactive.search_page import SearchedPage, write_search
from nb.report.interactive.sections import SEARCHED_CHARACTERS, sections_of

BODY = """
<p>Before all.</p>
<h1 id="A-title">A <em>title</em></h1><p>Some words,<br>and x &lt; y.</p>
<section class="cell" id="cell-2" aria-label="Code cell 1">
<details class="code"><summary>Code cell 1</summary><pre>fit(model)</pre></details>
<table><tr><td>1</td><td>2</td></tr></table>
<style>p { color: red }</style><svg><text>axis</text></svg>
</section>
<h2 id="Next">Next</h2>
"""


def test_words_stand_below_their_heading_or_cell() -> None:
    assert sections_of(BODY) == [
        ("", "", "Before all."),
        ("A-title", "A title", "Some words,and x < y."),
        ("cell-2", "A title · code cell 1", "fit(model) 1 2"),
        ("Next", "Next", ""),
    ]


@given(st.text(max_size=300))
def test_no_html_is_too_odd(html: str) -> None:
    sections_of(html)
    sections_of(f"<h2 id='a'>{html}</h2><section id='cell-1'>{html}")


def test_a_page_of_any_length_has_a_bounded_index() -> None:
    body = "".join(f'<section id="cell-{n}">{"word " * 1000}</section>' for n in range(100))
    assert sum(len(words) for *_, words in sections_of(body)) <= SEARCHED_CHARACTERS


HOSTILE = "</script><script>document.title = 'taken'</script><!--<script>"


def made(root: Path, *sections: tuple[str, str, str]) -> Path:
    page = SearchedPage(
        title="Trees & <b>leaves</b>", path="notebooks/a b.html", name="a b", sections=sections
    )
    return root / "reports/site" / write_search(root, [page])


def index_of(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    start = text.index('id="index">') + len('id="index">')
    found: list[dict[str, Any]] = json.loads(text[start : text.index("</script>", start)])
    return found


def test_the_index_holds_hostile_words_as_words(tmp_path: Path) -> None:
    path = made(tmp_path, ("x", HOSTILE, HOSTILE))
    (page,) = index_of(path)
    assert page["href"] == "notebooks/a%20b.html"
    assert page["sections"] == [["x", HOSTILE, HOSTILE]]
    text = path.read_text(encoding="utf-8")
    assert HOSTILE not in text
    assert "Trees & <b>leaves</b>" in unescape(text)
    assert "<b>leaves</b>" not in text


def test_a_person_finds_words_with_keys_alone(tmp_path: Path, browser: Any) -> None:
    path = made(
        tmp_path,
        ("", "", "Nothing of note"),
        ("cell-4", "Résumé · code cell 3", "The Modèle fits; " + "long " * 100),
        ("x", "Other", HOSTILE),
    )
    target = path.parent / "notebooks/a b.html"
    target.parent.mkdir()
    target.write_text("<title>arrived</title>")
    seen = browsing.visit(browser, path)
    page = seen.page
    assert page.evaluate("document.activeElement.id") == "words"
    page.keyboard.type("MODELE resume")
    assert page.inner_text("#told") == "1 found"
    assert page.inner_text("#results mark") == "Modèle"
    assert page.inner_text("#results a") == "Résumé · code cell 3"
    page.fill("#words", "taken")
    assert "<script>" in page.inner_text("#results")
    assert page.title().startswith("Search")
    page.fill("#words", "leaves")
    assert page.inner_text("#told") == "1 found", "the page, not each of its sections"
    page.fill("#words", "absent")
    assert page.inner_text("#told") == "Nothing has all of these words."
    page.fill("#words", "fits")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "Résumé · code cell 3"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/a%20b.html#cell-4")
    page.go_back()
    assert page.input_value("#words") == "fits"
    assert page.inner_text("#told") == "1 found"
    assert seen.events == []
