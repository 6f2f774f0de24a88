"""Sections of a page for the search: the words below each heading and in each code cell."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# A page of more characters is searched as far as this: the index has to load on a phone.
SEARCHED_CHARACTERS = 60_000
_SILENT = {"script", "style", "svg", "math", "iframe", "summary"}
_HEADING = re.compile(r"h[1-6]")
_BREAK = {"p", "div", "li", "td", "th", "tr", "pre", "section", "details", "figcaption", "dd", "dt"}

# The anchor on the page, the heading, and the words.
Section = tuple[str, str, str]


def sections_of(html: str) -> list[Section]:
    """Return the sections of the body of a page, in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.begin("")
    return reader.sections


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: list[Section] = []
        self._anchor = self._heading = self._label = ""
        self._words: list[str] = []
        self._silent: list[str] = []
        self._in_heading = False
        self._left = SEARCHED_CHARACTERS

    def begin(self, anchor: str, label: str = "") -> None:
        """End the section before, and begin a section at an anchor."""
        words = " ".join("".join(self._words).split())[: self._left]
        if words or self._anchor:
            self._left -= len(words)
            heading = " · ".join(filter(None, [self._heading, self._label]))
            self.sections.append((self._anchor, heading, words))
        self._anchor, self._label, self._words = anchor, label, []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        anchor = given.get("id") or ""
        if tag in _SILENT:
            self._silent.append(tag)
        elif _HEADING.fullmatch(tag) and anchor:
            self.begin(anchor)
            self._heading, self._in_heading = "", True
        elif tag == "section" and anchor:
            self.begin(anchor, (given.get("aria-label") or "").lower())
        elif tag in _BREAK:
            self._words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()
        elif _HEADING.fullmatch(tag) and self._in_heading:
            self._in_heading = False
        elif tag in _BREAK:
            self._words.append(" ")

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self._heading += data
        elif not self._silent:
            self._words.append(data)
