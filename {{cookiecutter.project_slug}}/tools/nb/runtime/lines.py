"""Lines of a stage's output, with progress bars told apart."""

from __future__ import annotations

import codecs
import re

# A line that never ends is shown in pieces of this size.
LONGEST_LINE = 10_000
# papermill's progress bar, `Executing:  58%|█████▊    | 7/12 [00:13<00:08,  1.64s/cell]`.
PROGRESS = re.compile(r"\r?Executing:\s+\d+%\|[^|\n]*\|\s*(\d+/\d+) \[[^\]\n]*\]")


class Lines:
    """The lines in the output of a stage; progress bars are told apart."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self.progress = ""

    def feed(self, content: bytes, *, final: bool = False) -> list[str]:
        """Return the lines that are complete now; with `final`, the unfinished line, too."""
        text = self._rest + self._decoder.decode(content, final)
        found = PROGRESS.findall(text)
        self.progress = found[-1] if found else self.progress
        *lines, self._rest = text.replace("\r\n", "\n").split("\n")
        if final or len(self._rest) > LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        else:
            # A bar overwrites itself: what it has overwritten is of no use any more. What comes
            # before the last return is, as long as nothing follows.
            self._rest = self._rest[max(self._rest.rfind("\r", 0, -1), 0) :]
        return [shown for line in lines if (shown := _without_bars(line)).strip()]


def _without_bars(line: str) -> str:
    """Return the text a terminal would be left with: without bars, the last overwriting kept."""
    return PROGRESS.sub("", line).rstrip("\r").rpartition("\r")[2]
