"""The names of new notebooks; what they hold is tried in a generated project."""

from __future__ import annotations

from pathlib import Path

import pytest
from nb.new import Made, new_exploratory, new_production, slug_of, title_of
from nb.project import NbError


def make(root: Path, name: str, production: bool) -> Made:
    (root / "dvc.yaml").write_text("stages: {}\n")
    return new_production(root, name) if production else new_exploratory(root, name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "a notebook needs a name"),
        ("../evil", "is a path"),
        ("a/b", "is a path"),
        ("a\\b", "is a path"),
        ("..", "is a path"),
        ("数据", "has no letter from a to z"),
        ("!?", "has no letter from a to z"),
        ("x" * 61, "the name is longer than 60 characters"),
    ],
)
@pytest.mark.parametrize("production", [True, False])
def test_a_name_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, name: str, reason: str, production: bool
) -> None:
    with pytest.raises(NbError, match=reason) as error:
        make(tmp_path, name, production)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["dvc.yaml"]


@pytest.mark.parametrize(
    ("name", "slug", "title"),
    [
        ("sales", "sales", "Sales"),
        (" Sales by day.ipynb", "sales-by-day", "Sales by day"),
        ("Größe & Gewicht", "grosse-gewicht", "Größe & Gewicht"),
        ("25-weather_data", "25-weather-data", "Weather data"),
    ],
)
def test_names_become_slugs_and_titles(name: str, slug: str, title: str) -> None:
    assert (slug_of(name), title_of(name)) == (slug, title)


@pytest.mark.parametrize(
    ("there", "name", "made"),
    [
        ([], "sales", "10-sales"),
        (["10-a", "40-b"], "sales", "50-sales"),
        (["10-a", "45-b"], "sales", "50-sales"),
        (["more/60-c"], "sales", "70-sales"),
        (["40-b"], "25-sales", "25-sales"),
    ],
)
def test_a_production_notebook_gets_the_next_ten(
    tmp_path: Path, there: list[str], name: str, made: str
) -> None:
    for other in there:
        path = tmp_path / "notebooks/production" / f"{other}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    notebook = make(tmp_path, name, True).notebook
    assert notebook.as_posix() == f"notebooks/production/{made}.ipynb"
    assert (tmp_path / "config" / f"{made}.yaml").exists()
    assert f"\n  {made[3:]}:\n" in f"\n{(tmp_path / 'dvc.yaml').read_text()}"


def test_after_the_last_number_one_has_to_be_given(tmp_path: Path) -> None:
    make(tmp_path, "95-last", True)
    with pytest.raises(NbError, match="95 is the last number; give a free one: nb new 55-sales"):
        make(tmp_path, "sales", True)
