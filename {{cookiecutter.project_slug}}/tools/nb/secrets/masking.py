"""Masks for secrets: values of the environment, credentials by shape, values under telling keys."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

from .names import is_password_name, is_secret_name
from .text import COLOR, find_secrets
from .values import is_placeholder, is_secret_value

CREDENTIAL = "[credential removed]"
# Values that many programs have by default; removing them would tear ordinary text.
_DEFAULTS = {"admin", "airflow", "minio", "minioadmin", "postgres", "public", "guest", "mysql"}
_SHORTEST = 6
_SHORTEST_BASE64 = 8
_KEY_LINE = re.compile(r"\s*[A-Za-z0-9+/]{24,}={0,2}\r?\n")
_BASE64 = re.compile(r"[A-Za-z0-9+/_=-]*")
# Pieces of a line are held until the line is whole; longer lines are written in parts.
_LONGEST_HELD = 1_000_000
_LONGEST_REMEMBERED = 1_000


def is_named_secret(node: Mapping[Any, Any], key: Any) -> bool:
    """Return whether the value of a key is a secret by the name of the key.

    The name may also be a value itself: `{"name": "DB_PASSWORD", "value": "…"}`.
    """
    value = node[key]
    name = str(node.get("name") if key == "value" else key)
    if not isinstance(value, str) or not is_secret_name(name):
        return False
    return is_secret_value(value, password=is_password_name(name), quoted=True, strong=True)


def is_picture(key: Any) -> bool:
    """Return whether a key of a MIME bundle names a picture in Base64, which holds no text."""
    return str(key).startswith("image/") and key != "image/svg+xml"


def _without_pictures(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _without_pictures(v) for k, v in node.items() if not is_picture(k)}
    if isinstance(node, list | tuple) and not (node and isinstance(node[0], int | float | str)):
        return [_without_pictures(each) for each in node]
    return node


class Span(NamedTuple):
    """A stretch of a text, and the remark that replaces it."""

    start: int
    end: int
    remark: str


def environment_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values in the environment that look secret, by the name of their variable.

    Either the name promises a secret, or the value holds one, such as an address with a password.
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        inner = list(_inner_secrets(value))
        if is_secret_name(name) and not value.startswith(("/", "~", "http:", "https:")):
            inner.insert(0, value)
        for number, secret in enumerate(dict.fromkeys(inner), 1):
            if len(secret) >= _SHORTEST and secret not in _DEFAULTS and not is_placeholder(secret):
                found[name if number == 1 else f"{name} {number}"] = secret
    return found


@lru_cache(maxsize=1_000)
def _inner_secrets(value: str) -> tuple[str, ...]:
    """Return the credentials inside a value; all stages of a run have most values in common."""
    return tuple(value[each.start : each.end] for each in find_secrets(value))


class Mask:
    """Replaces secrets by remarks: known values by the names of their variables, however written.

    Found are the forms that a value takes in Python, JSON, HTML, addresses and Base64, and
    credentials of any known kind.

    Args:
        secrets: the values by name; none may be empty.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        # The longest first: a value may be part of another.
        ordered = sorted(secrets.items(), key=lambda item: len(item[1]), reverse=True)
        self._known = [_Known(name, value) for name, value in ordered]

    def text(self, text: str, begin: int = 0) -> str:
        """Return a text without secrets; a terminal's colors stay.

        Args:
            text: the text.
            begin: the begin of the returned part; the part before is context only.
        """
        parts, end = [], begin
        for span in self._spans(text):
            if span.end > begin:
                start = max(span.start, begin)
                colors = COLOR.findall(text, start, span.end)
                parts += [text[end:start], span.remark, *colors]
                end = span.end
        return "".join([*parts, text[end:]]) if parts else text[begin:]

    def tree(self, node: Any) -> Any:
        """Return JSON data without secrets in texts, keys and named values.

        Data without any are returned themselves, not as a copy.
        """
        if isinstance(node, str):
            return self.text(node)
        written = json.dumps(_without_pictures(node), ensure_ascii=False, default=str)
        return self._tree(node) if next(iter(self._spans(written)), None) else node

    def record(self, record: logging.LogRecord) -> bool:
        """Remove secrets from a log record: a filter for a logger, which keeps them all."""
        record.msg, record.args = self.text(record.getMessage()), ()
        return True

    def _spans(self, text: str) -> list[Span]:
        """Return the stretches to replace, in order; none overlaps another."""
        found = [span for known in self._known for span in known.spans(text)]
        found += [Span(each.start, each.end, CREDENTIAL) for each in find_secrets(text)]
        found.sort(key=lambda span: (span.start, -span.end))
        joined: list[Span] = []
        for span in found:
            if joined and span.start < joined[-1].end:
                last = joined[-1]
                remark = span.remark if last.remark == CREDENTIAL else last.remark
                joined[-1] = Span(last.start, max(last.end, span.end), remark)
            else:
                joined.append(span)
        return joined

    def _tree(self, node: Any) -> Any:
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, dict):
            return {self._tree(key): self._value(node, key) for key in node}
        if isinstance(node, list | tuple):
            if node and all(isinstance(each, str) for each in node):
                return self.lines(list(node))
            return [self._tree(each) for each in node]
        return node

    def _value(self, node: Mapping[Any, Any], key: Any) -> Any:
        if is_picture(key):
            return node[key]
        return CREDENTIAL if is_named_secret(node, key) else self._tree(node[key])

    def lines(self, lines: list[str]) -> list[str]:
        """Return lines without secrets; a secret, such as a private key, may go over several."""
        glue = "" if lines and lines[0].endswith("\n") else "\n"
        spans = self._spans(glue.join(lines))
        if not spans:
            return lines
        masked, begin = [], 0
        for line in lines:
            end, parts, at = begin + len(line), [], 0
            for span in spans:
                start, stop = max(span.start, begin), min(span.end, end)
                if start < stop:
                    remark = span.remark if span.start >= begin else ""
                    parts += [line[at : start - begin], remark]
                    at = stop - begin
            masked.append("".join([*parts, line[at:]]))
            begin = end + len(glue)
        return masked


