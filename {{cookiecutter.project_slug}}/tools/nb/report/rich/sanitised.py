"""Sanitised HTML: harmless tags in place, wide parts that scroll, colors of a terminal."""

from __future__ import annotations

import re
from html import escape

INLINE = frozenset(
    (
        *("a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del"),
        *("details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img"),
        *("ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "s", "samp", "small", "span"),
        *("strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead"),
        *("tr", "tt", "u", "ul", "var"),
    )
)
HTML_ATTRIBUTES = ("colspan", "rowspan", "scope", "start", "title", "open")
_VOID = frozenset(("br", "col", "hr", "img"))
_MOST_UNCLOSED = 500
_TAG = re.compile(r"<\s*(?:/\s*)?([a-zA-Z][^\s/>]*)")
_SCRIPT = re.compile(r"<script\b", re.I), re.compile(r"</script\s*>", re.I)
_STYLE = re.compile(r"<style\b", re.I), re.compile(r"</style\s*>", re.I)
_COMMENT = re.compile("<!--"), re.compile("-->")
_PANDAS_STYLE = re.compile(r"<style scoped>"), re.compile(r"</style>")
LOST_IMAGE = "<em>(an image that is not in the notebook)</em>"
_WITHOUT_SOURCE = re.compile(r"<img(?![^>]* src=)[^>]*>")
_UNDESCRIBED_IMAGE = re.compile(r"<img(?![^>]* alt=)")


def is_plain(html: str) -> bool:
    """Return whether HTML consists of harmless tags, so that sanitising takes nothing away.

    HTML with very many tags that nothing closes is not: bleach would take minutes.
    """
    tags = [tag.lower() for tag in _TAG.findall(html)]
    unclosed = sum(tag not in _VOID for tag in tags) - 2 * html.count("</")
    return set(tags) <= INLINE and unclosed <= _MOST_UNCLOSED


def without_scripts(html: str) -> str:
    """Return HTML without script elements, whose text would be left over."""
    return _without(_SCRIPT, html)


def without_styles(html: str) -> str:
    """Return HTML without style elements and comments."""
    return _without(_COMMENT, _without(_STYLE, html))


def without_pandas_style(html: str) -> str:
    """Return HTML without the styles that pandas writes above each table."""
    return _without(_PANDAS_STYLE, html)


def _without(element: tuple[re.Pattern[str], re.Pattern[str]], html: str) -> str:
    """Return HTML without the elements between two patterns.

    One pattern for begin and end would search the rest of the text at each begin without an end.
    """
    begin, end = element
    parts, at = [], 0
    while (found := begin.search(html, at)) and (last := end.search(html, found.end())):
        parts.append(html[at : found.start()])
        at = last.end()
    return "".join([*parts, html[at:]])


def harmless(html: str) -> str:
    """Return sanitised HTML: no scripts, styles or forms, nothing from the network."""
    import bleach

    harmless = bleach.clean(
        # bleach would keep the text of these elements.
        without_styles(without_scripts(html)),
        tags=INLINE,
        attributes=_is_harmless,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
    )
    described = _UNDESCRIBED_IMAGE.sub('<img alt="Image without a description"', harmless)
    return _WITHOUT_SOURCE.sub(LOST_IMAGE, described)


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if tag == "a" and name == "href":
        return not value.strip().lower().startswith("data:")
    if tag == "img" and name == "src":
        return value.startswith("data:image/")
    if tag == "img" and name in ("alt", "width", "height"):
        return True
    return name in HTML_ATTRIBUTES


def scrolling(html: str) -> str:
    """Wrap tables and code in scrollable regions that the keyboard reaches."""
    html = re.sub(
        r"<table", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table', html
    )
    return re.sub("<pre", '<pre tabindex="0"', html.replace("</table>", "</table></div>"))


def region(tag: str, style: str, label: str, content: str) -> str:
    """Return an element that scrolls by itself, reached by the keyboard under a label."""
    attributes = f'class="{escape(style)}" tabindex="0" role="group" aria-label="{escape(label)}"'
    return f"<{tag} {attributes}>{content}</{tag}>"


def ansi(text: str) -> str:
    """Return terminal text as HTML; basic colors are classes, other colors are left out."""
    from nbconvert.filters import ansi2html

    # Colors by value would not be readable on both a light and a dark page.
    return re.sub(r'(<span[^>]*?) style="[^"]*"', r"\1", str(ansi2html(text)))
