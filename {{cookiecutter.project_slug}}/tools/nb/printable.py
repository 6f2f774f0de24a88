"""Printable text: escapes in place of characters that a terminal obeys, or cannot show.

Only the standard library is used, from Python 3.8 on, as Git's text view of notebooks needs.
"""

from __future__ import annotations

# A reviewer's terminal would obey these, and hide a line or reverse the text.
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
# Controls, but for tabs and line ends, as JSON writes them: a table for `str.translate`.
VISIBLE = {code: f"\\u{code:04x}" for code in _CONTROLS - {ord("\t"), ord("\n")}}
# Half of a character, and bytes of file names that are not UTF-8: no terminal can show them.
_UNPRINTABLE = {code: f"\\u{code:04x}" for code in range(0xD800, 0xE000)}
_UNPRINTABLE.update({code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)})


def printable(text: str) -> str:
    """Return a text with controls, but for tabs and line ends, and half characters as escapes."""
    return text.translate({**VISIBLE, **_UNPRINTABLE})
