"""YAML that papermill and DVC read alike: what is refused, and how it is said."""

from __future__ import annotations

import math
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from nb.notebook.config import read_config, set_value, with_value
from nb.notebook.yaml_file import dump, read_as_dvc, read_value, read_yaml
from nb.project import NbError
from ruamel.yaml import YAML


class NoDatesSafeLoader(yaml.SafeLoader):
    """papermill's loader of files of parameters (papermill.iorw)."""

    yaml_implicit_resolvers: ClassVar = {
        first: [each for each in known if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def papermill(text: str) -> Any:
    return yaml.load(text, NoDatesSafeLoader)


def dvc(text: str) -> Any:
    """Read as DVC does in a project, where ruamel.yaml has its parser in C."""
    yaml.compose(text, getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    return YAML(typ="safe").load(text)


def is_recordable(value: Any) -> bool:
    """Whether DVC can write a value as JSON and compare it with what it wrote."""
    if isinstance(value, dict):
        return all(isinstance(key, str) for key in value) and all(
            map(is_recordable, value.values())
        )
    if isinstance(value, list):
        return all(map(is_recordable, value))
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return is_plain and not (isinstance(value, float) and math.isnan(value))


def outcome(reader: Any, text: str) -> Any:
    try:
        return reader(text)
    except (yaml.YAMLError, ValueError, OverflowError, TypeError):
        return NbError
    except Exception as error:  # ruamel.yaml has errors of its own
        assert "ruamel" in type(error).__module__
        return NbError


def config(text: str) -> Any:
    return read_yaml(text, "config/n.yaml")


def refusal(text: str) -> str:
    with pytest.raises(NbError) as caught:
        config(text)
    assert caught.value.exit_code == 2
    return str(caught.value)


SCALARS = st.one_of(
    st.text("0123456789_.:eExob+-~=<TZ ", max_size=12),
    st.sampled_from(
        [
            "y",
            "n",
            "yes",
            "No",
            "ON",
            "off",
            "true",
            "False",
            "null",
            "~",
            ".inf",
            "-.INF",
            ".nan",
            "=",
            "<<",
            "0o7",
            "08",
        ]
    ),
    st.from_regex(
        r"[-+]?(0|0o|0b|0x)?[0-9_]{1,6}([.:][0-9_]{0,4})?([eE][-+]?[0-9]{1,2})?", fullmatch=True
    ),
    st.dates().map(str),
    st.datetimes().map(str),
    st.text(max_size=8),
)
DOCUMENTS = st.one_of(
    SCALARS.map("x: {}".format),
    st.lists(SCALARS, max_size=3).map(lambda items: f"x: [{', '.join(items)}]"),
    st.tuples(SCALARS, SCALARS).map(lambda pair: f"{pair[0]}: {pair[1]}\nb: 1"),
    st.tuples(SCALARS, SCALARS).map(lambda pair: f"x: {{a: {pair[0]}, {pair[1]}: 2}}"),
)
TEXTS = DOCUMENTS | st.text("ab:-[]{}&*!|>'\"#%,? \n\t01", max_size=40)


@given(TEXTS)
@example("flag: on")
@example("=: 1")
@example("x: !")
@example("x: [!, 1]")
@example("x: {!: 1}")
@example("a: 1\na: 2")
@example("%YAML 1.1\n---\na: y")
@example("%YAML 1.1\n---\na: [on, 012]")
@example("a: &x {b: 1}\nc:\n  <<: *x\n  b: 2")
def test_a_config_file_that_is_read_has_one_reading(text: str) -> None:
    """What a notebook gets, what DVC records and what `${…}` stands for are equal."""
    try:
        content = config(text)
    except NbError:
        # Nothing is refused that both read alike.
        first, second = outcome(papermill, text), outcome(dvc, text)
        alike = first is not NbError and repr(first) == repr(second) and is_recordable(first)
        assert not alike or text.startswith("%YAML")
        return
    assert repr(papermill(text)) == repr(dvc(text)) == repr(content)
    assert is_recordable(content)


@given(DOCUMENTS)
@example("a: 012\nb: on\nc: 12:30\nd: 1e3\ne: 2024-01-31")
def test_a_lock_file_is_read_as_dvc_reads_it(text: str) -> None:
    expected = outcome(dvc, text)
    if expected is NbError:
        return
    assert repr(read_as_dvc(text, "dvc.lock")) == repr(expected)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
    | SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1), VALUES, max_size=4))
