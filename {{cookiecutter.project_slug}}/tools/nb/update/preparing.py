"""Preparation of an update: the difference of two renderings; edits of the tooling as a patch.

Nothing in the work tree changes here.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nb.project import NbError, write_whole

from .inferred_answers import inferred_answers
from .provenance import (
    ADOPT,
    PROVENANCE,
    Provenance,
    public_address,
    read_provenance,
    remember_newest,
)
from .rendering import Answers, render_template
from .template import NEWEST, Release, Template, clone_template
from .trees import Difference, write_difference

YES = ("yes", "y", "true", "t", "on", "1")
NO = ("no", "n", "false", "f", "off", "0")
# Patches with the edits of the tooling that an update replaced.
EDITS = Path(".nb/edits-of-tools")
# Asks a question of the template: text, default and choices.
AskForAnswer = Callable[[str, "str | bool", "list[str]"], "str | bool"]


@dataclass(frozen=True)
class UpdateRequest:
    """The update that a person asks for.

    Attributes:
        to: the version, tag, branch or commit; empty for the newest.
        since: the commit of the template that a project without a record has.
        template: the address of the template; empty for the recorded address.
        answers: new answers as they were typed, by question.
    """

    to: str = ""
    since: str = ""
    template: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UpdatePlan:
    """An update, ready to be merged.

    Attributes:
        old: the version that the project has.
        new: the version that the project gets.
        answers: all answers.
        asked: the questions that the old version did not ask.
        dropped: the questions that the new version does not ask, with the answers.
        difference: the difference as a commit.
        news: lines of the changelog.
    """

    old: Release
    new: Release
    answers: Answers
    asked: list[str]
    dropped: Answers
    difference: Difference
    news: list[str]


def prepare(
    root: Path, request: UpdateRequest, scratch: Path, ask: AskForAnswer | None
) -> UpdatePlan | None:
    """Render both versions and write their difference; None if the project is up to date.

    Args:
        request: the version and the answers that are wished for.
        scratch: a folder for files that are needed meanwhile.
        ask: asks new questions; without, questions get their defaults.

    Raises:
        NbError: if the record, the template or an answer does not allow an update.
    """
    recorded = read_provenance(root)
    known = _named(root, recorded, request)
    template = clone_template(root, known.template, known.directory, scratch / "template")
    old = template.find(known.commit)
    if recorded is None:  # answers tell how the project was made
        described = _wished(template.questions(old), request.answers)
        known = replace(known, answers={**known.answers, **described})
    _remember(root, template, old)
    new = _target(template, old, request.to)
    wished = _wished(template.questions(new), request.answers)
    is_changed = any(known.answers.get(question) != answer for question, answer in wished.items())
    has_moved = recorded is not None and public_address(known.template) != recorded.template
    if new == old and not (is_changed or has_moved or request.since):
        return None
    before = render_template(root, template, old, known.answers, scratch / "old")
    answers = {**before.answers, **known.answers, **wished}
    after = render_template(root, template, new, answers, scratch / "new")
    asked = [question for question in after.answers if question not in answers]
    if ask and asked:
        answers |= _asked(ask, template.questions(new), after.answers, asked)
        after = render_template(root, template, new, answers, scratch / "asked")
    record = known.moved_to(new.commit, after.answers).text()
    found = write_difference(root, before.folder, after.folder, record, _message(old, new))
    dropped = {question: answers[question] for question in answers if question not in after.answers}
    return UpdatePlan(old, new, after.answers, asked, dropped, found, template.news(old, new))


def _named(root: Path, recorded: Provenance | None, request: UpdateRequest) -> Provenance:
    """Return the record with the address and the commit that the request names instead."""
    if recorded is None and not (request.since and request.template):
        raise NbError(
            f"the project has no {PROVENANCE}; name the commit that it was made of: {ADOPT}"
        )
    known = recorded or Provenance("", "", inferred_answers(root), "", {"checkout": None})
    commit = request.since or known.commit
    if not commit:
        raise NbError(f"{PROVENANCE} names no commit, since the template had no Git: {ADOPT}")
    address = request.template or known.template
    if request.template and Path(request.template).is_dir():
        address = str(Path(request.template).resolve())
    return replace(known, template=address, commit=commit)


def _remember(root: Path, template: Template, old: Release) -> None:
    newest = template.find(NEWEST)
    seen = old if template.contains(old, newest) else newest
    remember_newest(root, seen.commit, seen.version)


def _target(template: Template, old: Release, name: str) -> Release:
    """Return the version to update to; a project that is ahead of the branch stays."""
    new = template.find(name or NEWEST)
    return old if not name and template.contains(old, new) else new


def _wished(questions: Mapping[str, object], answers: Mapping[str, str]) -> dict[str, str | bool]:
    """Return typed answers in the kinds that the questions ask for.

    Raises:
        NbError: if there is no such question, or no such answer.
    """
    public = [question for question in questions if not question.startswith("_")]
    found: dict[str, str | bool] = {}
    for question, answer in answers.items():
        if question not in public:
            raise NbError(f"the template has no question {question!r}: {', '.join(public)}")
        default = questions[question]
        if isinstance(default, list) and answer not in default:
            raise NbError(f"{question}={answer}: the answer is one of {', '.join(default)}")
        if isinstance(default, bool):
            if answer.lower() not in (*YES, *NO):
                raise NbError(f"{question}={answer}: the answer is yes or no")
            found[question] = answer.lower() in YES
        else:
            found[question] = answer
    return found


def _asked(
    ask: AskForAnswer, questions: Mapping[str, Any], defaults: Answers, asked: list[str]
) -> dict[str, str | bool]:
    prompts = questions.get("__prompts__", {})
    found = {}
    for question in asked:
        choices = questions[question] if isinstance(questions[question], list) else []
        text = prompts.get(question, question)
        found[question] = ask(
            text if isinstance(text, str) else question, defaults[question], choices
        )
    return found


def _message(old: Release, new: Release) -> str:
    if old == new:
        return f"Change answers or the address of the template {new}"
    return f"Update the template from {old} to {new}"


def keep_edits(root: Path, found: Difference, head: str) -> Path | None:
    """Write the project's edits of the tooling as a patch; None if there are none."""
    if not found.edited:
        return None
    path = root / EDITS / f"{head[:12]}.patch"
    names = [f":(top,literal){name}" for name in found.edited]
    command = ["git", "diff", "--binary", "--no-ext-diff", found.released, head, "--", *names]
    write_whole(path, subprocess.run(command, cwd=root, capture_output=True).stdout)
    return path
