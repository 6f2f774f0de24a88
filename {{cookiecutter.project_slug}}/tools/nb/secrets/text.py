"""Search for credentials in text: the only such search, for masking and for commits.

Found are shapes that issuers document, private keys, passwords in addresses and on command lines,
headers of requests, and values given to a name such as `password`; in plain text and as JSON, HTML,
Python's repr and a terminal's colors write them. The time is linear in the length of the text: a
fixed text is looked for first, and a pattern is tried only there, on a bounded stretch.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from .names import is_password_name, is_secret_name
from .shapes import SHAPES
from .values import is_code, is_placeholder, is_random, is_secret_value


class FoundSecret(NamedTuple):
    """Credential in a text: begin, end and kind."""

    start: int
    end: int
    kind: str


COLOR = re.compile(r"(?:\x1b|\\+(?:u001b|x1b|033))\[[0-9;]*[A-Za-z]", re.I)
# An escaped character may stand directly before a credential: \n in JSON, %20 in an address.
_ESCAPE = re.compile(r"(?:\\[abfnrtv]|\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|%[0-9a-fA-F]{2})\Z")
# Longest stretch before a hint that may belong to a credential or its name.
_BEFORE = 64
_LONGEST_KEY = 64_000
# A longer phrase is not searched for others: a line of hints alone would be read once for each.
_LONGEST_PHRASE = 512


def find_secrets(text: str) -> list[FoundSecret]:
    """Return the credentials in a text, in order; none overlaps another."""
    plain, places = _without_colors(text)
    found = sorted(
        [*_shapes(plain), *_private_keys(plain), *_phrases(plain), *_assignments(plain)],
        key=lambda each: (each.start, -each.end),
    )
    joined: list[FoundSecret] = []
    for each in found:
        if joined and each.start < joined[-1].end:
            if each.end > joined[-1].end:
                joined[-1] = joined[-1]._replace(end=each.end)
        else:
            joined.append(each)
    return [FoundSecret(places(f.start), places(f.end - 1) + 1, f.kind) for f in joined]


def _without_colors(text: str) -> tuple[str, Places]:
    """Return a text without a terminal's colors, and where its characters are in the original."""
    if "\x1b[" not in text and "1b[" not in text and "1B[" not in text and "033[" not in text:
        return text, Places([0], [0])
    parts, starts, shifts, end = [], [], [], 0
    length = 0
    for color in (*COLOR.finditer(text), None):
        begin = color.start() if color else len(text)
        parts.append(text[end:begin])
        starts.append(length)
        shifts.append(end - length)
        length += begin - end
        end = color.end() if color else begin
    return "".join(parts), Places(starts, shifts)


class Places:
    """Maps places in a text without colors to places in the original.

    Args:
        starts: where each part between colors begins.
        shifts: how much further on a part is in the original.
    """

    def __init__(self, starts: list[int], shifts: list[int]) -> None:
        self.starts = starts
        self.shifts = shifts

    def __call__(self, place: int) -> int:
        return place + self.shifts[bisect_right(self.starts, place) - 1]


def _occurrences(text: str, hint: str) -> Iterator[int]:
    at = text.find(hint)
    while at >= 0:
        yield at
        at = text.find(hint, at + len(hint))


def _begins(text: str, at: int) -> bool:
    """Return whether a word may begin at a place."""
    if not (text[at].isalnum() and text[at - 1 : at].isalnum()):
        return True
    return bool(_ESCAPE.search(text, max(0, at - 6), at))


# --- shapes ---------------------------------------------------------------------------------------

_KEY_BESIDE_ID = re.compile(r"(?<![\w/+-])[A-Za-z0-9/+]{40}(?![\w/+=-])")


def _shapes(text: str) -> Iterator[FoundSecret]:
    for shape in SHAPES:
        for at in _occurrences(text, shape.hint):
            start = at
            if shape.before:
                before = shape.before.search(text, max(0, at - _BEFORE), at)
                if not before:
                    continue
                start = before.start()
            matched = shape.pattern.match(text, at) if _begins(text, start) else None
            if matched and not is_placeholder(text[start : matched.end()]):
                yield FoundSecret(start, matched.end(), shape.kind)
                if shape.kind == "AWS Access Key":
                    key = _KEY_BESIDE_ID.search(text, at, at + 250)
                    if key and is_random(key[0]):
                        yield FoundSecret(key.start(), key.end(), "AWS Secret Key")


