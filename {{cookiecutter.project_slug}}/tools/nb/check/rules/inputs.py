"""NB3: inputs of a notebook are there in every run: shared files, no network, no questions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from nb.check.findings import Found, Place
from nb.check.reads import Constants, first_argument, is_read
from nb.check.registry import rule
from nb.notebook.parameters import TAG
from nb.notebook.path_literals import ADDED_SUFFIXES, called_name
from nb.wording import shortened

from .running import starts_program

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import CheckedCell, Document

ADDRESS = re.compile(r"(?:https?|ftp)://", re.I)
FETCHES = re.compile(r"urlopen|urlretrieve|urlread|download_file|open_url")
CLIENTS = {"requests", "httpx", "session", "client", "http"}
MAKES_FILES = re.compile(r">|%%(write)?file\b|\b(wget|curl|tar|unzip|gunzip|cp|mv|touch)\b")
UNPACKS = {"extractall", "unpack_archive"}
UNPACKS_IN_SHELL = re.compile(r"\b(?:unzip|tar|7z|unrar|git clone)\b")
FETCHED_IN_SHELL = re.compile(r"\b(?:wget|curl)\b.*?((?:https?|ftp)://[^\s\"']*)")


@rule(
    "NB305",
    "a file that is read is in Git, under DVC, or declared by a stage",
    why="""A file that is only on this machine is missing for everybody else. A run starts in the
    root of the project, so a file beside the notebook is not found by its bare name. Looked at are
    constant paths in calls such as `read_csv` and `open`.""",
    good="""\
# %%
pd.read_csv("data/raw/sales.csv")
=== data/raw/sales.csv.dvc
outs: []""",
    bad='# %%\npd.read_csv("sales.csv")',
)
def files_are_shared(document: Document, facts: Facts) -> Found:
    constants = Constants(cell for cell in document.code if TAG not in cell.tags)
    reads = [(cell, call) for cell, call in _calls(document) if is_read(call)]
    if not reads or _unpacks(document):  # nobody knows which files come out of an archive
        return
    # Written before, or named as an output: the notebook makes the file itself.
    others = [call for _, call in _calls(document) if not is_read(call)]
    written = {path for call in others for path in _written(call, constants)}
    patterns = [pattern for call in others for pattern in _written_patterns(call)]
    commands = (f"{escape.text}\n{escape.body}" for _, escape in document.escapes())
    for command in filter(MAKES_FILES.search, commands):
        written.update(re.findall(r"[\w./-]+", command))
    told: set[str] = set()
    for cell, call in reads:
        path = constants.path(first_argument(call))
        if path and path not in written and path not in told:
            told.add(path)
            if any(fnmatchcase(path, pattern) for pattern in patterns):
                continue
            problem = facts.shared.problem(path, document.notebook.path.parent)
            facts.answers.setdefault(document.name, {})[path] = problem
            if problem:
                yield cell.at(call), problem


@rule(
    "NB306",
    "no data is fetched from an address",
    why="""The data behind an address changes without a trace in `dvc.lock`, or is gone, and every
    run needs the network. `dvc import-url` keeps a copy and remembers the address; a stage of its
    own may fetch anew.""",
    good='# %%\npd.read_csv("data/raw/sales.csv")\n=== data/raw/sales.csv.dvc\nouts: []',
    bad='# %%\npd.read_csv("https://example.org/sales.csv")',
)
def nothing_is_fetched(document: Document, facts: Facts) -> Found:
    constants = Constants(document.code)
    for cell, call in _calls(document):
        text = constants.text(first_argument(call)) if is_read(call) or _fetches(call) else None
        if text and ADDRESS.match(text):
            yield cell.at(call), _fetched(text)
    for cell, escape in document.escapes():
        found = FETCHED_IN_SHELL.search(f"{escape.text}\n{escape.body}")
        if found:
            yield Place(cell.number, escape.line), _fetched(found[1])


def _fetched(address: str) -> str:
    return (
        f"{shortened(address)} may change or be gone at the next run; keep a copy: dvc import-url"
    )


def _fetches(call: ast.Call) -> bool:
    match call.func:
        case ast.Attribute(value=ast.Name(id=name), attr="get") if name in CLIENTS:
            return True
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return bool(FETCHES.fullmatch(name))
    return False


@rule(
    "NB307",
    "nothing waits for an answer",
    why="""In a run nobody is there to answer: `input()` fails there, and a debugger waits for
    ever. What a person chooses is a parameter; a secret comes from the environment.""",
    good='# %% tags=["parameters"]\nyear: int = 2024',
    bad='# %%\nyear = int(input("Year: "))',
)
def nothing_waits(document: Document, facts: Facts) -> Found:
    for cell, call in _calls(document):
        match call.func:
            case ast.Name(id=asked):
                pass
            case ast.Attribute(value=ast.Name(id=module), attr=attribute):
                asked = f"{module}.{attribute}"
            case _:
                continue
        if asked in ("input", "getpass", "getpass.getpass"):
            yield cell.at(call), f"a run has nobody to answer {asked}(); make it a parameter"
        elif asked in ("breakpoint", "pdb.set_trace"):
            yield cell.at(call), f"{asked}() waits for ever in a run; remove it"


def _written(call: ast.Call, constants: Constants) -> Iterator[str]:
    """Yield the files that a call may write, also under the suffix that a library adds."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    for argument in _named(call):
        path = constants.path(argument)
        if path:
            yield from (path, *(f"{path}{suffix}" for suffix in ADDED_SUFFIXES.get(function, ())))


def _written_patterns(call: ast.Call) -> Iterator[str]:
    """Yield patterns of the files that a call may write, where part of a name is computed."""
    for argument in _named(call):
        if isinstance(argument, ast.JoinedStr):
            parts = [
                str(part.value) if isinstance(part, ast.Constant) else "*"
                for part in argument.values
            ]
            if any(len(part) > 1 for part in parts):
                yield "".join(parts).removeprefix("./")


def _unpacks(document: Document) -> bool:
    """Return whether a notebook unpacks an archive, or fetches a repository."""
    commands = (f"{escape.text}\n{escape.body}" for _, escape in document.escapes())
    if any(map(UNPACKS_IN_SHELL.search, commands)):
        return True
    for _, call in _calls(document):
        words = [n.value for n in ast.walk(call) if isinstance(n, ast.Constant)]
        text = " ".join(word for word in words if isinstance(word, str))
        is_program = starts_program(call) and UNPACKS_IN_SHELL.search(text)
        if is_program or called_name(call) in UNPACKS:
            return True
    return False


def _named(call: ast.Call) -> list[ast.expr]:
    """Return the expressions in a call that may name a file to write."""
    return [*call.args, *([call.func.value] if isinstance(call.func, ast.Attribute) else [])]


def _calls(document: Document) -> Iterator[tuple[CheckedCell, ast.Call]]:
    return document.nodes(ast.Call)
