"""Record of a project's template, in cruft's file and format, and the newest version seen."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nb import __version__
from nb.project import NbError, parse_json, read_regular, write_whole

PROVENANCE = Path(".cruft.json")
# The newest version when `nb update` last looked, for `nb doctor`, which asks no network.
NEWEST_KNOWN = Path(".nb/template.json")
NEWEST_SCHEMA = 1
ADOPT = "nb update --from COMMIT --template ADDRESS"


@dataclass(frozen=True)
class Provenance:
    """The template of a project, and the answers to the questions.

    Attributes:
        template: the address of the template's repository; the name of a template without Git.
        commit: the commit that the project has; empty for a template without Git.
        answers: the answers by question.
        directory: the template's folder in the repository.
        content: the whole record, with entries of other programs.
    """

    template: str
    commit: str
    answers: Mapping[str, str | bool]
    directory: str
    content: Mapping[str, Any]

    def moved_to(self, commit: str, answers: Mapping[str, str | bool]) -> Provenance:
        """Return the record of the same project at another commit of the template."""
        known = self.content.get("context", {}).get("cookiecutter", {})
        private = {key: value for key, value in known.items() if key.startswith("_")}
        address = public_address(self.template)
        context = {**answers, **private, "_template": address, "_commit": commit}
        content = {
            "template": address,
            "commit": commit,
            "checkout": self.content.get("checkout"),
            "context": {"cookiecutter": context},
            "directory": self.directory or None,
        }
        others = {key: value for key, value in self.content.items() if key not in content}
        content |= others
        return replace(self, commit=commit, answers=dict(answers), content=content)

    def text(self) -> str:
        """Return the record as cruft writes it."""
        return json.dumps(self.content, ensure_ascii=False, indent=2) + "\n"


def public_address(address: str) -> str:
    """Return an address without user, password and query; `git@` of SSH is no secret."""
    if re.match(r"https?://", address):
        return re.sub(r"^(https?://)[^/]*@", r"\1", re.split(r"[?#]", address)[0])
    return re.sub(r"^(\w+://[^/@:]*):[^/@]*@", r"\1@", address)


def read_provenance(root: Path) -> Provenance | None:
    """Read the record of a project; None if there is none.

    Raises:
        NbError: if the file is no record of cruft.
    """
    try:
        content = parse_json(read_regular(root / PROVENANCE))
        context = content["context"]["cookiecutter"]
        answers = {k: v for k, v in context.items() if not k.startswith("_")}
        found = Provenance(
            content["template"],
            content["commit"] or "",
            answers,
            content.get("directory") or "",
            content,
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise NbError(f"{PROVENANCE}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NbError(_broken("is not a record of cruft")) from None
    _validate(found)
    return found


def _broken(fault: str) -> str:
    return f"{PROVENANCE} {fault}: git checkout HEAD -- {PROVENANCE}, or delete it and run: {ADOPT}"


def _validate(found: Provenance) -> None:
    """Refuse a record that a merge or a person broke."""
    texts = (found.template, found.commit, found.directory)
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        raise NbError(_broken("must hold the texts template, commit and directory"))
    if not found.template:
        raise NbError(_broken("names no template"))
    for question, answer in found.answers.items():
        if not isinstance(answer, (str, bool)):
            raise NbError(_broken(f"must answer {question!r} by a text, true or false"))


def remember_newest(root: Path, commit: str, version: str) -> None:
    """Keep the newest version of the template that was seen."""
    content = {"schema": NEWEST_SCHEMA, "commit": commit, "version": version}
    write_whole(root / NEWEST_KNOWN, json.dumps(content))


def newer_version(root: Path, known: Provenance) -> str:
    """Return the version of the template that was seen and is not the project's; empty if none."""
    try:
        content = parse_json((root / NEWEST_KNOWN).read_bytes())
        if content["schema"] != NEWEST_SCHEMA or content["commit"] == known.commit:
            return ""
        return f"{content['version']} ({content['commit'][:7]})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def version_line(root: Path) -> str:
    """Return the version and the commit of the template that the project has, for people."""
    try:
        found = read_provenance(root)
    except NbError:
        found = None
    if found is None:
        return f"{__version__} (commit of the template unknown)"
    commit = found.commit[:7] or "unknown commit"
    return f"{__version__} (commit {commit} of {public_address(found.template)})"
