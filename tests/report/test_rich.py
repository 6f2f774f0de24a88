"""Rich outputs: formulas, widgets, interactive figures, sound and film, and notes for the rest."""

from __future__ import annotations

import base64
import re
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from browsing import visit
from hypothesis import given
from hypothesis import strategies as st
from nb.report.rich import libraries
from nb.report.rich.media import find_media
from test_hostile_outputs import HTML, PLOTLY, STATE, WIDGET, code, make_page, markdown

pytest.importorskip("nbconvert", reason="a dependency of generated projects")
pytest.importorskip("latex2mathml", reason="a dependency of generated projects")

from nb.report.rich.mathematics import MATHML_ATTRIBUTES, MATHML_ELEMENTS, formula, latex

FORMULAS = (
    r"e = mc^2",
    r"\int_0^1 \frac{\sin x}{x}\,dx",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
    r"\hat\beta = (X^\top X)^{-1} X^\top y",
    r"\mathbb{E}\left[X \mid Y\right] \sim \mathcal{N}(0, \sigma^2)",
    r"f(x) = \begin{cases} 1 & x > 0 \\ 0 & \text{otherwise} \end{cases}",
)
BOKEH_SCRIPT = (
    'const docs_json = {}; const render_items = [{"roots":{"p1":"the-element"}}];'
    "void root.Bokeh.embed.embed_items_notebook(docs_json, render_items);"
)
ALTAIR = (
    "<div id=altair-viz></div><script>(function(spec, embedOpt){ s.src = paths[lib];"
    ' displayChart(vegaEmbed) })({"mark": "bar"}, {});</script>'
)


class Shown(HTMLParser):
    """The elements and the attributes of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}


def shown(root: Path, *cells: dict[str, Any], **metadata: Any) -> str:
    """Return the article of a page with the cells."""
    text = make_page(root, list(cells), **metadata).read_text(encoding="utf-8")
    return text.partition("<article>")[2].partition("</article>")[0]


def output(root: Path, **metadata: Any) -> str:
    """Return the page's HTML of an output."""
    return shown(root, code(1, metadata))


# Formulas.


@pytest.mark.parametrize("tex", FORMULAS)
def test_a_formula_becomes_mathml(tex: str) -> None:
    for is_block in (False, True):
        tree = ElementTree.fromstring(formula(tex, is_block=is_block))
        assert next(tree.iter("math")).get("display") == ("block" if is_block else "inline")


@given(st.text(alphabet=st.sampled_from("\\{}$&<>\"'^_ab1 \n") | st.characters(), max_size=60))
def test_any_text_as_formula_gives_elements_of_mathml_only(tex: str) -> None:
    for text in (tex, f"\\text{{{tex}}}", f"\\class{{{tex}}}{{x}}", f"\\color{{{tex}}}{{x}}"):
        html = Shown(formula(text, is_block=False))
        assert html.tags <= MATHML_ELEMENTS | {"code"}
        assert html.names <= MATHML_ATTRIBUTES | {"class"}


@pytest.mark.parametrize(
    "tex", ["", "{" * 500 + "}" * 500, r"\newcommand{\a}{\a\a}\a", "x" * 100_000, "^" * 3000]
)
def test_a_formula_that_cannot_be_converted_is_shown_as_tex(tex: str) -> None:
    found = formula(tex, is_block=False)
    assert found.startswith('<code class="tex">') and unescape(tex.strip()) in unescape(found)


def test_latex_outputs_hold_text_and_formulas() -> None:
    found = latex("$x$ is < \\begin{equation}y\\end{equation}")
    assert found and found.count("<math") == 2 and " is &lt; " in found
    assert latex("\\documentclass{article}") is None


def test_markdown_shows_formulas_tasks_and_diagrams(tmp_path: Path) -> None:
    text = "## The $R^2$\n\n- [x] done\n- [ ] open\n\n```mermaid\ngraph TD; A-->B\n```\n\n$$a<b$$"
    html = shown(tmp_path, markdown(1, text), markdown(2, "![a > $x$](data:image/png;base64,AAAA)"))
    assert re.search(r"<h2 id=[^>]+>The <math", html) and html.count("<math") == 2
    assert "☑" in html and "☐" in html
    assert "graph TD; A--&gt;B" in html and "Diagram in Mermaid" in html
    assert 'alt="a &gt; x"' in html or 'alt="a > x"' in html


