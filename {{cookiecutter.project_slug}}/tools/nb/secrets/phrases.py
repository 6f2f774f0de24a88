"""Secrets in known phrases: passwords in addresses and commands, headers of requests, cookies.

A phrase begins with a literal, its hint, and has the secret at a fixed place.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from .occurrences import FoundSecret, occurrences
from .values import is_placeholder, is_random

# A longer phrase is not searched for others: a line of hints alone would be read once for each.
_LONGEST_PHRASE = 512


@dataclass(frozen=True)
class _Phrase:
    """Words around a secret, which is the group of the expression.

    The expression is compiled when a hint is found first.
    """

    kind: str
    hints: tuple[str, ...]
    expression: str
    is_secret: Callable[[str], bool] = is_random

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.expression)


def _is_password(value: str) -> bool:
    return not is_placeholder(value)


def _is_url_password(value: str) -> bool:
    return not is_placeholder(value) and not re.match(r"\d{1,5}(?:[/?#]|\Z)", value)


def _is_login(value: str) -> bool:
    """Return whether a text is a name and a password in base64."""
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        return ":" in decoded.decode() and decoded.decode().isprintable()
    except (binascii.Error, ValueError):
        return False


_QUOTES = r"(?:\\*[\"'`]|&quot;|&\#(?:39|34|x27);)?"
_PHRASES = (
    _Phrase(
        "Password in an Address",
        ("://",),
        (
            r"(?<!github)://[^\s/?#\"'<>@:\[\]\\]{0,128}:"
            r"(?:([^\s\"'<>`/]{1,256})@|([^\s\"'<>@`]{1,256})@)(?!sha\d)"
        ),
        _is_url_password,
    ),
    _Phrase("Token in an Address", ("://",), r"://([\w-]{20,256})@"),
    _Phrase(
        "Authorization Header",
        ("uthorization", "UTHORIZATION"),
        (
            r"(?i)uthorization(?:[\s\"':=,>*]|\\[\"'nrt]|&quot;|&\#39;|</?\w+>){1,20}"
            r"(?:(?:Bearer|Basic|Token|ApiKey|Api-Key|Digest|Negotiate|GenieKey|SSWS)\s+)?"
            r"([^\s\"'<>\\,;&]{8,4096})"
        ),
    ),
    _Phrase(
        "Bearer Token",
        ("earer ", "EARER "),
        r"(?i)earer\s{1,9}([A-Za-z0-9._~+/-]{16,4096}=*)",
    ),
    _Phrase(
        "Basic Authorization",
        ("asic ", "ASIC "),
        r"(?i)asic\s{1,9}([A-Za-z0-9+/]{8,1024}={0,2})",
        _is_login,
    ),
    _Phrase(
        "Basic Authorization",
        ("auth",),
        rf"auth{_QUOTES}\s*:\s*{_QUOTES}([A-Za-z0-9+/]{{8,1024}}={{0,2}})",
        _is_login,
    ),
    _Phrase(
        "Cookie",
        ("ookie", "OOKIE"),
        (
            rf"(?i)ookies?{_QUOTES}\s?[:=]\s?{_QUOTES}"
            r"[\w.%-]{1,64}=([^\s\"'<>\\,;&]{8,4096}(?:; ?[\w.%-]{1,64}=[^\s\"'<>\\,;]+)*)"
        ),
    ),
    _Phrase(
        "Session Cookie",
        ("session=", "sessionid=", "SESSIONID=", "SESSID=", "connect.sid=", "SessionId="),
        r"(?:[\w.]+)=([A-Za-z0-9%._:+/-]{16,4096})",
    ),
    _Phrase(
        "Password of a Command",
        ("curl ", "wget ", "http "),
        (
            r"(?:curl|wget|http)(?=\s)[^\n]{0,400}?(?:\s-u|\s--user|\s-a|\s--auth|\s-U|\s--proxy-user)"
            rf"[ =]?{_QUOTES}[^\s:\"']{{1,64}}:([^\s\"'<>\\]{{3,256}})"
        ),
        _is_password,
    ),
    _Phrase(
        "Password of a Command",
        ("mysql", "sshpass", "redis-cli", "docker login", "mongo"),
        (
            r"(?:mysql\w*|sshpass|redis-cli|docker login|mongo\w*)\b[^\n]{0,200}?"
            rf"\s-[pa] ?{_QUOTES}([^\s\"'<>\\-][^\s\"'<>\\]{{3,256}})"
        ),
    ),
    _Phrase(
        "Login",
        ("login ",),
        r"login\s{1,9}\S{1,128}\s{1,9}password\s{1,9}([^\s\"'<>\\]{3,256})",
        _is_password,
    ),
    _Phrase(
        "Line of .pgpass",
        (":5432:", ":5433:", ":5439:", ":6432:", ":*:"),
        r":(?:\d+|\*):[^:\s]{1,64}:[^:\s]{1,64}:([^\s\"'<>\\]{4,256})",
        _is_password,
    ),
    _Phrase(
        "Kaggle Key",
        ("username",),
        (
            rf"username{_QUOTES}\s*:\s*{_QUOTES}[\w.@-]{{1,64}}{_QUOTES}\s*,\s*"
            rf"{_QUOTES}key{_QUOTES}\s*:\s*{_QUOTES}([0-9a-f]{{32}})"
        ),
    ),
    _Phrase(
        "Weights & Biases Key",
        ("wandb",),
        (
            r"wandb[^\n]{0,60}?(?:key|login|token)[^\n]{0,20}?(?<![0-9a-f])([0-9a-f]{40}|wandb_v1_\w+)"
        ),
    ),
    _Phrase(
        "Password in SQL",
        ("dentified", "DENTIFIED"),
        (
            r"(?i)dentified\s+by\s+(?:password\s+)?(?:\\*[\"']|&quot;|&\#x?\d\d;)([^\s\"'<>\\]{3,256})"
        ),
        _is_password,
    ),
)


def secrets_in_phrases(text: str) -> Iterator[FoundSecret]:
    """Yield the secrets that known phrases of a text hold."""
    for phrase in _PHRASES:
        for hint in phrase.hints:
            end = 0
            for at in occurrences(text, hint):
                found = phrase.pattern.match(text, at) if at >= end else None
                if not found:
                    continue
                group = found.lastindex or 0
                if phrase.is_secret(found[group]):
                    yield FoundSecret(found.start(group), found.end(group), phrase.kind)
                if found.end() - at > _LONGEST_PHRASE:
                    end = found.end()
