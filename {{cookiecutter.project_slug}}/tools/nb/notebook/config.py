"""Parameter files in `config/`: read as papermill and DVC read them; single values replaced."""

from __future__ import annotations

import json
from pathlib import Path

from nb.project import NbError, UsageError, one_line, read_regular, write_whole

from .yaml_file import dump, read_yaml


def read_config(path: Path) -> dict[str, object]:
    """Return the parameters that a file of `config/` gives; none if there is no such file.

    Raises:
        NbError: if the file is not valid YAML, holds something else than names and values, or a
            value that papermill and DVC do not read alike (exit code 2).
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        text = read_regular(path).decode("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{where} cannot be read: {one_line(error)}") from None
    content = read_yaml(text, where) or {}
    if not isinstance(content, dict):
        raise UsageError(f"{where} holds no parameters; write one `name: value` per line.")
    return content


def set_value(path: Path, name: str, value: object) -> bool:
    """Give a parameter another value in a file of `config/`; all else stays byte for byte.

    Returns:
        Whether the file changed.

    Raises:
        NbError: if the file cannot be read (exit code 2).
    """
    before = read_config(path)
    if name in before and _same(before[name], value):
        return False
    text = read_regular(path).decode("utf-8") if path.exists() else ""
    written = with_value(text, name, value)
    write_whole(path, written)
    return True


def with_value(text: str, name: str, value: object) -> str:
    """Return the text of a config file with another value of a parameter.

    Comments, blanks and the spelling of other values stay. Where that is not possible, in a file
    with aliases, the whole file is written anew.
    """
    import yaml

    line = f"{dump(name, flow=True)}: {dump(value, flow=True)}"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    known = read_yaml(text, "config")
    expected = {**(known if isinstance(known, dict) else {}), name: value}
    for key, node in root.value if root else ():
        if key.value == name:
            start, end = key.start_mark.index, node.end_mark.index
            # A block ends where the next token begins: blanks and comments before that are left.
            end = start + len(_without_trail(text[start:end]))
            written = f"{text[:start]}{line}{text[end:]}"
            break
    else:
        gap = "" if not text or text.endswith("\n") else "\n"
        written = f"{text}{gap}{line}\n"
    try:
        is_right = _same(read_yaml(written, "config"), expected)
    except NbError:
        is_right = False
    return written if is_right else dump(expected)


def _without_trail(text: str) -> str:
    """Return the text of a value without blank lines and comment lines after it."""
    lines = text.split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return "\n".join(lines)


def _same(first: object, second: object) -> bool:
    return json.dumps(first, default=str) == json.dumps(second, default=str)
