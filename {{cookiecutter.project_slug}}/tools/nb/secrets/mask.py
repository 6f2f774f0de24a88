"""Masks: remarks in place of the secrets in texts, in lines and in JSON data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from .columns import names_columns
from .known_value import KnownValue
from .occurrences import FoundSecret, without_overlaps
from .search import COLOR, find_secrets
from .values import is_named_secret

if TYPE_CHECKING:
    import logging

_T = TypeVar("_T")
# The name in the remark for a secret that is no known value.
_UNNAMED = "credential"


class Mask:
    """Mask that replaces secrets by remarks, such as `[DB_PASSWORD removed]`.

    Replaced are known values, in the forms that a value takes in Python, JSON, HTML, addresses and
    Base64, and credentials of any known kind.

    Args:
        secrets: the values by name; none may be empty.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        # The longest first: a value may be part of another.
        ordered = sorted(secrets.items(), key=lambda item: len(item[1]), reverse=True)
        self._known = [KnownValue(name, value) for name, value in ordered]

    def text(self, text: str, begin: int = 0) -> str:
        """Return a text without secrets; a terminal's colors stay.

        Args:
            begin: the begin of the returned part; the part before is context only.
        """
        parts, end = [], begin
        for span in self._find(text):
            if span.end > begin:
                start = max(span.start, begin)
                colors = COLOR.findall(text, start, span.end)
                parts += [text[end:start], _remark(span.kind), *colors]
                end = span.end
        return "".join([*parts, text[end:]]) if parts else text[begin:]

    def tree(self, node: _T) -> _T:
        """Return JSON data without secrets in texts, keys and named values.

        Data without any are returned themselves, not as a copy.
        """
        if isinstance(node, str):
            return cast("_T", self.text(node))
        return node if self.is_clean([node]) else cast("_T", self._tree(node))

    def is_clean(self, nodes: Iterable[object]) -> bool:
        """Return whether JSON data hold no secret; all are searched at once, which is faster."""
        plain = map(_without_pictures, nodes)
        written = "\n".join(json.dumps(n, ensure_ascii=False, default=str) for n in plain)
        # Columns of tables are not found among the escaped line ends of JSON.
        return not self._find(written) and not names_columns(written)

    def record(self, record: logging.LogRecord) -> bool:
        """Remove secrets from a log record: a filter for a logger, which passes every record."""
        record.msg, record.args = self.text(record.getMessage()), ()
        return True

    def _find(self, text: str) -> list[FoundSecret]:
        """Return the secrets in order, without overlaps; the kind is the name in the remark."""
        known = (found for value in self._known for found in value.find(text))
        others = (FoundSecret(each.start, each.end, _UNNAMED) for each in find_secrets(text))
        return without_overlaps([*known, *others], _first_name)

    def _tree(self, node: object) -> object:
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, dict):
            return {self._tree(key): self._value(node, key) for key in node}
        if isinstance(node, list | tuple):
            if node and all(isinstance(each, str) for each in node):
                return self.lines(list(node))
            return [self._tree(each) for each in node]
        return node

    def _value(self, node: Mapping[object, object], key: object) -> object:
        if is_picture(key):
            return node[key]
        return _remark(_UNNAMED) if is_named_secret(node, key) else self._tree(node[key])

    def lines(self, lines: list[str]) -> list[str]:
        """Return lines without secrets; a secret, such as a private key, may go over several."""
        glue = "" if lines and lines[0].endswith("\n") else "\n"
        spans = self._find(glue.join(lines))
        if not spans:
            return lines
        masked, begin = [], 0
        for line in lines:
            end, parts, at = begin + len(line), [], 0
            for span in spans:
                start, stop = max(span.start, begin), min(span.end, end)
                if start < stop:
                    begins = span.start >= begin - len(glue)
                    remark = _remark(span.kind) if begins else ""
                    parts += [line[at : start - begin], remark]
                    at = stop - begin
            masked.append("".join([*parts, line[at:]]))
            begin = end + len(glue)
        return masked


def is_picture(key: object) -> bool:
    """Return whether a key of a MIME bundle names a picture in Base64, which holds no text."""
    return str(key).startswith("image/") and key != "image/svg+xml"


def _without_pictures(node: object) -> object:
    if isinstance(node, dict):
        return {k: _without_pictures(v) for k, v in node.items() if not is_picture(k)}
    if isinstance(node, list | tuple) and not (node and isinstance(node[0], int | float | str)):
        return [_without_pictures(each) for each in node]
    return node


def _remark(name: str) -> str:
    return f"[{name} removed]"


def _first_name(first: str, second: str) -> str:
    return second if first == _UNNAMED else first
