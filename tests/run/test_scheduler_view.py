"""The list of stages: from `dvc.yaml` alone where a stamp is valid, else from DVC."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from nb.run import scheduler_view

PIPELINE = """\
stages:
  ingest:
    desc: The raw table
    cmd: echo
  train:
    matrix: {model: [forest, linear]}
    desc: A ${item.model}
    cmd: echo ${item.model}
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The roots of projects for which DVC was asked."""
    roots: list[Path] = []

    def definitions(root: Path) -> list[SimpleNamespace]:
        roots.append(root)
        return [SimpleNamespace(name="as DVC has it", desc="")]

    monkeypatch.setattr(scheduler_view.pipeline, "definitions", definitions)
    return roots


def stamped(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    content = {"shown": list(names)} if names else None
    monkeypatch.setattr(scheduler_view.uptodate, "read_stamp", lambda root: content)


def test_with_a_stamp_dvc_yaml_is_enough(
    tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "dvc.yaml").write_text("stages: {other: {desc: Elsewhere, cmd: echo}}\n")
    stamped(monkeypatch, "ingest", "sub/dvc.yaml:other", "train@linear", "train@forest")
    assert scheduler_view.described_stages(tmp_path) == [
        ("ingest", "The raw table"),
        ("sub/dvc.yaml:other", "Elsewhere"),
        ("train@linear", "A linear"),
        ("train@forest", "A forest"),
    ]
    assert asked == []


@pytest.mark.parametrize("names", [(), ("ingest", "unknown"), ("open",)])
def test_dvc_is_asked_for_what_the_file_does_not_tell(
    names: tuple[str, ...], tmp_path: Path, asked: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = "  open: {desc: 'Version ${version}', cmd: echo}\n"
    (tmp_path / "dvc.yaml").write_text(PIPELINE + more)
    stamped(monkeypatch, *names)
    assert scheduler_view.described_stages(tmp_path) == [("as DVC has it", "")]
    assert asked == [tmp_path]
