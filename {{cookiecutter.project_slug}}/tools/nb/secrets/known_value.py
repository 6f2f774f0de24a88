"""Search for a known secret value, however escaped (Python, JSON, HTML, URLs), and in Base64."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote

from .occurrences import FoundSecret, occurrences

_SHORTEST_BASE64 = 8
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]*")
_HTML = {"&": ["&amp;"], "<": ["&lt;"], ">": ["&gt;"], '"': ["&quot;"], "'": ["&apos;"], " ": ["+"]}


class KnownValue:
    """Secret value with a pattern of all escaped and encoded forms.

    Args:
        name: the name of the value.
        value: the value; not empty.
    """

    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.pattern = re.compile("".join(map(_any_form, value)))
        # Letters and digits are written as they are in every form.
        self.hint = max(re.findall(r"[A-Za-z0-9]+", value) or [""], key=len)
        self.encoded = [form for form in _base64_forms(value) if len(form) >= _SHORTEST_BASE64]

    def find(self, text: str) -> Iterator[FoundSecret]:
        """Yield where the value is in a text, with the name of the value as kind."""
        if self.hint in text:
            for found in self.pattern.finditer(text):
                yield FoundSecret(found.start(), found.end(), self.name)
        for form in self.encoded:
            end = 0
            for at in occurrences(text, form):
                if at < end:  # in the same Base64: a search in each would take quadratic time
                    continue
                before = _BASE64.match(text[max(0, at - 256) : at][::-1])
                after = _BASE64.match(text, at)
                end = after.end() if after else at + len(form)
                yield FoundSecret(at - (before.end() if before else 0), end, self.name)


def _base64_forms(value: str) -> set[str]:
    """Return the parts that a value always has in Base64, whatever stands before and after."""
    content = value.encode("utf-8", "surrogateescape")
    forms = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + content).decode()
        inner = encoded[-(-before * 8 // 6) : (before + len(content)) * 8 // 6]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def _any_form(character: str) -> str:
    """Return a pattern for a character, plain and escaped, also more than once."""
    if character.isascii() and character.isalnum():
        return character
    if character == "\\":
        return r"(?:\\+(?:u005[cC]|x5[cC])?|%5[cC]|&#(?:92|x5[cC]);)"
    code = ord(character)
    forms = {character, quote(character, safe=""), quote(character, safe="").lower()}
    forms |= {f"&#{code};", f"&#x{code:x};", f"&#x{code:X};", *_HTML.get(character, ())}
    patterns = [rf"\\*{re.escape(form)}" for form in sorted(forms)]
    escapes = {repr(character)[1:-1], json.dumps(character)[1:-1]}
    escapes |= {f"\\u{code:04x}", f"\\u{code:04X}", f"\\x{code:02x}"} if code < 0x10000 else set()
    patterns += [rf"\\+{re.escape(e[1:])}" for e in sorted(escapes) if e.startswith("\\")]
    return f"(?:{'|'.join(patterns)})"
