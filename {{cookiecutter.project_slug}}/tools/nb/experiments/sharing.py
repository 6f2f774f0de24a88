"""Shared stages: each distinct computation of an experiment is planned once.

Two variants share a stage if every value that reaches the stage, directly or through stages that
make its inputs, is the same in both. The first such variant computes the stage; the others take its
results.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .space import Settings, canonical


class PlannedStage(Protocol):
    """A stage of the pipeline, with the stages that make its inputs."""

    @property
    def name(self) -> str: ...
    @property
    def after(self) -> frozenset[str]: ...


@dataclass(frozen=True, kw_only=True)
class Share:
    """The part of a variant in an experiment.

    Attributes:
        computes: the stages that this variant computes, in topological order.
        takes: the stages whose results another variant computes: the variant's position, by stage.
    """

    computes: list[str]
    takes: dict[str, int]


def stage_keys(
    stages: Sequence[PlannedStage], settings: Settings, readers: Mapping[str, frozenset[str]]
) -> dict[str, str]:
    """Return a key for each stage that is equal for equal computations of that stage.

    Args:
        stages: the stages in topological order.
        settings: the values of the variant, by parameter.
        readers: the stages that get the value of a parameter.
    """
    keys: dict[str, str] = {}
    for stage in stages:
        own = {name: value for name, value in settings.items() if stage.name in readers[name]}
        above = {name: keys[name] for name in stage.after if name in keys}
        text = canonical({"stage": stage.name, "values": own, "after": above})
        keys[stage.name] = hashlib.sha256(text.encode()).hexdigest()
    return keys


def shares_of_variants(
    stages: Sequence[PlannedStage],
    variants: Sequence[Settings],
    readers: Mapping[str, frozenset[str]],
) -> list[Share]:
    """Return for each variant the stages to compute, and those to take from earlier variants.

    Args:
        stages: the stages in topological order.
        variants: the settings of the variants.
        readers: the stages that get the value of a parameter.
    """
    first: dict[str, int] = {}
    shares: list[Share] = []
    for position, settings in enumerate(variants):
        keys = stage_keys(stages, settings, readers)
        owners = {name: first.setdefault(key, position) for name, key in keys.items()}
        shares.append(
            Share(
                computes=[name for name, owner in owners.items() if owner == position],
                takes={name: owner for name, owner in owners.items() if owner != position},
            )
        )
    return shares
