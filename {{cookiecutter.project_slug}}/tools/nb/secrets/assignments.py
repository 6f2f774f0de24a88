"""Secrets by the names that they are assigned to: `password = "…"`, `API_KEY: …`.

Found are assignments in code, JSON, YAML and HTML, with quotes as each of them writes quotes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from .names import FOREIGN_WORDS, is_password_name, is_secret_name
from .occurrences import FoundSecret, occurrences
from .values import is_code, is_secret_value

# Longest name before the word that promises a secret.
_BEFORE = 64
_WORDS = (
    *("pass", "pw", "secret", "token", "credential", "key", "psk"),
    *("contrase", "wort", "senha", "wachtwoord", "l\xf6senord", "losenord", "adgangskode"),
    *("has\u0142o", "haslo", "heslo", "salasana", "sifre", "\u015fifre", "mot_de", "motde"),
    *("\u043f\u0430\u0440\u043e\u043b\u044c", "\u5bc6", "\u30d1\u30b9", "\ube44\ubc00"),
)
_NAME_END = re.compile(
    r"(?:pass(?:word|wd|[_-]?phrase|code|ord)?|pwd?|secret(?:_?id)?|token|credentials?"
    rf"|key(?:_base)?|psk|wort|{FOREIGN_WORDS})[_-]?\d{{0,3}}"
    r"(?!(?:[^\WA-Za-z0-9]|-){0,64}[A-Za-z0-9])",
    re.I,
)
# Reads backwards: a pattern that ends at a place would be tried from each character before.
_NAME_BEGIN = re.compile(r"(?:[A-Za-z0-9_.-]| (?:ipa|ssecca|etavirp|terces)\b)*", re.I)
# Quotes as HTML writes them, also when it is HTML in HTML.
_ENTITY = r"&(?:amp;)?(?:quot|\#(?:39|34|x27));"
# Quotes as Python, JSON, HTML and addresses write them.
_QUOTE = rf"(?:\\*(?:[\"'`]|{_ENTITY})|%2[27])"
# The sign = as HTML and JSON may write it.
_EQUALS = r"&(?:amp;)?\#(?:61|x3[dD]);|\\+u003[dD]"
# The type of a name in C-like languages, Rust and Basic, up to the sign =.
_TYPED = (
    r"(?:[:][ \t]*(?:&(?:amp;)?)?[A-Za-z_][\w\[\]., |]{0,40}?|As[ ]\w{1,20})"
    r"(?:[ \t]+=|=(?=[\"'\w]))"
)
# An expression to whose value a text is the alternative: `getpass("Password: ") or "…"`.
_OTHERWISE = (
    r"(?:[A-Za-z_$][\w.]{0,60}(?:\[[^\n\]]{0,80}\]|\([^\n()]{0,100}\))?[ ](?:or|\|\||\?\?)[ ]"
    r"|[\w.]{1,40}[ ]if[ ][^\n:]{1,60}?[ ]else[ ])"
)
# A call or a command around a text that gives the text another type.
_WRAPPED = (
    r"(?:[\w.:]{0,40}(?:Secret(?:Str|Bytes)?|str|bytes|quote(?:_plus)?|from|Option|Field)"
    r"\((?:default\s?=\s?)?|ConvertTo-SecureString[ ](?:-String[ ])?)"
)
# What YAML may put between a colon and a text: a tag, an anchor, the mark of a block and its line.
_YAML = r"(?:[ \t]{1,9}(?:(?:!{1,2}|&)\w{1,40}(?=[ \t])|(?:[>|]|&gt;)[+-]?\d?(?:\n|\\+n)))"
_TAGS = r"(?:</?[A-Za-z][^<>]{0,200}>\s{0,40}){0,8}"
_SEPARATOR = re.compile(
    rf"(?:{_QUOTE}|\*\*)?(?:\[\w{{0,5}}\]|\])?\)?[ \t]{{0,40}}{_TAGS}"
    rf"(?:(?P<strong>=&gt;|{_TYPED}|:=|=>|={{1,3}}|!==?|<{{1,2}}-|&lt;-|\uff1a|%3[ADad]|{_EQUALS}"
    r"|:?(?:\\*[\"']\s*)?,?(?:[\s\"',{(]|\\+n|type\s?=\s?\w{1,20}){0,40}"
    r"(?<![A-Za-z])(?:value|content|default)\\*[\"']?\s*[:=]"
    r"|(?P<element>(?:>|&gt;)(?=[^\s<>&]{3,512}(?:</|&lt;/)))"
    rf"|:(?:\*\*)?(?:{_YAML}|\s{{1,2}}[ \t]{{1,40}})?)"
    rf"|(?P<weak>,|\(|\||\}}?\{{|(?=</?[A-Za-z])|[ \t]))\s?[ \t]{{0,40}}{_TAGS}"
)
# The text before the name of an XML element: `<db:password>…</db:password>`.
_ELEMENT = re.compile(r"(?:<|&lt;)(?:[\w.-]{1,40}:)?\Z")
_VALUE = re.compile(
    rf"{_OTHERWISE}?{_WRAPPED}?(?:(?:[bBrRuUfF]{{1,2}}|[@$])(?=[\"'`\\&]))?"
    r"(?:(?P<q1>\"{3}|'{3}|[\"'`])(?P<v1>(?:\\.|(?!(?P=q1))[^\\\n]){1,4096}?)(?P=q1)"
    r"|(?P<q2>\\+[\"'])(?P<v2>(?:(?!(?P=q2))[^\n]){1,4096}?)(?P=q2)"
    rf"|(?P<q3>\\*{_ENTITY})(?P<v3>(?:(?!(?P=q3))[^\n]){{1,4096}}?)(?P=q3)"
    r"|\[(?P<level>=*)\[(?P<v5>[^\]\n]{1,4096})\](?P=level)\]"
    r"|(?:[\"'`]|%2[27])?(?P<v4>(?:[^\s\"'`<>,;&(){}\[\]\\|=:]|[=:](?![A-Za-z ])){3,512}))"
)
# Names before a name in an assignment of several values, and the texts before its value.
_NAMES = re.compile(r"(?<![\w.])[(\[]?(?:[A-Za-z_]\w{0,40}\s?,\s?){1,6}\Z")
_TEXTS = re.compile(rf"[(\[]?(?:{_QUOTE}[^\n,]{{0,128}}?{_QUOTE},\s?){{1,6}}")
_REST = re.compile(r"(?:[^\s\"'`<>,;&)}\]\\]|&amp;)*")


def assigned_secrets(text: str) -> Iterator[FoundSecret]:
    """Yield values that are given to names of secrets: `password = "…"`, `API_KEY: …`."""
    # Of all letters, only this has another length in lower case.
    lower = text.replace("\u0130", "i").lower()
    for word in _WORDS:
        end = 0
        for at in occurrences(lower, word):
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
    if separator["element"] and not _ELEMENT.search(text, max(0, begin - _BEFORE), begin):
        return None
    is_odbc = name == "PWD" and text[begin - 1 : begin] == ";"  # else the working directory
    if not is_odbc and not is_secret_name(name.lstrip("-.")):
        return None
    if separator["weak"] == "," and " " in text[max(0, begin - 1) : name_end.end() - 1]:
        return None  # the last word of a longer text, in a list of texts
    is_strong = separator["strong"] is not None or name.startswith("--")
    starts = [separator.end()]
    others = _NAMES.search(text, max(0, begin - 2 * _BEFORE), begin)
    if others and is_strong:
        texts = _TEXTS.match(text, separator.end())
        starts = [*([texts.end()] if texts else []), *starts]
    found = (_value(text, start, is_password_name(name), is_strong) for start in starts)
    return next(filter(None, found), None)


def _value(text: str, start: int, password: bool, strong: bool) -> FoundSecret | None:
    """Return the value at a place if that is a secret."""
    value = _VALUE.match(text, start)
    if not value or not value.lastgroup:
        return None
    group = value.lastgroup
    is_quoted = group != "v4"
    start, end = value.span(group)
    if not is_quoted and is_code(text, start, end):
        return None
    if not _is_given(value[group], password, is_quoted, strong):
        return None
    if not is_quoted:
        rest = _REST.match(text, end)
        end = rest.end() if rest else end
    return FoundSecret(start, end, "Password" if password else "Secret")


@lru_cache(maxsize=1_000)
def _is_given(value: str, password: bool, quoted: bool, strong: bool) -> bool:
    """Return whether a value is a secret; a long text repeats most of its values."""
    return is_secret_value(value, password=password, quoted=quoted, strong=strong)
