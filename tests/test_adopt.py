"""Messy repositories are adopted from a fresh clone to a green commit, or nothing changes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import messy
import pytest
from conftest import Project

if sys.platform == "win32":
    pytest.skip("the trials need process groups of POSIX", allow_module_level=True)


@pytest.fixture
def fresh(project: Project) -> Iterator[Project]:
    """A project with nothing uncommitted, put back with all commits afterwards."""
    base = project.git("rev-parse", "HEAD").strip()
    yield project
    project.git("reset", "--quiet", "--hard", base)
    project.git("clean", "--quiet", "--force", "-d")


def state(project: Project) -> tuple[str, ...]:
    """Return everything of Git, and the list of all files that are no machinery."""
    git = ("rev-parse HEAD", "status --porcelain", "stash list", "worktree list", "branch --all")
    said = [project.git(*words.split()) for words in git]
    files = sorted(f for f in project.files() if not f.startswith((".nb/", ".dvc/")))
    return (*said, *files)


def adopted(project: Project, *words: str) -> dict[str, dict[str, object]]:
    """Adopt, and return the rows of the table by the end of the notebook's name."""
    project.run("nb", "adopt", "--yes", *words)
    rows = json.loads(project.run("nb", "adopt", "--report", "--json"))["rows"]
    return {row["notebook"].partition("-at-")[2]: row for row in rows}


def require_green(project: Project) -> None:
    """Fail unless nothing is left to commit and every hook passes on every file."""
    assert project.git("status", "--porcelain") == ""
    project.run("pre-commit", "run", "--all-files")


@pytest.mark.slow
def test_a_flat_folder_is_adopted_and_promoted(fresh: Project, tmp_path: Path) -> None:
    messy.flat(tmp_path / "flat")
    rows = adopted(fresh, str(tmp_path / "flat"))
    require_green(fresh)
    assert {name: row["state"] for name, row in rows.items()} == {
        "clean-data.ipynb": "runs",
        "model.ipynb": "runs",
        "broken.ipynb": "fails",
        "untitled.ipynb": "runs",
    }
    assert rows["clean-data.ipynb"]["writes"] == ["data/interim/clean.csv"]
    assert rows["model.ipynb"]["after"] == [rows["clean-data.ipynb"]["notebook"]]
    kept = fresh.read(str(rows["untitled.ipynb"]["notebook"]))
    assert '"kept\\n"' in kept
    assert "kept" not in fresh.git("show", f"HEAD:{rows['untitled.ipynb']['notebook']}")
    fresh.run("nb", "adopt", "--promote")
    require_green(fresh)
    assert fresh.git("log", "--format=%s", "-3").splitlines()[::-1] == [
        "Adopt 4 notebooks from flat",
        f"Promote {Path(str(rows['clean-data.ipynb']['notebook'])).stem}",
        f"Promote {Path(str(rows['model.ipynb']['notebook'])).stem}",
    ]
    assert "clean.csv" in fresh.read("dvc.yaml")


@pytest.mark.slow
def test_three_folders_with_helpers_are_adopted(fresh: Project, tmp_path: Path) -> None:
    messy.three_folders(tmp_path / "three")
    before = state(fresh)
    said = fresh.run("nb", "adopt", "--dry-run", "--no-run", str(tmp_path / "three"))
    assert "lib/helpers.py -> src/biopsies/lib/helpers.py" in said
    assert state(fresh) == before
    rows = adopted(fresh, str(tmp_path / "three"))
    require_green(fresh)
    assert {row["state"] for row in rows.values()} == {"runs"}
    assert rows["look.ipynb"]["readiness"] == "looks only"
    assert rows["model.ipynb"]["after"] == [rows["clean.ipynb"]["notebook"]]
    assert "From the city." in fresh.read("README.md")
    assert fresh.has("LICENSE-three") and not fresh.has("src/biopsies/lib/unused.py")
    assert (fresh.path / "reports/documents/adoption.html").read_text().count("<tr id=") == 3


