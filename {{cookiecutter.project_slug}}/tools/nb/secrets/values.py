"""Tests whether a value is a secret rather than words, a placeholder, a path, or code."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .names import is_password_name, is_secret_name

# Placeholders of examples and documentation, and words for no value.
_PLACEHOLDER = re.compile(
    r"(?:your|my|the|some|new|old|enter|insert|test|example|dummy|fake|sample)?[\W_]*"
    r"(?:password|passwd|passphrase|pass|pwd|secrets?|tokens?|api|keys?|here|user|username|value"
    r"|string|str|text|object|integer|int|float|number|boolean|bool|bytes|none|null|nil|true|false"
    r"|undefined|unknown|required|optional|hidden|masked|removed|redacted|change|me|todo|example"
    r"|dummy|fake|placeholder|default|empty|access|private|id|name|credentials?|your|own|info"
    r"|[xX*.…\W_\d])*",
    re.I,
)
_TEMPLATE = re.compile(
    r"\$\{\{.*?\}\}|\{\{.*?\}\}|\$\{[^{}]*\}|\$\([^()]*\)|\$[A-Za-z_]\w*|%\(\w*\)s|%[sdr]\b|%\w+%"
    r"|&lt;.*?&gt;|\{[\w.!:\[\]'\"() ]*\}|<[^<>]*>"
)
_WORD = re.compile(
    r"[A-Z][a-z]+|[a-z]{2,}|[A-Z]{2,}s?(?![a-z])|[A-Za-z](?![A-Za-z])|\d{1,4}(?!\d|[a-z])"
)
_REGULAR_EXPRESSION = re.compile(r"\[\^?[\w\\]+-|\(\?|\\[wds]")
_TURN = re.compile(r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])")  # from letters to digits and back
_VOWEL = re.compile(r"[aeiouy]|^\d", re.I)
_PATH = re.compile(r"(?:~|\.{1,2}|[A-Za-z]:)?[/\\][\w.@ -]+(?:[/\\][\w.@ -]*)*")
_CONSIDERED = 512


def is_placeholder(value: str) -> bool:
    """Return whether a value only stands for a secret, such as `your-token` or `${TOKEN}`."""
    rest = _TEMPLATE.sub("", value[:_CONSIDERED])
    if len(set(rest)) <= 2 or value.endswith("removed]"):
        return True
    return (
        len(rest) <= 64 and sum(map(str.isdigit, rest)) <= 4 and bool(_PLACEHOLDER.fullmatch(rest))
    )


def is_random(value: str) -> bool:
    """Return whether a value looks drawn by chance: neither words nor a placeholder."""
    value = value[:_CONSIDERED]
    return any(map(str.isalpha, value)) and not _is_words(value) and not is_placeholder(value)


def _is_words(value: str) -> bool:
    if any(len(_TURN.findall(part)) >= 3 for part in re.split(r"[^A-Za-z0-9]+", value)):
        return False
    ascii_only = re.sub(r"[^A-Za-z0-9]+", " ", value)
    words = _WORD.findall(ascii_only)
    if sum(len(word) >= 3 and not _VOWEL.search(word) for word in words) >= 2 and " " not in value:
        return bool(re.fullmatch(r"[A-Z0-9_-]+|[a-z0-9_.-]+", value))  # abbreviations
    rest = len("".join(_WORD.sub("", ascii_only).split()))
    lengths = [len(word) for word in words if word[0].isalpha()]
    return rest * 8 <= len(value) and (sum(lengths) < 4 or sum(lengths) >= 3 * len(lengths))


def is_secret_value(value: str, *, password: bool, quoted: bool, strong: bool) -> bool:
    """Return whether a value under the name of a secret is a secret.

    Args:
        password: the name is that of a password, so the value may be short, and words.
        quoted: the value stands in quotes, so neither code nor a word of a sentence.
        strong: a sign such as `=` gives the value to the name.
    """
    if is_placeholder(value) or value.startswith(("http://", "https://")):
        return False
    if _REGULAR_EXPRESSION.search(value) or (is_secret_name(value) and _is_words(value)):
        return False
    if _PATH.fullmatch(value) and (len(value) != 40 or value.count("/") > 4):
        return False
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    if " " in value.strip():
        return password and quoted and strong and is_random(value)
    if password and strong:
        return len(value) >= (4 if quoted else 6) and (quoted or mixed or is_random(value))
    return len(value) >= 8 and is_random(value) and (strong or mixed)


def is_named_secret(node: Mapping[object, object], key: object) -> bool:
    """Return whether the value of a key in JSON data is a secret by the name of the key.

    The name may also be a value in turn: `{"name": "DB_PASSWORD", "value": "…"}`. Widgets call the
    name a description.
    """
    value = node[key]
    name = str(node.get("name") or node.get("description") if key == "value" else key).rstrip(": ")
    if not isinstance(value, str) or not is_secret_name(name):
        return False
    return is_secret_value(value, password=is_password_name(name), quoted=True, strong=True)


def is_code(text: str, start: int, end: int) -> bool:
    """Return whether an unquoted value is an expression: a call, an element, an attribute."""
    after = text[end : end + 1]
    return after in ("(", "[") and re.fullmatch(r"[A-Za-z_][\w.]*", text[start:end]) is not None
