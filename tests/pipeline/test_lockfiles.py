"""Lines of stages in `dvc.lock` are put back; those that other commands wrote stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nb.pipeline.lockfiles import put_back

STAGES = st.dictionaries(
    st.sampled_from("abcdef"), st.sampled_from(["one", "two\n    outs: []"]), max_size=6
)


def lock(stages: dict[str, str]) -> str:
    if not stages:
        return ""
    entries = (f"  {name}:\n    cmd: {command}\n" for name, command in stages.items())
    return f"schema: '2.0'\nstages:\n{''.join(entries)}"


@given(before=STAGES, now=STAGES, names=st.sets(st.sampled_from("abcdef")))
def test_only_the_lines_of_the_named_stages_are_what_they_were(
    before: dict[str, str], now: dict[str, str], names: set[str]
) -> None:
    found = put_back(lock(before), lock(now), names)
    theirs = {name: command for name, command in now.items() if name not in names}
    ours = {name: command for name, command in before.items() if name in names}
    if now:  # a file that is gone is put back as a whole
        assert sorted(found.splitlines()) == sorted(lock({**theirs, **ours}).splitlines())


def test_a_lock_file_that_was_made_goes_away_again() -> None:
    assert put_back("", lock({"a": "one"}), {"a"}) == ""
    assert put_back("", lock({"a": "one", "b": "one"}), {"a"}) == lock({"b": "one"})


def test_order_and_bytes_are_what_they_were() -> None:
    before = lock(dict.fromkeys("dacb", "one"))
    now = lock({**dict.fromkeys("dacb", "one"), "a": "two", "e": "one"})
    assert put_back(before, now, {"a", "e"}) == before


def test_half_a_lock_file_is_put_back_as_a_whole() -> None:
    before = lock({"a": "one"})
    for half in ("", "schema: '2.0'\nsta"):
        assert put_back(before, half, {"b"}) == before
