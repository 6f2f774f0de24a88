"""PyYAML loaders with the resolution of plain scalars that papermill and that DVC use."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from nb.wording import shortened

if TYPE_CHECKING:
    import yaml

    # By the first character of a plain scalar: the tag and the pattern of each type.
    _Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]

# How DVC's parser resolves plain scalars, where that differs from YAML 1.1: tag, pattern, and the
# characters that a match begins with.
_DVC_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (
        "float",
        r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9_]+([eE][-+][0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    ("int", r"[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?[0-9_]+|[-+]?0x[0-9a-fA-F_]+", "-+0123456789"),
)
TAG_PREFIX = "tag:yaml.org,2002:"


@cache
def papermill_loader() -> type[yaml.SafeLoader]:
    """Return the loader that is papermill's `NoDatesSafeLoader`."""
    import yaml

    class Loader(_marked(yaml.SafeLoader)):  # type: ignore[misc]  # PyYAML carries no types
        yaml_implicit_resolvers = _without(yaml.SafeLoader.yaml_implicit_resolvers, "timestamp")

    return Loader


@cache
def dvc_loader() -> type[yaml.SafeLoader]:
    """Return a loader that reads as ruamel.yaml does for DVC, as fast as the parser in C."""
    import yaml

    base: Any = _marked(getattr(yaml, "CSafeLoader", yaml.SafeLoader))

    class Loader(base):  # type: ignore[misc]  # PyYAML carries no types
        yaml_implicit_resolvers = _without(
            base.yaml_implicit_resolvers, *(tag for tag, *_ in _DVC_SCALARS)
        )

        def resolve(self, kind: type[yaml.Node], value: str, implicit: object) -> str:
            # The parser in C takes a lone `!` for a text: ruamel.yaml and PyYAML take it for null.
            lone_tag = not value and implicit == (False, False)
            return str(super().resolve(kind, value, (True, False) if lone_tag else implicit))

    for tag, pattern, first in _DVC_SCALARS:
        whole = re.compile(f"(?:{pattern})$")
        Loader.add_implicit_resolver(TAG_PREFIX + tag, whole, list(first))
    Loader.add_constructor(f"{TAG_PREFIX}int", lambda loader, node: _whole_number(node.value))
    return Loader


def _marked(base: Any) -> Any:
    """Return a loader that says in which line a value is not of the type that a tag promises."""
    from yaml.constructor import ConstructorError

    class Loader(base):  # type: ignore[misc]  # PyYAML carries no types
        def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
            try:
                return super().construct_object(node, deep)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
                value = f'"{shortened(node.value, 40)}"' if node.id == "scalar" else f"a {node.id}"
                problem = f"{value} is no {node.tag.replace(TAG_PREFIX, '!!')}"
                raise ConstructorError(None, None, problem, node.start_mark) from None

    return Loader


def _without(resolvers: _Resolvers, *tags: str) -> _Resolvers:
    unwanted = {TAG_PREFIX + tag for tag in tags}
    return {
        first: [(tag, pattern) for tag, pattern in known if tag not in unwanted]
        for first, known in resolvers.items()
    }


def _whole_number(text: str) -> int:
    """Return the number of YAML 1.2: `0o12` is octal, `012` is not."""
    digits = text.replace("_", "").lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10)
    number = int(digits if base == 10 else digits[2:], base)
    return -number if text.startswith("-") else number
