"""What an extraction writes is put back; what somebody else writes meanwhile stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.project import NbError
from nb.refactoring.extract import Extraction
from nb.refactoring.rerun import rolled_back_on_error


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "notebooks/production").mkdir(parents=True)
    (tmp_path / "tools/nb").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("before")
    return tmp_path


def test_only_what_was_written_is_put_back(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = {root / name: b"ours" for name in ("a.py", "b.py", "new.py", "newer.py")}
    with pytest.raises(KeyboardInterrupt), rolled_back_on_error(root, written, []):
        for path, content in written.items():
            path.write_bytes(content)
        (root / "b.py").write_text("theirs")
        (root / "newer.py").write_text("theirs")
        raise KeyboardInterrupt
    found = {path.name: path.read_text() for path in root.glob("*.py")}
    assert found == {"a.py": "before", "b.py": "theirs", "newer.py": "theirs"}
    assert capsys.readouterr().err.splitlines() == [
        "nb: b.py was changed meanwhile and stays as it is",
        "nb: newer.py was changed meanwhile and stays as it is",
    ]


@pytest.mark.parametrize("name", ["a.py", "new.py"])
def test_an_extraction_replaces_nothing_that_was_changed_since(root: Path, name: str) -> None:
    paths = [root / "b.py", root / name]
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    extraction = Extraction("f", "package.shared", dict.fromkeys(paths, "ours"), before=before)
    (root / name).write_text("theirs")
    with pytest.raises(NbError, match=f"{name} was changed meanwhile and stays as it is"):
        extraction.write(root)
    assert (root / name).read_text() == "theirs"
    assert (root / "b.py").read_text() == "before"