# --- private keys ---------------------------------------------------------------------------------

_BEGIN = re.compile(r"-{4,5} ?BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END = re.compile(r"-{4,5} ?END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_HEADERS = re.compile(r"(?:(?:\s|\\[nr])*[A-Z][A-Za-z-]{2,20}: [^\n\\]{1,200})*")
_KEY_LINE = re.compile(
    r"(?:[\s\"',>|]|\\+[nrt\"'])*(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]+={1,2})"
)
_KEY_PART = re.compile(r"(?:\\+n)?[A-Za-z0-9+/]{16,}={0,2}")
_BETWEEN = re.compile(r"(?:[\s\"',>|]|\\+[nrt\"'])*(?:[A-Za-z0-9+/]{1,64}={0,2}(?:\s|\\+[nr])*)?")


def _private_keys(text: str) -> Iterator[FoundSecret]:
    """Yield keys with all their lines; the first or the last line may be missing."""
    if "PRIVATE KEY" not in text:
        return
    ends = [(each.start(), each.end()) for each in _END.finditer(text)]
    covered = next_end = 0
    for begin in _BEGIN.finditer(text):
        if begin.start() < covered:
            continue
        while next_end < len(ends) and ends[next_end][0] < begin.end():
            next_end += 1
        covered = _key_end(text, begin.end())
        if next_end < len(ends) and ends[next_end][0] - begin.end() <= _LONGEST_KEY:
            covered = ends[next_end][1]
        if _KEY_PART.search(text, begin.end(), covered):
            yield FoundSecret(begin.start(), covered, "Private Key")
    before = 0  # a key begins after the last line of the key before
    for start, end in ends:
        parts = list(_KEY_PART.finditer(text, max(before, start - _LONGEST_KEY), start))
        before = end
        first = start
        while parts and _BETWEEN.fullmatch(text, parts[-1].end(), first):
            first = parts.pop().start()
        if first < start:
            yield FoundSecret(first, end, "Private Key")


def _key_end(text: str, at: int) -> int:
    headers = _HEADERS.match(text, at)
    at = headers.end() if headers else at
    while line := _KEY_LINE.match(text, at, at + _LONGEST_KEY):
        at = line.end()
    return at


# --- phrases --------------------------------------------------------------------------------------


class _Phrase(NamedTuple):
    """Words around a secret, which is the group of the pattern."""

    kind: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    is_secret: Callable[[str], bool] = is_random


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
        re.compile(
            r"(?<!github)://[^\s/?#\"'<>@:\[\]\\]{0,128}:"
            r"(?:([^\s\"'<>`/]{1,256})@|([^\s\"'<>@`]{1,256})@)(?!sha\d)"
        ),
        _is_url_password,
    ),
    _Phrase("Token in an Address", ("://",), re.compile(r"://([\w-]{20,256})@")),
    _Phrase(
        "Authorization Header",
        ("uthorization", "UTHORIZATION"),
        re.compile(
            r"(?i)uthorization(?:[\s\"':=,>*]|\\[\"'nrt]|&quot;|&\#39;|</?\w+>){1,20}"
            r"(?:(?:Bearer|Basic|Token|ApiKey|Api-Key|Digest|Negotiate|GenieKey|SSWS)\s+)?"
            r"([^\s\"'<>\\,;&]{8,4096})"
        ),
    ),
    _Phrase(
        "Bearer Token",
        ("earer ", "EARER "),
        re.compile(r"(?i)earer\s{1,9}([A-Za-z0-9._~+/-]{16,4096}=*)"),
    ),
    _Phrase(
        "Basic Authorization",
        ("asic ", "ASIC "),
        re.compile(r"(?i)asic\s{1,9}([A-Za-z0-9+/]{8,1024}={0,2})"),
        _is_login,
    ),
    _Phrase(
        "Basic Authorization",
        ("auth",),
        re.compile(rf"auth{_QUOTES}\s*:\s*{_QUOTES}([A-Za-z0-9+/]{{8,1024}}={{0,2}})"),
        _is_login,
    ),
    _Phrase(
        "Cookie",
        ("ookie", "OOKIE"),
        re.compile(
            rf"(?i)ookies?{_QUOTES}\s?[:=]\s?{_QUOTES}"
            r"[\w.%-]{1,64}=([^\s\"'<>\\,;&]{8,4096}(?:; ?[\w.%-]{1,64}=[^\s\"'<>\\,;]+)*)"
        ),
    ),
    _Phrase(
        "Session Cookie",
        ("session=", "sessionid=", "SESSIONID=", "SESSID=", "connect.sid=", "SessionId="),
        re.compile(r"(?:[\w.]+)=([A-Za-z0-9%._:+/-]{16,4096})"),
    ),
    _Phrase(
        "Password of a Command",
        ("curl ", "wget ", "http "),
        re.compile(
            r"(?:curl|wget|http)\s[^\n]{0,400}?(?:\s-u|\s--user|\s-a|\s--auth|\s-U|\s--proxy-user)"
            rf"[ =]?{_QUOTES}[^\s:\"']{{1,64}}:([^\s\"'<>\\]{{3,256}})"
        ),
        _is_password,
    ),
    _Phrase(
        "Password of a Command",
        ("mysql", "sshpass", "redis-cli", "docker login", "mongo"),
        re.compile(
            r"(?:mysql\w*|sshpass|redis-cli|docker login|mongo\w*)\b[^\n]{0,200}?"
            rf"\s-[pa] ?{_QUOTES}([^\s\"'<>\\-][^\s\"'<>\\]{{3,256}})"
        ),
    ),
    _Phrase(
        "Login",
        ("login ",),
        re.compile(r"login\s{1,9}\S{1,128}\s{1,9}password\s{1,9}([^\s\"'<>\\]{3,256})"),
        _is_password,
    ),
    _Phrase(
        "Line of .pgpass",
        (":5432:", ":5433:", ":5439:", ":6432:", ":*:"),
        re.compile(r":(?:\d+|\*):[^:\s]{1,64}:[^:\s]{1,64}:([^\s\"'<>\\]{4,256})"),
        _is_password,
    ),
    _Phrase(
        "Kaggle Key",
        ("username",),
        re.compile(
            rf"username{_QUOTES}\s*:\s*{_QUOTES}[\w.@-]{{1,64}}{_QUOTES}\s*,\s*"
            rf"{_QUOTES}key{_QUOTES}\s*:\s*{_QUOTES}([0-9a-f]{{32}})"
        ),
    ),
    _Phrase(
        "Weights & Biases Key",
        ("wandb",),
        re.compile(
            r"wandb[^\n]{0,60}?(?:key|login|token)[^\n]{0,20}?(?<![0-9a-f])([0-9a-f]{40}|wandb_v1_\w+)"
        ),
    ),
    _Phrase(
        "Password in SQL",
        ("dentified", "DENTIFIED"),
        re.compile(
            r"(?i)dentified\s+by\s+(?:password\s+)?(?:\\*[\"']|&quot;|&\#x?\d\d;)([^\s\"'<>\\]{3,256})"
        ),
        _is_password,
    ),
)


