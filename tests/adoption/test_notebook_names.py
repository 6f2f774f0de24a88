"""Names of adopted notebooks: one for each, by the convention, in the order of the old ones."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from nb.adoption.new_places import HOME, name_notebooks

PATHS = st.lists(st.text(min_size=1, max_size=90), max_size=30, unique=True)


@given(PATHS, st.integers(1, 120))
def test_any_set_of_names_maps_to_as_many_of_the_convention(stems: list[str], first: int) -> None:
    sources = [f"{stem}.ipynb" for stem in stems]
    names = name_notebooks(sources, "am", first)
    assert set(names) == set(sources)
    slugs = [re.fullmatch(rf"{HOME}/(\d\d+)-am-([a-z0-9-]+)\.ipynb", n) for n in names.values()]
    assert all(slugs)
    assert len({found[2] for found in slugs if found}) == len(sources)
    numbers = sorted(int(found[1]) for found in slugs if found)
    assert numbers == list(range(first, first + len(sources)))


def test_numbers_follow_the_natural_order_and_old_numbers_go() -> None:
    names = name_notebooks(["10. Model.ipynb", "2_clean data.ipynb", "Übersicht.ipynb"], "am", 3)
    assert list(names.values()) == [
        f"{HOME}/03-am-clean-data.ipynb",
        f"{HOME}/04-am-model.ipynb",
        f"{HOME}/05-am-ubersicht.ipynb",
    ]


def test_equal_names_are_told_apart_by_their_folders() -> None:
    names = name_notebooks(["a/eda.ipynb", "b/eda.ipynb", "日本.ipynb"], "am", 1)
    assert sorted(n.partition("-am-")[2] for n in names.values()) == [
        "a-eda.ipynb",
        "b-eda.ipynb",
        "notebook.ipynb",
    ]
