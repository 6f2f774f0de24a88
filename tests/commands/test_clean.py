"""`nb clean`: removes what runs left, and variants of experiments only if told to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from nb.commands.clone import clean_command
from nb.experiments import store
from nb.experiments.removal import remove_variants
from nb.experiments.store import VariantRecord
from nb.project import NbError
from nb.run.lock import while_idle


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with an executed copy and two variants."""
    (tmp_path / "reports/notebooks").mkdir(parents=True)
    (tmp_path / "reports/notebooks/a.ipynb").write_text("{}")
    for number in (1, 2):
        VariantRecord(
            number=number, experiment="e", settings={"a.b": 1}, source="s", started="now"
        ).save(tmp_path)
    return tmp_path


def clean(root: Path, *arguments: str, answer: str = "") -> str:
    done = CliRunner().invoke(clean_command, arguments, obj=root, input=answer)
    assert done.exit_code == 0, done.output
    assert not list((root / "reports/notebooks").iterdir())
    return done.output


def test_without_a_terminal_variants_stay_and_the_next_step_is_told(root: Path) -> None:
    assert "Kept 2 variants of experiments: nb experiments remove --all" in clean(root)
    assert store.variant_numbers(root) == [1, 2]


def test_yes_removes_variants(root: Path) -> None:
    assert "Removed 2 variants of experiments" in clean(root, "--yes")
    assert store.variant_numbers(root) == []
    assert "variant" not in clean(root, "--yes")


@pytest.mark.parametrize(("answer", "left"), [("y\n", []), ("n\n", [1, 2]), ("\n", [1, 2])])
def test_a_person_is_asked(
    root: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: list[int]
) -> None:
    monkeypatch.setattr("nb.commands.clone._is_person_there", lambda: True)
    assert "Remove 2 variants of experiments, too?" in clean(root, answer=answer)
    assert store.variant_numbers(root) == left


@pytest.mark.skipif(sys.platform == "win32", reason="nb experiment needs Linux or macOS")
def test_nothing_is_removed_while_a_run_needs_it(root: Path) -> None:
    with while_idle(root / store.EXPERIMENTS):  # the lock that an experiment holds
        with pytest.raises(NbError, match="a run is at work"):
            remove_variants(root, [1])
        assert "Kept" in clean(root)
    (root / "reports/notebooks/a.ipynb").write_text("{}")
    with while_idle(root):
        done = CliRunner().invoke(clean_command, ["--yes"], obj=root)
        assert isinstance(done.exception, NbError)
    assert (root / "reports/notebooks/a.ipynb").exists()
    assert store.variant_numbers(root) == [1, 2]
