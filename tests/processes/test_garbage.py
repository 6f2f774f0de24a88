"""Garbage collection: objects made in a block are left out of later collections, and freed."""

from __future__ import annotations

import gc
import weakref

import pytest
from nb.processes.garbage import no_collection


class Node:
    """An object that a collection visits."""


@pytest.fixture(autouse=True)
def as_before() -> None:
    gc.unfreeze()


def test_no_later_collection_visits_the_objects_of_a_block() -> None:
    with no_collection():
        assert not gc.isenabled()
        made = [Node() for _ in range(100)]
    assert gc.isenabled()
    assert not any(each is made for each in gc.get_objects())
    kept = weakref.ref(made[0])
    del made
    assert kept() is None


def test_a_collection_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with no_collection(), no_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_ends_the_block_as_well() -> None:
    with pytest.raises(ValueError), no_collection():
        raise ValueError
    assert gc.isenabled()
