"""Files of the tooling: formats.md lists them, and readers know other versions of them."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from conftest import TEMPLATE, Project
from nb import uptodate
from nb.adoption import overview
from nb.check.health import tooling
from nb.git import kept_outputs
from nb.notebook import fingerprints
from nb.project import NbError
from nb.report import pages
from nb.run import copy_notes, past_runs, record
from nb.tracing import contract
from nb.update import pending, provenance

PAGE = TEMPLATE / "docs/reference/formats.md"
TOOLS = TEMPLATE / "{{cookiecutter.project_slug}}" / "tools"
OTHER_PROGRAMS = (".nb/dagster", ".nb/airflow", ".nb/warehouse.duckdb", ".nb/spark-warehouse")
# Anything that an older or a newer version, or a cut write, may leave.
BROKEN = ("", "{", "[]", "null", "7", '{"schema": null}', "[" * 10_000, "\x0c")


def listed() -> list[str]:
    """Return the patterns of the first column of the page's table."""
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return [name.strip("` ") for row in rows[1:] for name in row.split("|")[1].split(",")]


def named(tree: ast.AST) -> Iterator[str]:
    """Yield the paths below `.nb` that code names, as constants or as `root / ".nb" / name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and str(node.value).startswith(".nb/"):
            yield node.value
        if isinstance(node, ast.BinOp) and ast.unparse(node.left).endswith("'.nb'"):
            parts = getattr(node.right, "values", [node.right])
            yield ".nb/" + "".join(str(getattr(part, "value", "x")) for part in parts[-1:])


def test_the_page_lists_each_file_that_the_tooling_names() -> None:
    patterns = listed()
    files = [*TOOLS.rglob("*.py")]
    names = {name for file in files for name in named(ast.parse(file.read_text("utf-8")))}
    assert {".nb/stamp.json", ".nb/edit.lock", ".nb/report"} <= names
    for name in names:
        below = any(pattern.startswith(f"{name}/") for pattern in patterns)
        assert below or any(fnmatch(name, pattern) for pattern in patterns), name


def test_the_page_lists_each_file_of_a_project_that_ran(ready: Project) -> None:
    files = [path for path in (ready.path / ".nb").rglob("*") if not path.is_dir()]
    names = [path.relative_to(ready.path).as_posix() for path in files]
    assert ".nb/stamp.json" in names
    for name in names:
        assert any(fnmatch(name, pattern) for pattern in listed()), name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (tooling.MANIFEST_SCHEMA, "`tools/manifest.json`"),
        (uptodate.STAMP_SCHEMA, "`.nb/stamp.json`"),
        (copy_notes.COPY_SCHEMA, "`.nb/executed/*.json`"),
        (pages.NOTE_SCHEMA, "`.nb/report/*.json`"),
        (overview.OVERVIEW_SCHEMA, "`.nb/adoption.json`"),
        (contract.VERIFY_SCHEMA, "`.nb/verify/contracts.json`"),
        (contract.VERIFY_SCHEMA, "`.nb/verify/reports/*.json`"),
        (record.RECORD_SCHEMA, "`reports/runs/*.json`"),
        (provenance.NEWEST_SCHEMA, "`.nb/template.json`"),
        (pending.STATE_SCHEMA, "`.git/nb-update.json`"),
    ],
)
def test_the_page_tells_the_number_of_each_format(number: int, name: str) -> None:
    (row,) = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(f"| {name}")]
    assert f"`schema`: {number} " in row.replace(";", " ").replace("|", " ")


def versions(content: dict[str, Any]) -> list[str]:
    """Return a file as older and newer versions may have written it."""
    less = {key: value for key, value in content.items() if key != "schema"}
    number = content["schema"]
    found = [less, *({**content, "schema": other} for other in (number - 1, number + 1, "2"))]
    return [*map(json.dumps, [*found, {**content, "schema": number + 1, "news": 1}]), *BROKEN]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stamp_of_another_version_is_none(tmp_path: Path) -> None:
    lists = ("read", "searched", "ignored", "left", "tooling", "caches")
    nothing: dict[str, Any] = {**{name: [] for name in lists}, "written": {}, "locks": {}}
    watched = uptodate.WatchedFiles(**nothing)
    watched = uptodate.WatchedFiles(**nothing, before=uptodate.sources_digest(tmp_path, watched))
    uptodate.write_stamp(
        tmp_path, watched, uptodate.file_system_time(tmp_path), {}, {"a": 1}, [], lambda: True
    )
    assert uptodate.read_stamp(tmp_path) == {"a": 1}
    for text in versions(json.loads((tmp_path / uptodate.STAMP).read_text())):
        write(tmp_path / uptodate.STAMP, text)
        assert uptodate.read_stamp(tmp_path) is None


def test_a_run_record_of_another_version_counts_for_nothing(tmp_path: Path) -> None:
    known = record.RunRecord("1", {}, 1, "2026-01-01T10:00:00+00:00")
    known.save(tmp_path)
    path = tmp_path / record.RUNS / "1.json"
    assert [run.id for run in past_runs.read_past_runs(tmp_path)] == ["1"]
    for text in versions(json.loads(path.read_text())):
        write(path, text)
        assert past_runs.read_past_runs(tmp_path) == []
        assert past_runs.stage_costs(tmp_path) == ({}, {})
        past_runs.close_dead_records(tmp_path)
        assert path.read_text() == text


def test_a_newest_version_of_another_format_is_unknown(tmp_path: Path) -> None:
    known = provenance.Provenance("t", "old", {}, "", {})
    provenance.remember_newest(tmp_path, "abcdefgh", "2.0")
    assert provenance.newer_version(tmp_path, known) == "2.0 (abcdefg)"
    path = tmp_path / provenance.NEWEST_KNOWN
    for text in versions(json.loads(path.read_text())):
        write(path, text)
        assert provenance.newer_version(tmp_path, known) == ""


def test_a_page_of_another_version_is_outdated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps(vars(pages.Note("key", "a", "A"))))
    assert pages.read_note(path) == pages.Note("key", "a", "A")
    for text in versions(json.loads(path.read_text())):
        assert pages.read_note(write(path, text)) is None


def test_contracts_and_reports_of_another_version_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/bin/sh")
    contract.prepare_verification(tmp_path, {}, {})
    for text in versions(json.loads((tmp_path / contract.CONTRACTS).read_text())):
        write(tmp_path / contract.CONTRACTS, text)
        assert contract.main([str(tmp_path), "-c", "touch made"]) == 1
        assert capfd.readouterr().err.count("\n") == 1
    for text in versions({"schema": contract.VERIFY_SCHEMA, "stage": "a", "violations": []}):
        write(tmp_path / contract.REPORTS / "1.json", text)
        with pytest.raises(NbError, match=r"reports/1\.json is not of this version"):
            contract.verified_stages(tmp_path)
    contract.prepare_verification(tmp_path, {}, {})
    assert contract.verified_stages(tmp_path) == []


def test_a_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / tooling.MANIFEST
    write(path, json.dumps({"schema": tooling.MANIFEST_SCHEMA, "version": "1", "files": {}}))
    assert tooling.read_manifest(tmp_path).version == "1"
    for text in versions(json.loads(path.read_text())):
        write(path, text)
        with pytest.raises(NbError, match=r"tools/manifest\.json cannot be read"):
            tooling.read_manifest(tmp_path)


@pytest.mark.parametrize("old", [*BROKEN, "# kernel 2 x\n", "# kernel x\n x\n", "#\n# module"])
def test_a_state_of_another_version_is_not_explained(tmp_path: Path, old: str) -> None:
    write(tmp_path / fingerprints.FINGERPRINTS / "a.txt", "# kernel x\n# %% code cell\n 1\n")
    digest = hashlib.md5(old.encode()).hexdigest()
    write(tmp_path / fingerprints.HISTORY / f"{digest}.txt", old)
    path = fingerprints.FINGERPRINTS / "a.txt"
    assert fingerprints.explain(tmp_path, path, digest) == [fingerprints.CHANGED]


def test_a_form_feed_in_a_cell_ends_no_line_of_a_fingerprint(tmp_path: Path) -> None:
    text = "# kernel x\n# %% code cell\n a = '''\x0c# module x\x0c'''\n"
    digest = hashlib.md5(text.encode()).hexdigest()
    write(tmp_path / fingerprints.HISTORY / f"{digest}.txt", text)
    path = fingerprints.FINGERPRINTS / "a.txt"
    write(tmp_path / path, text.replace("a =", "b ="))
    assert fingerprints.explain(tmp_path, path, digest) == ["code cell 1 changed"]


CELL = {"cell_type": "code", "source": "1", "outputs": [{"x": 1}], "execution_count": 1}


@pytest.mark.parametrize(
    "text", [*BROKEN, json.dumps({"cells": [CELL], "nbformat": 5}), '{"cells": 1}']
)
def test_outputs_that_wait_in_another_format_are_not_overwritten(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "a.ipynb", text)
    kept_outputs._keep_for_later(path, [CELL])
    assert path.with_name("a.ipynb.not-read").read_text() == text
    assert json.loads(path.read_text())["nbformat"] == 4
    assert kept_outputs._with_moved_outputs(path, write(tmp_path / "b.ipynb", text)) is None


def test_outputs_that_wait_without_a_number_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ipynb", json.dumps({"cells": [CELL]}))
    kept_outputs._keep_for_later(path, [{**CELL, "source": "2"}])
    assert [cell["source"] for cell in json.loads(path.read_text())["cells"]] == ["1", "2"]


@pytest.mark.parametrize("text", [b"", b"/elsewhere", b"schema: 2", b"\xff\xfe"])
def test_an_environment_that_is_ready_elsewhere_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    spec = importlib.util.spec_from_file_location("bootstrap", TOOLS / "bootstrap.py")
    assert spec and spec.loader
    bootstrap = importlib.util.module_from_spec(spec)
    before = [*sys.path]
    spec.loader.exec_module(bootstrap)
    monkeypatch.setattr(sys, "path", before)
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    ready = write(tmp_path / ".venv" / ".ready", "")
    ready.write_bytes(os.fsencode(tmp_path))
    bootstrap.remove_moved()
    assert ready.exists()
    ready.write_bytes(text)
    bootstrap.remove_moved()
    assert not (tmp_path / ".venv").exists()
