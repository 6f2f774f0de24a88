"""Merge `dvc.lock` stage by stage.

An entry says "these inputs gave these outputs", which stays true whatever stands beside it. So any
mix of entries is a valid lock file: DVC runs again what does not fit the merged project, or takes
it from its run cache.
"""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from .gitwiring import git
from .project import NbError, write_whole


def merge(base: str, ours: str, theirs: str) -> str:
    """Merge three versions of a lock file: a stage that only one side changed is taken from it.

    Where both sides changed a stage, ours is kept.
    """
    versions = [_read(text) for text in (base, ours, theirs)]
    stages = [version.get("stages") or {} for version in versions]
    names = [*stages[1], *(name for name in stages[2] if name not in stages[1])]
    merged = {name: _choose(*(version.get(name) for version in stages)) for name in names}
    result = versions[1] or versions[2]
    result["stages"] = {name: stage for name, stage in merged.items() if stage is not None}
    text = StringIO()
    _yaml().dump(result, text)
    return text.getvalue()


def _choose(base: Any, ours: Any, theirs: Any) -> Any:
    return theirs if ours == base else ours


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 10_000  # DVC does not fold lines either
    return yaml


def _read(text: str) -> Any:
    return _yaml().load(text) or {}


def resolve(root: Path) -> list[str]:
    """Merge every lock file that is in conflict, add it to the index, and return their names.

    Raises:
        NbError: if none is in conflict.
    """
    listed = git(root, "diff", "--name-only", "--diff-filter=U", "-z").split("\0")
    names = [name for name in listed if Path(name).name == "dvc.lock"]
    if not names:
        raise NbError("no dvc.lock is in conflict.")
    for name in names:
        base, ours, theirs = (git(root, "show", f":{n}:{name}", check=False) for n in (1, 2, 3))
        write_whole(root / name, merge(base, ours, theirs))
        git(root, "add", name)
    return names
