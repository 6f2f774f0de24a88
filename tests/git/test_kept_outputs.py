"""Outputs stay in notebooks while Git changes the work tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from merge_shapes import KEPT, PRINTED, Notebook, cell, notebook
from nb.git.kept_outputs import LATER, NOT_READ, KeptOutputs, run_git
from nb.project import NbError
from test_merge_git import NAME, Clone, isolated, make

FIRST, LAST = cell("code", "x = 1", "a1"), cell("code", "print(x)", "d4")


def printed(made: dict[str, Any], text: str, **fields: Any) -> dict[str, Any]:
    return {**made, "execution_count": 1, "outputs": [{**PRINTED, "text": [text]}], **fields}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    for name, value in isolated().items():
        monkeypatch.setenv(name, value)
    clone = make(tmp_path / "clone")
    (clone.path / ".git/info").mkdir(exist_ok=True)
    (clone.path / ".git/info/exclude").write_text(".nb/\n")
    clone.commit(a=notebook(FIRST, LAST))
    return clone


def write(clone: Clone, version: Notebook) -> None:
    (clone.path / NAME).write_text(json.dumps(version), encoding="utf-8")


def texts(clone: Clone) -> dict[str, str]:
    """The output of each cell, by its source."""
    return {
        "".join(c["source"]): "".join(t for output in c["outputs"] for t in output["text"])
        for c in json.loads(clone.read())["cells"]
    }


def sync(clone: Clone, *command: str) -> KeptOutputs:
    return run_git(clone.path, command)


def upstream(clone: Clone, version: Notebook) -> None:
    """Let somebody push a version, for the clone to pull."""
    shared, other = clone.path.with_name("shared.git"), Clone(clone.path.with_name("other"))
    clone.git("clone", "--quiet", "--bare", ".", str(shared))
    clone.git("remote", "add", "origin", str(shared))
    clone.git("fetch", "--quiet")
    clone.git("branch", "--quiet", "--set-upstream-to=origin/main")
    clone.git("clone", "--quiet", str(shared), str(other.path))
    other.wire()
    other.commit(a=version)
    other.git("push", "--quiet")


def test_a_stash_that_is_popped_brings_the_output_of_an_edited_cell_back(clone: Clone) -> None:
    edited = {**LAST, "source": "print(x + 1)"}
    before = notebook(printed(FIRST, "first"), printed(edited, "2"))
    write(clone, before)
    assert sync(clone, "stash").later == [NAME]
    assert texts(clone) == {"x = 1": "first", "print(x)": ""}
    kept = sync(clone, "stash", "pop")
    assert kept.restored == [NAME] and not kept.later
    assert texts(clone) == {"x = 1": "first", "print(x + 1)": "2"}
    assert [c["execution_count"] for c in json.loads(clone.read())["cells"]] == [1, 1]
    assert not list((clone.path / LATER).rglob("*.ipynb"))


def test_outputs_that_find_no_cell_yet_wait_on(clone: Clone) -> None:
    other = cell("code", "y = 2", "y2")
    edits = [{**made, "source": f"{made['source']}  # why"} for made in (LAST, other)]
    write(clone, notebook(FIRST, printed(edits[0], "a"), printed(edits[1], "b")))
    sync(clone, "stash")
    for back, text in zip(edits, "ab", strict=True):
        write(clone, notebook(FIRST, back))
        sync(clone, "status")
        assert texts(clone)[back["source"]] == text
    assert not list((clone.path / LATER).rglob("*.ipynb"))


def test_outputs_that_still_wait_are_named_beside_those_that_came_back(clone: Clone) -> None:
    edits = [{**LAST, "source": f"print(x)  # {side}"} for side in ("a", "b")]
    clone.git("checkout", "--quiet", "-b", "side")
    clone.commit(a=notebook(FIRST, edits[0]))
    clone.git("checkout", "--quiet", "main")
    write(clone, notebook(FIRST, printed(edits[0], "of a")))
    sync(clone, "stash")
    write(clone, notebook(FIRST, printed(edits[1], "of b")))
    kept = sync(clone, "checkout", "--quiet", "--force", "side")
    assert texts(clone) == {"x = 1": "", "print(x)  # a": "of a"}
    assert (kept.restored, kept.later) == ([NAME], [NAME])


def test_outputs_wait_while_a_notebook_is_in_conflict(clone: Clone) -> None:
    ours, theirs = ({**LAST, "source": f"print(x, {number})"} for number in (1, 2))
    upstream(clone, notebook(FIRST, theirs))
    clone.commit(a=notebook(FIRST, ours))
    write(clone, notebook(printed(FIRST, "mine"), ours))
    with pytest.raises(NbError):
        sync(clone, "pull", "--quiet", "--no-rebase")
    assert "mine" not in clone.read()
    clone.git("merge", "--abort")
    assert sync(clone, "status").restored == [NAME]
    assert texts(clone)["x = 1"] == "mine"


def test_a_newer_output_waits_instead_of_an_older_one(clone: Clone) -> None:
    edited = {**LAST, "source": "print(x + 1)"}
    for text in ("old", "new"):
        write(clone, notebook(FIRST, printed(edited, text)))
        sync(clone, "stash")
    sync(clone, "stash", "pop")
    assert texts(clone)["print(x + 1)"] == "new"


def test_a_file_that_is_no_notebook_is_moved_aside(clone: Clone) -> None:
    waiting = clone.path / LATER / NAME
    waiting.parent.mkdir(parents=True)
    waiting.write_text("{ broken")
    write(clone, notebook(FIRST, printed({**LAST, "source": "print(x + 1)"}, "2")))
    sync(clone, "stash")
    assert waiting.with_name(f"{NAME}{NOT_READ}").read_text() == "{ broken"
    assert "print(x + 1)" in waiting.read_text()


def test_outputs_wait_for_cells_of_another_branch(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "-b", "side")
    clone.commit(a=notebook(FIRST, LAST, cell("code", "side()", "e5")))
    write(clone, notebook(FIRST, LAST, printed(cell("code", "side()", "e5"), "from the side")))
    assert sync(clone, "checkout", "--quiet", "main").later == [NAME]
    assert "side()" not in texts(clone)
    assert sync(clone, "status").later == []  # said once
    sync(clone, "checkout", "--quiet", "side")
    assert texts(clone)["side()"] == "from the side"


def test_a_pull_that_replaces_a_cell_says_that_its_output_is_gone(clone: Clone) -> None:
    upstream(clone, notebook(FIRST, {**LAST, "source": "print(x, x)"}))
    write(clone, notebook(printed(FIRST, "mine"), printed(LAST, "1")))
    kept = sync(clone, "pull", "--quiet")
    assert (kept.dropped, kept.later) == ([NAME], [])
    assert texts(clone) == {"x = 1": "mine", "print(x, x)": ""}


def test_an_output_that_git_keeps_is_not_replaced_by_an_older_one(clone: Clone) -> None:
    clone.commit(a=notebook(printed(FIRST, "old", metadata=KEPT), LAST))
    upstream(clone, notebook(printed(FIRST, "new", metadata=KEPT), LAST))
    write(clone, notebook(printed(FIRST, "old", metadata=KEPT), printed(LAST, "mine")))
    sync(clone, "pull", "--quiet")
    assert texts(clone) == {"x = 1": "new", "print(x)": "mine"}
    assert clone.git("diff") == ""


def test_a_kept_output_that_was_made_anew_is_a_change_that_git_guards(clone: Clone) -> None:
    clone.commit(a=notebook(printed(FIRST, "old", metadata=KEPT), LAST))
    upstream(clone, notebook(printed(FIRST, "new", metadata=KEPT), LAST))
    write(clone, notebook(printed(FIRST, "mine", metadata=KEPT), LAST))
    with pytest.raises(NbError, match="No output was lost"):
        sync(clone, "pull", "--quiet")
    assert texts(clone)["x = 1"] == "mine"
    assert "kept output: stream" in clone.git("diff")


def test_the_name_of_a_notebook_is_no_pattern_for_others(clone: Clone) -> None:
    """To Git `a[1].ipynb` is a pattern, which a checkout of that notebook would find `a1` by."""
    names = {"a[1].ipynb": notebook(printed(FIRST, "1"), LAST), "a1.ipynb": notebook(FIRST)}
    for name in names:
        (clone.path / name).write_text(json.dumps(notebook(FIRST, LAST)), encoding="utf-8")
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "-m", "two")
    for name, version in names.items():
        (clone.path / name).write_text(json.dumps(version), encoding="utf-8")
    assert sync(clone, "status").restored == ["a[1].ipynb"]
    assert len(json.loads((clone.path / "a1.ipynb").read_text("utf-8"))["cells"]) == 1


def test_a_pull_from_nowhere_is_one_line_with_the_next_step(clone: Clone) -> None:
    with pytest.raises(
        NbError, match=r"^no remote to pull from yet: git remote add origin ADDRESS"
    ):
        sync(clone, "pull")
    clone.git("remote", "add", "origin", "elsewhere")
    with pytest.raises(
        NbError, match=r"^branch main is on no remote yet: git push -u origin main$"
    ):
        sync(clone, "pull")
    with pytest.raises(NbError, match="its message is above"):
        sync(clone, "pull", "origin", "main")
    clone.git("config", "branch.main.merge", "refs/heads/main")
    with pytest.raises(NbError, match="its message is above"):
        sync(clone, "pull")


def test_a_pull_without_a_branch_is_left_to_git(clone: Clone) -> None:
    clone.git("checkout", "--quiet", "--detach")
    with pytest.raises(NbError, match="its message is above"):
        sync(clone, "pull")
