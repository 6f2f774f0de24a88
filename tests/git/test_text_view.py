"""``git diff`` shows a notebook as its cells, like a code review."""

from __future__ import annotations

import copy
import difflib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nb.git import filter
from nb.git.text_view import text_view


def cell(source: Any, kind: str = "code", tags: Any = None, **fields: Any) -> dict[str, Any]:
    metadata = {} if tags is None else {"tags": tags}
    made = {"cell_type": kind, "id": "x", "metadata": metadata, "source": source, **fields}
    return {**made, "outputs": [], "execution_count": 1} if kind == "code" else made


def notebook(*cells: Any, **metadata: Any) -> bytes:
    tree = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(tree).encode()


def show(*cells: Any, **metadata: Any) -> str:
    return text_view(notebook(*cells, **metadata)).decode()


def test_reads_like_a_script_with_headings() -> None:
    kernel = {"name": "python3", "display_name": "Python 3"}
    assert (
        show(
            cell(["# Sales\n", "\n", "By month."], "markdown"),
            cell("year = 2026", tags=["parameters"]),
            cell(["import pandas\n", "\n", "pandas.DataFrame()"]),
            cell("\\newpage", "raw", tags=["pdf", "keep"]),
            cell(""),
            kernelspec=kernel,
        )
        == """\
# kernel: python3

# %% [markdown]
# Sales

By month.

# %% tags: parameters
year = 2026

# %%
import pandas

pandas.DataFrame()

# %% [raw] tags: pdf, keep
\\newpage

# %%
"""
    )


