"""Removal of variants, and of the snapshots that no variant needs any more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from nb.project import UsageError
from nb.run.lock import while_idle

from . import store
from .snapshot import remove_unused_snapshots

_AGE = re.compile(r"(\d{1,4})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


def variants_to_remove(
    root: Path, numbers: Sequence[int], older_than: str | None, *, everything: bool
) -> list[int]:
    """Return the variants to remove.

    Args:
        numbers: variants by number.
        older_than: an age such as 30d; variants that ended before count, too.
        everything: all variants.

    Raises:
        NbError: with exit code 2, if there is no such variant, or the age cannot be read.
    """
    if not (numbers or older_than or everything):
        raise UsageError("give numbers, --older-than or --all")
    known = store.variant_numbers(root)
    for number in numbers:
        if number not in known:
            store.find_variant(root, number)
    chosen = {*numbers, *(known if everything else ())}
    if older_than:
        limit = datetime.now(timezone.utc) - _age(older_than)
        chosen |= {
            record.number
            for record in store.read_variants(root)
            if datetime.fromisoformat(record.ended or record.started) < limit
        }
    return sorted(chosen)


def remove_variants(root: Path, numbers: Sequence[int]) -> int:
    """Remove variants and return the bytes that they took.

    Raises:
        NbError: if an experiment is at work: variants take results from others.
    """
    with while_idle(root / store.EXPERIMENTS):
        freed = sum(store.variant_size(root, number) for number in numbers)
        for number in numbers:
            store.remove_variant_folder(root, number)
        remove_unused_snapshots(root)
    return freed


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if not match:
        raise UsageError(f"--older-than {text}: write it as 12h, 30d or 6w")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])
