"""Parser of commands of stages: calls of papermill with options, and all notebooks that run.

The shell line is split here; click parses the options, as in papermill, from the table `OPTIONS`:
importing papermill's own command takes a second. A test compares the table with papermill.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nb.notebook.yaml_file import read_value
from nb.project import NbError

if TYPE_CHECKING:
    from click import Parameter

NOTEBOOK = ".ipynb"
# Each option with the number of its arguments.
OPTIONS: Mapping[tuple[str, ...], int] = {
    ("--parameters", "-p"): 2,
    ("--parameters_raw", "-r"): 2,
    ("--parameters_file", "-f"): 1,
    ("--parameters_yaml", "-y"): 1,
    ("--parameters_base64", "-b"): 1,
    ("--engine",): 1,
    ("--autosave-cell-every",): 1,
    ("--kernel", "-k"): 1,
    ("--language", "-l"): 1,
    ("--cwd",): 1,
    ("--stdout-file",): 1,
    ("--stderr-file",): 1,
    ("--log-level",): 1,
    ("--start-timeout", "--start_timeout"): 1,
    ("--execution-timeout",): 1,
    ("--request-save-on-cell-execute", "--no-request-save-on-cell-execute"): 0,
    ("--prepare-only", "--prepare-execute"): 0,
    ("--progress-bar", "--no-progress-bar"): 0,
    ("--log-output", "--no-log-output"): 0,
    ("--report-mode", "--no-report-mode"): 0,
    ("--inject-input-path",): 0,
    ("--inject-output-path",): 0,
    ("--inject-paths",): 0,
    ("--help-notebook",): 0,
    ("--version",): 0,
    ("--help", "-h"): 0,
}
# Parameters that papermill adds for these options.
INJECTED_PARAMETERS = {
    "inject_input_path": ("PAPERMILL_INPUT_PATH",),
    "inject_output_path": ("PAPERMILL_OUTPUT_PATH",),
    "inject_paths": ("PAPERMILL_INPUT_PATH", "PAPERMILL_OUTPUT_PATH"),
}
_PLACEHOLDER = r"\$\{[^}]*\}"
_TOKEN = re.compile(
    rf"""(?P<blank>(?:[ \t\r]|\\\n)+(?:\#[^\n]*)?)
    |(?P<end>&&|\|\||[;&|\n()])
    |(?P<redirection>\d*(?:>>|[<>])[&|]?)
    |(?P<word>(?:{_PLACEHOLDER}|\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;&|()<>'"\\])+)""",
    re.X | re.S,
)
_PIECE = re.compile(rf"""({_PLACEHOLDER})|\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)\"""", re.X | re.S)


@dataclass(frozen=True)
class PapermillCommand:
    """A call of papermill; local paths are relative to the project's root.

    Attributes:
        notebook: the executed notebook; empty if papermill reads from standard input.
        executed: the executed copy; empty if papermill writes to standard output.
        engine: the engine by name; empty for papermill's own.
        files: the parameter files (`-f`); the last prevails.
        given: the parameters on the command line, by name; text where papermill converts values.
    """

    notebook: str
    _: KW_ONLY
    executed: str = ""
    engine: str = ""
    files: tuple[str, ...] = ()
    given: Mapping[str, object] = field(default_factory=dict)


def papermill_command(command: str, folder: str = "") -> PapermillCommand:
    """Return the first call of papermill in the command of a stage that executes a notebook.

    A command without such a call gives a call without notebook.

    Args:
        command: the shell command.
        folder: the working directory of the command, relative to the project's root.
    """
    calls = papermill_commands(command, folder)
    return next((call for call in calls if call.notebook), PapermillCommand(""))


def papermill_commands(command: str, folder: str = "") -> list[PapermillCommand]:
    """Return the calls of papermill in the command of a stage, in order."""
    calls = (_call(tuple(words), place) for words, place in _simple_commands(command, folder))
    return [call for call in calls if call]


def notebooks_run(command: str, folder: str = "") -> list[str]:
    """Return the notebooks that the command of a stage runs, by papermill or any other program."""
    found: list[str] = []
    for words, place in _simple_commands(command, folder):
        call = _call(tuple(words), place)
        others = (path_from_root(place, word) for word in words if word.endswith(NOTEBOOK))
        found.append(call.notebook if call else next(others, ""))
    return list(filter(None, found))


def path_from_root(folder: str, path: str) -> str:
    """Return a path of a working directory relative to the root; a path that is not local stays."""
    if not path or "://" in path:
        return path
    return posixpath.normpath(posixpath.join(folder, path))


@lru_cache(maxsize=4096)  # a stage is asked for calls and for notebooks
def _call(words: tuple[str, ...], folder: str) -> PapermillCommand | None:
    programs = [PurePath(word).name.removesuffix(".exe") for word in words]
    if "papermill" not in programs:  # `timeout 60 papermill …` counts as well
        return None
    options, paths = _parsed(words[programs.index("papermill") + 1 :])
    notebook, executed = ("" if path == "-" else path for path in [*paths, "", ""][:2])
    return PapermillCommand(
        path_from_root(folder, notebook),
        executed=path_from_root(folder, executed),
        engine="".join(options.get("engine", ())[-1:]),
        files=tuple(path_from_root(folder, file) for file in options.get("parameters_file", ())),
        given=_given(options),
    )


def _parsed(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the options by name (`parameters_file`), and the arguments.

    A line that papermill would refuse gives its notebooks only: the run reports the error.
    """
    import click

    try:
        values, paths, _ = _parser()(list(words))
    except click.UsageError:
        return {}, [word for word in words if word.endswith(NOTEBOOK)]
    return values, [path for path in paths if path == "-" or not path.startswith("-")]


@lru_cache
def _parser() -> Callable[[list[str]], tuple[dict[str, object], list[str], list[Parameter]]]:
    """Return click's parser of papermill's options, each repeatable; for all stages."""
    import click

    command = click.Command(
        "papermill",
        params=[
            click.Option(names, nargs=count, multiple=True)
            if count
            else click.Option(names, count=True)
            for names, count in OPTIONS.items()
        ],
        add_help_option=False,
    )
    context = click.Context(command, resilient_parsing=True, ignore_unknown_options=True)
    return command.make_parser(context).parse_args


def _given(options: Mapping[str, Any]) -> dict[str, object]:
    """Return the parameters given by options; later options prevail, in papermill's order."""
    given: dict[str, object] = {}
    for option, names in INJECTED_PARAMETERS.items():
        given |= dict.fromkeys(names, "") if options.get(option) else {}
    for text in options.get("parameters_base64", ()):
        try:
            given |= _read(base64.b64decode(text).decode("utf-8"))
        except (binascii.Error, ValueError):
            continue
    for text in options.get("parameters_yaml", ()):
        given |= _read(text)
    for option in ("parameters", "parameters_raw"):
        given |= dict(options.get(option, ()))
    return given


def _read(text: str) -> dict[str, object]:
    """Return the parameters in a YAML text; none if only DVC or a run can read it."""
    try:
        content = read_value(text, "papermill")
    except NbError:
        return {}
    return content if isinstance(content, dict) else {}


def _simple_commands(command: str, folder: str) -> Iterator[tuple[list[str], str]]:
    """Yield the words of each simple command of a shell line, and the working directory (`cd`)."""
    words: list[str] = []
    for word in [*_shell_words(command), None]:
        if word is not None:
            words.append(word)
        elif words[:1] == ["cd"] and len(words) == 2:
            folder, words = path_from_root(folder, words[1]), []
        elif words:
            yield words, folder
            words = []


def _shell_words(command: str) -> Iterator[str | None]:
    """Yield the words of a shell line without its redirections; None where a command ends."""
    position, is_target = 0, False
    if command.lstrip().startswith("#"):
        command = f" {command.lstrip()}"
    while position < len(command):
        found = _TOKEN.match(command, position)
        if not found:  # an unclosed quote
            return
        position = found.end()
        if found["end"]:
            yield None
        elif found["word"]:
            if not is_target:
                yield _PIECE.sub(_unquoted, found["word"])
            is_target = False
        else:
            is_target = bool(found["redirection"]) or is_target


def _unquoted(piece: re.Match[str]) -> str:
    placeholder, escaped, plain, quoted = piece.groups()
    if placeholder:
        return re.sub(r"\s", "", placeholder)
    if quoted is not None:
        return re.sub(r'\\([$`"\\\n])', lambda found: found[1].strip("\n"), quoted)
    return plain if plain is not None else escaped.strip("\n")
