"""Markdown of notebooks as HTML: formulas, task lists and the source of diagrams.

Formulas and diagrams are written after the HTML was sanitised, which would take them away: until
then a mark stands in their place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from html import escape
from typing import TYPE_CHECKING

from .mathematics import formula

if TYPE_CHECKING:
    from nbconvert.filters.markdown_mistune import IPythonRenderer

# Characters for private use: no text that people read has them.
_START, _END = "\uf8f0", "\uf8f1"
_MARK = re.compile(f"{_START}(\\d+){_END}")
_DIAGRAM = "Diagram in Mermaid, as its source; to show it drawn, put a picture of it here."


class MarkdownText:
    """A Markdown text as HTML to be sanitised (`html`), with parts to be put in later (`finished`).

    Args:
        path: the folder of relative images.
        attachments: the attachments of the cell.
    """

    def __init__(
        self, source: str, path: str = "", attachments: Mapping[str, object] | None = None
    ) -> None:
        from nbconvert.filters.markdown_mistune import MarkdownWithMath

        self.parts: list[tuple[str, str]] = []
        renderer = _renderer()(
            escape=False,
            attachments=dict(attachments or {}),
            embed_images=True,
            exclude_anchor_links=True,
            path=path,
        )
        renderer.keep, renderer.plain = self._keep, self._plain
        clean = source.replace(_START, "").replace(_END, "")
        self.html = str(MarkdownWithMath(renderer=renderer).render(clean))

    def _keep(self, html: str, plain: str) -> str:
        self.parts.append((html, plain))
        return f"{_START}{len(self.parts) - 1}{_END}"

    def finished(self, html: str) -> str:
        """Return the sanitised HTML with the parts put in."""
        return _MARK.sub(lambda mark: self.parts[int(mark[1])][0], html)

    def _plain(self, text: str) -> str:
        """Return a text such as the description of an image, with formulas as TeX."""
        return _MARK.sub(lambda mark: self.parts[int(mark[1])][1], text)


@cache
def _renderer() -> type[IPythonRenderer]:
    """Return nbconvert's renderer with formulas, diagrams and task lists of our own."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):  # type: ignore[misc]  # nbconvert carries no types
        keep: Callable[[str, str], str]
        plain: Callable[[str], str]

        def block_math(self, body: str) -> str:
            return self.keep(formula(body, is_block=True), body)

        def inline_math(self, body: str) -> str:
            return self.keep(formula(body, is_block=False), body)

        def latex_environment(self, name: str, body: str) -> str:
            tex = f"\\begin{{{name}}}{body}\\end{{{name}}}"
            return self.keep(formula(tex, is_block=True), tex)

        def block_mermaidjs(self, code: str) -> str:
            shown = f'<pre tabindex="0" class="mermaid">{escape(code.strip())}</pre>'
            figure = f"<figure>{shown}<figcaption>{escape(_DIAGRAM)}</figcaption></figure>"
            return self.keep(figure, code)

        def task_list_item(self, text: str, checked: bool = False) -> str:
            box, state = ("☑", "done") if checked else ("☐", "open")
            return f'<li><span title="{state}">{box}</span> {text}</li>\n'

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return str(super().image(self.plain(text), url, title))

    return Renderer
