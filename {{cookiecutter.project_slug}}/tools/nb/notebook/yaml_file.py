"""YAML with a single reading: config files mean the same to papermill, to DVC and in `${…}`.

papermill reads YAML 1.1 without dates, DVC reads YAML 1.2: `on` is true to the first and text to
the second, `012` is 10 and 12. A value on which the two differ is refused, with the spelling that
both read alike. So is a value that cannot be recorded: DVC writes parameters as YAML and as JSON.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable, Iterator
from datetime import date, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from nb.project import DEEPEST, UsageError, one_line
from nb.wording import shortened

from .yaml_loaders import TAG_PREFIX, dvc_loader, papermill_loader

if TYPE_CHECKING:
    import yaml
    from yaml import Node

# Values that aliases stand for: a dozen lines can stand for billions, and comparing visits them.
MOST_REPEATED = 100_000
# Characters of a config file: papermill reads a million in several seconds, for each stage.
LONGEST_CONFIG = 2_000_000
# To YAML 1.1 these end a line, and PyYAML writes them as they are.
_BREAKS = re.compile("[\x85\u2028\u2029]")


class TooLargeError(UsageError):
    """A text that stands for more, or is nested more deeply, than can be read in time."""


def read_yaml(text: str, where: str) -> object:
    """Return the content of a YAML text that papermill and DVC read alike.

    Args:
        where: the file, for messages.

    Raises:
        NbError: with exit code 2 and a line per problem, if the text is not valid YAML, a name
            is given twice, or a value is not the same to both.
    """
    first, second, content = _readings(text, where)
    problems = list(_problems(first, second, "")) if first and second else []
    if problems:
        raise UsageError("\n".join(f"{where}, {problem}" for problem in problems))
    return content()


def read_value(text: str, where: str) -> object:
    """Return a value that a person typed; a date is text there, and `1e-3` a number.

    Raises:
        NbError: as `read` does.
    """
    first, second, content = _readings(text, where)
    if first and second and first.id == "scalar":
        ours, dvcs = _scalar(papermill_loader(), first), _scalar(dvc_loader(), second)
        if isinstance(dvcs, date):
            return ours
        if isinstance(ours, str) and isinstance(dvcs, float) and math.isfinite(dvcs):
            return dvcs
    problems = list(_problems(first, second, "")) if first and second else []
    if problems:
        raise UsageError("\n".join(f"{where}: {p.partition(': ')[2]}" for p in problems))
    return content()


def read_as_dvc(text: str, where: str) -> object:
    """Return the content of `dvc.yaml` or `dvc.lock`, as DVC reads it.

    Raises:
        NbError: as `parse_as_dvc` does.
    """
    return parse_as_dvc(text, where)[1]


@lru_cache(maxsize=2)
def parse_as_dvc(text: str, where: str) -> tuple[Node | None, object]:
    """Return a YAML text as its node, which knows its lines, and as values; None if it is empty.

    A run reads `dvc.yaml` and `dvc.lock` at its end for metrics, notes and report: the same texts
    are parsed once. Callers leave the values as they are.

    Args:
        where: the file, for messages.

    Raises:
        NbError: with exit code 2, if the text is not valid YAML, too deep or too large, or a name
            is given twice.
    """
    import yaml

    try:
        if "*" in text:  # no alias, no bomb: most files need not be read twice
            _require_bounds(text, where)
        loader = dvc_loader()(text)
        node = loader.get_single_node()
        if node is None:
            return None, None
        _require_plain_tree(node, where)
        return node, loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{where} is not valid YAML: {_fault(error)}") from None
    except RecursionError:
        raise TooLargeError(f"{where} is nested more than {DEEPEST} levels deep") from None


def _require_plain_tree(root: Node, where: str) -> None:
    """Raise if nodes are nested too deeply, or a name is given twice in a mapping."""
    level, depth, seen = [root], 0, {id(root)}  # an alias is the node of its anchor
    while level:
        depth += 1
        if depth > DEEPEST:
            line = level[0].start_mark.line + 1
            raise TooLargeError(f"{where}, line {line}: nested more than {DEEPEST} levels deep")
        below: list[Node] = []
        for node in level:
            if node.id == "mapping":
                _require_single_names(node, where)
            parts = [v for _, v in node.value] if node.id == "mapping" else node.value
            for part in parts if node.id != "scalar" else ():
                if id(part) not in seen:
                    seen.add(id(part))
                    below.append(part)
        level = below


def _require_single_names(mapping: Node, where: str) -> None:
    lines: dict[str, int] = {}
    for key, _ in mapping.value:
        if key.id == "scalar" and key.tag != f"{TAG_PREFIX}merge":
            line = key.start_mark.line + 1
            if key.value in lines:
                also = f"also in line {lines[key.value]}; remove one of them"
                raise UsageError(f"{where}, line {line}: {key.value} is given twice, {also}")
            lines[key.value] = line


def dump(content: object, *, flow: bool = False) -> str:
    """Write values as YAML that papermill and DVC read alike; paths and dates become text.

    Args:
        content: names and values, or a value.
        flow: on a line, as in a list in brackets.
    """
    import yaml

    options: dict[str, object] = {"sort_keys": False, "allow_unicode": True}
    if flow:
        options |= {"default_flow_style": True, "width": 10_000}
        written: str = yaml.dump([content], Dumper=_writer(), **options)
        return written.strip()[1:-1]
    return str(yaml.dump(content, Dumper=_writer(), **options))


def _readings(text: str, where: str) -> tuple[Node | None, Node | None, Callable[[], object]]:
    """Return the trees of both readings, and a function that makes the values of the first."""
    import yaml

    if len(text) > LONGEST_CONFIG:
        size = f"{len(text):,} characters, more than {LONGEST_CONFIG:,}"
        raise TooLargeError(f"{where} holds {size}: keep data in files that stages depend on")
    try:
        _require_bounds(text, where)
        ours, dvcs = (loader(text) for loader in (papermill_loader(), dvc_loader()))
        first, second = ours.get_single_node(), dvcs.get_single_node()
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{where} cannot be read: {_fault(error)}") from None

    def content() -> object:
        try:
            return ours.construct_document(first) if first else None
        except (yaml.YAMLError, ValueError) as error:
            raise UsageError(f"{where} cannot be read: {_fault(error)}") from None

    return first, second, content


def _fault(error: Exception) -> str:
    """Return the fault that a parser found, with the line, without the context that parsers add."""
    mark = getattr(error, "problem_mark", None)
    if mark:
        return f"line {mark.line + 1}: {getattr(error, 'problem', '')}"
    if isinstance(found := getattr(error, "character", None), int):
        return f"it holds the character U+{found:04X}, which YAML does not allow"
    return one_line(error)


def _require_bounds(text: str, where: str) -> None:
    """Raise if a text is nested too deeply, or its aliases stand for too much."""
    import yaml

    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    count = repeated = 0
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        line = f"{where}, line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in (name for name, _ in opened):
                raise TooLargeError(f"{line}: *{event.anchor} stands for what holds it")
            count += sizes.get(event.anchor, 0)
            repeated += sizes.get(event.anchor, 0)
        elif isinstance(event, yaml.DocumentStartEvent) and event.version not in (None, (1, 2)):
            raise TooLargeError(f"{line}: remove the line %YAML, which DVC alone follows")
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            sizes[anchor or ""] = count - before + 1
        if len(opened) > DEEPEST:
            raise TooLargeError(f"{line}: nested more than {DEEPEST} levels deep")
        if repeated > MOST_REPEATED:
            raise TooLargeError(f"{line}: aliases stand for more than {MOST_REPEATED:,} values")


def _problems(first: Node, second: Node, name: str) -> Iterator[str]:
    """Yield the faults of a node; the second tree is that of DVC's reading."""
    line = f"line {first.start_mark.line + 1}"
    about = f"{line}: parameter {name}" if name else line
    kinds = {"mapping": "map", "sequence": "seq"}
    if _shape(first) != _shape(second):  # the parsers of both end a tag at different characters
        yield f"{about}: papermill and DVC read different values; put texts in quotes"
    elif first.id == "scalar":
        problem = _scalar_problem(first, second)
        if problem:
            yield f"{about}: {problem}"
    elif first.tag != TAG_PREFIX + kinds[first.id]:
        tag = shortened(first.tag, 40)
        yield f"{about}: {tag} is neither a list nor names with values; leave it away"
    elif first.id == "sequence":
        for number, pair in enumerate(zip(first.value, second.value, strict=True)):
            yield from _problems(*pair, f"{name}[{number}]")
    else:
        yield from _mapping_problems(first, second, name)


