"""User and machine of a run, for the record of the run, if the project's settings ask for them."""

from __future__ import annotations

from pathlib import Path

from nb.programs import cores
from nb.project import PYPROJECT, UsageError, read_pyproject, tool_settings

_TABLE = "tool.nb.runs"
_SETTING = "record-machine"


def machine_of_run(root: Path) -> dict[str, str] | None:
    """Return user, host, system and cores; None unless `record-machine = true`.

    Records go to the storage with executed copies, and to the site: names of people and machines
    are for each project to decide about.

    Raises:
        NbError: if the setting in `pyproject.toml` is wrong (exit code 2).
    """
    if not (root / PYPROJECT).is_file():
        return None
    value = tool_settings(read_pyproject(root), _TABLE, [_SETTING]).get(_SETTING, False)
    if not isinstance(value, bool):
        raise UsageError(f"{PYPROJECT}: {_SETTING} of {_TABLE} must be true or false.")
    if not value:
        return None
    import platform

    return {
        "user": _user(),
        "host": platform.node(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(cores()),
    }


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run as a number without a name
        return ""
