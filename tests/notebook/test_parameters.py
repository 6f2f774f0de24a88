"""Parameters: what a parameters cell may hold, and which given values fit it."""

from __future__ import annotations

import json
import math
import re
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from nb.notebook.config import read_config
from nb.notebook.content import Cell, Notebook, find_notebook
from nb.notebook.parameters import (
    Parameter,
    assignments,
    check_values,
    describe,
    read_parameters,
    secret_values,
)
from nb.project import NbError
from nb.secrets.mask import Mask

INF = float("inf")


def notebook(*sources: str) -> Notebook:
    """Return a notebook whose cells are all tagged."""
    return Notebook(Path("n.ipynb"), "python3", tuple(Cell(1, s, ("parameters",)) for s in sources))


def parameters(source: str) -> list[Parameter]:
    return read_parameters(notebook(source))


def problems(source: str, given: dict[str, Any], **options: Any) -> list[str]:
    """Return the lines that a check ends with."""
    with pytest.raises(NbError) as caught:
        check_values(parameters(source), given, "n.ipynb", **options)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


RIGHT = [
    ("int", 7, 7),
    ("int", -7, -7),
    ("int", 10**30, 10**30),
    ("float", 1.5, 1.5),
    ("float", 2, 2.0),
    ("float", INF, INF),
    ("float", "1e-3", 0.001),  # a number to whoever wrote it; text to papermill's YAML
    ("bool", True, True),
    ("bool", False, False),
    ("str", "seven", "seven"),
    ("str", "7", "7"),
    ("str", "", ""),
    ("str", "true", "true"),
    ("Path", "data/raw", Path("data/raw")),
    ("pathlib.Path", "data/raw", Path("data/raw")),
    ("date", "2024-01-31", date(2024, 1, 31)),
    ("date", date(2024, 1, 31), date(2024, 1, 31)),
    ("dt.date", "2024-01-31", date(2024, 1, 31)),
    ("datetime", "2024-01-31T09:30:00", datetime(2024, 1, 31, 9, 30)),
    ("datetime", "2024-01-31 09:30", datetime(2024, 1, 31, 9, 30)),
    ("datetime", "2024-01-31T09:30:00Z", datetime(2024, 1, 31, 9, 30, tzinfo=timezone.utc)),
    (
        "datetime",
        "2024-01-31T09:30:00.250+02:00",
        datetime(2024, 1, 31, 9, 30, 0, 250_000, timezone(timedelta(hours=2))),
    ),
    ("Literal['a', 'b']", "b", "b"),
    ("Literal[1, -2, None, True]", -2, -2),
    ("Literal[1, None]", None, None),
    ("int | None", None, None),
    ("int | None", 3, 3),
    ("None | int", None, None),
    ("Optional[float]", 3, 3.0),
    ("typing.Optional[Path]", "a", Path("a")),
    ("list", [1, "a", None, [2.5]], [1, "a", None, [2.5]]),
    ("list[int]", [], []),
    ("list[float]", [1, 2.5], [1.0, 2.5]),
    ("list[Path | None]", ["a", None], [Path("a"), None]),
    ("list[list[int]]", [[1], [2, 3]], [[1], [2, 3]]),
    ("dict", {"a": 1, 2: ["b"]}, {"a": 1, 2: ["b"]}),
    ("dict[str, float]", {"a": 1}, {"a": 1.0}),
    ("dict[str, list[date]]", {"a": ["2024-01-31"]}, {"a": [date(2024, 1, 31)]}),
    ("list[Literal['a', 'b']]", ["b", "a"], ["b", "a"]),
    ("tuple", [1, "a"], (1, "a")),
    ("tuple[int, str]", [1, "a"], (1, "a")),
    ("tuple[float, ...]", [1, 2, 3], (1.0, 2.0, 3.0)),
    ("tuple[int] | None", [1], (1,)),
]