def test_outputs_counts_ids_and_other_metadata_are_left_out() -> None:
    before = cell("x = 1")
    after = copy.deepcopy(before) | {"execution_count": 9, "id": "other"}
    after["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["out"]}]
    after["metadata"]["collapsed"] = True
    assert show(before) == show(after)


def test_a_source_reads_the_same_as_text_or_lines_and_with_any_line_ends() -> None:
    assert show(cell("a\nb")) == show(cell(["a\n", "b"])) == show(cell("a\r\nb"))


def test_inserting_a_cell_touches_no_other_line() -> None:
    old = [cell(f"x = {number}") for number in range(6)]
    new = [*old[:3], cell("inserted = True"), *old[3:]]
    changed = [
        line
        for line in difflib.ndiff(show(*old).splitlines(), show(*new).splitlines())
        if not line.startswith("  ")
    ]
    assert sorted(changed) == ["+ ", "+ # %%", "+ inserted = True"]


def test_a_replaced_attachment_is_seen() -> None:
    def picture(content: str) -> dict[str, Any]:
        return cell("![](a.png)", "markdown", attachments={"a.png": {"image/png": content}})

    shown = show(picture("AAAA"))
    assert "# attachment: a.png (image/png, 4 characters, 9b0d08f1)\n![](a.png)" in shown
    assert show(picture("AAAA")) != show(picture("AAAAAAAA"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (notebook(cell("x"), title="Sales"), notebook(cell("x"), title="Costs")),
        (
            notebook(cell("x"), kernelspec={"name": "a", "display_name": "a"}),
            notebook(
                cell("x"), kernelspec={"name": "a", "display_name": "a", "language": "python"}
            ),
        ),
        (notebook(cell("x")), notebook(cell("x")).replace(b"5}", b"4}")),
        (notebook(cell("x")), notebook(cell("x", slides=1) | {"metadata": {"slides": {"a": 1}}})),
        (
            notebook(cell("x", attachments={"a": {"text/plain": "A"}})),
            notebook(cell("x", attachments={"a": {"text/plain": "B"}})),
        ),
        (
            notebook(cell("x", tags=["keep_output"])),
            notebook(
                cell("x", tags=["keep_output"])
                | {"outputs": [{"output_type": "stream", "name": "stdout", "text": "x"}]}
            ),
        ),
    ],
    ids=[
        "notebook metadata",
        "kernel",
        "format",
        "cell metadata",
        "attachment of one size",
        "kept output",
    ],
)
def test_a_change_of_anything_that_git_stores_is_seen(before: bytes, after: bytes) -> None:
    assert text_view(before) != text_view(after)


def test_nothing_hides_from_a_reviewer() -> None:
    shown = show(cell("ok()\r evil()\x1b[2K\u202e # \x9b\tx"))
    assert "ok()\\u000d evil()\\u001b[2K\\u202e # \\u009b\tx" in shown


def test_half_a_surrogate_pair_is_shown() -> None:
    assert "\\ud800" in show(cell("\ud800"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{\n<<<<<<< ours\n",
        b"\xff\x00\x80",
        b"[]",
        b"{}",
        b"null",
        b'{"cells": []}',
        b'{"cells": [1], "metadata": {}}',
        b'{"cells": [{"cell_type": "code"}], "metadata": {}}',
        notebook(cell(7)),
        notebook(cell("x", tags=[1])),
        notebook(cell("x", attachments=[1])),
        notebook(kernelspec=None),
        b'{"nbformat": 3, "metadata": {}, "worksheets": []}',
        b"[" * 200_000,
    ],
)
def test_what_is_no_notebook_is_shown_as_it_is(data: bytes) -> None:
    assert text_view(data) == data


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(["cells", "metadata", "source", "cell_type", "tags", "kernelspec", "name"])
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


@settings(max_examples=200, deadline=None)
@given(st.binary() | JSON.map(lambda tree: json.dumps(tree).encode()))
def test_a_diff_always_works(data: bytes) -> None:
    assert isinstance(text_view(data), bytes)


# ---------------------------------------------------------------------------------- through Git


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit of a notebook, and a working copy that differs."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    git(tmp_path, "init", "--quiet", "--template=")
    settings = {"user.name": "A", "user.email": "a@example.org", "commit.gpgsign": "false"}
    for key, value in {**settings, **filter.WIRING}.items():
        git(tmp_path, "config", key, value)
    filter.install(tmp_path / ".git")
    (tmp_path / ".gitattributes").write_text("*.ipynb filter=nbstripout diff=notebook\n")
    (tmp_path / "sub").mkdir()
    old = ["class Report:\n", "    def total(self):\n", *["        step()\n"] * 8]
    old.append("        return self.sum")
    file = tmp_path / "sub/a b.ipynb"
    file.write_bytes(notebook(cell("# Sales", "markdown"), cell(old)))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    new = [*old[:-1], "        return self.sum / 100"]
    file.write_bytes(notebook(cell("# Sales", "markdown"), cell(new), cell("Report().total()")))
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode()


REVIEW = """\
@@ -12,4 +12,7 @@ def total(self):
         step()
         step()
         step()
-        return self.sum
+        return self.sum / 100
+
+# %%
+Report().total()
"""


def test_git_diff_reads_like_a_code_review(repository: Path) -> None:
    assert git(repository, "diff").endswith(REVIEW)
    assert git(repository / "sub", "diff").endswith(REVIEW)
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    assert git(repository, "show").endswith(REVIEW)
    assert REVIEW in git(repository, "log", "-p", "--", "sub")


def test_git_diff_works_in_the_middle_of_a_conflict(repository: Path) -> None:
    (repository / "sub/a b.ipynb").write_bytes(b"{\n<<<<<<< ours\nbroken\n")
    assert "+<<<<<<< ours" in git(repository, "diff")


def test_a_reader_that_goes_away_is_no_error_to_talk_about(tmp_path: Path) -> None:
    file = tmp_path / "a.ipynb"
    file.write_bytes(notebook(cell("x" * 1_000_000)))
    program = "from nb.git.text_view import main; raise SystemExit(main([]))"
    tools = str(Path(filter.__file__).parents[2])
    with file.open("rb") as source:
        process = subprocess.Popen(
            [sys.executable, "-B", "-c", program],
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": tools},
        )
    assert process.stdout and process.stderr
    process.stdout.close()
    assert process.wait(20) == 1
    assert process.stderr.read() == b""
