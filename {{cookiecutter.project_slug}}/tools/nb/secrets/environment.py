"""Secret values among the variables of an environment, and the mask of this process's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

from .mask import Mask
from .names import is_secret_name
from .search import find_secrets
from .values import is_placeholder

# Values that many programs have by default; removing them would tear ordinary text.
_DEFAULTS = {"admin", "airflow", "minio", "minioadmin", "postgres", "public", "guest", "mysql"}
_SHORTEST = 6


def environment_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secret values in an environment by the name of the variable.

    Either the name promises a secret, or the value holds a secret: an address with a password.
    """
    found: dict[str, str] = {}
    for name, value in environment.items():
        inner = list(_inner_secrets(value))
        if is_secret_name(name) and not value.startswith(("/", "~", "http:", "https:")):
            inner.insert(0, value)
        for number, secret in enumerate(dict.fromkeys(inner), 1):
            if len(secret) >= _SHORTEST and secret not in _DEFAULTS and not is_placeholder(secret):
                found[name if number == 1 else f"{name} {number}"] = secret
    return found


def environment_mask() -> Mask:
    """Return the mask for the secret values in the environment of this process."""
    return Mask(environment_secrets(os.environ))


@lru_cache(maxsize=1_000)
def _inner_secrets(value: str) -> tuple[str, ...]:
    """Return the credentials inside a value; all stages of a run have most values in common."""
    return tuple(value[each.start : each.end] for each in find_secrets(value))
