"""CI written to the top of a repository for a project in a folder: GitHub workflows, GitLab."""

from __future__ import annotations

import json
import re
from pathlib import Path

from nb.project import NbError, write_whole
from nb.surroundings import find_repository, project_prefix

from .gitlab import write_pipeline
from .pre_commit import folder_slug

WORKFLOWS = Path(".github/workflows")


def write_workflows(root: Path) -> list[str]:
    """Write the project's CI to the top of the repository; return the new files, and any advice.

    A file that is there already stays: it may hold edits.

    Raises:
        NbError: if the project is at the top, where its files are read as they are.
    """
    prefix, top = project_prefix(root), find_repository(root)
    if not prefix or top is None:
        raise NbError("the project is at the top of its repository: its CI is read as it is")
    written = write_pipeline(root, top, prefix)
    for path in sorted((root / WORKFLOWS).glob("*.yml")):
        target = top / WORKFLOWS / f"{folder_slug(prefix)}-{path.name}"
        if not target.exists():
            write_whole(target, workflow_below(path.read_text(encoding="utf-8"), prefix))
            written.append(target.relative_to(top).as_posix())
    return written


def workflow_below(text: str, prefix: str) -> str:
    """Return a workflow of GitHub that works in a folder, and starts for changes there.

    Args:
        text: the workflow, as written for the top of a repository.
        prefix: the path of the project, with a slash.
    """

    def below(path: str) -> str:
        return json.dumps(f"{prefix}{path}".rstrip("/"), ensure_ascii=False)

    lines = []
    branch = f"template-update-{folder_slug(prefix)}"  # each project has its own
    for line in text.replace("template-update", branch).splitlines():
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