WRONG = [
    ("int", True, "given true, expected int"),
    ("int", 1.5, "given 1.5, expected int"),
    ("int", 2.0, "given 2.0, expected int; write 2"),
    ("int", "007", 'given "007", expected int; write it without quotes in YAML'),
    ("int", INF, "given Infinity, expected int"),
    ("int", None, "given null, expected int"),
    ("int", [1], "given [1], expected int"),
    ("float", "1.5", 'given "1.5", expected float; write it without quotes in YAML'),
    ("float", "nan", 'given "nan", expected float'),
    ("float", False, "given false, expected float"),
    ("float", 10**400, "expected float"),
    ("bool", 1, "given 1, expected bool"),
    ("bool", "true", "expected bool; write true without quotes in YAML, True after -p"),
    ("bool", "yes", 'given "yes", expected bool'),
    ("bool", None, "given null, expected bool"),
    ("str", 7, "given 7, expected str; quote it in YAML"),
    ("str", True, "given true, expected str; quote it in YAML"),
    ("str", date(2024, 1, 31), "given 2024-01-31, expected str; quote it in YAML"),
    ("str", None, "given null, expected str"),
    ("Path", 7, "given 7, expected Path"),
    ("Path", "", 'given "", expected Path'),
    ("date", "31.1.2024", 'given "31.1.2024", expected date such as 2024-01-31'),
    ("date", "20240131", "expected date"),
    ("date", "2024-02-31", "expected date"),
    ("date", datetime(2024, 1, 31), "given 2024-01-31 00:00:00, expected date"),
    ("datetime", "2024-01-31", "expected datetime such as 2024-01-31T09:30:00"),
    ("datetime", "2024-01-31T25:00:00", "expected datetime"),
    ("datetime", 1706693400, "expected datetime"),
    ("Literal['a', 'b']", "c", 'given "c", expected one of "a", "b"'),
    ("Literal['a', 'b']", "A", 'given "A", expected one of "a", "b"'),
    ("Literal[1, 2]", True, "given true, expected one of 1, 2"),
    ("Literal[1, 2]", "1", 'given "1", expected one of 1, 2'),
    ("Literal['a'] | None", "c", 'given "c", expected one of "a" or null'),
    ("int | None", "x", 'given "x", expected int or null'),
    ("str | None", 7, "given 7, expected str or null; quote it in YAML"),
    ("list[int]", 1, "given 1, expected list[int]"),
    ("list[int]", [1, "2"], '[1]: given "2", expected int'),
    ("list[int] | None", [1, 2.5], "[1]: given 2.5, expected int"),
    ("list[list[int]]", [[1], [2, None]], "[1][1]: given null, expected int"),
    ("list", {"a": 1}, 'given {"a": 1}, expected list'),
    ("dict", [1], "given [1], expected dict"),
    ("dict[str, int]", {"a": 1.5}, '["a"]: given 1.5, expected int'),
    ("dict[str, int]", {1: 1}, "given 1, expected str as a key; quote it in YAML"),
    ("tuple[int, str]", [1], "given [1], expected tuple[int, str], a list of 2"),
    ("tuple[int, str]", ["a", 1], '[0]: given "a", expected int'),
    ("tuple[int, ...]", "abc", 'given "abc", expected tuple[int, ...]'),
]


@pytest.mark.parametrize(("kind", "given", "fitting"), RIGHT)
def test_a_value_that_fits(kind: str, given: Any, fitting: Any) -> None:
    declared = parameters(f"x: {kind} = ...")
    values = check_values(declared, {"x": given}, "n.ipynb")
    assert repr(values) == repr({"x": fitting})
    # What is written to the notebook gives that value there.
    names = {"Path": Path, "date": date, "datetime": datetime}
    modules = {"pathlib": type("pathlib", (), names), "dt": type("dt", (), names)}
    namespace: dict[str, Any] = {**names, **modules}
    exec(assignments(declared, values), namespace)
    assert repr(namespace["x"]) == repr(fitting)


@pytest.mark.parametrize(("kind", "given", "message"), WRONG)
def test_a_value_that_does_not_fit(kind: str, given: Any, message: str) -> None:
    (line,) = problems(f"x: {kind} = ...", {"x": given})
    assert line.startswith("n.ipynb: parameter x")
    assert message in line


def test_nan_is_a_float() -> None:
    declared = parameters('x: float = float("nan")\ny: list[float] = [float("-inf")]')
    assert math.isnan(declared[0].default)
    values = check_values(declared, {"x": math.nan, "y": [math.nan]}, "n.ipynb")
    assert assignments(declared, values) == 'x = float("nan")\ny = [float("nan")]'


