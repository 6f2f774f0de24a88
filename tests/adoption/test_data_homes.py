"""Homes of data files: one for each, and a folder that code joins stays whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nb.adoption.new_places import data_homes, folder_homes

PART = st.sampled_from(["data", "raw", "out", "a", "b.csv", "c.png", "interim"])
FILES = st.sets(st.lists(PART, min_size=1, max_size=4).map("/".join), max_size=12)


@given(FILES, st.data())
def test_no_two_files_share_a_home_and_joined_folders_stay_whole(
    files: set[str], data: st.DataObject
) -> None:
    written = set(data.draw(st.lists(st.sampled_from(sorted(files)), max_size=4)) if files else [])
    folders = sorted({f.rpartition("/")[0] for f in files} - {""})
    joined = set(data.draw(st.lists(st.sampled_from(folders), max_size=3)) if folders else [])
    taken = set(data.draw(st.lists(st.sampled_from(["data/raw/a", "data/interim/b.csv"]))))
    homes = data_homes(files, written, joined, taken)
    assert set(homes) == files
    assert len(set(homes.values())) == len(homes)
    assert not taken & set(homes.values())
    for folder in joined:
        new = {
            home.removesuffix(file.removeprefix(f"{folder}/"))
            for file, home in homes.items()
            if file.startswith(f"{folder}/")
        }
        assert len(new) == 1 and folder in folder_homes(homes)


def test_inputs_are_raw_and_outputs_interim_or_figures() -> None:
    homes = data_homes({"train.csv", "clean.csv"}, {"clean.csv", "a.png"}, set())
    assert homes == {
        "train.csv": "data/raw/train.csv",
        "clean.csv": "data/interim/clean.csv",
        "a.png": "reports/figures/a.png",
    }


def test_a_layout_that_is_there_is_kept() -> None:
    files = {"data/raw/a.csv", "data/processed/b.csv"}
    assert data_homes(files, {"data/processed/b.csv"}, {"data"}) == {f: f for f in files}


def test_a_name_in_use_keeps_all_apart() -> None:
    homes = data_homes({"a.csv"}, set(), set(), {"data/raw/a.csv"})
    assert homes == {"a.csv": "data/raw/adopted-1/a.csv"}
