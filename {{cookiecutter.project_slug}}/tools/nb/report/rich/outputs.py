"""Outputs and Markdown of a notebook as HTML, in the form that JupyterLab would choose.

Plain HTML such as tables is sanitised with bleach and shown in place. HTML with styles is shown
in a sandboxed frame where no script runs, and HTML with scripts in a frame where scripts run
without an origin and without the network. nbconvert's own sanitiser knows no frames, and would
drop a plotly figure.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from html import escape, unescape
from typing import TYPE_CHECKING

from nb.execution.copies.outputs import without_overwritten
from nb.report.files import PageFiles
from nb.wording import byte_size

from . import libraries
from .frames import frame_of, interactive_page, static_frame
from .libraries import Figure
from .markdown import MarkdownText
from .mathematics import latex
from .media import Media, find_media
from .sanitised import (
    ansi,
    harmless,
    is_plain,
    region,
    scrolling,
    without_pandas_style,
    without_scripts,
    without_styles,
)
from .widgets import VIEW, Widgets

if TYPE_CHECKING:
    from nbformat import NotebookNode

# Larger outputs are cut, or left to the executed copy.
SHOWN_TEXT_LIMIT = 20_000  # characters
HTML_LIMIT = 300_000
PAGE_LIMIT = 16_000_000  # plotly brings 5 MB of JavaScript with it
IMAGE_LIMIT = 5_000_000  # bytes

IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
IMAGES |= {f"image/{kind}": kind for kind in ("gif", "webp", "bmp")}
_SCRIPT = re.compile(r"<\s*script|\son\w+\s*=|javascript:", re.I)
_VISIBLE = re.compile(r"<(?:table|p|h[1-6]|ul|ol|pre|svg|img|blockquote)\b", re.I)
_HEADING = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.S)
_MARKUP = re.compile(r"<[^>]*>")
JSON = ("application/json", "application/geo+json")
# A way out for outputs that only live in a browser.
_PICTURE = {
    "plotly": 'show a picture beside it: fig.show("png"), with the package kaleido',
    "vega": 'save a picture: chart.save("chart.png"), with the package vl-convert-python',
    "bokeh": "save a picture with bokeh.io.export_png, or draw it with matplotlib",
    "": "draw a picture with matplotlib, or save the data beside the notebook",
}


class Outputs:
    """Renderer of the outputs and the Markdown of a notebook; collects headings and figures.

    Args:
        copy: the link to the executed copy, which has the outputs in full.
        files: the files of the page; None for a page that is a single file.
        name: the name of the page's files.
    """

    def __init__(self, copy: str, files: PageFiles | None = None, name: str = "") -> None:
        self.copy = copy
        self.files = files
        self.name = name
        self.headings: list[tuple[int, str, str]] = []
        self.figures: list[str] = []
        self.error = ""
        self._ids: set[str] = set()
        self._pages = 0
        self._cell = ""
        self._widgets = Widgets({}, harmless, self._saved_output)

    def read_widgets(self, metadata: Mapping[str, object]) -> None:
        """Take the saved state of the widgets from the metadata of the notebook."""
        self._widgets = Widgets(metadata, harmless, self._saved_output)

    def markdown(self, text: MarkdownText, *, contents: bool = True) -> str:
        """Return sanitised Markdown; headings get ids and are collected.

        Args:
            text: the Markdown.
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

        return _HEADING.sub(heading, text.finished(scrolling(harmless(text.html))))

    def _anchor(self, text: str) -> str:
        base = re.sub(r"\s+", "-", text) or "section"
        anchor, number = base, 1
        while anchor in self._ids:
            number += 1
            anchor = f"{base}-{number}"
        self._ids.add(anchor)
        return anchor

    def output(self, output: NotebookNode, cell: str) -> str:
        """Return an output of a cell as HTML.

        Args:
            output: the output, of nbformat.
            cell: the name of the cell, such as "code cell 3".
        """
        self._cell = cell
        kind = output.output_type
        if kind == "stream":
            return self._text(
                without_overwritten(output.text, is_whole=True), f"stream {output.name}"
            )
        if kind == "error":
            return self._error(output)
        data = dict(output.get("data", {}))
        shown = self._rich(data)
        if shown is None:
            texts = {kind: _joined(value) for kind, value in data.items()}
            shown = self._by_type(texts, output.get("metadata", {}))
        return shown

    def _saved_output(self, output: object) -> str:
        """Return an output that an output widget holds."""
        from nbformat import from_dict

        try:
            return self.output(from_dict(output), self._cell)
        except (AttributeError, TypeError, KeyError):
            return ""

    def _rich(self, data: Mapping[str, object]) -> str | None:
        """Return a widget or an interactive figure; None for an output of other types."""
        if VIEW in data:
            return self._widget(data)
        if libraries.is_loader(data):
            return ""
        figure = libraries.figure_of(
            {k: v if isinstance(v, dict) else _joined(v) for k, v in data.items()}
        )
        return self._figure(figure, data) if figure else None

    def _by_type(self, data: dict[str, str], metadata: Mapping[str, object]) -> str:
        """Return the richest type of an output, in JupyterLab's order."""
        if "text/html" in data:
            return self._html(data)
        if "text/markdown" in data and len(data["text/markdown"]) <= SHOWN_TEXT_LIMIT:
            content = self.markdown(MarkdownText(data["text/markdown"]), contents=False)
            return f'<div class="rich">{content}</div>'
        formulas = latex(data.get("text/latex", "")[:SHOWN_TEXT_LIMIT])
        if formulas:
            return f'<div class="rich">{formulas}</div>'
        for kind in IMAGES:
            if kind in data:
                return self._image(kind, data[kind], metadata)
        for kind in (*JSON, "text/markdown", "text/latex"):
            if kind in data:
                return self._text(data[kind], kind.replace("/", "-"))
        if "application/javascript" in data:
            return self._absent("JavaScript", "show the result as HTML, a table or a picture")
        if "application/pdf" in data:
            return self._absent("a PDF document", "show its pages as pictures")
        if "text/plain" in data:
            return self._text(data["text/plain"], "text-plain")
        names = ", ".join(sorted(map(str, data))) or "nothing"
        return self._absent(f"an output of type {names}", "show it as HTML, text or a picture")

    def _widget(self, data: Mapping[str, object]) -> str:
        shown = self._widgets.view(data[VIEW])
        if shown:
            return f'<div class="rich">{shown}</div>'
        text = _joined(data.get("text/plain", "a widget")).splitlines() or ["a widget"]
        # A bar that was printed before the work began would be wrong.
        name = "a progress bar" if "%|" in text[0] else text[0][:200]
        return self._absent(f"{name}, a widget whose state was not saved", "print the result")

    def _figure(self, figure: Figure, data: Mapping[str, object]) -> str:
        """Return an interactive figure; where that cannot be, a picture and the reason."""
        name = figure.library
        package = libraries.package_of(name)
        if figure.network:
            return self._picture(data, figure) + self._absent(
                f"an interactive figure that loads {figure.network}", _PICTURE[name]
            )
        if not self.files:
            picture = self._picture(data, figure)
            return picture or self._absent(f"an interactive figure ({name})", _PICTURE[name])
        if libraries.shipped_version(name) is None:
            missing = f"an interactive figure, since the package {package} is not installed here"
            return self._picture(data, figure) + self._absent(missing, "run: uv add " + package)
        return self._interactive(figure.html, name)

    def _picture(self, data: Mapping[str, object], figure: Figure | None = None) -> str:
        """Return the static picture of an output; empty if there is none."""
        image = next((kind for kind in IMAGES if kind in data), None)
        if image:
            return self._image(image, _joined(data[image]), {})
        drawn = (
            libraries.svg_of(figure.spec) if figure and figure.spec and not figure.network else None
        )
        return self._image("image/svg+xml", drawn, {}) if drawn else ""

    def _text(self, text: str, style: str) -> str:
        note = ""
        if len(text) > SHOWN_TEXT_LIMIT:
            shown = text[:SHOWN_TEXT_LIMIT].rpartition("\n")[0] or text[:SHOWN_TEXT_LIMIT]
            note = self._note(f"The output has {byte_size(len(text))}; this is the start of it.")
            text = shown
        if not text.strip():
            return ""
        label = f"Text output of {self._cell}"
        return region("pre", style, label, ansi(text.rstrip("\n"))) + note

    def _error(self, output: NotebookNode) -> str:
        text = "\n".join(output.get("traceback") or [f"{output.ename}: {output.evalue}"])
        if len(text) > SHOWN_TEXT_LIMIT:  # the error is at the end
            text = f"…\n{text[-SHOWN_TEXT_LIMIT:]}"
        shown = region("pre", "traceback", f"Traceback of {self._cell}", ansi(text))
        self.error = self.error or shown
        return shown

    def _image(self, kind: str, content: str, metadata: Mapping[str, object]) -> str:
        try:
            is_text = kind == "image/svg+xml"
            image = content.encode() if is_text else base64.b64decode(content, validate=False)
        except (binascii.Error, ValueError):
            return self._note("This figure is broken.")
        if len(image) > IMAGE_LIMIT:
            return self._note(f"A figure of {byte_size(len(image))} is left out.")
        if self.files:
            number = len(self.figures) + 1
            href = self.files.save(f"figures/{self.name}-{number}.{IMAGES[kind]}", image)
        else:
            href = f"data:{kind};base64,{base64.b64encode(image).decode()}"
        self.figures.append(href)
        section = f" of {self.headings[-1][1]}" if self.headings else ""
        alt = escape(f"Figure {len(self.figures)}{section}")
        extent = "".join(_extent(metadata.get(kind), side) for side in ("width", "height"))
        return f'<figure><img src="{escape(href)}" alt="{alt}"{extent}></figure>'

    def _html(self, data: dict[str, str]) -> str:
        html = data["text/html"]
        if libraries.is_mount(html) or not without_styles(html).strip():
            return ""
        plain = without_pandas_style(html)
        if len(plain) <= HTML_LIMIT and is_plain(plain):
            return f'<div class="rich">{scrolling(harmless(plain))}</div>'
        media = find_media(html)
        if media.players and media.is_plain:
            return self._players(media)
        if media.addresses or media.files:
            return self._foreign(data, media)
        if media.is_plain and len(media.frames) == 1:
            return self._html({**data, "text/html": media.frames[0]})
        if _SCRIPT.search(html) and self.files:
            return self._interactive(html)
        if len(html) <= HTML_LIMIT:
            note = self._absent("scripts", _PICTURE[""]) if _SCRIPT.search(html) else ""
            return static_frame(html, f"Output of {self._cell}") + note
        note = self._note(f"Its HTML form has {byte_size(len(html))} and is left out.")
        plain = self._text(data.get("text/plain", ""), "text-plain")
        return (self._picture(data) or plain) + note

    def _players(self, media: Media) -> str:
        """Return sound and film that the notebook holds; a file elsewhere is named."""
        shown = []
        for kind, address in media.players:
            if not address.startswith((f"data:{kind}/", "data:application/ogg")):
                what = f"the {kind} {address[:200]}, which is not in the notebook"
                write = f"{kind.capitalize()}(…, embed=True)"
                shown.append(self._absent(what, f"write {write}"))
            elif len(address) > PAGE_LIMIT:
                shown.append(self._note(f"A {kind} of {byte_size(len(address))} is left out."))
            else:
                label = escape(f"{kind.capitalize()} of {self._cell}")
                shown.append(
                    f'<{kind} controls aria-label="{label}" src="{escape(address)}"></{kind}>'
                )
        return "".join(shown)

    def _foreign(self, data: dict[str, str], media: Media) -> str:
        """Return HTML that loads scripts, pages or files, as far as the HTML goes without."""
        html = data["text/html"]
        shown = self._picture(data)
        if not shown and len(html) <= HTML_LIMIT and _VISIBLE.search(without_scripts(html)):
            shown = static_frame(html, f"Output of {self._cell}")
        return shown + self._absent(f"an output that loads {media.loaded()}", _PICTURE[""])

    def _interactive(self, html: str, library: str = "") -> str:
        """Write the page of an output with scripts; return the frame and a link."""
        assert self.files
        if len(html) > PAGE_LIMIT:
            return self._note(f"An interactive output of {byte_size(len(html))} is left out.")
        self._pages += 1
        page = f"outputs/{self.name}-{self._pages}.html"
        title = f"Output of {self._cell}"
        links = [self.files.save_library(library, page)] if library else []
        empty = f"{title}: nothing to see without the network or other outputs of the notebook. "
        text = interactive_page(html, title, links, f"{empty}Instead, {_PICTURE['']}.")
        href = self.files.save(page, text.encode("utf-8", "replace"))
        link = f'<a href="{escape(href)}">Open it on a page of its own</a>'
        return f'{frame_of(href, title)}<p class="note own-page">{link}</p>'

    def _absent(self, what: str, instead: str) -> str:
        """Return a note in place of an output: the cell, the output, and what to write instead."""
        begin = self._cell[:1].upper() + self._cell[1:]
        return self._note(f"{begin}: {what} cannot be shown here. Instead, {instead}.")

    def _note(self, text: str) -> str:
        where = f' All of it is in the <a href="{escape(self.copy)}">executed copy</a>.'
        return f'<p class="note">{escape(text)}{where if self.copy else ""}</p>'


def _joined(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def _extent(metadata: object, side: str) -> str:
    value = metadata.get(side) if isinstance(metadata, dict) else None
    return f' {side}="{int(value)}"' if isinstance(value, int | float) else ""


def table_of_contents(headings: Iterable[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Return the headings of a table of contents: the three levels below the title."""
    return [(level, text, anchor) for level, text, anchor in headings if 2 <= level <= 4]