def _shape(node: Node) -> tuple[str, int]:
    """Return the kind of a node and how many nodes are directly inside."""
    return node.id, 0 if node.id == "scalar" else len(node.value)


def _mapping_problems(first: Node, second: Node, name: str) -> Iterator[str]:
    lines: dict[str, int] = {}
    for (key, value), (other, others) in zip(first.value, second.value, strict=True):
        line = key.start_mark.line + 1
        if key.id != "scalar":
            yield f"line {line}: a name is a list or holds names; write it as text"
            continue
        inner = f"{name}[{json.dumps(key.value, ensure_ascii=False)}]" if name else key.value
        if key.value in lines:
            lines_said = f"also in line {lines[key.value]}"
            yield f"line {line}: parameter {inner} is given twice, {lines_said}; remove one of them"
        lines[key.value] = line
        if key.tag == other.tag == f"{TAG_PREFIX}merge":
            yield from _problems(value, others, name)
            continue
        # YAML 1.1 gives `=` a tag of its own, and a name of that tag is text to both.
        if key.tag != other.tag or key.tag not in (f"{TAG_PREFIX}str", f"{TAG_PREFIX}value"):
            quoted = json.dumps(key.value, ensure_ascii=False)
            yield f"line {line}: parameter {inner}: a name has to be text; write {quoted}"
        yield from _problems(value, others, inner)


