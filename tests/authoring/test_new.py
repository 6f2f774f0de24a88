"""The names of new notebooks; what they hold is tried in a generated project."""

from __future__ import annotations

import keyword
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nb.authoring.new import NewNotebook, new_exploratory, new_production
from nb.authoring.promotion import proposal
from nb.declaration.naming import slug_of, title_of
from nb.project import NbError


def make(root: Path, name: str, production: bool) -> NewNotebook:
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
        (["90-b"], "sales", "91-sales"),
        (["95-b", "98-c"], "sales", "99-sales"),
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
    make(tmp_path, "99-last", True)
    with pytest.raises(NbError, match="99 is the last number; give a free one: 98-sales"):
        make(tmp_path, "sales", True)


NAMES = st.one_of(
    st.text(max_size=70),
    st.from_regex(r"\d{0,4}[-_ ]?[a-zäöüß\d _-]{0,20}(\.ipynb)?", fullmatch=True),
    st.sampled_from(["Umsätze", "2024 review", "class", "50-Sales By Day", "5-x", "10-a", "a"]),
)


@given(name=NAMES, there=st.lists(st.integers(0, 99), max_size=3))
@settings(max_examples=200, deadline=None)
def test_promote_and_new_name_by_one_rule(name: str, there: list[int]) -> None:
    assume(name)
    made = []
    for command in (named_by_new, named_by_promote):
        with TemporaryDirectory() as folder:
            root = Path(folder).resolve()
            (root / "src/example").mkdir(parents=True)
            (root / "src/example/__init__.py").touch()
            (root / "dvc.yaml").write_text("stages:\n  a: {cmd: x}\n")
            for number in there:
                path = root / f"notebooks/production/{number:02}-other{number}.ipynb"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            try:
                made.append(command(root, name))
            except NbError as error:
                assert error.exit_code == 2
                assert "\n" not in str(error)
                made.append("")
    assert made[0] == made[1]
    assert not made[0] or re.fullmatch(r"\d\d-[a-z0-9-]*[a-z][a-z0-9-]*", made[0])


def named_by_new(root: Path, name: str) -> str:
    return new_production(root, name).notebook.stem


def named_by_promote(root: Path, name: str) -> str:
    source = root / "notebooks/exploratory/01-am-idea.ipynb"
    choices = proposal(root, source, name)
    assert all(map(str.isidentifier, choices.module.split(".")))
    assert not any(map(keyword.iskeyword, choices.module.split(".")))
    return choices.name


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("03-am-Umsätze", "10-umsatze"),
        ("03-am-10-years", "10-10-years"),
        ("idea", "10-idea"),
        ("2024_first look", "10-first-look"),
    ],
)
def test_a_promoted_notebook_keeps_its_name(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert proposal(tmp_path, tmp_path / f"notebooks/exploratory/{file}.ipynb").name == name


def test_promote_refuses_what_is_taken_and_says_how_to_go_on(tmp_path: Path) -> None:
    make(tmp_path, "20-features", True)
    source = tmp_path / "notebooks/exploratory/01-am-features.ipynb"
    for name in ("", "20-features", "70-features", "Features"):
        with pytest.raises(NbError, match="--as features-2"):
            proposal(tmp_path, source, name)
    (tmp_path / "config/30-sizes.yaml").write_text("mine: 1\n")
    with pytest.raises(NbError, match=r"config/30-sizes\.yaml exists"):
        proposal(tmp_path, source, "sizes")


@pytest.mark.parametrize("module", ["../evil", "a b", "class", "x.import"])
def test_a_module_that_cannot_be_imported_is_refused(tmp_path: Path, module: str) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    with pytest.raises(NbError, match="is no name of a module"):
        proposal(tmp_path, tmp_path / "notebooks/exploratory/a.ipynb", "sizes", module)
