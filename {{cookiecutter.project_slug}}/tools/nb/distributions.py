"""Distributions of Python: names in a form to compare, and the modules that they install."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator


def normalized(distribution: str) -> str:
    """Return the name of a distribution as registries compare names."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def modules_of(distribution: str) -> set[str] | None:
    """Return the top-level modules of an installed distribution; None without an installation."""
    from importlib import metadata

    try:
        found = metadata.distribution(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return None
    listed = (found.read_text("top_level.txt") or "").split()
    return set(listed) or set(_top_levels(str(file) for file in found.files or ()))


def _top_levels(files: Iterable[str]) -> Iterator[str]:
    for file in files:
        first, _, rest = file.partition("/")
        if rest and first.isidentifier():
            yield first
        elif not rest and first.endswith((".py", ".so", ".pyd")):
            yield first.split(".")[0]


def installed_distributions() -> dict[str, list[str]]:
    """Return the installed distributions by top-level module."""
    from importlib import metadata

    return {name: sorted(set(d)) for name, d in metadata.packages_distributions().items()}
