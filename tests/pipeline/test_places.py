"""Places of outputs: what DVC may remove before a stage runs, and what it must not."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nb.pipeline import misplaced
from nb.pipeline.places import PROTECTED, require_places, require_untracked
from nb.project import NbError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    for folder in ("data/raw", "src/pkg", "models"):
        (made / folder).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (made / "linked").symlink_to(tmp_path / "elsewhere")
    (made / "data" / "table.csv").symlink_to(tmp_path / "elsewhere" / "object")
    return made


@pytest.mark.parametrize(
    "path",
    [
        "data/table.csv",  # a link to an object of the cache
        "data/raw",
        "models/../data/x.csv",
        "src/pkg/generated.py",
        "notebooks/exploratory/plots",
        "linked",  # of it the link is removed
        "not/yet/there.csv",
        "..data/x.csv",
        ".gitignored/x",
    ],
)
def test_results_may_be_anywhere_in_the_project(root: Path, path: str) -> None:
    assert misplaced(root, path) == ""
    assert misplaced(root, str(root / path)) == ""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../precious.csv", "outside the project, at "),
        ("data/../../precious.csv", "outside the project, at "),
        ("/precious.csv", "outside the project, at /precious.csv"),
        ("../project-2/x", "outside the project, at "),
        ("linked/x.csv", "outside the project, at "),
        ("linked/deep/x.csv", "outside the project, at "),
        (".", "holds the project"),
        ("data/..", "holds the project"),
        ("..", "holds the project"),
        ("/", "holds the project"),
        (".git", "in .git"),
        (".git/hooks", "in .git"),
        (".dvc/cache", "in .dvc"),
        *((name, "more than results") for name in PROTECTED),
        ("src/", "more than results"),
        ("data/../src", "more than results"),
    ],
)
def test_what_is_no_result_is_out_of_bounds(root: Path, path: str, why: str) -> None:
    assert why in misplaced(root, path)


def test_a_project_behind_a_link_is_the_same_project(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    for start in (root, root.parent / "link"):
        assert misplaced(start, str(root.parent / "link" / "data" / "x.csv")) == ""
        assert misplaced(start, str(root / "data" / "x.csv")) == ""
        assert misplaced(start, "../link/src")


def test_what_git_tracks_is_refused_before_it_is_removed(root: Path) -> None:
    def stage(path: str, use_cache: bool = True, cmd: str = "x") -> Any:
        out = SimpleNamespace(fs_path=str(root / path), def_path=path, use_cache=use_cache)
        return SimpleNamespace(cmd=cmd, outs=[out], addressing="a", relpath="dvc.yaml")

    require_untracked(root, [stage("models/kept.bin")])  # there is no Git yet
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    (root / "models" / "kept.bin").write_text("1")
    subprocess.run(["git", "add", "models"], cwd=root, check=True)
    allowed = [stage("models/kept.bin", use_cache=False), stage("models/kept.bin", cmd="")]
    require_untracked(root, [stage("data"), stage("models/kept"), *allowed])
    for path in ("models/kept.bin", "models"):
        with pytest.raises(
            NbError, match=f"output {path}, which Git tracks and .* --cached {path}"
        ):
            require_untracked(root, [stage("data"), stage(path)])


def test_an_output_at_an_address_must_not_be_cached(root: Path) -> None:
    def stage(use_cache: bool) -> Any:
        out = SimpleNamespace(protocol="s3", def_path="s3://b/x.csv", use_cache=use_cache)
        return SimpleNamespace(outs=[out], addressing="a", relpath="dvc.yaml")

    require_places(root, [stage(use_cache=False)])
    with pytest.raises(
        NbError, match=r"output s3://b/x\.csv, which DVC cannot store without cache"
    ):
        require_places(root, [stage(use_cache=True)])


part = st.sampled_from(["..", ".", "data", "src", "linked", "models", "new", ".git"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.lists(part, min_size=1, max_size=6))
def test_whatever_is_accepted_is_below_the_project_and_no_source_goes(
    root: Path, parts: list[str]
) -> None:
    path = "/".join(parts)
    if misplaced(root, path):
        return
    folder, name = os.path.split(os.path.normpath(root / path))  # as DVC reads it
    removed = Path(os.path.realpath(folder)) / name
    assert root.resolve() in removed.parents
    assert removed not in (root / "src", *(root / "src" / "pkg").parents)
    assert root / ".git" not in (removed, *removed.parents)
