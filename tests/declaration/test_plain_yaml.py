"""The fast writer of YAML: the bytes of DVC's writer, or nothing."""

from __future__ import annotations

from io import StringIO
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from nb.declaration.plain_yaml import plain_yaml
from ruamel.yaml import YAML

WORDS = st.text(st.sampled_from("aefxy_./ -:#'<>&|0123456789,\n{}[]éZ"), max_size=90)
SCALARS = st.one_of(
    WORDS,
    st.sampled_from(
        ["on", "Null", ".inf", ".NaN", "0x1f", "1e5", "12:30", "2020-01-01", "<<", "="]
    ),
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.text("01b", min_size=32, max_size=32),
    st.integers(),
    st.booleans(),
    st.floats(),
    st.none(),
)
KEYS = st.one_of(WORDS, st.sampled_from(["cmd", "deps", "data/raw/rows.csv", "true", "1"]))
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def written_by_dvc(tree: object) -> str:
    """Return the text of `dvc.utils.serialize.dumps_yaml`."""
    writer = YAML()
    writer.default_flow_style = False
    stream = StringIO()
    writer.dump(tree, stream)
    return stream.getvalue()


@given(tree=TREES)
def test_the_fast_writer_writes_the_bytes_of_dvc_or_nothing(tree: dict[str, Any]) -> None:
    text = plain_yaml(tree)
    assert text is None or text == written_by_dvc(tree)


def test_the_fast_writer_writes_what_lock_files_hold() -> None:
    item = {"path": "data/raw/rows.csv", "hash": "md5", "size": 12, "isexec": True}
    tree = {
        "stages": {
            "train@forest-1": {
                "cmd": "papermill notebooks/production/a.ipynb reports/notebooks/a.ipynb",
                "deps": [{**item, "md5": "0123456789abcdef0123456789abcdef"}],
                "params": {"config/train.yaml": {"trees": 100, "kind": "forest"}},
                "outs": [{**item, "md5": "dbff0123456789abcdef0123456789ab.dir", "nfiles": 3}],
            }
        }
    }
    assert plain_yaml(tree) == written_by_dvc(tree)


def test_the_fast_writer_leaves_an_object_that_is_there_twice_to_dvc() -> None:
    item = {"path": "a"}
    assert plain_yaml({"deps": [item], "outs": [item]}) is None
