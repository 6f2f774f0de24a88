"""Answers of a project that has no record, read from the files that the answers once made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from nb.notebook.modules import package_with_paths
from nb.project import NbError, parse_toml, text_of, toml_table

from .rendering import Answers

# Files that a single answer makes, and the answer.
MADE_BY = {
    "ci": {".github/workflows/ci.yml": "GitHub", ".gitlab-ci.yml": "GitLab"},
    "dashboard": {"app/dashboard.py": "Streamlit", "voila.json": "Voila"},
    "docs": {"docs/pages.py": "MkDocs"},
    "scheduler": {
        "orchestration/dagster_definitions.py": "Dagster",
        "orchestration/airflow_dag.py": "Airflow",
    },
}
# Extras of ibis-framework, and the warehouse that needs them besides DuckDB.
WAREHOUSES = {
    "pyspark": "Spark",
    "postgres": "PostgreSQL",
    "bigquery": "BigQuery",
    "athena": "Athena",
    "duckdb": "DuckDB",
}


def inferred_answers(root: Path) -> Answers:
    """Return the answers that a project's files show.

    Raises:
        NbError: if pyproject.toml cannot be read.
    """
    try:
        text = (root / "pyproject.toml").read_text(encoding="utf-8")
        project = toml_table(parse_toml(text), "project")
    except (OSError, ValueError) as error:
        raise NbError(f"pyproject.toml cannot be read: {error}") from None
    return {**dict(_of_metadata(project)), **dict(_of_files(root)), "warehouse": _warehouse(text)}


def _of_metadata(project: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if "name" in project:
        yield "project_slug", str(project["name"])
    yield "description", str(project.get("description", ""))
    authors = project.get("authors")
    first = authors[0] if isinstance(authors, list) and authors else {}
    author = first if isinstance(first, dict) else {}
    yield "author", str(author.get("name", ""))
    yield "email", str(author.get("email", ""))
    version = re.search(r"\d+\.\d+", str(project.get("requires-python", "")))
    if version:
        yield "python_version", version[0]
    license = project.get("license", "none")
    yield "license", str(license.get("text", "none") if isinstance(license, dict) else license)


def _of_files(root: Path) -> Iterator[tuple[str, str | bool]]:
    title = re.match(r"# (.+)", text_of(root / "README.md"))
    if title:
        yield "project_name", re.sub(r"\\(.)", r"\1", title[1].strip())
    if package := package_with_paths(root):
        yield "package_name", package
    if manager := environment_manager(root):
        yield "environment", manager
    storage = re.search(r"^\s*url = (.+)$", text_of(root / ".dvc" / "config"), re.MULTILINE)
    if storage:
        yield "storage", storage[1].strip(" \"'\t").removeprefix("../")
    for question, files in MADE_BY.items():
        yield question, next((a for name, a in files.items() if (root / name).exists()), "none")
    yield "cloud", (root / ".devcontainer").is_dir()
    yield "example", (root / "notebooks" / "production" / "10-ingest.ipynb").exists()


def environment_manager(root: Path) -> str:
    """Return the program that makes the environment, of the Makefile; empty if none is named."""
    found = re.search(r"^ENVIRONMENT := (\w+)", text_of(root / "Makefile"), re.MULTILINE)
    return found[1] if found else ""


def _warehouse(text: str) -> str:
    found = re.search(r"ibis-framework\[([^\]]*)\]", text)
    extras = set(re.split(r"[,\s]+", found[1])) if found else set()
    return next((name for extra, name in WAREHOUSES.items() if extra in extras), "none")
