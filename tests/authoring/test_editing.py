"""A notebook is edited as a script, and written back without touching what was not edited."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cells import SOURCES, notebook
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from nb.authoring.editing import merge_script, notebook_as_script, notebook_as_text
from nb.commands import notebooks
from nb.project import NbError

OUTPUT = {"name": "stdout", "output_type": "stream", "text": ["1\n"]}


def with_outputs(*sources: str, **layout: Any) -> str:
    """Return a notebook with a title, tags and outputs, as Jupyter writes it."""
    content = json.loads(notebook(*sources))
    for cell in content["cells"]:
        cell |= {"execution_count": 7, "outputs": [OUTPUT]}
        cell["metadata"] = {"collapsed": False, "tags": ["keep", cell["id"]]}
    title = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": ["# Title"]}
    content["cells"].insert(0, title)
    content["metadata"] = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
    return json.dumps(content, **{"indent": 1, "ensure_ascii": False, **layout}) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.ipynb"
    file.write_text(with_outputs("x = 1", "print(x)\n\n%time x", "y = 2"), encoding="utf-8")
    return file


def edit(path: Path, old: str, new: str) -> list[dict[str, Any]]:
    """Replace text in a notebook's script; return the cells of the notebook written back."""
    text = notebook_as_script(path)
    assert old in text
    content = json.loads(merge_script(path.read_text(encoding="utf-8"), text.replace(old, new)))
    return list(content["cells"])


@settings(deadline=None, max_examples=20)
@given(st.lists(SOURCES, max_size=4), st.sampled_from([1, 2, None]), st.booleans())
def test_what_is_not_edited_keeps_every_byte(
    tmp_path_factory: pytest.TempPathFactory, sources: list[str], indent: Any, ascii_only: bool
) -> None:
    path = tmp_path_factory.mktemp("edit") / "a.ipynb"
    text = with_outputs(*sources, indent=indent, ensure_ascii=ascii_only)
    path.write_text(text, encoding="utf-8", newline="")
    if notebook_as_script(path).count("# %%") == len(sources) + 1:
        assert merge_script(text, notebook_as_script(path)) == text


def test_an_edited_cell_keeps_its_id_and_tags_and_loses_its_outputs(path: Path) -> None:
    before = json.loads(path.read_text(encoding="utf-8"))["cells"]
    after = edit(path, "print(x)", "print(x + 1)")
    assert after[2] == before[2] | {
        "execution_count": None,
        "outputs": [],
        "source": ["print(x + 1)\n", "\n", "%time x"],
    }
    assert [after[n] for n in (0, 1, 3)] == [before[n] for n in (0, 1, 3)]


def test_cells_can_be_added_removed_and_tagged(path: Path) -> None:
    before = json.loads(path.read_text(encoding="utf-8"))["cells"]
    added = edit(path, "y = 2", "y = 2\n\n# %%\nz = 3")
    assert added[:4] == before
    assert (added[4]["source"], added[4]["outputs"], len(added)) == (["z = 3"], [], 5)
    assert added[4]["id"] not in {cell["id"] for cell in before}
    tagged = edit(path, '"keep", "cell0"', '"parameters"')
    assert tagged[1]["metadata"]["tags"] == ["parameters"]
    assert tagged[1] | {"metadata": 0} == before[1] | {"metadata": 0}


def test_the_editor_is_that_of_the_environment(path: Path, tmp_path: Path) -> None:
    def run(editor: str) -> str:
        command = f'"{sys.executable}" "{tmp_path / "editor.py"}"'
        (tmp_path / "editor.py").write_text(f"import sys\np = sys.argv[-1]\n{editor}")
        environment = {"VISUAL": command, "EDITOR": "false"}
        done = CliRunner().invoke(
            notebooks.edit_command, [str(path)], obj=tmp_path, env=environment
        )
        return f"{done.output}{done.exception}"

    before = path.read_bytes()
    assert "Nothing was changed" in run("open(p)")
    assert path.read_bytes() == before
    change = "t = open(p).read().replace('y = ', 'y = 1')\nopen(p, 'w').write(t)\n"
    assert "Wrote" in run(change)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert cells[3]["source"] == ["y = 12"]
    (tmp_path / ".nb").mkdir()
    saved = f"open({str(path)!r}, 'a').write(' ')\n"
    assert "saved by another program; your text is in .nb/a.py" in run(saved + change)
    assert "# %%" in (tmp_path / ".nb" / "a.py").read_text(encoding="utf-8")


def test_without_jupytext_the_message_says_how_to_get_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jupytext", None)
    with pytest.raises(NbError, match=r"needs jupytext; add \{ include-group = \"editor\" \}"):
        notebook_as_script(path)


def test_a_notebook_is_shown_as_text(path: Path) -> None:
    plain = notebook_as_text(path, color=False)
    assert "# %% [markdown]\n# Title\n\n# %% tags: keep, cell0\nx = 1\n" in plain
    assert "\x1b[" in notebook_as_text(path, color=True)
