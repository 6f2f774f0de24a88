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


def _is_mixed(value: str) -> bool:
    return any(map(str.isdigit, value)) and is_random(value)


_NEEDED_QUOTE = r"(?:\\*[\"']|&quot;|&\#(?:39|34|x27);)"
_QUOTES = r"(?:\\*[\"'`]|&quot;|&\#(?:39|34|x27);)?"
# A word of a command, up to a quote.
_WORD = r"(?:(?!&quot;|&\#)[^\s\"'<>\\]){4,4096}"
# An argument of a call, and the secret as argument.
_ARGUMENT = (
    rf"(?:\w{{1,40}}\s?=\s?)?[bru]?{_NEEDED_QUOTE}[^\s\"'&\\]{{1,128}}{_NEEDED_QUOTE},\s{{0,40}}"
)
_SECRET_ARGUMENT = (
    rf"(?:\w{{1,40}}\s?=\s?)?[bru]?{_NEEDED_QUOTE}([^\s\"'&\\]{{4,256}}){_NEEDED_QUOTE}"
)
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
    _Phrase(
        "Password in an Address",
        ("%3A%2F%2F", "%3a%2f%2f"),
        (r"(?i)%3A%2F%2F[\w.-]{0,128}%3A((?:[\w.~-]|%(?!2F|40)[0-9a-f]{2}){1,256})%40"),
        _is_url_password,
    ),
    _Phrase("Token in an Address", ("://",), (r"://([\w-]{20,256})@")),
    _Phrase(
        "Key in an Address",
        tuple(
            f"{mark}{name}="
            for mark in ("?", "&", "&amp;")
            for name in ("code", "auth", "key", "appid")
        ),
        r"(?:\?|&|&amp;)\w+=([\w%+/-]{32,512}=*)",
    ),
    _Phrase(
        "Password of a Request",
        ("auth", "BasicAuth", "DigestAuth"),
        (
            rf"(?:(?:Basic|Digest)Auth|auth)\s?=?\s?\(\s?{_NEEDED_QUOTE}[^\s\"'&\\]{{1,128}}{_NEEDED_QUOTE}"
            rf",\s{{0,40}}{_NEEDED_QUOTE}([^\s\"'&\\]{{4,256}}){_NEEDED_QUOTE}"
        ),
        _is_password,
    ),
    _Phrase(
        "Password of a Request",
        ("auth=", "auth ="),
        rf"auth\s?=\s?{_NEEDED_QUOTE}[\w.@-]{{1,128}}:([^\s\"'&\\]{{4,256}}){_NEEDED_QUOTE}",
    ),
    _Phrase(
        "Password of a Call",
        (".login(", "username_pw_set(", "BasicAuthentication(", "PlainAuthenticator("),
        rf"[.\w]+\(\s{{0,40}}{_ARGUMENT}{_SECRET_ARGUMENT}",
        _is_password,
    ),
    _Phrase(
        "Password of a Call",
        ("FTP(", "FTP_TLS(", "set_password("),
        rf"\w+\(\s{{0,40}}(?:{_ARGUMENT}){{2}}{_SECRET_ARGUMENT}",
        _is_password,
    ),
    _Phrase(
        "Key of a Call",
        ("OAuthHandler(", "connect(", "database(", "getConnection(", "add_password("),
        (
            rf"\w+\(\s{{0,40}}(?:{_ARGUMENT}|[\w$.]{{1,64}},\s{{0,40}}){{1,4}}?"
            rf"{_NEEDED_QUOTE}(?=[^\s\"'&\\]{{0,64}}\d)([^\s\"'&\\]{{4,256}}){_NEEDED_QUOTE}"
        ),
        _is_mixed,
    ),
    _Phrase(
        "Key of a Call",
        ("Fernet(", "hmac.new("),
        rf"[\w.]+\(\s{{0,40}}{_SECRET_ARGUMENT}",
        _is_mixed,
    ),
    _Phrase(
        "Key of a Call",
        ("jwt.encode(", "jwt.decode(", "pgp_sym_encrypt(", "pgp_sym_decrypt("),
        rf"[\w.]+\([^\n\"'&\\]{{1,128}},\s{{0,40}}{_SECRET_ARGUMENT}",
        _is_mixed,
    ),
    _Phrase(
        "Azure Storage Key",
        ("account.key.",),
        rf"account\.key\.[\w.-]{{1,128}}{_QUOTES}\s?[,=:]?\s?{_QUOTES}([A-Za-z0-9+/]{{40,512}}={{0,2}})",
    ),
    _Phrase(
        "Key of a Client",
        ("Client(",),
        (
            rf"Client\(\s{{0,40}}(?:{_NEEDED_QUOTE}AC[0-9a-f]{{32}}{_NEEDED_QUOTE},\s{{0,40}})?"
            rf"{_NEEDED_QUOTE}([A-Za-z0-9_-]{{32,256}}){_NEEDED_QUOTE}"
        ),
    ),
    _Phrase(
        "Private Key",
        ("kty",),
        (
            rf"kty{_NEEDED_QUOTE}\s?:[^{{}}]{{1,4096}}?{_NEEDED_QUOTE}[dk]{_NEEDED_QUOTE}\s?:\s?"
            rf"{_NEEDED_QUOTE}([\w-]{{20,4096}}=*)"
        ),
    ),
    _Phrase(
        "Private Key",
        ("Private-Lines:",),
        (
            r"Private-Lines: \d{1,3}"
            r"((?:(?:[\s\"',]|\\+[nr]){1,40}[A-Za-z0-9+/]{4,64}={0,2}(?![\w:-]))+)"
        ),
    ),
    _Phrase(
        "Password of a Form",
        ("password",),
        (rf"password{_NEEDED_QUOTE}[^<>]{{0,400}}?\svalue={_NEEDED_QUOTE}([^\"'\\&]{{4,256}})"),
        _is_password,
    ),
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
        (rf"auth{_QUOTES}\s*[:=]\s*{_QUOTES}([A-Za-z0-9+/]{{8,1024}}={{0,2}})"),
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
        ("session", "SESSIONID", "SESSID", "connect.sid", "SessionId"),
        (
            rf"(?:session(?:_?id)?|SESSIONID|SESSID|connect\.sid|SessionId)(?:=|{_NEEDED_QUOTE}\s?:\s?{_NEEDED_QUOTE})"
            r"([A-Za-z0-9%._:+/-]{16,4096})"
        ),
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
        (
            *("mysql", "sshpass", "redis-cli", "docker login", "podman login", "helm ", "oc login"),
            *("mongo", "snowsql", "az login", "zip ", "7z", "rar ", "sqlcmd", "bcp ", "twine "),
        ),
        (
            r"(?:mysql\w*|sshpass|redis-cli|\w+ login|helm|mongo\w*|snowsql|zip|7z\w*|rar|sqlcmd"
            rf"|bcp|twine)\b[^\n]{{0,200}}?\s-[paP] ?{_QUOTES}"
            rf"((?!-){_WORD})"
        ),
    ),
    _Phrase(
        "Password of a Command",
        ("ldap",),
        rf"ldap\w+\s[^\n]{{0,200}}?\s-w ?{_QUOTES}((?!-){_WORD})",
    ),
    _Phrase(
        "Key of a Command",
        ("mc alias set", "mc config host add"),
        rf"mc (?:alias set|config host add)(?:\s+[^\s\"']{{1,256}}){{3}}\s+{_QUOTES}({_WORD})",
    ),
    _Phrase(
        "Key of a Command",
        ("vault login ", "--string-value", "--secret-string"),
        rf"[\w-]+(?: login)?[ =]{{1,9}}{_QUOTES}((?!-){_WORD})",
    ),
    _Phrase(
        "Key of a Command",
        ("echo ", "printf "),
        (
            rf"\w+\s+(?:-n\s+)?{_QUOTES}({_WORD}){_QUOTES}\s*(?:\|&?|<<<)\s*"
            r"(?=[^\n]{0,200}?(?:--with-token|--password-stdin|login|sudo -S|passphrase-fd))"
        ),
        _is_mixed,
    ),
    _Phrase(
        "Password of Oracle",
        ("oracle:thin:", "sqlplus ", "sqlldr ", "expdp ", "impdp "),
        r"[\w:]+\s?[\w$#.]{1,64}/([^\s\"'<>@/\\]{4,256})(?=@)",
        _is_password,
    ),
    _Phrase(
        "Password of ODBC",
        ("PWD={", "Pwd={", "pwd={"),
        r"(?i)pwd=\{([^\s{}]{4,256})\}",
    ),
    _Phrase(
        "Password in a Sentence",
        ("assword ", "asswort ", "assphrase ", "ennwort ", "de passe", "ey is ", "oken is "),
        (
            r"(?:asswor[dt]|assphrase|ennwort|de passe|ey|oken)\s?(?:(?:is|was|lautet|ist|est)\s?)?"
            rf":?\s{_QUOTES}((?:(?!&quot;|&\#)[^\s\"'<>,;()\\]){{7,256}}[^\s\"'<>&,;().:!?\\])"
        ),
        _is_mixed,
    ),
    _Phrase(
        "Login",
        ("redentials:", "/pass:", "/password:", "/pw:"),
        r"(?:redentials|/pass|/password|/pw):\s{0,9}[\w.@-]{1,64}\s?[:/]\s?([^\s\"'<>,;\\]{6,256})",
        _is_mixed,
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
            rf"username{_QUOTES}\s*:\s*{_QUOTES}[\w.@-]{{1,64}}{_QUOTES}\s*,(?:\s|\\+n)*"
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