class _Known:
    """Known secret value, with a pattern of all its escaped and encoded forms."""

    def __init__(self, name: str, value: str) -> None:
        self.remark = f"[{name} removed]"
        self.pattern = re.compile("".join(map(_any_form, value)))
        # Letters and digits are written as they are in every form.
        self.hint = max(re.findall(r"[A-Za-z0-9]+", value) or [""], key=len)
        self.encoded = [form for form in _base64_forms(value) if len(form) >= _SHORTEST_BASE64]

    def spans(self, text: str) -> Iterator[Span]:
        if self.hint in text:
            for found in self.pattern.finditer(text):
                yield Span(found.start(), found.end(), self.remark)
        for form in self.encoded:
            at = text.find(form)
            while at >= 0:
                before = _BASE64.match(text[max(0, at - 256) : at][::-1])
                after = _BASE64.match(text, at)
                end = after.end() if after else at + len(form)
                yield Span(at - (before.end() if before else 0), end, self.remark)
                at = text.find(form, end)


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


_HTML = {"&": ["&amp;"], "<": ["&lt;"], ">": ["&gt;"], '"': ["&quot;"], "'": ["&apos;"], " ": ["+"]}


class Writable(Protocol):
    """Text file that can be written to and flushed."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Write out buffered text."""


class MaskedFile:
    """A text file that gets no secrets, though these come in pieces.

    The beginning of a line is kept back until the line has ended, and of a private key until the
    key has. `finish` writes the rest. The last lines are remembered: a secret may
    continue on the next line.

    Args:
        file: the file to write to.
        mask: removes secrets.
    """

    def __init__(self, file: Writable, mask: Mask) -> None:
        self.file = file
        self._mask = mask
        self._held: list[str] = []
        self._size = 0
        self._last = ""

    def write(self, text: str) -> None:
        """Take in a text, and write the lines that are whole now."""
        self._held.append(text)
        self._size += len(text)
        if "\n" in text or "\r" in text or self._size > _LONGEST_HELD:
            held = "".join(self._held)
            end = max(held.rfind("\n"), held.rfind("\r")) + 1
            end = len(held) if self._size > _LONGEST_HELD else _before_key(held, end)
            self._let_go(held, end)

    def flush(self) -> None:
        """Write out buffered text, but for the text that is kept back."""
        self.file.flush()

    def finish(self) -> None:
        """Write the text that was kept back: no more text comes."""
        held = "".join(self._held)
        self._let_go(held, len(held))
        self.file.flush()

    def _let_go(self, held: str, end: int) -> None:
        self._held, self._size = [held[end:]], len(held) - end
        if end:
            text = self._last + held[:end]
            self.file.write(self._mask.text(text, len(self._last)))
            self._last = "".join(text[-_LONGEST_REMEMBERED:].splitlines(keepends=True)[-3:])


def _before_key(text: str, end: int) -> int:
    """Return where a text that ends at a place ends without the private key that begins in it."""
    # Lines that look like a key's: the line END may come after them.
    while end:
        start = text.rfind("\n", 0, end - 1) + 1
        if not _KEY_LINE.fullmatch(text, start, end):
            break
        end = start
    begin = text.rfind("-BEGIN ", 0, end)
    if begin < 0 or text.find("-END ", begin, end) >= 0:
        return end
    return text.rfind("\n", 0, begin) + 1
