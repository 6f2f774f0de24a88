"""A notebook as text for ``git diff``: its cells as a person reads them, without outputs.

Only the standard library is used, from Python 3.8 on: Git starts this once for each version of
each notebook that it shows.
"""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# In JSON these are visible as escapes. A reviewer's terminal would obey them: hide a line, reverse
# its order.
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_VISIBLE = {code: f"\\u{code:04x}" for code in _CONTROLS - {ord("\t"), ord("\n")}}
# Half of a character, and bytes of file names that are not UTF-8: no terminal can show them.
_UNPRINTABLE = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
_UNPRINTABLE.update({code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)})


def printable(text: str) -> str:
    """Return a text with its controls, also those of direction, as escapes that people can see."""
    return text.translate({**_VISIBLE, **_UNPRINTABLE})


def text(data: bytes) -> bytes:
    """Show a notebook's kernel and cells; return what is not a notebook as it is.

    A cell's header names its type, unless it is code, and its tags. It holds no number and no id:
    inserting a cell changes no other cell's text.

    Args:
        data: the notebook file, of any quality: a diff must always work.
    """
    try:
        notebook = json.loads(data.decode("utf-8"))
        parts = [_cell(cell) for cell in notebook["cells"]]
        kernel = notebook["metadata"].get("kernelspec", {}).get("name")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return data
    if kernel:
        parts.insert(0, f"# kernel: {kernel}")
    shown = "\n\n".join(parts).replace("\r\n", "\n").translate(_VISIBLE)
    return (shown + "\n").encode("utf-8", "backslashreplace")


def _cell(cell: dict[str, Any]) -> str:
    kind = cell["cell_type"]
    header = "# %%" if kind == "code" else f"# %% [{kind}]"
    tags = cell["metadata"].get("tags")
    if tags:
        header += f" tags: {', '.join(tags)}"
    source = cell["source"]
    body = source if isinstance(source, str) else "".join(source)
    return "\n".join([header, *_attachments(cell), *([body] if body else [])])


def _attachments(cell: dict[str, Any]) -> list[str]:
    """A line for each attached file, so that a replaced image does not go unnoticed."""
    return [
        f"# attachment: {name} ({mime}, {len(''.join(content))} characters)"
        for name, bundle in cell.get("attachments", {}).items()
        for mime, content in bundle.items()
    ]


def main(arguments: list[str]) -> int:
    """Show the notebook on stdin; return the exit code."""
    try:
        sys.stdout.buffer.write(text(sys.stdin.buffer.read()))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on. The usual exit would flush into the closed pipe and complain.
        os._exit(1)
    return 0
