"""Settings of `nb check`: the table `tool.nb.check` of `pyproject.toml`, read and validated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nb.project import PYPROJECT, UsageError

TABLE = "tool.nb.check"


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """The table `tool.nb.check` of `pyproject.toml`.

    Attributes:
        select: beginnings of the codes of the rules that are looked at.
        ignore: beginnings of the codes that are not.
        per_file_ignores: more of them, by a pattern of notebooks' paths.
        max_cell_lines: lines of a code cell that can be reviewed.
        max_output_kb: kilobytes of outputs of one cell that Git may keep.
        max_file_kb: kilobytes of a notebook that Git may keep.
    """

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    max_cell_lines: int = 60
    max_output_kb: int = 200
    max_file_kb: int = 1000


def read_check_settings(project: dict[str, Any]) -> CheckSettings:
    """Return the settings of the content of `pyproject.toml`.

    Raises:
        NbError: if a setting is unknown or of a wrong type (exit code 2).
    """
    table = project.get("tool", {}).get("nb", {}).get("check", {})
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        default = getattr(CheckSettings, name, None)
        if default is None:
            known = ", ".join(
                field.replace("_", "-") for field in CheckSettings.__dataclass_fields__
            )
            raise UsageError(f"{PYPROJECT}: {TABLE} has no setting {key}; known are {known}.")
        values[name] = _setting(key, value, default)
    return CheckSettings(**values)


def _setting(key: str, value: object, default: object) -> object:
    if key.replace("-", "_") == "per_file_ignores":
        if isinstance(value, dict):
            return tuple((pattern, _texts(key, codes)) for pattern, codes in value.items())
        raise UsageError(f"{PYPROJECT}: {key} of {TABLE} must be a table of lists of codes.")
    if isinstance(default, tuple):
        return _texts(key, value)
    if type(value) is not int or value < 1:
        raise UsageError(f"{PYPROJECT}: {key} of {TABLE} must be a whole number above 0.")
    return value


def _texts(key: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise UsageError(f'{PYPROJECT}: {key} of {TABLE} must be a list of texts, such as ["NB201"].')
