"""Twelve variants of the example have the bytes of `nb run --set` and of plain `dvc repro`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from conftest import Project
from test_experiments import forget_results, table

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stages run one by one there")
PARAMETERS = ("train.folds", "features.correlation_limit")
GRID = ("train.folds=3,5,10", "features.correlation_limit=0.8:0.95:0.05")
CONFIG = {"train": "config/30-train.yaml", "features": "config/20-features.yaml"}


def clone(project: Project, path: Path) -> Project:
    """Return a clean copy of a project, in which nothing has run, with the same environment."""
    project.git("clone", "--quiet", str(project.path), str(path))
    (path / ".venv").symlink_to(project.path / ".venv")
    return Project(path)


def results(root: Path) -> dict[str, str]:
    """Return the hash of each file that the pipeline writes, executed copies and lock included."""
    written = (p for name in ("data", "models", "reports") for p in (root / name).rglob("*"))
    files = [path for path in written if path.is_file()]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in [*files, root / "dvc.lock"]
        if not {"runs", "site"} & set(path.relative_to(root).parts)
    }


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_each_variant_is_that_of_set_and_that_of_dvc_repro(
    project: Project, tmp_path: Path
) -> None:
    copy = clone(project, tmp_path / "experiment")
    copy.run("nb", "setup")
    copy.run("nb", "experiment", *GRID)
    rows = table(copy)
    assert len(rows) == 12
    variants = {row["number"]: copy.path / f".nb/experiments/{row['number']}" for row in rows}
    records = [json.loads((path / "variant.json").read_text()) for path in variants.values()]
    ran = Counter(s["name"] for each in records for s in each["stages"] if s["state"] == "ran")
    assert ran["ingest"] == 1
    assert ran["features"] == 4, "one for each limit"
    assert ran["train@logistic"] == ran["train@forest"] == 12
    assert 4 <= ran["evaluate"] <= 12, "models that are the same byte for byte are evaluated once"

    for row in rows:
        settings = {name: row["parameters"][name] for name in PARAMETERS}
        ours = results(variants[row["number"]] / "project")
        assert len(ours) >= 18
        given = [f"{name}={value}" for name, value in settings.items()]
        assert with_set(project, given) == ours, given
        assert with_dvc(clone(project, tmp_path / "plain"), settings) == ours, given
        print(*given, f"{len(ours)} files are equal", flush=True)


def with_set(project: Project, given: list[str]) -> dict[str, str]:
    """Return the results of `nb run --set`, computed anew."""
    forget_results(project)
    shutil.rmtree(project.path / ".nb" / "what-if", ignore_errors=True)
    project.run("nb", "run", *(word for each in given for word in ("--set", each)))
    (copy,) = (project.path / ".nb" / "what-if").iterdir()
    return results(copy)


def with_dvc(project: Project, settings: dict[str, object]) -> dict[str, str]:
    """Return the results of `dvc repro` in a copy, which is removed."""
    for name, value in settings.items():
        stage, _, key = name.partition(".")
        old = project.read(CONFIG[stage])
        text, count = re.subn(rf"(?m)^{key}: \S+", f"{key}: {value}", old)
        assert count == 1
        project.write(CONFIG[stage], text)
    project.run("dvc", "repro")
    found = results(project.path)
    shutil.rmtree(project.path)
    return found
