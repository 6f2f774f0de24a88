"""The command line of papermill, taken apart as papermill itself and the shell do it."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nb.declaration.papermill_command import PapermillCommand, papermill_command, papermill_commands

PLAIN = "papermill a.ipynb b.ipynb"


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ("-p seed 7", {"seed": "7"}),
        ("-r seed 7", {"seed": "7"}),
        ("--parameters seed -7", {"seed": "-7"}),
        ("--parameters_raw name --force", {"name": "--force"}),
        ("-y 'seed: 7'", {"seed": 7}),
        ("--parameters_yaml '{seed: 7, many: [1]}'", {"seed": 7, "many": [1]}),
        ("--parameters_yaml='seed: 7'", {"seed": 7}),
        ("-b c2VlZDogNw==", {"seed": 7}),
        ("--parameters_base64 c2VlZDogNw==", {"seed": 7}),
        ("-p seed 8 -y 'seed: 7'", {"seed": "8"}),
        ("-y 'seed: 7' -b c2VlZDogOA==", {"seed": 7}),
        ("-pseed 7", {"seed": "7"}),
        ("-p words 'a && b'", {"words": "a && b"}),
        ("-p x.ipynb y.ipynb", {"x.ipynb": "y.ipynb"}),
        ("-y '${broken'", {}),
        ("-b ???", {}),
        ("--inject-input-path", {"PAPERMILL_INPUT_PATH": ""}),
        ("--no-progress-bar --log-output --cwd .", {}),
    ],
)
def test_options_give_parameters(options: str, parameters: dict[str, Any]) -> None:
    for line in (f"{PLAIN} {options}", f"papermill {options} a.ipynb b.ipynb"):
        call = papermill_command(line)
        assert call is not None
        assert (call.notebook, call.executed) == ("a.ipynb", "b.ipynb")
        assert call.given == parameters


@pytest.mark.parametrize("option", ["-f c.yaml", "-fc.yaml", "--parameters_file=c.yaml"])
def test_files_are_those_of_the_project(option: str) -> None:
    call = papermill_command(f"{PLAIN} {option} -f ../d.yaml", "sub")
    assert call == PapermillCommand(
        "sub/a.ipynb", executed="sub/b.ipynb", files=("sub/c.yaml", "d.yaml")
    )


@pytest.mark.parametrize(
    ("line", "notebooks"),
    [
        ("papermill - -", [""]),
        ("papermill s3://b/a.ipynb -", ["s3://b/a.ipynb"]),
        ("papermill /a.ipynb b.ipynb", ["/a.ipynb"]),
        ("papermill -- -a.ipynb b.ipynb", ["sub/b.ipynb"]),
        ("echo papermill.ipynb", []),
        ("X=1 papermill a.ipynb b.ipynb&&papermill c.ipynb d", ["sub/a.ipynb", "sub/c.ipynb"]),
        ("(cd x; papermill a.ipynb b)", ["sub/x/a.ipynb"]),
        ("papermill a\\ b.ipynb c", ["sub/a b.ipynb"]),
        ("papermill \\\n a.ipynb c", ["sub/a.ipynb"]),
        ("papermill a.ipynb b --no-such-option c", ["sub/a.ipynb"]),
        ("papermill a.ipynb b -p x", ["sub/a.ipynb"]),
        ("papermill 'a.ipynb", [""]),
        ("", []),
    ],
)
def test_lines_of_a_shell(line: str, notebooks: list[str]) -> None:
    assert [call.notebook for call in papermill_commands(line, "sub")] == notebooks


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=4))
def test_words_are_those_of_the_shell(words: list[str]) -> None:
    options = [word for text in words for word in ("-r", "x", text)]
    call = papermill_command(f"{PLAIN} {shlex.join(options)}")
    assert call is not None
    assert call.given == ({"x": words[-1]} if words else {})
