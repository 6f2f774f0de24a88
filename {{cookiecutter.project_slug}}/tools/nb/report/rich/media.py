"""Search of HTML outputs for sound, film, and the addresses that scripts and frames load."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

from nb.wording import enumerated

# Elements that say nothing by themselves around sound and film.
_AROUND = frozenset(("audio", "video", "source", "track", "div", "span", "p", "br", "figure"))
_LOADING = {"script": "src", "iframe": "src", "embed": "src", "object": "data"}


@dataclass
class Media:
    """The media of an HTML output.

    Attributes:
        players: kind (audio or video) and address of each player.
        addresses: addresses from which the output would load scripts or pages.
        files: files beside the notebook that the output would load.
        frames: HTML in frames.
        is_plain: the output holds nothing but players, or nothing but frames.
    """

    players: list[tuple[str, str]] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    is_plain: bool = True

    def loaded(self) -> str:
        """Return the hosts or the file that the output would load, in words."""
        if not self.addresses:
            return f"{self.files[0][:200]}, which is not in the notebook,"
        found = (re.split(r"[/?#]", a.partition("//")[2])[0][:100] for a in self.addresses)
        return f"{enumerated(sorted(set(found)), 3)} from the network"


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
        found.is_plain = found.is_plain and (tag in _AROUND or tag == "iframe")
        if tag in ("audio", "video"):
            self._kind = tag
        if tag in ("audio", "video", "source") and self._kind and given.get("src"):
            found.players.append((self._kind, (given["src"] or "").strip()))
        address = (given.get(_LOADING.get(tag, "")) or "").strip()
        if address.startswith(("http:", "https:", "//")):
            found.addresses.append(address)
        elif address and not address.startswith(("data:", "about:", "#", "javascript:")):
            found.files.append(address)
        framed = (given.get("srcdoc") or _html_in(address)) if tag == "iframe" else ""
        if framed:
            inner = find_media(framed)
            found.frames.append(framed)
            found.addresses += inner.addresses
            found.files += inner.files

    def handle_endtag(self, tag: str) -> None:
        if tag == self._kind:
            self._kind = ""


def _html_in(address: str) -> str:
    """Return the HTML that an address holds itself (`data:`); empty if the address holds none."""
    head, _, content = address.partition(",")
    if not head.startswith("data:text/html"):
        return ""
    try:
        data = unquote_to_bytes(content)
        return (base64.b64decode(data) if head.endswith(";base64") else data).decode()
    except (binascii.Error, ValueError):
        return ""
