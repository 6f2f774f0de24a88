"""Credentials in Git's index or in the bytes of any file, notebooks included; in storage settings.

`find_secrets` decides; in configuration files, where passwords stand without quotes and may be
words, detect-secrets decides, too, which knows the kind of a file from the name of the file.
"""

from __future__ import annotations

import re
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from nb.notebook.content import load_json
from nb.notebook.strip import cell_label
from nb.project import NbError
from nb.secrets.mask import is_picture
from nb.secrets.search import find_secrets
from nb.secrets.values import is_named_secret, is_placeholder

from .objects import read_blobs

ALLOWED = re.compile(r"pragma: ?(?:allowlist|whitelist)[ -]secret")
# detect-secrets reads these in its own way. Its detectors that go by chance are left to others:
# they flag the hashes and numbers that files are full of.
CONFIGURATION = (".cfg", ".cnf", ".conf", ".env", ".ini", ".properties", ".toml", ".yaml", ".yml")
DETECTOR = {"plugins_used": [{"name": "KeywordDetector"}]}
# A line without any of these is none that the detector would flag.
KEYWORDS = re.compile(r"key|pass|pwd|secret|token|contrase", re.I)
# Names of settings that tell something about a secret.
ABOUT = re.compile(
    r"[\W_]*[\w.-]*[_-](?:algorithm|at|count|file|length|name|path|policy|required|strength|type|url)"
    r"[\"']?\s*[:=]"
)
LONGEST_SETTING = 1_000
# Replaces the bytes that are no printable character of ASCII by ends of lines.
_PRINTABLE = bytes(byte if 32 <= byte < 127 or byte in b"\t\r\x1b" else 10 for byte in range(256))
# Options of a DVC storage that belong into .dvc/config.local, which Git ignores.
STORAGE_CONFIG = ".dvc/config"
STORAGE_SECRET = re.compile(
    r"\s*(access_key_id|account_key|client_secret|connection_string|passphrase|password|sas_token"
    r"|secret_access_key|session_token|sse_customer_key)\s*="
)


def find_credentials(root: Path, ids: Mapping[str, str]) -> list[str]:
    """Return a phrase for each credential in the files as the index holds them.

    Args:
        ids: the files to look at, with their ids in the index.
    """
    return [
        found for name, content in read_blobs(root, ids) for found in find_in_file(name, content)
    ]


def find_in_file(name: str, content: bytes) -> list[str]:
    """Return a phrase per credential, `name:line: kind`; of a notebook `name, code cell 3: kind`.

    A line that ends with the comment `pragma: allowlist secret` is passed over. In a binary file,
    only printable characters count: among the others, a picture has words such as PW by chance.
    """
    if b"\0" in content:
        content = content.translate(_PRINTABLE)
    text = content.decode("utf-8", errors="replace")
    found = _in_notebook(text) if name.endswith(".ipynb") else None
    if found is None:
        lines = _in_text(text) | dict.fromkeys(_in_configuration(name, text), "Password")
        phrases = [f"{name}:{number}: {kind}" for number, kind in sorted(lines.items())]
    else:
        phrases = [f"{name}, {place}: {kind}" for place, kind in found]
    if name == STORAGE_CONFIG:
        phrases += [
            f"{name}:{number}: {option}: use dvc remote modify --local"
            for number, option in storage_secrets(text).items()
        ]
    return list(dict.fromkeys(phrases))


def storage_secrets(text: str) -> dict[int, str]:
    """Return the secret options in a configuration file of DVC, by the number of the line."""
    lines = enumerate(text.splitlines(), 1)
    return {number: found[1] for number, line in lines if (found := STORAGE_SECRET.match(line))}


def _in_text(text: str) -> dict[int, str]:
    """Return the kinds of the credentials in a text, by the number of the line."""
    found = find_secrets(text)
    if not found:
        return {}
    starts = [0, *(match.end() for match in re.finditer("\n", text)), len(text) + 1]
    numbered = ((bisect_right(starts, each.start), each.kind) for each in found)
    return {
        number: kind
        for number, kind in numbered
        if not ALLOWED.search(text, starts[number - 1], starts[number])
    }


def _in_configuration(name: str, text: str) -> list[int]:
    """Return the lines of a configuration file in which detect-secrets finds a password.

    The library reads files, and knows their kind by the name: it gets a file with these lines.
    """
    path = PurePosixPath(name)
    if path.suffix not in CONFIGURATION and not path.name.startswith(".env"):
        return []
    lines = {
        number: line
        for number, line in enumerate(text.split("\n"), 1)
        if len(line) <= LONGEST_SETTING
        and KEYWORDS.search(line)
        and not (ALLOWED.search(line) or ABOUT.match(line))
    }
    if not lines:
        return []
    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import transient_settings

    numbers = list(lines)
    with tempfile.TemporaryDirectory() as folder, transient_settings(DETECTOR):
        file = Path(folder, "lines.cfg")
        file.write_text("\n".join(map(str.strip, lines.values())) + "\n", encoding="utf-8")
        found = list(scan_file(str(file)))
    return [
        numbers[each.line_number - 1]
        for each in found
        if not is_placeholder(each.secret_value or "")
    ]


def _in_notebook(text: str) -> list[tuple[str, str]] | None:
    """Return the place and kind of each credential in a notebook; None if the text is none."""
    try:
        notebook = load_json(Path("notebook"), text)
        every = notebook["cells"]
        cells = [(cell_label(every, index), cell) for index, cell in enumerate(every)]
        rest = {key: value for key, value in notebook.items() if key != "cells"}
    except (NbError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return [(place, kind) for place, part in [*cells, ("metadata", rest)] for kind in _kinds(part)]


def _kinds(node: object) -> Iterator[str]:
    """Yield the kinds of the credentials in a part of a notebook: source, outputs, metadata."""
    if isinstance(node, str):
        yield from _in_text(node).values()
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _in_text(key).values()
            if is_named_secret(node, key):
                yield "Secret"
            elif not is_picture(key):
                yield from _kinds(value)
    elif isinstance(node, list):
        if node and all(isinstance(each, str) for each in node):
            node = [("" if node[0].endswith("\n") else "\n").join(node)]
        for each in node:
            yield from _kinds(each)
