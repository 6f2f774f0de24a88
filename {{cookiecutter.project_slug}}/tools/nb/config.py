"""Parameter files in `config/`, read and written as papermill reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .project import NbError, one_line, write_whole


def read_config(path: Path) -> dict[str, Any]:
    """Return the parameters that a file of `config/` gives; none if there is no such file.

    They are read as papermill reads them (`-f`), by YAML 1.1 and with dates as text, so that what
    passes here passes there. DVC's YAML 1.2 reads `no`, `010` and `12:30` as other values.

    Raises:
        NbError: if it is not valid YAML, or holds something else than names and values.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        content = _load(path.read_text(encoding="utf-8"), where) or {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NbError(f"{where} cannot be read: {one_line(error)}", 2) from None
    if not isinstance(content, dict):
        raise NbError(f"{where} holds no parameters; write one `name: value` per line.", 2)
    return content


def read_value(text: str, where: str) -> Any:
    """Return a value as a file of `config/` would give it.

    Args:
        text: the value as YAML.
        where: what to name in a message.

    Raises:
        NbError: if it is not valid YAML.
    """
    return _load(text, where)


def change_config(path: Path, name: str, value: Any) -> None:
    """Give a parameter another value in a file of `config/`; its comments go."""
    import yaml

    content = {**read_config(path), name: value}
    write_whole(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _load(text: str, where: str) -> Any:
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        loader.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in loader.yaml_implicit_resolvers.items()
        }
        return loader.get_single_data()
    except yaml.YAMLError as error:
        raise NbError(f"{where} cannot be read: {one_line(error)}", 2) from None
