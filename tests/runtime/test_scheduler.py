"""Which stage runs next."""

from __future__ import annotations

import sys
from itertools import combinations
from math import inf
from types import FrameType
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.declaration.tasks import DONE, FAILED, NOT_RUN, RAN, RUNNING, UNCHANGED, WAITING, Task
from nb.runtime import scheduler
from nb.runtime.scheduler import Schedule, width

if TYPE_CHECKING:
    from _typeshed import TraceFunction


def tasks(**needs: str) -> list[Task]:
    """Return tasks by name, each with the names (one letter each) that it needs."""
    return [Task(name, after=frozenset(before)) for name, before in needs.items()]


def names(schedule: Schedule, available: float = inf) -> list[str]:
    return [task.name for task in schedule.ready(lambda: available)]


def test_the_longest_way_comes_first_up_to_the_limit() -> None:
    plan = tasks(a="", b="", c="", d="c", e="d")
    schedule = Schedule(plan, 2, {"b": 2.5})
    assert names(schedule) == ["c", "b"]
    schedule.set("c", RUNNING)
    assert names(schedule) == ["b"]


NAMES = "abcdef"


@given(
    st.sets(st.sampled_from(list(combinations(NAMES, 2)))),
    st.tuples(*[st.integers(1, 9) for _ in NAMES]),
)
def test_ready_stages_come_by_the_longest_way_to_the_end(
    edges: set[tuple[str, str]], times: tuple[int, ...]
) -> None:
    seconds = dict(zip(NAMES, map(float, times), strict=True))

    def longest(name: str) -> float:
        after = [longest(other) for before, other in edges if before == name]
        return seconds[name] + max(after, default=0)

    plan = [Task(n, after=frozenset(before for before, o in edges if o == n)) for n in NAMES]
    ready = names(Schedule(plan, len(NAMES), seconds))
    assert set(ready) == {task.name for task in plan if not task.after}
    assert ready == sorted(ready, key=lambda name: -longest(name))


def test_nothing_starts_before_what_it_needs() -> None:
    schedule = Schedule(tasks(a="", b="", c="ab"), 9, {})
    for name in "ab":
        assert "c" not in names(schedule)
        schedule.set(name, RAN)
    assert names(schedule) == ["c"]


def test_what_follows_the_machinery_alone_is_unchanged() -> None:
    plan = [Task("a", hidden=True), Task("b", after=frozenset("a"), changed=False)]
    schedule = Schedule(plan, 9, {})
    schedule.set("a", RAN)
    assert names(schedule) == []
    assert schedule.states["b"] == UNCHANGED


def test_a_hidden_stage_runs_beside_the_others_and_takes_no_place_of_theirs() -> None:
    hidden = [Task("p", hidden=True), Task("q", hidden=True)]
    plan = [*hidden, Task("a", memory=9), Task("b", memory=9), Task("c", after=frozenset("p"))]
    schedule = Schedule(plan, 1, {"a": 9})
    assert names(schedule, 1) == ["p", "a"], "a stage alone starts, whatever its need"
    for name in ("p", "a"):
        schedule.set(name, RUNNING)
    assert names(schedule) == [], "one at a time, of either kind"
    schedule.set("p", RAN)
    assert names(schedule) == ["q"]
    schedule.set("a", RAN)
    schedule.set("q", RUNNING)
    assert names(schedule, 1) == ["b"]


@pytest.mark.parametrize(("jobs", "beside"), [(1, 1), (4, 1), (5, 2), (16, 4)])
def test_hidden_stages_are_as_many_as_the_others_need(jobs: int, beside: int) -> None:
    plan = [Task(f"h{n}", hidden=True) for n in range(9)]
    schedule = Schedule(plan, jobs, {})
    assert len(names(schedule)) == beside
    schedule.set("h0", RUNNING)
    assert len(names(schedule)) == beside - 1


def test_memory_that_a_stage_has_taken_is_not_counted_twice() -> None:
    schedule = Schedule([Task("a", memory=6), Task("b", memory=4)], 2, {"a": 9})
    assert names(schedule, 9) == ["a"]
    schedule.set("a", RUNNING)
    assert names(schedule, 3) == []
    another = Schedule([Task("a", memory=6), Task("b", memory=4), Task("c", memory=1)], 9, {"a": 9})
    assert names(another, 10) == ["a", "b"]
    another.set("a", RUNNING)
    assert names(another, 4) == ["b"]


def test_what_is_unchanged_is_not_started_unless_something_before_it_ran() -> None:
    plan = [
        Task("a"),
        Task("b", after=frozenset("a"), changed=False),
        Task("c", changed=False),
        Task("d", after=frozenset("c"), changed=False),
    ]
    schedule = Schedule(plan, 9, {})
    assert names(schedule) == ["a"]
    assert schedule.states["d"] == UNCHANGED
    schedule.set("a", UNCHANGED)
    assert names(schedule) == []
    again = Schedule(plan, 9, {})
    again.set("a", RAN)
    assert names(again) == ["b"]


