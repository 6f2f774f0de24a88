"""GitHub workflows of a project in a folder of a repository: GitHub reads those at the top only."""

from __future__ import annotations

import json
import re
from pathlib import Path

from nb.project import NbError, write_whole
from nb.surroundings import find_repository, project_prefix

WORKFLOWS = Path(".github/workflows")


def write_workflows(root: Path) -> list[str]:
    """Write each workflow of the project to the top of the repository; return the new files.

    A file that is there already stays: it may hold edits.

    Raises:
        NbError: if the project is at the top, where its workflows are read as they are.
    """
    prefix, top = project_prefix(root), find_repository(root)
    if not prefix or top is None:
        raise NbError("the project is at the top of its repository: GitHub reads its workflows")
    written = []
    for path in sorted((root / WORKFLOWS).glob("*.yml")):
        target = top / WORKFLOWS / f"{prefix.strip('/').replace('/', '-')}-{path.name}"
        if not target.exists():
            write_whole(target, workflow_below(path.read_text(encoding="utf-8"), prefix))
            written.append(target.relative_to(top).as_posix())
    return written


def workflow_below(text: str, prefix: str) -> str:
    """Return a workflow that works in a folder of the repository, and starts for changes there.

    Args:
        text: the workflow, as written for the top of a repository.
        prefix: the path of the project, with a slash.
    """

    def below(path: str) -> str:
        return json.dumps(f"{prefix}{path}".rstrip("/"), ensure_ascii=False)

    lines = []
    for line in text.splitlines():
        named = re.fullmatch(r"( *(?:python-version-file|path): )([\w./-]+)", line)
        if line.startswith("name: "):
            line = f"name: {below(line[len('name: ') :])}"
        elif line == "jobs:":
            lines += ["defaults:", "  run:", f"    working-directory: {below('')}", ""]
        elif named:
            line = named[1] + below(named[2])
        lines.append(line)
        if line in ("  push:", "  pull_request:"):
            lines.append(f"    paths: [{below('**')}]")
    return "\n".join([*lines, ""])