@pytest.mark.slow
def test_a_repository_with_history_large_files_and_r(fresh: Project, tmp_path: Path) -> None:
    messy.with_history(tmp_path / "old")
    url = (tmp_path / "old").as_uri()
    rows = adopted(fresh, "--history", url)
    require_green(fresh)
    states = {name: row["state"] for name, row in rows.items()}
    assert states == {
        "big.ipynb": "runs",
        "colab.ipynb": "fails",
        "old.ipynb": "runs",
        "stats.ipynb": "not run",
    }
    assert "google" in str(rows["colab.ipynb"]["needs"])
    overview = json.loads(fresh.run("nb", "adopt", "--report", "--json"))
    assert overview["left"]["secret.ipynb"].startswith("holds a credential (code cell ")
    assert ".env" in overview["left"]
    assert "The first analysis" in fresh.git("log", "--format=%s")
    tracked = fresh.git("ls-files", "data/raw").split()
    assert "data/raw/big.csv.dvc" in tracked and "data/raw/big.csv" not in tracked
    assert fresh.has("data/raw/big.csv")


@pytest.mark.slow
def test_a_folder_of_the_project_moves_with_its_history(fresh: Project) -> None:
    messy.three_folders(fresh.path / "old")
    (fresh.path / "old" / ".gitignore").unlink()
    fresh.git("add", "--all")
    fresh.git("commit", "--quiet", "--no-verify", "--message", "An old folder")
    rows = adopted(fresh, "old")
    assert fresh.git("status", "--porcelain") == ""
    assert {row["state"] for row in rows.values()} == {"runs"}
    name = str(rows["look.ipynb"]["notebook"])
    assert "An old folder" in fresh.git("log", "--follow", "--format=%s", "--", name)
    assert not fresh.has("old/explore/look.ipynb") and fresh.has("old/lib/unused.py")


def test_refusals_are_one_sentence_and_change_nothing(project: Project, tmp_path: Path) -> None:
    before = state(project)
    (tmp_path / "empty").mkdir()
    for words, said in (
        ((), "adopt what?"),
        (("nowhere",), "there is no nowhere"),
        ((str(tmp_path / "empty"),), "has no notebook to adopt"),
        (("notebooks/exploratory",), "is a home of notebooks already"),
        ((".",), "holds this project"),
        (("README.md",), "is no notebook"),
        (("--promote", "x"), "no SOURCE"),
        (((tmp_path / "none.git").as_uri(),), "cannot be cloned"),
    ):
        text = project.run("nb", "adopt", *words, code=2)
        assert said in text.splitlines()[-1] and "Traceback" not in text, text
    assert state(project) == before
    project.write("README.md", "changed")
    assert "uncommitted changes" in project.run("nb", "adopt", str(tmp_path / "empty"), code=2)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_at_any_moment_leaves_all_or_nothing(
    fresh: Project, tmp_path: Path, number: signal.Signals
) -> None:
    messy.flat(tmp_path / "flat")
    before = state(fresh)
    base = fresh.git("rev-parse", "HEAD").strip()
    chance = random.Random(int(number))
    programs = f"{fresh.path}/.venv/bin{os.pathsep}{os.environ['PATH']}"
    for _ in range(4):
        process = subprocess.Popen(
            ["nb", "adopt", "--yes", "--no-run", str(tmp_path / "flat")],
            cwd=fresh.path,
            env={**os.environ, "PATH": programs},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(chance.uniform(0.3, 12))
        process.send_signal(number)
        process.wait()
        while "is at work" in fresh.run("nb", "adopt", "--continue", code=None):
            time.sleep(0.2)  # Git, which a kill of nb does not reach
        head = fresh.git("rev-parse", "HEAD").strip()
        if head != base:  # all of it
            assert fresh.git("status", "--porcelain") == ""
            fresh.git("reset", "--quiet", "--hard", base)
        kept = {file for file in state(fresh) if not file.startswith(("data/", "reports/"))}
        assert kept == {file for file in before if not file.startswith(("data/", "reports/"))}
