"""The next things that `nb onboard` names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nb.check.health.diagnosis import Diagnosis
from nb.commands.onboarding import FETCH, NEXT_THINGS, news_beside, next_things

WELL = Diagnosis("Git", detail="2.43")
UNKNOWN = Diagnosis("Git identity", "user.name is not set", repair="git config user.name ...")


def test_in_a_clone_without_a_fault_the_next_things_are_work() -> None:
    lines = next_things([WELL], fetched=True, has_report=True)
    assert [line.split("  ")[0] for line in lines] == [
        *("make run-notebooks", "make new-notebook NAME=…", "CONTRIBUTING.md")
    ]


def test_repairs_come_first_and_none_is_left_out() -> None:
    lines = next_things([WELL, UNKNOWN], fetched=False, has_report=False)
    assert lines[0].startswith(UNKNOWN.repair)
    assert lines[1].startswith("make pull")
    assert len(lines) == NEXT_THINGS


def test_results_that_could_not_be_fetched_are_fetched_again() -> None:
    assert next_things([WELL], fetched=False, has_report=False)[0].startswith("make pull")


@given(st.integers(0, 6), st.booleans(), st.booleans())
def test_there_are_three_things_or_as_many_as_there_are_repairs(
    faults: int, fetched: bool, has_report: bool
) -> None:
    lines = next_things([UNKNOWN] * faults, fetched=fetched, has_report=has_report)
    assert len(lines) == max(NEXT_THINGS, faults)


def test_a_long_repair_is_told_from_its_problem() -> None:
    edited = Diagnosis("tooling", "edited since 0.2.0", repair="nb update, which keeps your edit")
    lines = next_things([edited], fetched=True, has_report=True)
    assert lines[0] == "edited since 0.2.0: nb update, which keeps your edit"


def test_a_storage_that_cannot_be_used_is_said_once() -> None:
    storage = Diagnosis("DVC storage", "s3://a: no credentials were found", repair="set KEY")
    data = Diagnosis("data", "a.csv is not here", repair=FETCH, is_safe=True)
    findings = [WELL, storage, data, UNKNOWN]
    failure = "s3://a: no credentials were found; set KEY"
    assert news_beside(failure, findings) == [WELL, UNKNOWN]
    assert news_beside("dvc.lock cannot be read", findings) == [WELL, storage, UNKNOWN]
    assert news_beside("", findings) == findings
