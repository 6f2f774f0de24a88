"""Settings of `nb check`: the table `tool.nb.check` of `pyproject.toml`, read and validated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from nb.project import PYPROJECT, UsageError, tool_settings

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


def read_check_settings(project: Mapping[str, object]) -> CheckSettings:
    """Return the settings of the content of `pyproject.toml`.

    Raises:
        NbError: if a setting is unknown or of a wrong type (exit code 2).
    """
    known = [field.name.replace("_", "-") for field in fields(CheckSettings)]
    table = tool_settings(project, TABLE, known)
    usual = CheckSettings()
    return CheckSettings(
        select=_texts(table, "select", usual.select),
        ignore=_texts(table, "ignore", usual.ignore),
        per_file_ignores=_ignores(table, "per-file-ignores"),
        max_cell_lines=_number(table, "max-cell-lines", usual.max_cell_lines),
        max_output_kb=_number(table, "max-output-kb", usual.max_output_kb),
        max_file_kb=_number(table, "max-file-kb", usual.max_file_kb),
    )


def _texts(table: Mapping[str, object], key: str, usual: tuple[str, ...] = ()) -> tuple[str, ...]:
    value = table.get(key, [*usual])
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    raise UsageError(f'{PYPROJECT}: {key} of {TABLE} must be a list of texts, such as ["NB201"].')


def _ignores(table: Mapping[str, object], key: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    value = table.get(key, {})
    if isinstance(value, dict):
        return tuple((pattern, _texts({key: codes}, key)) for pattern, codes in value.items())
    raise UsageError(f"{PYPROJECT}: {key} of {TABLE} must be a table of lists of codes.")


def _number(table: Mapping[str, object], key: str, usual: int) -> int:
    value = table.get(key, usual)
    if type(value) is not int or value < 1:
        raise UsageError(f"{PYPROJECT}: {key} of {TABLE} must be a whole number above 0.")
    return value
