"""Names of variables, keys, columns and parameters that promise a secret as value."""

from __future__ import annotations

import re

# Words for passwords in other languages than English and German.
FOREIGN_WORDS = (
    r"contrase[\xf1n]a|senha|mot_?de_?passe|wachtwoord|l[\xf6o]senord|passord|adgangskode"
    r"|has[l\u0142]o|heslo|salasana|[s\u015f]ifre|\u043f\u0430\u0440\u043e\u043b\u044c"
    r"|\u5bc6[\u7801\u78bc]|\u30d1\u30b9\u30ef\u30fc\u30c9|\ube44\ubc00\ubc88\ud638"
)
# The end of such a name. `max_tokens`, `password_strength` and `key` are names of something else.
_SECRET = re.compile(
    r"(?:password|passwd|pass[_-]?phrase|passcode|(?:^|[_.-])(?:pass|pw|psk)|pwd|secret|token"
    rf"|credentials?|secret_?id|(?:pass|kenn)wort|{FOREIGN_WORDS}|secret_key_base"
    r"|(?:api|access|account|private|secret|auth|encryption|fernet|signing|subscription|kaggle)"
    r"[_. -]?key)"
    r"[_-]?\d*\Z",
    re.I,
)
# Tokens of texts, not of accounts.
_MARK = re.compile(
    r"(?:^|[_.-])(?:pad|eos|bos|unk|sep|cls|mask|start|end|stop|special|first|last|next|prev|current"
    r"|sub|oov|image|audio|video|num|max|min|per|continuation|page|sync|this|that)[_-]?token\Z",
    re.I,
)
_PASSWORD = re.compile(
    r"(?:[_.-]pass|(?:^|[_.-])psk|passw(?:or)?d|pass[_-]?phrase|passcode|pwd|wort"
    rf"|{FOREIGN_WORDS})"
    r"[_-]?\d*\Z",
    re.I,
)
# Layers of networks, filters of signals.
_PASS = re.compile(
    r"(?:fwd|bwd|forward|backward|first|second|single|multi|low|high|band|all)[_-]pass\Z", re.I
)
_FOLDERS = ("PWD", "OLDPWD")


def is_secret_name(name: str) -> bool:
    """Return whether a name promises a secret as its value."""
    return bool(_SECRET.search(name)) and not (
        _MARK.search(name) or _PASS.search(name) or name in _FOLDERS
    )


def is_password_name(name: str) -> bool:
    """Return whether a name is that of a password, which may be short and a word."""
    return bool(_PASSWORD.search(name))
