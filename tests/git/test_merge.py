"""Merging notebooks loses nothing: a property of the merge, and Git's own commands with it."""

from __future__ import annotations

import copy
import json
import random
import re
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from merge_shapes import (
    ALL,
    FIRST,
    LAST,
    MARK,
    PRINTED,
    SHAPES,
    START,
    TITLE,
    Notebook,
    cell,
    holds,
    is_marked,
    lines,
    notebook,
    packed,
    sources,
)
from nb.git.merge import merge
from nb.notebook.strip import strip


def merged(base: Notebook | None, ours: Notebook, theirs: Notebook) -> tuple[Notebook, bool]:
    result, has_conflict = merge(packed(base), packed(ours), packed(theirs))
    return json.loads(result), has_conflict


# ----------------------------------------------------------------------------- the property


class Team:
    """Random versions of a notebook. What is written is never written twice."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.count = 0

    def word(self, kind: str) -> str:
        self.count += 1
        return f"{kind}_{self.count}"

    def cell(self, minor: int) -> dict[str, Any]:
        kind = self.chance.choice(["code", "code", "code", "markdown", "raw"])
        made = cell(kind, self.text(), self.word("id") if minor >= 5 else None)
        if kind == "code" and not self.chance.randrange(4):
            made["metadata"] = {"tags": ["keep_output"]}
            made["outputs"] = [{**PRINTED, "text": self.word("out")}]
        if kind == "markdown" and not self.chance.randrange(4):
            made["attachments"] = {"i.png": {"image/png": self.word("image")}}
        return made

    def text(self) -> str:
        shared = ["", "", "import pandas", "    return x", "df.head()"]
        count = self.chance.choice([0, 1, 1, 2, 3, 6])
        made = [self.chance.choice([self.word("line")] * 4 + shared) for _ in range(count)]
        return "\n".join(made) + self.chance.choice(["", "", "", "\n"])

    def base(self) -> Notebook:
        minor = self.chance.choice([4, 5, 5])
        cells = [self.cell(minor) for _ in range(self.chance.choice([0, 1, 2, 3, 5, 8]))]
        kernel = {"display_name": "python3", "language": "python", "name": "python3"}
        return notebook(*cells, minor=minor, kernelspec=kernel)

    def edited(self, before: Notebook) -> Notebook:
        after = copy.deepcopy(before)
        for _ in range(self.chance.choice([0, 1, 2, 4, 7])):
            edits = [self.add, self.change, self.change, self.delete, self.move, self.split]
            edits += [self.retype, self.tag, self.annotate, self.attach, self.run, self.configure]
            self.chance.choice(edits)(after)
        self.rename(after)
        return after

    def some(self, version: Notebook) -> dict[str, Any]:
        cells: list[dict[str, Any]] = version["cells"]
        return self.chance.choice(cells) if cells else {"cell_type": "", "metadata": {}}

    def add(self, version: Notebook) -> None:
        at = self.chance.randint(0, len(version["cells"]))
        made = [self.cell(version["nbformat_minor"]) for _ in range(self.chance.choice([1, 1, 2]))]
        version["cells"][at:at] = made

    def change(self, version: Notebook) -> None:
        chosen = self.some(version)
        split = chosen.get("source", "").split("\n")
        at = self.chance.randrange(len(split))
        split[at : at + self.chance.choice([0, 1, 1, 2])] = [self.word("line")]
        chosen["source"] = "\n".join(split)

    def delete(self, version: Notebook) -> None:
        if version["cells"]:
            version["cells"].remove(self.some(version))

    def move(self, version: Notebook) -> None:
        if version["cells"]:
            chosen = self.some(version)
            version["cells"].remove(chosen)
            version["cells"].insert(self.chance.randint(0, len(version["cells"])), chosen)

    def split(self, version: Notebook) -> None:
        chosen = self.some(version)
        first, _, second = chosen.get("source", "").partition("\n")
        if second:
            chosen["source"] = first
            name = self.word("id") if "id" in chosen else None
            at = version["cells"].index(chosen) + 1
            version["cells"].insert(at, cell("code", second, name))

    def retype(self, version: Notebook) -> None:
        if version["cells"]:
            at = self.chance.randrange(len(version["cells"]))
            old = version["cells"][at]
            kind = self.chance.choice(["code", "markdown", "raw"])
            new = cell(kind, old["source"], old.get("id"), metadata=old["metadata"])
            version["cells"][at] = new

    def tag(self, version: Notebook) -> None:
        tags = self.some(version)["metadata"].setdefault("tags", [])
        if tags and not self.chance.randrange(3):
            tags.pop()
        else:
            tags.append(self.chance.choice(["keep_output", self.word("tag"), self.word("tag")]))
            tags[:] = dict.fromkeys(tags)

    def annotate(self, version: Notebook) -> None:
        slideshow = self.some(version)["metadata"].setdefault("slideshow", {})
        slideshow[self.chance.choice("ab")] = self.word("value")

    def attach(self, version: Notebook) -> None:
        chosen = self.some(version)
        if chosen["cell_type"] == "markdown":
            name = self.chance.choice(["i.png", "j.png"])
            chosen.setdefault("attachments", {})[name] = {"image/png": self.word("image")}

    def run(self, version: Notebook) -> None:
        chosen = self.some(version)
        if chosen["cell_type"] == "code":
            chosen["outputs"] = [{**PRINTED, "text": self.word("out")}]
            chosen["execution_count"] = 1

    def configure(self, version: Notebook) -> None:
        key = self.chance.choice(["title", "kernelspec", "nbformat_minor"])
        if key == "title":
            version["metadata"]["title"] = self.word("value")
        elif key == "kernelspec":
            name = self.word("value")
            version["metadata"][key] = {"name": name, "display_name": name}

    def rename(self, version: Notebook) -> None:
        """Let a tool that knows other ids write the notebook."""
        how = self.chance.choice(["same", "same", "new", "positions", "names", "none"])
        cells = version["cells"]
        if how != "same":
            version["nbformat_minor"] = 4 if how == "none" else 5
        for at, made in enumerate(cells):
            if how in ("positions", "none"):
                made.pop("id", None)
            if how == "names":
                made["id"] = f"cell-{at}"
            if how == "new":
                made["id"] = self.word("id")
        if version["nbformat_minor"] >= 5:
            for made in cells:
                made.setdefault("id", self.word("id")) if how == "same" else None


def values(version: Notebook | None, kinds: str) -> set[str]:
    """Words of these kinds that stand in a version as Git stores it."""
    text = strip(packed(version)).decode() if version else ""
    return set(re.findall(rf"\b(?:{kinds})_\d+\b", text))


def check(chance: random.Random) -> None:
    team = Team(chance)
    start = team.base()
    base = start if chance.randrange(10) else None
    ours, theirs = team.edited(start), team.edited(start)
    result, has_conflict = merged(base, ours, theirs)
    for one, other in ((ours, theirs), (theirs, ours)):
        wanted = (lines(one) - lines(base)) | (lines(one) & lines(other))
        assert wanted <= lines(result)
        kinds = "line|tag|value|image"
        assert values(one, kinds) - values(base, kinds) <= values(result, kinds)
    assert has_conflict == any(MARK.search(source) for source in sources(result))
    nbformat.validate(result)
    for made in result["cells"]:
        kept = "keep_output" in made["metadata"].get("tags", [])
        assert kept or not made.get("outputs")
    assert strip(packed(result)) == merge(packed(base), packed(ours), packed(theirs))[0]
    mirrored, is_conflict_there_too = merged(base, theirs, ours)
    assert is_conflict_there_too == has_conflict
    assert values(mirrored, "line|tag|value|image") == values(result, "line|tag|value|image")
    if start["nbformat_minor"] == ours["nbformat_minor"]:
        assert merge(packed(start), packed(ours), packed(start)) == (strip(packed(ours)), False)
        assert merge(packed(start), packed(start), packed(ours)) == (strip(packed(ours)), False)


PROPERTY = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=300, **PROPERTY)
@given(st.integers(0, 2**64))
def test_what_a_side_added_or_changed_is_in_the_merge(seed: int) -> None:
    check(random.Random(seed))


@pytest.mark.slow
@settings(max_examples=10_000, **PROPERTY)
@given(st.integers(0, 2**64))
def test_what_a_side_added_or_changed_is_in_ten_thousand_merges(seed: int) -> None:
    check(random.Random(seed))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
def test_both_sides_are_in_the_merge(shape: str, mirrored: bool) -> None:
    base, ours, theirs, words, is_conflict = SHAPES[shape]
    result, has_conflict = merged(base, *((theirs, ours) if mirrored else (ours, theirs)))
    nbformat.validate(result)
    assert holds(json.dumps(result), words)
    assert has_conflict == is_conflict == is_marked(json.dumps(result))
    assert "changed" not in json.dumps(result)  # the output that is not kept any more


@pytest.mark.parametrize("shape", ["equal-cells", "trailing-empty-cells", "one-new-notebook"])
def test_a_cell_that_both_sides_inserted_is_there_once(shape: str) -> None:
    base, ours, theirs, *_ = SHAPES[shape]
    assert sources(merged(base, ours, theirs)[0]) == sources(ours)


def test_an_edit_follows_its_cell_wherever_the_other_side_moved_it() -> None:
    edited = {**LAST, "source": "print(x, x)"}
    assert sources(
        merged(ALL, notebook(LAST, FIRST, TITLE), notebook(FIRST, TITLE, edited))[0]
    ) == [
        "print(x, x)",
        "x = 1",
        "# Title",
    ]


@pytest.mark.parametrize("numbered", [str, "cell-{}".format], ids=["filter", "other tool"])
def test_ids_that_are_positions_do_not_mistake_an_insertion_for_edits(numbered: Any) -> None:
    def version(*texts: str) -> Notebook:
        return notebook(*(cell("code", text, numbered(n)) for n, text in enumerate(texts)))

    base, ours = version("a = 1", "b = 2", "c = 3"), version("new()", "a = 1", "b = 2", "c = 3")
    result = merged(base, ours, version("a = 1", "b = 2  # why", "c = 3"))
    assert (sources(result[0]), result[1]) == (["new()", "a = 1", "b = 2  # why", "c = 3"], False)


def test_a_conflict_in_a_cell_is_as_small_as_the_edit() -> None:
    versions = (f"import os\n\nx = {n}\n\nprint(x)" for n in (1, 2, 3))
    result, _ = merged(*(notebook(cell("code", text, "a1")) for text in versions))
    assert sources(result) == [
        "import os\n\n<<<<<<< ours\nx = 2\n=======\nx = 3\n>>>>>>> theirs\n\nprint(x)"
    ]


def test_a_conflict_of_metadata_is_a_cell_that_reads_well() -> None:
    result, _ = merged(*SHAPES["cell-metadata"][:3])
    assert result["cells"][0]["cell_type"] == "markdown"
    assert sources(result)[0].splitlines()[2:] == [
        "`metadata.role`",
        "",
        "<<<<<<< ours",
        "",
        '    "one"',
        "=======",
        "",
        '    "two"',
        ">>>>>>> theirs",
    ]
    assert result["cells"][1]["metadata"] == {"role": "one"}


@pytest.mark.parametrize(
    "odd",
    [b"{ broken", b"[]", b'{"nbformat": 3, "worksheets": []}', b'{"cells": 1}', b"\xff\xfe{"],
)
def test_what_is_no_notebook_is_not_merged(odd: bytes) -> None:
    for sides in ((odd, packed(ALL)), (packed(ALL), odd)):
        with pytest.raises(ValueError):
            merge(packed(START), *sides)
    assert merge(odd, packed(START), packed(START)) == (strip(packed(START)), False)
