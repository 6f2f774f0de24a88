"""Three-way merge of `dvc.lock` by stage, also of a file in conflict; where both changed, ours.

An entry says "these inputs gave these outputs", which is true independently of other entries. So
any mix of entries is a valid lock file: DVC runs the stages that do not fit the merged project
again, or restores their outputs from its run cache.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from nb.project import NbError, write_whole

from .command import git, git_list

# A line that every conflict has.
MARK = re.compile(rb"^(<{7}|>{7})( |$)", re.M)


def merge_locks(base: str, ours: str, theirs: str) -> str:
    """Merge three versions of a lock file: a stage that a single side changed is taken from it.

    Where both sides changed a stage, ours is kept.
    """
    versions = [_read(text) for text in (base, ours, theirs)]
    stages = [version.get("stages") or {} for version in versions]
    names = [*stages[1], *(name for name in stages[2] if name not in stages[1])]
    sides = {name: [version.get(name) for version in stages] for name in names}
    merged = {n: theirs if ours == old else ours for n, (old, ours, theirs) in sides.items()}
    result = versions[1] or versions[2]
    result["stages"] = {name: stage for name, stage in merged.items() if stage is not None}
    text = StringIO()
    _yaml().dump(result, text)
    return text.getvalue()


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 10_000  # DVC does not fold lines either
    return yaml


def _read(text: str) -> dict[str, Any]:
    content: dict[str, object] | None = _yaml().load(text)
    return content or {}


def conflicting_locks(root: Path) -> list[str]:
    """Return the tracked lock files that hold the marks of a merge conflict."""
    names = dict.fromkeys(git_list(root, "ls-files", "-z"))
    locks = [root / name for name in names if Path(name).name == "dvc.lock"]
    found = (lock for lock in locks if lock.is_file() and MARK.search(lock.read_bytes()))
    return [lock.relative_to(root).as_posix() for lock in found]


def conflict_sides(text: str) -> tuple[str, str, str]:
    """Return base, ours and theirs of a text in conflict; a base that is not shown is empty."""
    parts: list[list[str]] = [[], [], []]
    shown, has_base = {0, 1, 2}, False
    for line in text.splitlines(keepends=True):
        mark = re.match(r"(<{7}|\|{7}|={7}|>{7})( .*)?$", line.rstrip("\r\n"))
        if mark is None:
            for side in shown:
                parts[side].append(line)
            continue
        shown = {"<": {1}, "|": {0}, "=": {2}, ">": {0, 1, 2}}[line[0]]
        has_base |= line[0] == "|"
    base, ours, theirs = map("".join, parts)
    return base if has_base else "", ours, theirs


def resolve_locks(root: Path) -> list[str]:
    """Merge all lock files in conflict, add them to the index, and return their names.

    Raises:
        NbError: if none is in conflict.
    """
    listed = git_list(root, "diff", "--name-only", "--relative", "--diff-filter=U", "-z")
    unmerged = {name for name in listed if Path(name).name == "dvc.lock"}
    names = sorted({*unmerged, *conflicting_locks(root)})
    if not names:
        raise NbError("no dvc.lock is in conflict.")
    for name in names:
        if name in unmerged:
            versions = [git(root, "show", f":{n}:./{name}", check=False) for n in (1, 2, 3)]
        else:  # the marks were added, or committed
            versions = [*conflict_sides((root / name).read_text(encoding="utf-8"))]
        write_whole(root / name, merge_locks(*versions))
        git(root, "add", name)
    return names
