"""GitLab pipeline of a project in a folder, for the top of the repository that GitLab reads."""

from __future__ import annotations

import shlex
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from nb.project import NbError, write_whole

from .pre_commit import folder_slug

PIPELINE = Path(".gitlab-ci.yml")
# The folder at the top of the repository for the pipelines of its projects.
PIPELINES = Path(".gitlab/ci")
INCLUDE = f"include:\n  - local: /{PIPELINES.as_posix()}/*.yml\n"
# Keywords at the top of a file that are no jobs, and those that a job can have as well.
_OF_FILES = ("include", "spec", "stages", "workflow")
_OF_JOBS = ("image", "services", "cache", "variables", "before_script", "after_script")
# GitLab publishes the folder `public` of the job with this name.
_PAGES = "pages"


def write_pipeline(root: Path, top: Path, prefix: str) -> list[str]:
    """Write the project's pipeline to the top of the repository, and have it included there.

    Files that are there already stay; what to add to them is returned as a line of advice.

    Raises:
        NbError: if the project's file is no pipeline of GitLab.
    """
    if not (root / PIPELINE).is_file():
        return []
    target = PIPELINES / f"{folder_slug(prefix)}.yml"
    lines = []
    if not (top / target).exists():
        try:
            text = pipeline_below((root / PIPELINE).read_text(encoding="utf-8"), prefix)
        except (YAMLError, TypeError, AttributeError) as error:
            raise NbError(f"{PIPELINE} is no pipeline of GitLab: {error}") from None
        write_whole(top / target, text)
        lines.append(target.as_posix())
    if not (top / PIPELINE).exists():
        write_whole(top / PIPELINE, INCLUDE)
        lines.append(PIPELINE.as_posix())
    elif PIPELINES.as_posix() not in (top / PIPELINE).read_text(encoding="utf-8"):
        lines.append(f"add to {PIPELINE} at the top:\n{INCLUDE}")
    return lines


def pipeline_below(text: str, prefix: str) -> str:
    """Return a pipeline whose jobs work in a folder of the repository, and start for changes there.

    Jobs have the folder in their names, since the jobs of all included files are one pipeline.

    Args:
        text: the pipeline, as written for the top of a repository.
        prefix: the path of the project, with a slash.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    slug = folder_slug(prefix)
    text = text.replace("/browse/", f"/browse/{quote(prefix)}")
    content = yaml.load(text.replace("template-update", f"template-update-{slug}"))
    shared = {**content.pop("default", {})}
    shared |= {key: content.pop(key) for key in _OF_JOBS if key in content}
    names = {name: _job_name(name, slug) for name in content if name not in _OF_FILES}
    moved = CommentedMap()
    moved.ca.comment = content.ca.comment
    for name, value in content.items():
        moved[names.get(name, name)] = (
            _job_below(name, value, shared, names, prefix) if name in names else value
        )
    stream = StringIO()
    yaml.dump(moved, stream)
    return stream.getvalue()


def _job_name(name: str, slug: str) -> str:
    """Return the name of a job; that of hidden jobs begins with a dot."""
    if name == _PAGES:
        return name
    return f".{slug}{name}" if name.startswith(".") else f"{slug}: {name}"


def _job_below(
    name: str, job: Any, shared: dict[str, Any], names: dict[str, str], prefix: str
) -> object:
    """Change a job of the pipeline in place, and return the job."""
    for key, value in shared.items():
        if key == "variables":
            job[key] = {**value, **job.get(key, {})}
        elif key not in job:
            job.insert(0, key, deepcopy(value))
    for key in ("needs", "dependencies", "extends"):
        if key in job:
            job[key] = _renamed(job[key], names)
    if not name.startswith(".") and not {"only", "except"} & {*job}:
        for rule in job.setdefault("rules", [{}]):
            rule["changes"] = [f"{prefix}{path}" for path in rule.get("changes", ["**/*"])]
    # Both scripts before the end are run by the same shell.
    for key in ("before_script" if "before_script" in job else "script", "after_script"):
        if key in job:
            lines = CommentedSeq([job[key]]) if isinstance(job[key], str) else job[key]
            lines.insert(0, f"cd {shlex.quote(prefix.rstrip('/'))}")
            job[key] = lines
    if name == _PAGES:
        job["script"].append('mv public "$CI_PROJECT_DIR"')
        return job
    for key in ("artifacts", "cache"):
        paths = job.get(key, {}).get("paths", [])
        for place, path in enumerate(paths):  # one by one: comments hang on the items
            paths[place] = f"{prefix}{path}"
    return job


def _renamed(value: Any, names: dict[str, str]) -> object:
    """Return references to jobs by their new names: a name, an entry of `needs`, or a list."""
    if isinstance(value, list):
        return [_renamed(each, names) for each in value]
    if isinstance(value, dict):
        return {
            **value,
            **({"job": names.get(value["job"], value["job"])} if "job" in value else {}),
        }
    return names.get(value, value)
