"""Parameters and records of variants for tables and trackers, with remarks in place of secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from nb.secrets.environment import environment_mask

from .space import canonical
from .store import VariantRecord


def public_parameters(records: Sequence[VariantRecord]) -> list[dict[str, object]]:
    """Return the parameters of each variant, by `stage.parameter`, without secrets.

    Variants have most values in common, and numbers hold no secret: each text is searched once.
    """
    parameters = [record.all_parameters for record in records]
    texts = {
        canonical({name: value}): {name: value}
        for values in parameters
        for name, value in values.items()
        if _may_hold_text(value)
    }
    mask = environment_mask()
    if mask.is_clean(texts.values()):
        return parameters
    masked = {text: next(iter(mask.tree(pair).values())) for text, pair in texts.items()}
    return [
        {name: masked.get(canonical({name: value}), value) for name, value in values.items()}
        for values in parameters
    ]


def public_record(record: VariantRecord) -> dict[str, object]:
    """Return a record as JSON data, with the state of the variant and without secrets."""
    return environment_mask().tree(asdict(record) | {"state": record.state})


def public_value(name: str, value: object) -> object:
    """Return the value of a parameter, or a remark in place of a secret."""
    return next(iter(environment_mask().tree({name: value}).values()))


def _may_hold_text(value: object) -> bool:
    return not (value is None or isinstance(value, bool | int | float))
