"""Names of variables, keys, columns and parameters that promise a secret as value."""

from __future__ import annotations

import re

# The end of such a name. `max_tokens`, `password_strength` and `key` are names of something else.
_SECRET = re.compile(
    r"(?:password|passwd|passphrase|passcode|(?:^|[_.-])pass|pwd|secret|token|credentials?"
    r"|(?:api|access|account|private|secret|auth|encryption|signing|subscription|kaggle)[_. -]?key)"
    r"[_-]?\d*\Z",
    re.I,
)
# Tokens of texts, not of accounts.
_MARK = re.compile(
    r"(?:^|[_.-])(?:pad|eos|bos|unk|sep|cls|mask|start|end|stop|special|first|last|next|prev|current"
    r"|sub|oov|image|audio|video|num|max|min|per|continuation|page|sync|this|that)[_-]?token\Z",
    re.I,
)
_PASSWORD = re.compile(r"(?:[_.-]pass|passw(?:or)?d|passphrase|passcode|pwd)[_-]?\d*\Z", re.I)
_FOLDERS = ("PWD", "OLDPWD")


def is_secret_name(name: str) -> bool:
    """Return whether a name promises a secret as its value."""
    return bool(_SECRET.search(name)) and not _MARK.search(name) and name not in _FOLDERS


def is_password_name(name: str) -> bool:
    """Return whether a name is that of a password, which may be short and a word."""
    return bool(_PASSWORD.search(name))