def test_after_a_failure_nothing_starts() -> None:
    schedule = Schedule(tasks(a="", b="", c="a"), 1, {})
    schedule.set("a", FAILED)
    assert names(schedule) == []
    assert schedule.states["b"] == NOT_RUN
    assert schedule.causes["b"] == "a failed"


def test_told_to_go_on_it_leaves_out_what_depends_on_the_failure() -> None:
    schedule = Schedule(tasks(a="", b="", c="a", d="c"), 9, {}, keep_going=True)
    schedule.set("a", FAILED)
    assert names(schedule) == ["b"]
    assert schedule.states["d"] == NOT_RUN
    assert schedule.causes["d"] == "a failed"


def test_the_width_of_a_plan() -> None:
    assert width(tasks(a="", b="a", c="b")) == 1
    assert width(tasks(a="", b="a", c="a", d="bc")) == 2
    assert width([]) == 1
    assert width([Task("a", hidden=True), Task("b", hidden=True), Task("c")]) == 1


def test_what_does_not_fit_into_memory_waits_and_others_go_first() -> None:
    plan = [Task("big", memory=8), Task("small"), Task("other", memory=3), Task("free")]
    schedule = Schedule(plan, 9, {"big": 9, "small": 8, "other": 7}, memory={"small": 3, "big": 1})
    assert names(schedule, 10) == ["big", "free"]
    for name in ("big", "free"):
        schedule.set(name, RUNNING)
    # What runs has not taken yet what it will need.
    assert names(schedule, 9) == []
    schedule.set("big", RAN)
    assert names(schedule, 10) == ["small", "other"]
    # Somebody else took it.
    assert names(schedule, 4) == ["small"]


def test_alone_a_stage_always_starts() -> None:
    schedule = Schedule([Task("a", memory=99), Task("b", memory=99)], 9, {})
    assert names(schedule, 10) == ["a"]
    schedule.set("a", RUNNING)
    assert names(schedule, 10) == []
    schedule.set("a", RAN)
    assert names(schedule, 0) == ["b"]


@given(
    st.sets(st.sampled_from(list(combinations(NAMES, 2)))),
    st.sets(st.sampled_from(NAMES)),
    st.sets(st.sampled_from(NAMES)),
    st.integers(1, 3),
)
def test_a_run_ends_with_each_stage_as_the_stages_above_decide(
    edges: set[tuple[str, str]], stale: set[str], broken: set[str], jobs: int
) -> None:
    """The states at the end are those that follow from the graph, in whichever order stages end."""
    above = {name: {before for before, other in edges if other == name} for name in NAMES}
    plan = [Task(n, after=frozenset(above[n]), changed=n in stale) for n in NAMES]
    schedule = Schedule(plan, jobs, {}, keep_going=True)
    told: dict[str, str] = {}
    running: list[str] = []
    while (started := names(schedule)) or running:
        for name in started:
            assert all(schedule.states[other] in DONE for other in above[name])
            schedule.set(name, RUNNING)
        running += started
        assert len(running) <= jobs
        ended = running.pop(0)
        schedule.set(ended, FAILED if ended in broken else RAN)
        assert schedule.waiting == list(schedule.states.values()).count(WAITING)
        told |= {name: schedule.states[name] for name in schedule.take_changes()}
    expected: dict[str, str] = {}
    for name in NAMES:
        before = {expected[other] for other in above[name]}
        if before & {FAILED, NOT_RUN}:
            expected[name] = NOT_RUN
        elif name in stale or RAN in before:
            expected[name] = FAILED if name in broken else RAN
        else:
            expected[name] = UNCHANGED
    told |= {name: schedule.states[name] for name in schedule.take_changes()}
    assert schedule.states == told == expected
    assert schedule.any_broken() == (FAILED in expected.values())


def test_the_work_grows_with_the_number_of_stages_and_not_with_its_square() -> None:
    few, many = _lines_of_a_run(100), _lines_of_a_run(200)
    assert many < 2.5 * few


def _lines_of_a_run(count: int) -> int:
    """Return how many lines of the scheduler a run of so many pairs of stages executes."""
    plan = [Task("first")]
    for number in range(count):
        plan.append(Task(f"a{number}", after=frozenset({"first"})))
        plan.append(Task(f"b{number}", after=frozenset({f"a{number}"})))
    lines = 0

    def trace(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        nonlocal lines
        lines += event == "line"
        return trace if frame.f_code.co_filename == scheduler.__file__ else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        schedule = Schedule(plan, 2, {})
        while ready := schedule.ready():
            schedule.set(ready[0].name, RUNNING)
            schedule.set(ready[0].name, RAN)
    finally:
        sys.settrace(before)
    return lines