def _phrases(text: str) -> Iterator[FoundSecret]:
    for kind, hints, pattern, is_secret in _PHRASES:
        for hint in hints:
            end = 0
            for at in _occurrences(text, hint):
                found = pattern.match(text, at) if at >= end else None
                if not found:
                    continue
                group = found.lastindex or 0
                if is_secret(found[group]):
                    yield FoundSecret(found.start(group), found.end(group), kind)
                if found.end() - at > _LONGEST_PHRASE:
                    end = found.end()


# --- values of names ------------------------------------------------------------------------------

_WORDS = ("pass", "pwd", "secret", "token", "credential", "key")
_NAME_END = re.compile(
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|key)[_-]?\d{0,3}"
    r"(?!(?:[^\WA-Za-z0-9]|-){0,64}[A-Za-z0-9])",
    re.I,
)
# Reads backwards: a pattern that ends at a place would be tried from each character before.
_NAME_BEGIN = re.compile(r"(?:[A-Za-z0-9_.-]| (?:ipa|ssecca|etavirp|terces)\b)*", re.I)
_TAGS = r"(?:</?[A-Za-z][^<>]{0,200}>\s{0,40}){0,8}"
_SEPARATOR = re.compile(
    rf"(?:\\*[\"'`]|&quot;|&\#(?:39|34|x27);|\*\*)?\]?\)?[ \t]{{0,40}}{_TAGS}"
    r"(?:(?P<strong>=&gt;|:[ \t]*[A-Za-z_][\w\[\]., |]{0,40}?[ \t]*=|:=|=>|={1,3}|!==?|%3[Dd]"
    r"|(?:\\*[\"']\s*)?,?(?:[\s\"',]|\\+n){0,40}(?<![A-Za-z])value\\*[\"']?\s*:"
    r"|:(?:\s{1,2}[ \t]{1,40})?)"
    rf"|(?P<weak>,|\(|(?=</?[A-Za-z])|[ \t]))\s?[ \t]{{0,40}}{_TAGS}"
)
_VALUE = re.compile(
    r"(?:[\w.]{0,40}(?:Secret(?:Str|Bytes)?|str|bytes|quote(?:_plus)?)\()?(?:(?:[bBrRuUfF]{1,2}|[@$])(?=[\"'`\\&]))?"
    r"(?:(?P<q1>\"{3}|'{3}|[\"'`])(?P<v1>(?:\\.|(?!(?P=q1))[^\\\n]){1,4096}?)(?P=q1)"
    r"|(?P<q2>\\+[\"'])(?P<v2>(?:(?!(?P=q2))[^\n]){1,4096}?)(?P=q2)"
    r"|(?P<q3>&quot;|&\#39;|&\#34;|&\#x27;)(?P<v3>(?:(?!(?P=q3))[^\n]){1,4096}?)(?P=q3)"
    r"|[\"'`]?(?P<v4>(?:[^\s\"'`<>,;&(){}\[\]\\|=:]|[=:](?![A-Za-z ])){3,512}))"
)
_REST = re.compile(r"(?:[^\s\"'`<>,;&)}\]\\]|&amp;)*")


