"""Who ran where is noted, shown and sent only where the project asks for that."""

from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path

import pytest
from nb.project import UsageError
from nb.report.site import build
from nb.run import record
from nb.run.machine import machine_of_run

ON = "[tool.nb.runs]\nrecord-machine = true\n"


def run(root: Path, settings: str) -> str:
    """Write the record of a run, and return the text of the record."""
    (root / "pyproject.toml").write_text(settings, encoding="utf-8")
    made = record.new_record(root, record.Options(), 1)
    made.stages = [record.StageRecord("a", state="ran")]
    record.RunJournal(root).finish(made, 0, 1.0)
    return (root / record.RUNS / f"{made.id}.json").read_text(encoding="utf-8")


def page(root: Path) -> str:
    build(root)
    (found,) = (root / "reports/site/runs").glob("*.html")
    return found.read_text(encoding="utf-8")


def test_nobody_is_named_by_default(tmp_path: Path) -> None:
    text = run(tmp_path, "")
    assert "machine" not in json.loads(text)
    assert platform.node() not in text + page(tmp_path)


def test_a_project_may_have_it_noted_and_shown(tmp_path: Path) -> None:
    noted = json.loads(run(tmp_path, ON))["machine"]
    assert noted["user"] == getpass.getuser()
    assert noted["host"] == platform.node()
    shown = page(tmp_path)
    for text in noted.values():
        assert text in shown


def test_secrets_among_the_names_are_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "node", lambda: "https://anna:s3cr3tpass@host.example.org/x")
    assert "s3cr3tpass" not in run(tmp_path, ON)


def test_a_container_without_a_user_name_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", fail)
    assert json.loads(run(tmp_path, ON))["machine"]["user"] == ""
    page(tmp_path)


@pytest.mark.parametrize("settings", ["record-machine = 1", "machine = true", "a.b = 1"])
def test_a_wrong_setting_is_named(tmp_path: Path, settings: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.nb.runs]\n{settings}\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^pyproject\.toml: .*record-machine"):
        machine_of_run(tmp_path)


@pytest.mark.parametrize("machine", ["x", ["a"], {"a": 1}, {"a": {"b": "c"}}])
def test_a_record_with_another_kind_of_machine_is_left_out(tmp_path: Path, machine: object) -> None:
    content = json.loads(run(tmp_path, ""))
    assert record.read_record(json.dumps(content))
    assert record.read_record(json.dumps(content | {"machine": machine})) is None
