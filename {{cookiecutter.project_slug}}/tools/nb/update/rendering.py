"""Renderings of the template by cookiecutter, which runs as a separate program.

The project does not depend on cookiecutter, a program that uv and pipx fetch.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nb.programs import setup_path
from nb.project import NbError, parse_json

from .template import Release, Template

Answers = Mapping[str, "str | bool"]
RUNNERS = (
    ("cookiecutter",),
    ("uvx", "cookiecutter"),
    ("uv", "tool", "run", "cookiecutter"),
    ("pipx", "run", "cookiecutter"),
)


@dataclass(frozen=True)
class Rendering:
    """The files that the template gives for some answers.

    Attributes:
        folder: the folder of the rendered project.
        answers: the answers to all questions, defaults included.
    """

    folder: Path
    answers: Answers


def find_cookiecutter(root: Path) -> list[str]:
    """Return the words that start cookiecutter.

    Raises:
        NbError: if neither cookiecutter nor a program that fetches cookiecutter is there.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), setup_path(root)])
    for name, *arguments in RUNNERS:
        program = shutil.which(name, path=path)
        if program:
            return [program, *arguments]
    raise NbError(
        "cookiecutter was not found, nor uv or pipx, which fetch it; install one of them: "
        "python3 -m pip install --user cookiecutter"
    )


def render_template(
    root: Path, template: Template, release: Release, answers: Answers, scratch: Path
) -> Rendering:
    """Render a commit of the template with answers; questions without an answer get their defaults.

    Args:
        template: the clone, whose work tree is changed.
        release: the commit.
        answers: the answers by question; those to questions that the commit does not ask are left
            out.
        scratch: an empty folder for the rendering and for cookiecutter's own files.

    Raises:
        NbError: if cookiecutter refuses an answer, or fails.
    """
    asked = template.questions(release)
    given = {question: answer for question, answer in answers.items() if question in asked}
    template.check_out(release)
    scratch.mkdir(parents=True)
    output = scratch / "project"
    output.mkdir()
    settings = {
        "default_context": {question: _literal(answer) for question, answer in given.items()},
        "cookiecutters_dir": str(scratch / "cookiecutters"),
        "replay_dir": str(scratch / "replay"),
    }
    (scratch / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")
    command = [*find_cookiecutter(root), "--no-input"]
    command += ["--config-file", str(scratch / "settings.yaml"), "--output-dir", str(output)]
    done = subprocess.run(
        [*command, str(template.folder)],
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={key: value for key, value in os.environ.items() if key not in _UNSET},
    )
    made = list(output.iterdir())
    if done.returncode or len(made) != 1:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise NbError(f"version {release} of the template cannot be rendered: {lines[-1]}")
    return Rendering(made[0], _used(scratch / "replay", given, release))


# Settings of the shell that would change a rendering.
_UNSET = ("COOKIECUTTER_CONFIG", "PYTHONPATH", "PYTHONHOME", "GIT_DIR", "GIT_WORK_TREE")


def _literal(answer: str | bool) -> str | bool:
    """Protect an answer, which cookiecutter would render as a template."""
    if isinstance(answer, str) and any(mark in answer for mark in ("{{", "{%", "{#")):
        return f"{{% raw %}}{answer}{{% endraw %}}"
    return answer


def _used(replay: Path, given: Answers, release: Release) -> Answers:
    """Return the answers that cookiecutter used, from the replay file.

    Raises:
        NbError: if cookiecutter passed over an answer, as after a warning of an unknown choice.
    """
    try:
        (path,) = replay.glob("*.json")
        context = parse_json(path.read_bytes())["cookiecutter"]
    except (OSError, ValueError, KeyError):
        raise NbError("cookiecutter left no record of its answers; is it 2.1.1 or newer?") from None
    used = {key: value for key, value in context.items() if not key.startswith("_")}
    for question, answer in given.items():
        if str(used.get(question)).strip() != str(answer).strip():
            raise NbError(
                f"version {release} of the template does not take {answer!r} for {question!r}"
            )
    return used