def _scalar_problem(first: Node, second: Node) -> str:
    """Return the fault of a value and a better spelling; empty if both read the value alike."""
    ours, dvcs = _scalar(papermill_loader(), first), _scalar(dvc_loader(), second)
    source = shortened(first.value, 40)
    quoted = shortened(json.dumps(first.value, ensure_ascii=False), 40)
    if dvcs is _UNREADABLE or ours is _UNREADABLE:
        return f"{source} cannot be read; write {quoted}"
    if isinstance(dvcs, date):
        return f"{source} is text to papermill and a date to DVC; write {quoted}"
    if type(ours) is not type(dvcs) or (ours != dvcs and ours == ours):
        spellings = " or ".join(dict.fromkeys(map(_spelling, (ours, dvcs))))
        said = f"{source} is {_said(ours)} to papermill and {_said(dvcs)} to DVC"
        return f"{said}; write {spellings}"
    if isinstance(ours, float) and math.isnan(ours):
        return f"{source} equals nothing, so its stage is never up to date; write null"
    if ours is None or isinstance(ours, bool | int | float | str):
        return ""
    return f"{shortened(first.tag, 40)} cannot be recorded; write {quoted}"


_UNREADABLE = object()


def _scalar(loader: type[yaml.SafeLoader], node: Node) -> object:
    import yaml

    try:
        return loader("").construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        return _UNREADABLE


def _spelling(value: object) -> str:
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, str) else dump(value, flow=True)
    )


def _said(value: object) -> str:
    return f"the text {_spelling(value)}" if isinstance(value, str) else _spelling(value)


@cache
def _writer() -> type[yaml.SafeDumper]:
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML carries no types
        def ignore_aliases(self, data: Hashable) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> Node:
        plain = not _BREAKS.search(value) and all(
            loader("").resolve(yaml.ScalarNode, value, (True, False)) == f"{TAG_PREFIX}str"
            for loader in (papermill_loader(), dvc_loader())
        )
        return dumper.represent_scalar(f"{TAG_PREFIX}str", value, style=None if plain else '"')

    Dumper.add_representer(str, text)
    Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))
    Dumper.add_multi_representer(Path, lambda dumper, value: text(dumper, value.as_posix()))
    for kind in (date, datetime):
        Dumper.add_representer(kind, lambda dumper, value: text(dumper, value.isoformat()))
    return Dumper
