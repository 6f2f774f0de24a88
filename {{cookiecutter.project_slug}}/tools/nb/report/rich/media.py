"""Search of HTML outputs for sound, film, and addresses from which they load scripts or pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

# Elements that say nothing by themselves around sound and film.
_AROUND = frozenset(("audio", "video", "source", "track", "div", "span", "p", "br", "figure"))
_LOADING = {"script": "src", "iframe": "src", "embed": "src", "object": "data"}


@dataclass
class Media:
    """The media of an HTML output.

    Attributes:
        players: kind (audio or video) and address of each player.
        addresses: addresses from which the output would load scripts or pages.
        is_plain: the output holds nothing but players.
    """

    players: list[tuple[str, str]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    is_plain: bool = True


def find_media(html: str) -> Media:
    """Return the media of an HTML output, those of frames in `srcdoc` included."""
    parser = _Parser()
    parser.feed(html[: html.rfind(">") + 1])  # behind it, each begin is searched for an end
    parser.close()
    return parser.media


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.media = Media()
        self._kind = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        found = self.media
        found.is_plain = found.is_plain and tag in _AROUND
        if tag in ("audio", "video"):
            self._kind = tag
        if tag in ("audio", "video", "source") and self._kind and given.get("src"):
            found.players.append((self._kind, (given["src"] or "").strip()))
        address = (given.get(_LOADING.get(tag, "")) or "").strip()
        if address.startswith(("http:", "https:", "//")):
            found.addresses.append(address)
        inner = find_media(given.get("srcdoc") or "") if tag == "iframe" else Media()
        found.addresses += inner.addresses

    def handle_endtag(self, tag: str) -> None:
        if tag == self._kind:
            self._kind = ""
