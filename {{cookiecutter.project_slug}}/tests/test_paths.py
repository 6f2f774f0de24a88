from pathlib import Path

import pytest

from {{ cookiecutter.package_name }} import paths


def test_the_root_is_found_from_a_folder_of_notebooks() -> None:
    root = Path(__file__).parent.parent
    assert paths.find_root(root / "notebooks" / "production") == root


def test_outside_a_project_there_is_no_root(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"dvc\.yaml"):
        paths.find_root(tmp_path)


def test_the_folder_of_an_output_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    target = paths.output("data/interim/table.parquet")
    assert target == tmp_path / "data" / "interim" / "table.parquet"
    assert target.parent.is_dir()
