"""YAML 1.2 as DVC reads it: `on` and `12:30` are text, `012` is twelve, no key is there twice."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, ClassVar

_TYPES = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    "merge": (r"<<", ["<"]),
}
_TAG = "tag:yaml.org,2002:"


def parse(text: str) -> tuple[Any, Any]:
    """Return a YAML text as its node, which knows its lines, and as values; None if it is empty.

    Raises:
        yaml.YAMLError: if it is no YAML, or a key is there twice.
        RecursionError: if it is nested too deeply.
    """
    loader = _loader()(text)
    node = loader.get_single_node()
    if node is None:
        return None, None
    _refuse_twins(node)
    return node, loader.construct_document(node)


@lru_cache
def _loader() -> Any:
    """Return a loader of PyYAML, by the parser in C where there is one; dates stay text.

    DVC's own reader, ruamel.yaml, takes up to ten times as long.
    """
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    for kind, (pattern, first) in _TYPES.items():
        Loader.add_implicit_resolver(f"{_TAG}{kind}", re.compile(rf"(?:{pattern})\Z"), first)
    Loader.add_constructor(f"{_TAG}int", _int)
    return Loader


def _int(loader: Any, node: Any) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _refuse_twins(root: Any) -> None:
    from yaml import MappingNode, ScalarNode
    from yaml.constructor import ConstructorError

    waiting, seen = [root], {id(root)}  # an alias is the node of its anchor
    while waiting:
        node = waiting.pop()
        pairs = node.value if isinstance(node, MappingNode) else ()
        keys: set[str] = set()
        for key, _ in pairs:
            if isinstance(key, ScalarNode) and key.tag != f"{_TAG}merge":
                if key.value in keys:
                    problem = f"the key {key.value} is there twice"
                    raise ConstructorError(None, None, problem, key.start_mark)
                keys.add(key.value)
        inner = [value for _, value in pairs] or node.value
        new = [n for n in inner if not isinstance(n, str | tuple) and id(n) not in seen]
        seen.update(map(id, new))
        waiting += new
