"""A variant becomes the project's own only where no work is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb import pipeline
from nb.experiments import application
from nb.experiments.store import VariantRecord
from nb.git.command import git
from nb.project import NbError
from nb.run.record import StageRecord


@pytest.mark.parametrize("folder", ["", "models"])
def test_a_variant_is_not_applied_over_work_that_is_not_committed(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The project is the whole repository, or a folder of it."""
    root = tmp_path / folder
    root.mkdir(exist_ok=True)
    lock = root / "dvc.lock"
    lock.write_text("committed", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    git(tmp_path, *who, "commit", "--quiet", "--no-verify", "-m", "a")
    lock.write_text("work", encoding="utf-8")
    record = VariantRecord(number=1, experiment="e", settings={}, source="s", started="now")
    record.stages = [StageRecord("a", state="ran")]
    record.save(root)
    monkeypatch.setattr(application, "SettingReader", lambda root: None)
    monkeypatch.setattr(pipeline, "plain_outputs", lambda root, names: [])
    with pytest.raises(NbError, match=r"dvc\.lock: changed since the last commit"):
        list(application.apply_variant(root, 1, print))
    assert lock.read_text(encoding="utf-8") == "work"
