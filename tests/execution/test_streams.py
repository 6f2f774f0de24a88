"""Live text of running cells, with a limit per cell."""

from __future__ import annotations

from io import StringIO

from hypothesis import given
from hypothesis import strategies as st
from nb.execution import streams
from nb.execution.streams import LiveStream, LogStream

NOTE = "\n[… more in the executed copy …]\n"


@given(pieces=st.lists(st.text("ab\n", max_size=9)), limit=st.integers(1, 20))
def test_the_shown_text_does_not_depend_on_the_pieces(pieces: list[str], limit: int) -> None:
    shown, before, streams.LIVE_TEXT_LIMIT = StringIO(), streams.LIVE_TEXT_LIMIT, limit
    try:
        stream = LiveStream(shown)
        for piece in pieces:
            stream.write(piece)
        whole = "".join(pieces)
        assert shown.getvalue() == whole[:limit] + NOTE * (len(whole) >= limit)
        stream.begin()
        stream.write("c")
        assert shown.getvalue().removesuffix(NOTE).endswith("c")
    finally:
        streams.LIVE_TEXT_LIMIT = before


def test_a_log_gets_a_record_per_chunk() -> None:
    records = list[str]()
    log = LogStream(records.append)
    log.write("a")
    log.flush()
    log.write("b")
    assert records == ["a", "b"]