# Interactive figures; the JavaScript of the libraries is a short text here.


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every library is installed in version 1."""
    monkeypatch.setattr(libraries, "version", lambda package: "1")
    shipped = {
        name: (package, lambda: "/* the library </script> */")
        for name, (package, _) in libraries.SHIPPED.items()
    }
    monkeypatch.setattr(libraries, "SHIPPED", shipped)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("library", "data"),
    [
        ("plotly", {PLOTLY: {"data": [{"type": "scatter", "y": [1]}], "layout": {}}}),
        ("plotly", {"text/html": '<script src="https://cdn.plot.ly/plotly.js"></script><p>x'}),
        ("vega", {"application/vnd.vegalite.v5+json": {"mark": "bar"}}),
        ("vega", {"text/html": ALTAIR}),
        (
            "bokeh",
            {"application/vnd.bokehjs_exec.v0+json": "", "application/javascript": BOKEH_SCRIPT},
        ),
    ],
)
def test_a_figure_runs_in_a_frame_with_one_copy_of_its_library(
    tmp_path: Path, library: str, data: dict[str, Any]
) -> None:
    html = shown(tmp_path, code(1, data), code(2, data))
    site = tmp_path / "reports/site"
    assert html.count('<iframe class="interactive"') == 2
    assert [path.name for path in (site / "libraries").iterdir()] == [f"{library}-1.js"]
    for number in (1, 2):
        page = (site / f"outputs/x-{number}.html").read_text(encoding="utf-8")
        assert f'src="../libraries/{library}-1.js"' in page and 'sandbox="allow-scripts"' in page
        assert "default-src 'none'" in page and "allow-same-origin" not in page


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({PLOTLY: {"data": [{"type": "scattermap"}]}}, "tiles or borders of a map (scattermap)"),
        ({"application/vnd.vega.v5+json": {"data": {"url": "https://x.org/d"}}}, "https://x.org/d"),
        ({"text/html": "<script src='https://cdn.org/leaflet.js'></script><div>"}, "cdn.org"),
        ({"text/html": "<iframe src='https://www.youtube.com/embed/x'></iframe>"}, "youtube.com"),
        ({"text/html": "<video src='film.mp4' controls></video>"}, "film.mp4"),
        ({"application/javascript": "alert(1)"}, "JavaScript"),
        ({"application/x-other": "x"}, "application/x-other"),
        ({WIDGET: {"model_id": "gone"}, "text/plain": "  0%|   | 0/5"}, "a progress bar"),
    ],
)
def test_what_cannot_be_shown_says_which_cell_and_what_to_write(
    tmp_path: Path, data: dict[str, Any], told: str
) -> None:
    html = unescape(output(tmp_path, **data))
    assert told in html and "<iframe" not in html
    assert "Code cell 1: " in html and "cannot be shown here. Instead, " in html


@pytest.mark.parametrize(
    ("html", "absent"),
    [
        ('<iframe src="report.pdf"></iframe>', "an output that loads report.pdf, which is not"),
        ('<object data="x.svg"></object><style></style>', "an output that loads x.svg, which"),
        ('<div></div><script src="lib.js"></script>', "an output that loads lib.js, which is not"),
        ('<style></style><img src="plot.png">', "(an image that is not in the notebook)"),
    ],
)
def test_a_file_beside_the_notebook_is_named(tmp_path: Path, html: str, absent: str) -> None:
    assert absent in unescape(output(tmp_path, **{"text/html": html}))


def test_the_content_of_a_frame_is_shown(tmp_path: Path) -> None:
    inner = "<h2>Profile</h2><table><tr><td>1</td></tr></table>"
    encoded = base64.b64encode(inner.encode()).decode()
    for frame in (f'srcdoc="{escape(inner)}"', f'src="data:text/html;base64,{encoded}"'):
        text = output(tmp_path, **{"text/html": f"<div><iframe {frame}></iframe></div>"})
        assert "Profile</h2>" in text and "<td>1</td>" in text


def test_styles_alone_leave_no_empty_frame(tmp_path: Path) -> None:
    assert "<iframe" not in output(tmp_path, **{"text/html": "<!-- x --><style>p {}</style>"})


def test_a_pdf_is_named_and_every_picture_of_jupyter_is_shown(tmp_path: Path) -> None:
    text = output(tmp_path, **{"application/pdf": "JVBERi0=", "text/plain": "<PDF>"})
    assert "Code cell 1: a PDF document cannot be shown here." in text
    for kind in ("webp", "bmp"):
        text = output(tmp_path, **{f"image/{kind}": "UklGRg==", "text/plain": "<Image>"})
        assert f".{kind}" in text and "<img" in text


@pytest.mark.slow
def test_scripts_that_draw_nothing_are_told_in_words(browser: Any, tmp_path: Path) -> None:
    table = "<table hidden><tr><td>1</td></tr></table><script type=module>throw 1</script>"
    page = make_page(tmp_path, [code(1, {"text/html": table})])
    with browser.new_context() as context:
        frame = visit(context, page).page.locator("iframe.interactive")
        frame.scroll_into_view_if_needed()
        words = frame.content_frame.get_by_text("nothing to see without the network")
        words.wait_for(timeout=30_000)
        assert "Output of code cell 1" in words.inner_text()


def test_a_figure_without_its_library_is_a_picture_and_a_reason(tmp_path: Path) -> None:
    image = {PLOTLY: {"data": []}, "image/png": "iVBORw0KGgo="}
    if libraries.shipped_version("plotly"):
        pytest.skip("needs an environment without plotly")
    html = output(tmp_path, **image)
    assert "<figure><img" in html and "uv add plotly" in html


def test_bokehs_loader_and_empty_element_leave_nothing(tmp_path: Path) -> None:
    loader = {"application/vnd.bokehjs_load.v0+json": "", "application/javascript": "x"}
    element = {"text/html": '\n<div id="a-b" data-root-id="p1" style="display: contents;"></div>\n'}
    html = shown(tmp_path, code(1, loader), code(2, element))
    assert "cannot be shown" not in html and "data-root-id" not in html


# Widgets, sound and film.


def test_widgets_show_their_saved_state(tmp_path: Path) -> None:
    models = {
        "box": {
            "model_name": "HBoxModel",
            "state": {"children": [f"IPY_MODEL_{n}" for n in "abc"]},
        },
        "a": {"model_name": "HTMLModel", "state": {"value": "<b>100%</b><script>1</script>"}},
        "b": {"model_name": "FloatProgressModel", "state": {"value": 5.0, "max": 5.0, "min": 0}},
        "c": {
            "model_name": "DropdownModel",
            "state": {"_options_labels": ["x", "y"], "index": 1, "description": "Kind"},
        },
    }
    view = {WIDGET: {"model_id": "box"}, "text/plain": "  0%|   | 0/5"}
    html = shown(tmp_path, code(1, view), widgets={STATE: {"state": models}})
    assert "<b>100%</b>" in html and "0%|" not in html and "<script" not in html
    assert 'value="1"' in html and "Kind: <code>y</code>" in html


def test_sound_and_film_play_from_the_page(tmp_path: Path) -> None:
    html = output(
        tmp_path,
        **{"text/html": "<audio controls><source src='data:audio/wav;base64,UklG'></audio>"},
    )
    assert (
        '<audio controls aria-label="Audio of code cell 1" src="data:audio/wav;base64,UklG">'
        in html
    )


def test_json_is_shown_as_text(tmp_path: Path) -> None:
    html = output(tmp_path, **{"application/json": {"a": [1]}, "text/plain": "<JSON object>"})
    assert '"a": [' in unescape(html) and "JSON object" not in html


@given(st.sampled_from(sorted(HTML)), st.text(max_size=20))
def test_any_html_is_read_for_media(name: str, end: str) -> None:
    find_media(HTML[name] + end)