def test_all_problems_are_reported_together() -> None:
    source = "seed: int = 1\nfolds: int = 5\ncountry: str = ..."
    assert problems(source, {"sede": 1, "folds": "five", "other": {"secret": "s3cret"}}) == [
        "n.ipynb: unknown parameter sede; did you mean seed?",
        "n.ipynb: unknown parameter other; known are seed, folds, country",
        'n.ipynb: parameter folds: given "five", expected int',
        "n.ipynb: parameter country is missing: give it a value, str",
    ]


def test_without_a_tagged_cell_no_parameter_is_known() -> None:
    untagged = Notebook(Path("n.ipynb"), "python3", (Cell(1, "x = 1", ()),))
    assert read_parameters(untagged) == []
    assert check_values([], {}, "n.ipynb") == {}
    with pytest.raises(NbError, match="unknown parameter x; no cell tagged parameters"):
        check_values([], {"x": 1}, "n.ipynb")


def test_a_config_file_need_not_be_complete() -> None:
    declared = parameters('model: str = ...\nkey: str = os.environ["NO_SUCH_VARIABLE"]\nn: int = 1')
    assert check_values(declared, {"n": 2}, "config/n.yaml", complete=False) == {"n": 2}


def test_a_long_value_is_shortened() -> None:
    (line,) = problems("x: int = 1", {"x": "a" * 1000})
    assert len(line) < 200


CELL = """\
# Not about a parameter.

# Highest share,
# from 0 to 1.
share: float = 0.5
model: Literal["a", "b"] = "a"  # which model?
text = "no # comment"
names: list[str] = [
    "x",  # the first
    "y",
]  # names of columns
start: dt.date = dt.date(2024, 1, 31)
folder = Path("data")
limit: int | None = None
low = -1.5
"""


def test_a_cell_is_read_as_python_reads_it() -> None:
    found = {p.name: p for p in parameters(CELL)}
    assert {name: p.default for name, p in found.items()} == {
        "share": 0.5,
        "model": "a",
        "text": "no # comment",
        "names": ["x", "y"],
        "start": date(2024, 1, 31),
        "folder": Path("data"),
        "limit": None,
        "low": -1.5,
    }
    assert [p.kind.name for p in found.values()] == [
        "float", "Literal", "str", "list", "date", "Path", "optional", "float",
    ]  # fmt: skip
    assert {name: p.help for name, p in found.items() if p.help} == {
        "share": "Highest share, from 0 to 1.",
        "model": "which model?",
        "names": "names of columns",
    }
    assert found["model"].choices == ("a", "b")
    assert not any(p.required or p.secret for p in found.values())


