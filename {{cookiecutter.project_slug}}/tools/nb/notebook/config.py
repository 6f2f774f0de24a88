"""Parameter files in `config/`, read as papermill and DVC both read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nb.exit_codes import ExitCode
from nb.project import NbError, one_line, read_regular, write_whole

from .yaml_file import dump, read_value, read_yaml

__all__ = ["change_config", "read_config", "read_value"]


def read_config(path: Path) -> dict[str, Any]:
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
        raise NbError(f"{where} cannot be read: {one_line(error)}", ExitCode.USAGE) from None
    content = read_yaml(text, where) or {}
    if not isinstance(content, dict):
        raise NbError(
            f"{where} holds no parameters; write one `name: value` per line.", ExitCode.USAGE
        )
    return content


def change_config(path: Path, name: str, value: Any) -> None:
    """Give a parameter another value in a file of `config/`; comments of the file are lost."""
    write_whole(path, dump({**read_config(path), name: value}))
