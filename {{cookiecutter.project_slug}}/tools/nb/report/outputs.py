"""Sanitised HTML of the outputs and the Markdown of a notebook.

Plain HTML such as tables is sanitised with bleach and shown in place. Any other HTML is shown in a
sandboxed frame where no script runs; HTML with scripts also gets a separate page, in a sandbox that
cannot reach the report and loads nothing from the network. nbconvert's own sanitiser knows no
frames, and would drop a plotly figure.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable
from html import escape, unescape
from typing import Any

from nb.execution.outputs import without_overwritten

from .format import size

# Larger outputs are cut, or left to the executed copy.
SHOWN_TEXT_LIMIT = 20_000  # characters
HTML_LIMIT = 300_000
PAGE_LIMIT = 16_000_000  # plotly brings 5 MB of JavaScript with it
IMAGE_LIMIT = 5_000_000  # bytes

IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}
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
_TAG = re.compile(r"<\s*/?\s*([a-zA-Z][^\s/>]*)")
_SCRIPT = re.compile(r"<\s*script|\son\w+\s*=|javascript:", re.I)
_SCRIPT_ELEMENT = re.compile(r"<script\b.*?</script\s*>", re.I | re.S)
_STYLE_ELEMENT = re.compile(r"<style\b.*?</style\s*>", re.I | re.S)
_LOST_IMAGE = re.compile(r"<img(?![^>]* src=)[^>]*>")
_UNDESCRIBED_IMAGE = re.compile(r"<img(?![^>]* alt=)")
_PANDAS_STYLE = re.compile(r"<style scoped>.*?</style>", re.S)
_HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.S)
_MARKUP = re.compile(r"<[^>]*>")
# A frame loads nothing, whatever the content; colors follow the scheme of the system.
_POLICY = "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'"
_SCRIPTS = "; script-src 'unsafe-inline' 'unsafe-eval'; worker-src blob:"
_HEAD = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }}
body {{ margin: 0 }} iframe {{ border: 0; width: 100%; height: 100vh }}</style>
"""


class Outputs:
    """Renderer of the outputs and the Markdown of a notebook; collects headings and figures.

    Args:
        copy: the link to the executed copy, which has the outputs in full.
        save: writes a file of the page, given the kind (figures, outputs), number, suffix and
            content, and returns the link; None for a page that is a single file.
    """

    def __init__(self, copy: str, save: Callable[[str, int, str, bytes], str] | None) -> None:
        self.copy = copy
        self.save = save
        self.headings: list[tuple[int, str, str]] = []
        self.figures: list[str] = []
        self.error = ""
        self._ids: set[str] = set()
        self._pages = 0

    def markdown(self, html: str, *, contents: bool = True) -> str:
        """Return sanitised Markdown; headings get ids and are collected.

        Args:
            html: the Markdown, rendered.
            contents: headings belong to the table of contents.
        """

        def heading(match: re.Match[str]) -> str:
            level, inner = int(match[1]), match[2]
            text = unescape(_MARKUP.sub("", inner)).strip()
            if not contents:
                return f"<h{max(level, 2)}>{inner}</h{max(level, 2)}>"
            # One h1 per page.
            if level == 1 and any(known == 1 for known, *_ in self.headings):
                level = 2
            anchor = self._anchor(text)
            self.headings.append((level, text, anchor))
            return f'<h{level} id="{escape(anchor)}">{inner}</h{level}>'

        return _scrolling(_HEADING.sub(heading, harmless(html)))

    def _anchor(self, text: str) -> str:
        base = re.sub(r"\s+", "-", text) or "section"
        anchor, number = base, 1
        while anchor in self._ids:
            number += 1
            anchor = f"{base}-{number}"
        self._ids.add(anchor)
        return anchor

    def output(self, output: Any, cell: int, markdown: Callable[[str], str]) -> str:
        """Return an output of a cell as HTML.

        Args:
            output: the output, of nbformat.
            cell: the number of the code cell.
            markdown: renders Markdown.
        """
        kind = output.output_type
        if kind == "stream":
            text = without_overwritten(output.text, is_whole=True)
            return self._text(text, f"stream {output.name}", cell)
        if kind == "error":
            return self._error(output, cell)
        data = {kind: _joined(value) for kind, value in output.get("data", {}).items()}
        if "text/html" in data:
            return self._html(data, cell)
        for kind in IMAGES:
            if kind in data:
                return self._image(kind, data[kind], output.get("metadata", {}))
        if "text/markdown" in data and len(data["text/markdown"]) <= SHOWN_TEXT_LIMIT:
            content = self.markdown(markdown(data["text/markdown"]), contents=False)
            return f'<div class="rich">{content}</div>'
        for kind in ("text/markdown", "text/latex", "text/plain"):
            if kind in data:
                return self._text(data[kind], kind.replace("/", "-"), cell)
        names = ", ".join(sorted(map(str, data))) or "nothing"
        return self._note(f"This output cannot be shown here: {names}.")

    def _text(self, text: str, style: str, cell: int) -> str:
        note = ""
        if len(text) > SHOWN_TEXT_LIMIT:
            shown = text[:SHOWN_TEXT_LIMIT].rpartition("\n")[0] or text[:SHOWN_TEXT_LIMIT]
            note = self._note(f"The output has {size(len(text))}; this is the start of it.")
            text = shown
        if not text.strip():
            return ""
        label = f"Text output of code cell {cell}"
        return _region("pre", style, label, ansi(text.rstrip("\n"))) + note

    def _error(self, output: Any, cell: int) -> str:
        text = "\n".join(output.get("traceback") or [f"{output.ename}: {output.evalue}"])
        if len(text) > SHOWN_TEXT_LIMIT:  # the error is at the end
            text = f"…\n{text[-SHOWN_TEXT_LIMIT:]}"
        shown = _region("pre", "traceback", f"Traceback of code cell {cell}", ansi(text))
        self.error = self.error or shown
        return shown

    def _image(self, kind: str, content: str, metadata: Any) -> str:
        try:
            is_text = kind == "image/svg+xml"
            image = content.encode() if is_text else base64.b64decode(content, validate=False)
        except (binascii.Error, ValueError):
            return self._note("This figure is broken.")
        if len(image) > IMAGE_LIMIT:
            return self._note(f"A figure of {size(len(image))} is left out.")
        if self.save:
            href = self.save("figures", len(self.figures) + 1, IMAGES[kind], image)
        else:
            href = f"data:{kind};base64,{base64.b64encode(image).decode()}"
        self.figures.append(href)
        section = f" of {self.headings[-1][1]}" if self.headings else ""
        alt = escape(f"Figure {len(self.figures)}{section}")
        extent = "".join(_extent(metadata.get(kind), side) for side in ("width", "height"))
        return f'<figure><img src="{escape(href)}" alt="{alt}"{extent}></figure>'

    def _html(self, data: dict[str, str], cell: int) -> str:
        html = data["text/html"]
        plain = _PANDAS_STYLE.sub("", html)
        has_scripts = bool(_SCRIPT.search(html))
        if len(plain) <= HTML_LIMIT and {tag.lower() for tag in _TAG.findall(plain)} <= INLINE:
            return f'<div class="rich">{_scrolling(harmless(plain))}</div>'
        title = f"Output of code cell {cell}"
        link = self._own_page(html, title) if has_scripts else ""
        if len(html) <= HTML_LIMIT:
            return _frame(html, title) + link
        image = next((kind for kind in IMAGES if kind in data), None)
        if image:
            return self._image(image, data[image], {}) + link
        shown = self._text(data["text/plain"], "text-plain", cell) if "text/plain" in data else ""
        note = "" if link else self._note(f"Its HTML form has {size(len(html))} and is left out.")
        return shown + link + note

    def _own_page(self, html: str, title: str) -> str:
        if not self.save:
            return self._note("This output has scripts, which do not run here.")
        if len(html) > PAGE_LIMIT:
            return self._note(f"An interactive output of {size(len(html))} is left out.")
        self._pages += 1
        head = _HEAD.format(policy=_POLICY + _SCRIPTS, title=escape(title))
        frame = f'<iframe sandbox="allow-scripts" title="{escape(title)}" srcdoc="'
        page = f'{head}<main>{frame}{escape(head + html)}"></iframe></main></html>\n'
        href = self.save("outputs", self._pages, "html", page.encode("utf-8", "replace"))
        return (
            f'<p class="note"><a href="{escape(href)}">Open the interactive form of this output</a>'
            " on a page of its own; scripts do not run here.</p>"
        )

    def _note(self, text: str) -> str:
        where = f' All of it is in the <a href="{escape(self.copy)}">executed copy</a>.'
        return f'<p class="note">{escape(text)}{where if self.copy else ""}</p>'


