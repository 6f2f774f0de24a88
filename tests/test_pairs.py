"""Every pair of answers gives a project whose first commit passes the hooks as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import pytest
from conftest import TEMPLATE, Bake, Project

STORAGES = ("../storage", "s3://bucket/path", "gs://bucket", "azure://box", "ssh://host/path")
Answer = tuple[str, Any]


def questions() -> dict[str, Sequence[Any]]:
    """Return the questions that have a choice of answers, each with all answers."""
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    choices = {name: answer for name, answer in asked.items() if isinstance(answer, list)}
    switches = {name: [True, False] for name, answer in asked.items() if isinstance(answer, bool)}
    return {n: a for n, a in choices.items() if n[0] != "_"} | switches | {"storage": STORAGES}


def all_pairs(choices: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield sets of answers until each pair of answers to two questions was in one of them."""
    left = dict.fromkeys(
        frozenset([(one, a), (other, b)])
        for one, other in combinations(choices, 2)
        for a in choices[one]
        for b in choices[other]
    )
    while left:
        chosen = dict(next(iter(left)))
        for name in [name for name in choices if name not in chosen]:
            news = {
                answer: sum(frozenset([(name, answer), each]) in left for each in chosen.items())
                for answer in choices[name]
            }
            chosen[name] = max(news, key=news.__getitem__)
        for pair in combinations(chosen.items(), 2):
            left.pop(frozenset(pair), None)
        yield chosen


def test_every_pair_is_in_a_set_of_answers() -> None:
    choices = {"a": [1, 2, 3], "b": [True, False], "c": ["x", "y"]}
    sets = list(all_pairs(choices))
    for one, other in combinations(choices, 2):
        found = {(chosen[one], chosen[other]) for chosen in sets}
        assert len(found) == len(choices[one]) * len(choices[other])
    assert len(sets) < 3 * 2 * 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_first_commit_passes_the_hooks_as_it_is(bake: Bake, ready: Project) -> None:
    """One environment serves all: the hooks look at the files, and run nothing of them."""
    for number, answers in enumerate(all_pairs(questions())):
        project = bake(project_name=f"Pair {number}", **answers)
        (project.path / ".venv").symlink_to(ready.path / ".venv")
        project.git("init", "--quiet")
        (project.path / ".git/info/exclude").write_text(".venv\n", encoding="utf-8")
        project.run("nb", "setup")
        project.git("add", "--all")
        project.git("commit", "--quiet", "--message", f"{answers}")
        assert project.git("status", "--porcelain") == "", answers
