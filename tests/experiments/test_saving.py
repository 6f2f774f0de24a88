"""Saved variants: a commit with the files of the copy, and nothing else of the clone changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nb import pipeline
from nb.experiments import store
from nb.experiments.saving import save_variant
from nb.experiments.store import VariantRecord
from nb.project import NbError
from nb.run.record import StageRecord


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def commit_all(root: Path) -> str:
    git(root, "add", "--all")
    git(root, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "Begin")
    return git(root, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize("folder", ["", "team"])
def test_a_variant_becomes_a_commit_of_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    root = tmp_path / folder
    (root / "config").mkdir(parents=True)
    git(tmp_path, "init", "--quiet")
    for key, value in (("user.name", "A"), ("user.email", "a@b.c")):
        git(tmp_path, "config", key, value)
    (root / ".gitignore").write_text("/.nb\n")
    (root / "config/train.yaml").write_text("folds: 3\n")
    (root / "run.sh").write_text("echo\n")
    (root / "run.sh").chmod(0o755)
    commit = commit_all(tmp_path)
    record = VariantRecord(
        number=1, experiment="e", settings={}, source="s", commit=commit, started="now"
    )
    record.stages = [StageRecord("train", state="ran")]
    record.save(root)
    copy = store.variant_copy(root, 1)
    (copy / "config").mkdir(parents=True)
    (copy / "config/train.yaml").write_text("folds: 5\n")
    (copy / "run.sh").write_text("echo 5\n")
    (copy / "run.sh").chmod(0o755)
    (copy / "dvc.lock").write_text("schema: '2.0'\n")
    (copy / "scratch.txt").write_text("not in Git\n")
    (root / "scratch.txt").write_text("staged by somebody\n")
    git(root, "add", "scratch.txt")
    before = git(root, "status", "--porcelain")
    monkeypatch.setattr(pipeline, "plain_outputs", lambda copy, stages: [])

    assert save_variant(root, 1, "few") == "few"
    reference = f"refs/exps/{commit[:2]}/{commit[2:]}/few"
    top = f"{folder}/" if folder else ""
    changed = git(root, "diff", "--name-only", f"{reference}^", reference).split()
    wanted = ("config/train.yaml", "dvc.lock", "run.sh", "scratch.txt")
    assert changed == [f"{top}{name}" for name in wanted]
    assert git(root, "show", f"{reference}:{top}config/train.yaml") == "folds: 5\n"
    assert git(root, "ls-tree", reference, "--", "run.sh").startswith("100755")
    assert git(root, "rev-parse", f"{reference}^").strip() == commit
    assert git(root, "status", "--porcelain") == before
    with pytest.raises(NbError, match="already"):
        save_variant(root, 1, "few")