def harmless(html: str) -> str:
    """Return sanitised HTML: no scripts, styles or forms, nothing from the network."""
    import bleach

    harmless = bleach.clean(
        # bleach would keep the text of these elements.
        _STYLE_ELEMENT.sub("", _SCRIPT_ELEMENT.sub("", html)),
        tags=INLINE,
        attributes=_is_harmless,
        protocols={"http", "https", "mailto", "data"},
        strip=True,
    )
    described = _UNDESCRIBED_IMAGE.sub('<img alt="Image without a description"', harmless)
    return _LOST_IMAGE.sub("<em>(an image that is not in the notebook)</em>", described)


def _is_harmless(tag: str, name: str, value: str) -> bool:
    if tag == "a" and name == "href":
        return not value.strip().lower().startswith("data:")
    if tag == "img" and name == "src":
        return value.startswith("data:image/")
    if tag == "img" and name in ("alt", "width", "height"):
        return True
    return name in HTML_ATTRIBUTES


def _scrolling(html: str) -> str:
    """Wrap tables and code in scrollable regions that the keyboard reaches."""
    html = re.sub(
        r"<table", '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table', html
    )
    return re.sub("<pre", '<pre tabindex="0"', html.replace("</table>", "</table></div>"))


def _region(tag: str, style: str, label: str, content: str) -> str:
    attributes = f'class="{escape(style)}" tabindex="0" role="group" aria-label="{escape(label)}"'
    return f"<{tag} {attributes}>{content}</{tag}>"


def _frame(html: str, title: str) -> str:
    html = _SCRIPT_ELEMENT.sub("", html)  # blocked scripts fill the browser's console
    # With the page's origin and without scripts, so that the page can read the content's height.
    content = escape(_HEAD.format(policy=_POLICY, title=escape(title)) + html)
    return (
        f'<iframe sandbox="allow-same-origin" title="{escape(title)}" srcdoc="{content}"></iframe>'
    )


def ansi(text: str) -> str:
    """Return terminal text as HTML; basic colors are classes, other colors are left out."""
    from nbconvert.filters import ansi2html

    # Colors by value would not be readable on both a light and a dark page.
    return re.sub(r'(<span[^>]*?) style="[^"]*"', r"\1", str(ansi2html(text)))


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def _extent(metadata: Any, side: str) -> str:
    value = metadata.get(side) if isinstance(metadata, dict) else None
    return f' {side}="{int(value)}"' if isinstance(value, int | float) else ""


def contents(headings: Iterable[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Return the headings of a table of contents: the three levels below the title."""
    return [(level, text, anchor) for level, text, anchor in headings if 2 <= level <= 4]
