"""Shared stages: what two variants have in common is computed once, and nothing else is shared."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from nb.experiments.sharing import shares_of_variants, stage_keys


@dataclass(frozen=True)
class Node:
    name: str
    after: frozenset[str] = frozenset()


EXAMPLE = [
    Node("ingest"),
    Node("features", frozenset({"ingest"})),
    Node("train", frozenset({"features"})),
    Node("evaluate", frozenset({"train", "features"})),
]
READERS = {"train.folds": frozenset({"train"}), "features.limit": frozenset({"features"})}


def test_the_example_computes_each_stage_as_often_as_its_values_differ() -> None:
    variants = [
        {"train.folds": folds, "features.limit": limit}
        for folds in (3, 5, 10)
        for limit in (0.8, 0.85, 0.9, 0.95)
    ]
    shares = shares_of_variants(EXAMPLE, variants, READERS)
    computed = [name for share in shares for name in share.computes]
    counts = {name: computed.count(name) for name in dict.fromkeys(computed)}
    assert counts == {"ingest": 1, "features": 4, "train": 12, "evaluate": 12}
    assert shares[4].takes == {"ingest": 0, "features": 0}


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 6))):
        names = [node.name for node in nodes]
        after = draw(st.sets(st.sampled_from(names))) if names else set()
        nodes.append(Node(f"s{number}", frozenset(after)))
    return nodes


@given(graphs(), st.data())
def test_equal_keys_mean_equal_values_all_the_way_up(
    graph: list[Node], data: st.DataObject
) -> None:
    names = [node.name for node in graph]
    parameters = ["p", "q", "r"]
    readers = {p: frozenset(data.draw(st.sets(st.sampled_from(names)))) for p in parameters}
    values = st.fixed_dictionaries({p: st.integers(0, 2) for p in parameters})
    variants = data.draw(st.lists(values, min_size=1, max_size=6))
    above: dict[str, set[str]] = {}
    for node in graph:
        above[node.name] = {node.name}.union(*(above[name] for name in node.after))

    def seen(name: str, settings: dict[str, int]) -> tuple[int, ...]:
        return tuple(settings[p] for p in parameters if readers[p] & above[name])

    keys = [stage_keys(graph, variant, readers) for variant in variants]
    for one, other in zip(keys, reversed(keys), strict=True):
        first, second = variants[keys.index(one)], variants[keys.index(other)]
        for name in names:
            assert (one[name] == other[name]) >= (seen(name, first) == seen(name, second))
            if one[name] == other[name]:
                mine = {p: first[p] for p in parameters if readers[p] & above[name]}
                assert mine == {p: second[p] for p in mine}

    shares = shares_of_variants(graph, variants, readers)
    for position, share in enumerate(shares):
        assert {*share.computes, *share.takes} == set(names)
        for name, owner in share.takes.items():
            assert owner < position
            assert name in shares[owner].computes
        # Everything that a computed stage needs is computed or taken.
        for name in share.takes:
            assert above[name] <= set(share.takes)
