"""Lines that files lack which were there before the project: only added, and only once."""

from __future__ import annotations

import sys

import pytest
from conftest import TEMPLATE
from hypothesis import given
from hypothesis import strategies as st
from nb.skipped import LINE_FILES, completed

OURS = (TEMPLATE / "{{cookiecutter.project_slug}}" / ".dvcignore").read_text(encoding="utf-8")
LINES = st.lists(st.sampled_from(["# own", "*.log", ".venv/", "", "!keep", *OURS.splitlines()]))
PYPROJECT = """\
[project]
dependencies = [
    "numpy>=2",      # arrays
    "pandas",        # tables
]

[dependency-groups]
pipeline = [
    "papermill>=2.7",
]
dev = [
    { include-group = "pipeline" },
]

[tool.ruff]
line-length = 100

[tool.uv.sources]
nb-tools = { path = "tools", editable = true }
"""


@given(LINES, st.booleans())
def test_lines_are_only_added_and_only_once(lines: list[str], ends: bool) -> None:
    theirs = "\n".join(lines) + "\n" * ends
    whole = completed(LINE_FILES[0], theirs, OURS)
    assert whole.startswith(theirs.rstrip())
    patterns = {line for line in OURS.splitlines() if line and not line.startswith("#")}
    assert patterns <= set(whole.splitlines())
    assert completed(LINE_FILES[0], whole, OURS) == whole


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs tomllib")
@pytest.mark.parametrize(
    "theirs",
    [
        "",
        '[project]\nname = "a"\ndependencies = ["pandas"]\n',
        '[dependency-groups]\ndev = ["tox"]\n\n[tool.uv.sources]\nb = { path = "b" }\n',
        '[dependency-groups]\n\n[tool.ruff.lint]\nselect = ["E"]\n',
    ],
)
def test_tables_and_keys_of_theirs_stay(theirs: str) -> None:
    import tomllib

    whole = completed("pyproject.toml", theirs, PYPROJECT)
    made, before = tomllib.loads(whole), tomllib.loads(theirs)
    assert made["tool"]["uv"]["sources"]["nb-tools"] == {"path": "tools", "editable": True}
    assert "papermill>=2.7" in made["dependency-groups"]["pipeline"]
    for group, content in before.get("dependency-groups", {}).items():
        assert made["dependency-groups"][group] == content
    assert ("line-length" in made["tool"].get("ruff", {})) == ("ruff" not in before.get("tool", {}))
    assert completed("pyproject.toml", whole, PYPROJECT) == whole