def test_a_type_is_that_of_the_default_where_there_is_no_annotation() -> None:
    declared = parameters("seed = 1\nfolder = pathlib.Path('a')\nwhen = dt.date(2024, 1, 31)")
    given = {"seed": 2, "folder": "b", "when": "2024-02-01"}
    assert assignments(declared, check_values(declared, given, "n.ipynb")) == (
        "seed = 2\nfolder = pathlib.Path('b')\nwhen = dt.date.fromisoformat('2024-02-01')"
    )
    assert problems("seed = 1", {"seed": "2"})


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("x = 60 * 60", "line 1: x: 60 * 60 is not a literal; compute it in another cell."),
        ("a = 1\nx = f(1)", "line 2: x: f(1) is not a literal"),
        ("x = f'{a}'", "is not a literal"),
        ("x = dt.datetime(2024, 1, 31, tzinfo=utc)", "is not a literal"),
        ("x = [1, y]", "line 1: x: y is not a literal"),
        ("x = b'a'", "is not a literal"),
        ("x = {**y}", "is not a literal"),
        ("a = b = 1", "line 1: this does not give a value to one name"),
        ("a, b = 1, 2", "this does not give a value to one name"),
        ("a.b = 1", "this does not give a value to one name"),
        ("x = 1\nimport os", "line 2: this does not give a value to one name; move it"),
        ("x = 1\nprint(x)", "line 2: this does not give a value to one name"),
        ("%matplotlib inline\nx = 1", "line 1: this is no Python but a line of IPython"),
        ("x = 1\nx = 2", "line 2: x is assigned twice."),
        ("x: int", "x has no value; write x: … = ... if it has to be given"),
        ("x = ...", "x has to be given, but of which type? Write x: int = ..."),
        ("x = None", "x: None alone does not say the type; annotate it"),
        ("x: int = 1.5", "the default of x: given 1.5, expected int"),
        ("x: int = None", "the default of x: given null, expected int"),
        ("x: list[int] = [1, 'a']", 'the default of x[1]: given "a", expected int'),
        ("x: Literal['a'] = 'b'", 'the default of x: given "b", expected one of "a"'),
        ("x: Path = 'data'", "the default of x is no Path; write Path('data')"),
        ("x: tuple[int, int] = [1, 2]", "is no tuple[int, int]; write (1, 2)"),
        ("x: date = date(2024, 13, 1)", "month must be in 1..12"),
        ("x: set[int] = ...", "the type set[int] is not understood; known are int, float"),
        ("x: int | str = 1", "the type int | str is not understood"),
        ("x: dict[int, str] = {}", "the type dict[int, str] is not understood"),
        ("x: np.float = 1.0", "the type np.float is not understood"),
        ("x: 'int' = 1", "is not understood"),
        ("x: str = 'a?'\nfiles = !ls", "line 2: this is no Python but a line of IPython"),
        ("x = 1\ny = (", "line 2: '(' was never closed."),
    ],
)
def test_a_cell_that_holds_more_than_literals(cell: str, message: str) -> None:
    with pytest.raises(NbError) as caught:
        parameters(cell)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith("n.ipynb: parameters cell (code cell 1), line ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_guide_shows_a_cell_that_can_be_read() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/parameters.md").read_text(encoding="utf-8")
    names = [p.name for p in parameters(page.split("```python\n")[1].split("```")[0])]
    assert names == ["test_share", "model", "max_rows", "country", "folder", "start", "api_key"]


def test_one_cell_may_be_tagged() -> None:
    with pytest.raises(NbError, match="code cells 1 and 2 are tagged parameters; keep"):
        read_parameters(notebook("x = 1", "x = 2"))


SECRETS = [
    ('key: str = os.environ["MY_KEY"]', True),
    ('key = environ["MY_KEY"]', True),
    ('key: str = os.environ.get("MY_KEY", "")', False),
    ('key: str | None = os.getenv("MY_KEY")', False),
    ('key = os.getenv("MY_KEY")', False),
]


@pytest.mark.parametrize(("cell", "required"), SECRETS)
def test_a_secret_comes_from_the_environment_only(
    cell: str, required: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = parameters(cell)
    monkeypatch.setenv("MY_KEY", "s3cret")
    assert check_values(declared, {}, "n.ipynb") == {}
    assert secret_values(declared) == {"MY_KEY": "s3cret"}
    assert "s3cret" not in json.dumps(describe(declared, {"key": "s3cret"}))
    for complete in (True, False):
        assert problems(cell, {"key": "s3cret"}, complete=complete) == [
            "n.ipynb: parameter key is secret: remove it here, "
            "and set the environment variable MY_KEY"
        ]
    monkeypatch.setenv("MY_KEY", "")
    assert secret_values(declared) == {}
    if required:
        message = "n.ipynb: parameter key is secret: set the environment variable MY_KEY"
        assert problems(cell, {}) == [message]
    else:
        assert check_values(declared, {}, "n.ipynb") == {}


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ('n: int = os.environ["N"]', "n comes from the environment, which holds text"),
        ('key: str = os.getenv("K")', "the default of key: given null, expected str"),
        ("key: str = os.environ[name]", "os.environ[name] is not a literal"),
        ('key: str = os.environ.get("K", f())', "f() is not a literal"),
    ],
)
def test_a_secret_that_cannot_be_one(cell: str, message: str) -> None:
    with pytest.raises(NbError) as caught:
        parameters(cell)
    assert message in str(caught.value)


