"""Stages of pages: pages are made beside a run, while `dvc.lock` grows."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from nb import report
from nb.declaration import reader
from nb.declaration.reader import FILE, LOCK
from nb.project import EXECUTED
from nb.report import pages

COMMAND = "papermill notebooks/{0}.ipynb " + EXECUTED.as_posix() + "/{0}.ipynb"


def write_copy(root: Path, name: str, text: str = "") -> Path:
    """Write an executed copy with a Markdown cell."""
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": text}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    copy = root / EXECUTED / f"{name}.ipynb"
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.write_text(json.dumps(content), encoding="utf-8")
    return copy


def write_pipeline(root: Path, names: str, *, locked: str = "") -> None:
    """Write `dvc.yaml`, and `dvc.lock` with the stages that ran."""
    stages = {
        name: {
            "cmd": COMMAND.format(name),
            "deps": ["data/z.csv", "data/a.csv"],
            "outs": ["data/out/", f"models/{name}"],
        }
        for name in names
    }
    entries = {
        name: {
            "cmd": COMMAND.format(name),
            "deps": [{"path": "data/a.csv", "size": 1}, {"path": "data/z.csv", "size": 2}],
            "outs": [{"path": "data/out", "size": 3}, {"path": f"models/{name}", "size": 4}],
        }
        for name in locked
    }
    (root / FILE).write_text(json.dumps({"stages": stages}), encoding="utf-8")
    (root / LOCK).write_text(json.dumps({"schema": "2.0", "stages": entries}), encoding="utf-8")


def test_a_page_made_before_the_lock_file_is_written_is_up_to_date_after_that(
    tmp_path: Path,
) -> None:
    copy = write_copy(tmp_path, "x")
    write_pipeline(tmp_path, "x")
    page = report.make_page(tmp_path, copy)
    before = page.read_bytes()
    page.write_bytes(b"as it was")
    write_pipeline(tmp_path, "x", locked="x")
    (stage,) = reader.read_stages(tmp_path)
    pages.write_page(tmp_path, copy, stage)
    assert page.read_bytes() == b"as it was"
    (tmp_path / ".nb/report/x.json").unlink()
    pages.write_page(tmp_path, copy, stage)
    assert page.read_bytes() == before


def test_pages_of_a_run_read_the_pipeline_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[str]()
    parse = reader.parse_as_dvc
    monkeypatch.setattr(
        reader, "parse_as_dvc", lambda text, file: (read.append(file), parse(text, file))[1]
    )
    names = "abcdefgh"
    for number, name in enumerate(names):
        write_pipeline(tmp_path, names, locked=names[:number])
        os.utime(tmp_path / FILE, (1, 1))
        page = report.make_page(tmp_path, write_copy(tmp_path, name))
        assert f"models/{name}" in page.read_text(encoding="utf-8")
    assert read == [FILE]


def test_a_changed_pipeline_is_read_again(tmp_path: Path) -> None:
    copy = write_copy(tmp_path, "b")
    write_pipeline(tmp_path, "a")
    assert pages.stage_of(tmp_path, copy) is None
    write_pipeline(tmp_path, "ab")
    found = pages.stage_of(tmp_path, copy)
    assert found and found.name == "b"


def test_templates_that_only_dvc_resolves_are_taken_from_the_lock_file(tmp_path: Path) -> None:
    copy = write_copy(tmp_path, "b")
    stage = {"cmd": COMMAND.format("b"), "outs": ["models/${size}.json"]}
    (tmp_path / FILE).write_text(json.dumps({"stages": {"b": stage}}), encoding="utf-8")
    entry = {"cmd": COMMAND.format("b"), "outs": [{"path": "models/9.json"}]}
    (tmp_path / LOCK).write_text(json.dumps({"stages": {"b": entry}}), encoding="utf-8")
    found = pages.stage_of(tmp_path, copy)
    assert found and [artifact.path for artifact in found.writes] == ["models/9.json"]
