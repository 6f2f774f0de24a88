"""Programs that the set-up put into a project are found without being on the search path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from nb.programs import uv_programs

UV = "uv.exe" if sys.platform == "win32" else "uv"


@pytest.mark.parametrize("folder", ["bin", "Scripts"])  # of POSIX, of Windows
def test_the_uv_of_the_project_comes_after_that_of_the_machine(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "machine"))
    assert uv_programs(tmp_path) == []
    programs = [tmp_path / ".uv" / folder / UV, tmp_path / "machine" / UV]
    for program in programs:
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n", encoding="utf-8")
        program.chmod(0o755)
    assert uv_programs(tmp_path) == [str(program) for program in reversed(programs)]