@pytest.mark.parametrize("value", ["s3cret", 'it\'s "5" < 6 & more', "a\\b\nmore/ü+=", "x" * 4000])
def test_a_mask_finds_a_value_however_it_is_written(value: str) -> None:
    import html
    from urllib.parse import quote

    mask = Mask({"KEY": value})
    forms = [value, repr(value), json.dumps(value), html.escape(value), quote(value, safe="")]
    forms += [repr({"a": f"{value!r} '"}), json.dumps(json.dumps([value]))]
    masked = mask.tree({f"key {form}": [f"<{form}>", 1, None] for form in forms})
    text = json.dumps(masked)
    assert text.count("[KEY removed]") == 2 * len(masked)
    assert not [part for part in ("s3cret", "more", "xxx") if part in text]


def test_a_mask_of_nothing_changes_nothing() -> None:
    assert Mask({}).tree({"a": ["text", 1, (True, None)]}) == {"a": ["text", 1, (True, None)]}


def test_of_two_values_the_longer_is_masked_first() -> None:
    assert Mask({"A": "abc", "B": "abcdef"}).text("abc abcdef") == "[A removed] [B removed]"


def test_a_description_has_the_value_of_the_config_file() -> None:
    declared = parameters("a: int = 1  # first\nb: str = ...")
    assert describe(declared, {"a": 2}) == [
        {"name": "a", "type": "int", "required": False, "default": 1, "choices": [],
         "secret": None, "help": "first", "value": 2},
        {"name": "b", "type": "str", "required": True, "default": None, "choices": [],
         "secret": None, "help": ""},
    ]  # fmt: skip


def test_a_config_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config" / "n.yaml"
    assert read_config(path) == {}
    path.parent.mkdir()
    path.write_text("# nothing but a comment\n")
    assert read_config(path) == {}
    path.write_text("a: '2024-01-31'\nb: false\nc: 8\nd: 1.0e-3\ne: .inf\nf: null\n")
    given = {"a": "2024-01-31", "b": False, "c": 8, "d": 0.001, "e": INF, "f": None}
    assert read_config(path) == given


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [", "config/n.yaml cannot be read: "), ("- a\n", "config/n.yaml holds no parameters")],
)
def test_a_config_file_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "config" / "n.yaml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(NbError) as caught:
        read_config(path)
    assert caught.value.exit_code == 2
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_notebook_is_found_by_path_or_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notebooks" / "production"
    exploratory = tmp_path / "notebooks" / "exploratory"
    for made in (folder / "20-features", exploratory / "01-look", exploratory / "20-features"):
        made.parent.mkdir(parents=True, exist_ok=True)
        made.with_suffix(".ipynb").touch()
    monkeypatch.chdir(folder.parent)
    for name in ("20-features", "20-features.ipynb", "production/20-features"):
        assert find_notebook(tmp_path, name).samefile(folder / "20-features.ipynb")
    found = find_notebook(tmp_path, "20-features", Path("notebooks/exploratory"))
    assert found.samefile(exploratory / "20-features.ipynb")
    for name in ("01-look", "01-look.ipynb", "exploratory/01-look.ipynb"):
        assert find_notebook(tmp_path, name).samefile(exploratory / "01-look.ipynb")
    (tmp_path / "notebooks" / "old").mkdir()
    (tmp_path / "notebooks" / "old" / "01-look.ipynb").touch()
    for name, hint in [
        ("20-feature", "there is no notebook 20-feature; did you mean 20-features?"),
        ("x", "there is no notebook x; there are 20-features."),
        ("explore/01-look", "there is no notebook explore/01-look; did you mean 01-look?"),
        ("01-look", "several notebooks are called 01-look: notebooks/exploratory/01-look.ipynb, "),
    ]:
        with pytest.raises(NbError, match=re.escape(hint)):
            find_notebook(tmp_path, name)


def test_reading_imports_the_standard_library_only() -> None:
    import subprocess
    import sys

    tools = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}" / "tools"
    command = [sys.executable, "-B", "-I", "-S", "-c"]
    code = f"import sys; sys.path.append({str(tools)!r}); import nb.notebook.parameters"
    assert subprocess.run([*command, code]).returncode == 0


def test_lines_of_a_text_are_the_users_whatever_they_begin_or_end_with() -> None:
    text = "Summarise the table.\nIs it complete?\n% of rows\n!note\n?\nfiles = !ls\n"
    (prompt,) = parameters(f'prompt: str = """{text}"""')
    assert prompt.default == text