def _assignments(text: str) -> Iterator[FoundSecret]:
    """Yield values that are given to names of secrets: `password = "…"`, `API_KEY: …`."""
    # Of all letters, only this has another length in lower case.
    lower = text.replace("\u0130", "i").lower()
    for word in _WORDS:
        end = 0
        for at in _occurrences(lower, word):
            if at < end:
                continue
            found = _assignment(text, at)
            if found:
                end = found.end
                yield found


def _assignment(text: str, at: int) -> FoundSecret | None:
    name_end = _NAME_END.match(text, at)
    separator = _SEPARATOR.match(text, name_end.end()) if name_end else None
    if not name_end or not separator:
        return None
    before = _NAME_BEGIN.match(text[max(0, at - _BEFORE) : at][::-1])
    begin = at - (before.end() if before else 0)
    name = text[begin : name_end.end()]
    value = _VALUE.match(text, separator.end()) if is_secret_name(name.lstrip("-.")) else None
    if not value or not value.lastgroup:
        return None
    group = value.lastgroup
    is_quoted = group != "v4"
    is_strong = separator["strong"] is not None or name.startswith("--")
    if separator["weak"] == "," and " " in text[max(0, begin - 1) : name_end.end() - 1]:
        return None  # the last word of a longer text, in a list of texts
    start, end = value.span(group)
    if not is_quoted and is_code(text, start, end):
        return None
    password = is_password_name(name)
    if not _is_given(value[group], password, is_quoted, is_strong):
        return None
    if not is_quoted:
        rest = _REST.match(text, end)
        end = rest.end() if rest else end
    return FoundSecret(start, end, "Password" if password else "Secret")


@lru_cache(maxsize=1_000)
def _is_given(value: str, password: bool, quoted: bool, strong: bool) -> bool:
    """Return whether a value is a secret; a long text repeats most of its values."""
    return is_secret_value(value, password=password, quoted=quoted, strong=strong)