@example({"a": "on", "b": "1e3", "c": "0o12", "on": "2024-01-31", "=": "<<"})
def test_what_is_written_is_read_alike(values: dict[str, Any]) -> None:
    written = dump(values)
    assert repr(config(written) or {}) == repr(values) == repr(dvc(written) or {})
    for value in values.values():
        assert repr(config(f"[{dump(value, flow=True)}]")) == repr([value])


def test_dates_paths_and_tuples_are_written_as_what_yaml_has() -> None:
    values = {"a": date(2024, 1, 31), "b": datetime(2024, 1, 31, 9), "c": Path("x/y"), "d": (1, 2)}
    read_back = {"a": "2024-01-31", "b": "2024-01-31T09:00:00", "c": "x/y", "d": [1, 2]}
    assert config(dump(values)) == read_back


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nflag: on", 'line 2: parameter flag: on is true to papermill and the text "on" to'),
        ("flag: on", 'to DVC; write true or "on"'),
        ("n: 012", "line 1: parameter n: 012 is 10 to papermill and 12 to DVC; write 10 or 12"),
        ("n: 0o12", 'parameter n: 0o12 is the text "0o12" to papermill and 10 to DVC'),
        ("t: 12:30", 'is 750 to papermill and the text "12:30" to DVC; write 750 or "12:30"'),
        ("d: 2024-01-31", 'parameter d: 2024-01-31 is text to papermill and a date to DVC'),
        ("d: 2024-01-31", 'write "2024-01-31"'),
        ("d: 2024-01-31 09:30:00", 'a date to DVC; write "2024-01-31 09:30:00"'),
        ("d: 2024-02-31", 'parameter d: 2024-02-31 cannot be read; write "2024-02-31"'),
        ("r: 1e-3", 'write "1e-3" or 0.001'),
        ("a: =", 'parameter a: = cannot be read; write "="'),
        ("w:\n  - {b: off}", 'line 2: parameter w[0]["b"]: off is false'),
        ("a: 1\nb: 2\na: 3", "line 3: parameter a is given twice, also in line 1"),
        ("w: {x: 1, x: 2}", 'parameter w["x"] is given twice, also in line 1'),
        ("w: {1: 2}", 'parameter w["1"]: a name has to be text; write "1"'),
        ("w: .nan", "equals nothing, so its stage is never up to date; write null"),
        ("w: !!set {x}", "parameter w: "),
        ("w: !!python/name:os.system x", "parameter w: "),
        ("? [1]\n: 2", "line 1: a name is a list"),
        ("a: &a [*a]", "line 1: *a stands for what holds it"),
        (f"a:\n {'[' * 300}{']' * 300}", "line 2: nested more than 100 levels deep"),
        (f"a: {'[' * 3000}{']' * 3000}", "config/n.yaml"),
        ("a: {b: {" * 1500, "config/n.yaml"),
        ("%YAML 1.1\n---\na: y", "line 1: remove the line %YAML"),
        ("a: 1\nb:\t2\n\tc: 3", "config/n.yaml cannot be read: line 3: found a tab"),
        ("a: 1\nb: [", "config/n.yaml cannot be read: line 3: did not find"),
        ("a: *x", "config/n.yaml cannot be read: line 1: found undefined alias"),
        ("a: 1\nb: x\0y", "it holds the character U+0000, which YAML does not allow"),
        ("a: !!timestamp x", 'line 1: parameter a: x cannot be read; write "x"'),
        ("a: !!bool x", 'line 1: parameter a: x cannot be read; write "x"'),
        ("a: !!int ''", 'line 1: parameter a: '),
        ("a: !!timestamp [1]", "line 1: parameter a: "),
        (f"a: '{'x' * 2_000_000}'", "holds 2,000,005 characters, more than 2,000,000: keep data"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named(text: str, message: str) -> None:
    refused = refusal(text)
    assert refused.startswith("config/n.yaml")
    assert message in refused
    assert "\n" not in refused


@pytest.mark.parametrize(
    "value", ["!!timestamp x", "!!bool x", "!!int ''", "!!float ''", "!!int x"]
)
def test_a_value_that_is_not_of_the_type_of_the_tag_is_named(value: str) -> None:
    with pytest.raises(NbError, match=r'^dvc.yaml is not valid YAML: line 2: "x?" is no !!'):
        read_as_dvc(f"stages:\n  a: {value}\n", "dvc.yaml")


def test_all_problems_are_said_at_once() -> None:
    assert len(refusal("a: on\nb: 012\nc: {d: 12:30}\n").splitlines()) == 3


def test_anchors_that_stand_for_billions_are_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    text = "\n".join(lines)
    assert "aliases stand for more than 100,000 values" in refusal(text)
    with pytest.raises(NbError, match="aliases stand for more"):
        read_as_dvc(text, "dvc.yaml")


@pytest.mark.parametrize(
    ("typed", "value"),
    [("7", 7), ("2024-01-31", "2024-01-31"), ("1e-3", 0.001), ("[1, a]", [1, "a"]), ("", None)],
)
def test_a_value_on_the_command_line(typed: str, value: Any) -> None:
    assert repr(read_value(typed, "--set train.x")) == repr(value)


@pytest.mark.parametrize("typed", ["on", "012", "12:30", "[1, off]"])
def test_a_value_on_the_command_line_that_has_two_readings(typed: str) -> None:
    with pytest.raises(NbError, match=r"--set train.x: .* to papermill and .* to DVC; write "):
        read_value(typed, "--set train.x")


def test_a_changed_config_file_keeps_its_values(tmp_path: Path) -> None:
    path = tmp_path / "config" / "n.yaml"
    path.parent.mkdir()
    path.write_text('a: "on"\nb: "1e3"\nc: "0o7"\n')
    assert set_value(path, "d", "2024-01-31")
    values = {"a": "on", "b": "1e3", "c": "0o7", "d": "2024-01-31"}
    assert read_config(path) == values == dvc(path.read_text())


SCALARS = (
    st.none() | st.booleans() | st.integers(-999, 999) | st.floats(-9, 9) | st.text(max_size=5)
)
CONFIGS = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}", fullmatch=True),
    st.recursive(SCALARS, lambda x: st.lists(x, max_size=2) | st.dictionaries(st.just("k"), x)),
    max_size=4,
)


@given(CONFIGS, st.data())
def test_another_value_leaves_comments_and_all_other_values(
    content: dict[str, Any], data: st.DataObject
) -> None:
    comments = [f"# about {name}, as a person wrote it" for name in content]
    blocks = [dump({name: value}) for name, value in content.items()]
    text = "".join(f"{c}\n{block}\n" for c, block in zip(comments, blocks, strict=True))
    name = data.draw(st.sampled_from([*content, "new"]))
    value = data.draw(SCALARS)
    written = with_value(text, name, value)
    assert read_yaml(written, "config") == {**content, name: value}
    for comment in comments:
        assert comment in written
    for other, block in zip(content, blocks, strict=True):
        assert other == name or block in written


def test_a_comment_beside_the_value_stays() -> None:
    text = "# Parts.\nfolds: 5  # few\n\n# Seed.\nseed: 42\n"
    assert with_value(text, "folds", 10) == text.replace("5", "10")
    assert with_value("a: &x 1\nb: *x\n", "a", 2) == "a: 2\nb: 1\n"
    assert with_value("a: 1", "b", "x: y") == "a: 1\nb: 'x: y'\n"
