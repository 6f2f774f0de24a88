"""Find credentials in files and notebooks, kept outputs included, with detect-secrets, offline."""

from __future__ import annotations

import html
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

from .notebook import source_text

# Left out: entropy and addresses, which flag the hashes and numbers that outputs are full of.
LEFT_OUT = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
# Minified files and embedded pictures: no person wrote a credential into such a line.
LONGEST_LINE = 5_000
# Options of a DVC storage that belong into .dvc/config.local, which Git ignores.
STORAGE_CONFIG = ".dvc/config"
STORAGE_SECRET = re.compile(
    r"\s*(access_key_id|account_key|client_secret|connection_string|passphrase|password|sas_token"
    r"|secret_access_key|session_token|sse_customer_key)\s*="
)


def find_in_file(name: str, content: bytes) -> list[str]:
    """Return one phrase per credential, `name:line: kind`; in a notebook `name:cell 3: kind`.

    A line that ends with the comment `pragma: allowlist secret` is passed over.
    """
    text = content.decode("utf-8", errors="replace")
    places = _notebook_lines(text) if name.endswith(".ipynb") else None
    if places is None:
        places = [(str(number), line) for number, line in enumerate(text.splitlines(), 1)]
    found = [f"{name}:{place}: {kind}" for place, kind, _ in _scan(places)]
    if name == STORAGE_CONFIG:
        secrets = storage_secrets(text).items()
        found += [
            f"{name}:{number}: {option}: use dvc remote modify --local"
            for number, option in secrets
        ]
    return list(dict.fromkeys(found))


def storage_secrets(text: str) -> dict[int, str]:
    """Return the secret options in a configuration file of DVC, by the number of the line."""
    lines = enumerate(text.splitlines(), 1)
    return {number: found[1] for number, line in lines if (found := STORAGE_SECRET.match(line))}


def mask(text: str) -> str:
    """Replace the credentials in a text by a remark."""
    found = [value for _, _, value in _scan(("", line) for line in text.splitlines())]
    for value in found:
        text = re.sub(rf"[^\s\"'`]*{re.escape(value)}[^\s\"'`]*", "[credential removed]", text)
    return text


class Mask:
    """Replaces the values of secrets, whatever they look like, by the names of their variables.

    Found are also the forms that a value takes in Python, JSON, HTML and addresses.

    Args:
        secrets: the values by name; empty ones are not allowed.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        # The longest first: a value may be part of another.
        ordered = sorted(secrets.items(), key=lambda item: len(item[1]), reverse=True)
        self._names = [name for name, _ in ordered]
        patterns = (f"({''.join(map(_any_form, value))})" for _, value in ordered)
        self._pattern = re.compile("|".join(patterns) or r"(?!)")

    def text(self, text: str) -> str:
        """Return a text without the values."""
        return self._pattern.sub(self._replacement, text)

    def _replacement(self, found: re.Match[str]) -> str:
        return f"[{self._names[(found.lastindex or 0) - 1]} removed]"

    def tree(self, node: Any) -> Any:
        """Return what JSON can hold, without the values: in its texts and in its keys."""
        if isinstance(node, str):
            return self.text(node)
        if isinstance(node, dict):
            return {self.tree(key): self.tree(value) for key, value in node.items()}
        return [self.tree(each) for each in node] if isinstance(node, list | tuple) else node

    def record(self, record: logging.LogRecord) -> bool:
        """Remove the values from a log record: a filter for a logger, which keeps them all."""
        record.msg, record.args = self.text(record.getMessage()), ()
        return True


def _any_form(character: str) -> str:
    """Return a pattern for a character as it is and as it is escaped, also more than once."""
    if character.isascii() and character.isalnum():
        return character
    if character == "\\":
        return r"(?:\\+|%5C)"
    escapes = {repr(character)[1:-1], json.dumps(character)[1:-1]}
    forms = {character, html.escape(character), quote(character, safe="")}
    patterns = [r"\\+" + re.escape(escape[1:]) for escape in escapes if escape.startswith("\\")]
    patterns += [r"\\*" + re.escape(form) for form in forms]
    return f"(?:{'|'.join(patterns)})"


def _scan(places: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str, str]]:
    """Yield the place, the kind and the value of each credential."""
    from detect_secrets.core.scan import scan_line

    with _settings():
        for place, line in places:
            if len(line) <= LONGEST_LINE:
                yield from ((place, s.type, s.secret_value) for s in scan_line(line))


def _settings() -> AbstractContextManager[Any]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    names = {plugin.__name__ for plugin in get_mapping_from_secret_type_to_class().values()}
    plugins = [{"name": name} for name in sorted(names - LEFT_OUT)]
    settings: AbstractContextManager[Any] = transient_settings({"plugins_used": plugins})
    return settings


def _notebook_lines(text: str) -> list[tuple[str, str]] | None:
    """Return each line of source and output with its cell; None if the text is not a notebook."""
    try:
        return [
            (f"cell {number}", line)
            for number, cell in enumerate(json.loads(text)["cells"], 1)
            for part in (source_text(cell), *map(output_text, cell.get("outputs", ())))
            for line in part.splitlines()
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def output_text(output: dict[str, Any]) -> str:
    """Return all that is text in an output: a stream, an error, data of any textual kind."""
    data = output.get("data", {})
    parts = [output.get("text", ""), output.get("traceback", []), *data.values()]
    return "\n".join(
        "".join(map(str, part)) if isinstance(part, list) else str(part) for part in parts
    )
