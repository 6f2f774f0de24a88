"""NB3: the notebook runs top to bottom, on any machine, and fails when something fails."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nb.check.call_order import early_calls
from nb.check.findings import Found, Place
from nb.check.hosted import hosted_branches
from nb.check.registry import rule
from nb.check.source import CheckedCell
from nb.notebook.magics import Escape
from nb.notebook.path_literals import called_name
from nb.wording import shortened

if TYPE_CHECKING:
    from nb.check.facts import Facts
    from nb.check.source import Document

# First folders of machines and of hosted notebooks. Other texts that begin with `/` may be parts
# of addresses; they are looked at only where a call takes a path.
FIRST_FOLDERS = (
    "home|Users|root|mnt|media|data|tmp|var|opt|srv|etc|usr|Volumes|workspaces?|content|dbfs|kaggle|"
    "scratch"
)
ABSOLUTE = re.compile(
    rf"(?:/(?!usr/(?:local/)?s?bin/)(?:{FIRST_FOLDERS})(?:/|$)|[A-Za-z]:[\\/](?!/)|\\\\\w|~[\w.-]*[\\/]|file:///)"
)
LEADS = re.compile(r"[/\\]|\.\.")
ABSOLUTE_KIND = "an absolute path"
UPWARDS = re.compile(r"(?:^|[\\/])\.\.(?:[\\/]|$)")
EXISTENCE = {"exists", "lexists", "isfile", "isdir", "is_file", "is_dir"}
# In a shell line: programs live in /usr and /opt on every machine.
IN_SHELL = re.compile(
    r"(?:^|[\s=\"'])"
    r"((?:/(?:home|Users|root|mnt|media|data|Volumes|content|scratch)/|\.\./|~/)[^\s\"']*)"
)
TAKES_PATH = re.compile(
    r"open|Path|PurePath|chdir|listdir|glob|rglob|load|dump|save|read_\w+|to_\w+|savefig|imread|"
    r"imsave"
)
SHELLS = {"bash", "sh", "zsh", "script"}
INSTALL = re.compile(
    r"\b(?:(?:pip|pip3|conda|mamba|micromamba|pipenv|apt|apt-get|brew|npm)\s+(?:-\S+\s+)*install|"
    r"(?:uv|poetry|pdm)\s+(?:add|pip\s+install)|easy_install)\b"
)
INSTALL_MAGICS = {"pip", "conda", "mamba", "micromamba", "uv"}
# Programs that only show something: no cell below works on it. A folder that could not be made or
# removed shows itself at the next use.
SHOWS = {
    *("cat", "date", "df", "du", "echo", "env", "file", "find", "free", "grep", "head", "hostname"),
    *("jq", "less", "locale", "ls", "lscpu", "lspci", "lsb_release", "more", "nproc", "nvcc"),
    *("nvidia-smi", "printenv", "ps", "pwd", "stat", "tail", "tree", "type", "uname"),
    *("uptime", "wc", "whereis", "which", "who", "whoami", "mkdir", "rm", "rmdir"),
}
SHOWS_STATE = re.compile(
    r"git (?:branch|config|diff|log|remote|rev-parse|show|status)\b|(?:pip3?|conda|mamba|uv pip) "
    r"(?:list|show|freeze|info)\b|\S+ (?:--version|--help|-V)\Z|"
    r"(?:sort|uniq)(?: -[a-np-z0-9]+)*\Z|"  # in a pipe
    r"saved_model_cli show\b|"
    r"(?:aws|az|bq|docker|gcloud|gsutil|kubectl)"
    r"(?: (?!(?:add|cp|create|delete|deploy|mv|rm|run|set|submit|update)\b)[a-z0-9-]+)*? "
    r"(?:cat|describe|get|images|list|ls|ps|show|version)\b"
)
# What writes or removes in commands of these.
CHANGES = re.compile(r"[^2&]>|\A>|`|\$\(|\s-(?:delete|exec|execdir|ok)\b|\btee\b|--output\b")
# Lines of a shell that start no program, without what stands in for the output of one.
STRUCTURE = re.compile(
    r"(?:\w+=(?:\"[^\"]*\"|'[^']*'|[^\s\"']*)|(?:el)?if \[ [^;&|]* \](?:; ?then)?|then|else|fi)"
)
OUTPUT_OF_PROGRAM = re.compile(r"`|[$<>]\(")
PROGRAMS = {"run", "call", "Popen", "getoutput", "getstatusoutput"}


@rule(
    "NB301",
    "a function is called after the names that it uses are assigned",
    why="""A notebook that was written with cells run out of order works until the kernel is
    restarted. Ruff finds names that are used above their assignment or assigned nowhere (F821); a
    function may stand above the names that it uses, but a call must not.""",
    good="# %%\ndef above(x):\n    return x > limit\n\n\nlimit = 3\nabove(4)",
    bad="# %%\ndef above(x):\n    return x > limit\n\n\nabove(4)\nlimit = 3",
)
def calls_in_order(document: Document, facts: Facts) -> Found:
    yield from early_calls(document.code)


@rule(
    "NB302",
    "no path is absolute or leads out of the folder with `../`",
    why="""An absolute path exists on one machine. A path with `../` means one thing in Jupyter,
    which starts in the notebook's folder, and another in papermill, which starts in the root.
    Build paths from the root: `paths.ROOT / "data/raw/sales.csv"`.""",
    good='# %%\nsales_csv = paths.ROOT / "data/raw/sales.csv"',
    bad='# %%\nsales_csv = "../../data/raw/sales.csv"\nold_csv = "/home/me/sales.csv"',
)
def portable_paths(document: Document, facts: Facts) -> Found:
    advice = 'build it from the root: paths.ROOT / "…"'
    for cell in document.code:
        texts = ((n, n.value) for n in cell.nodes(ast.Constant) if isinstance(n.value, str))
        kinds = [(node, text, kind) for node, text in texts if (kind := _kind_of_path(text))]
        skipped = _not_paths(cell) if kinds else set()
        asked_for = _asked_for(cell) if kinds else set()
        told: set[tuple[int, str]] = set()
        for node, text, kind in kinds:
            if node in asked_for and kind == ABSOLUTE_KIND:
                continue
            if node not in skipped and (node.lineno, text) not in told:
                told.add((node.lineno, text))
                yield cell.at(node), f"{shortened(text)} is {kind}; {advice}"
        for call in cell.nodes(ast.Call):
            yield from (
                (cell.at(n), f"{shortened(str(n.value))} is an absolute path; {advice}")
                for n in _rooted(call)
            )
    for cell, escape in document.escapes():
        found = IN_SHELL.search(escape.text) if escape.magic in ("", "cd", "run") else None
        found = found or (re.match(r"%cd\s+(\.\.\S*|/\S*)", escape.text))
        if found:
            named = re.sub(r"^(\.\./)+(?=[^.])", "", found[1])
            shell = f"a run starts in the root: write {shortened(named)}"
            inside = shell if named != found[1] else advice
            yield _at(cell, escape), f"{shortened(found[1])} leads out of the project; {inside}"


def _not_paths(cell: CheckedCell) -> set[ast.AST]:
    """Return the texts that are no paths: those that stand alone or follow other text."""
    skipped: set[ast.AST] = {node.value for node in cell.nodes(ast.Expr)}
    skipped.update(part for node in cell.nodes(ast.JoinedStr) for part in node.values[1:])
    sums = (node for node in cell.nodes(ast.BinOp) if isinstance(node.op, ast.Add))
    return skipped.union(node.right for node in sums)


def _asked_for(cell: CheckedCell) -> set[ast.AST]:
    """Return the paths of which only the existence is asked for: they tell machines apart."""
    found: set[ast.AST] = set()
    for call in cell.nodes(ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr in EXISTENCE:
            path = call.args[0] if call.args else call.func.value
            found.add(path.args[0] if isinstance(path, ast.Call) and path.args else path)
    return found


def _kind_of_path(text: str) -> str:
    if (
        not LEADS.search(text)
        or "\n" in text
        or "://" in text.removeprefix("file://")
        or len(text) > 300
    ):
        return ""
    if text.startswith("file://") and text.endswith(".git"):  # the address of a repository
        return ""
    if ABSOLUTE.match(text):
        return ABSOLUTE_KIND
    if UPWARDS.search(text) and " " not in text.split("..")[0]:
        return "a path upwards"
    return ""


def _rooted(node: ast.Call) -> Iterator[ast.Constant]:
    """Yield the first argument of a call that takes a path, if it begins with `/`."""
    if TAKES_PATH.fullmatch(called_name(node)) and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            known = first.value.startswith(("/dev/", "/proc/", "/sys/", "//"))
            if re.match(r"/\w", first.value) and not known and not ABSOLUTE.match(first.value):
                yield first


def _at(cell: CheckedCell, escape: Escape) -> Place:
    return Place(cell.number, escape.line, escape.line + escape.text.count("\n"))


@rule(
    "NB303",
    "nothing is installed by a notebook",
    why="""It changes the environment of whoever runs it, needs a network, and gets another
    version tomorrow. Dependencies stand in `pyproject.toml`; `make setup` installs them.""",
    good="# %%\nimport pandas as pd",
    bad="# %%\n%pip install pandas",
)
def no_installs(document: Document, facts: Facts) -> Found:
    message = "a notebook installs nothing; add it to pyproject.toml, then make setup"
    elsewhere = {
        (cell.number, line)
        for cell, each in hosted_branches(document)
        for line in range(each.lineno, (each.end_lineno or each.lineno) + 1)
    }
    for cell, escape in document.escapes():
        if is_install(escape) and (cell.number, escape.line) not in elsewhere:
            yield _at(cell, escape), message
    for cell, node in document.nodes(ast.Call):
        if node.args and starts_program(node) and (cell.number, node.lineno) not in elsewhere:
            first = node.args[0]
            elements = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
            words = [str(e.value) for e in elements if isinstance(e, ast.Constant)]
            if INSTALL.search(" ".join(words)):
                yield cell.at(node), message


def is_install(escape: Escape) -> bool:
    """Return whether a line of IPython, or a cell of a shell, installs packages."""
    if escape.magic in INSTALL_MAGICS:
        return bool(
            re.match(r"%\w+\s+(?:-\S+\s+)*(install|add|pip\s+install|create)\b", escape.text)
        )
    in_shell = not escape.magic or escape.magic in {*SHELLS, "system", "sx"}
    return in_shell and bool(INSTALL.search(f"{escape.text}\n{escape.body}"))


def starts_program(node: ast.Call) -> bool:
    """Return whether a call starts a program."""
    match node.func:
        case ast.Attribute(value=ast.Name(id="subprocess")):
            return True
        case ast.Attribute(value=ast.Name(id="os"), attr="system" | "popen"):
            return True
        case ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr="system"):
            return True
        case ast.Name(id="check_call" | "check_output" | "Popen"):
            return True
    return False


@rule(
    "NB304",
    "the failure of a program stops the notebook",
    why="""`!command` goes on whatever becomes of the command, and the cells below work on what
    was there before. `subprocess.run(…, check=True)` raises; a cell that looks at `_exit_code` is
    fine, too, and so are commands that only show something, such as `!ls`. In a `%%bash` cell only
    the last command counts, unless it begins with `set -e`.""",
    good='# %%\nimport subprocess\n\nsubprocess.run(["sort", "-o", "b.csv", "a.csv"], check=True)',
    bad="# %%\n!sort -o b.csv a.csv",
)
def failures_are_seen(document: Document, facts: Facts) -> Found:
    for cell in document.code:
        if any(name.id == "_exit_code" for name in cell.nodes(ast.Name)):
            continue
        for escape in cell.escapes:
            problem = "" if is_install(escape) else _hidden_failure(escape)
            if problem:
                yield _at(cell, escape), problem
        for node in cell.nodes(ast.Expr):
            if isinstance(node.value, ast.Call):
                problem = _ignored_result(node.value)
                if problem:
                    yield cell.at(node), problem


def _hidden_failure(escape: Escape) -> str:
    if escape.text.startswith("!") or escape.magic in ("system", "sx"):
        command = re.sub(r"\A(?:!+|%+\w+)", "", escape.text)
        if not escape.assigned and _only_shows(command):
            return ""
        return "nobody sees if this command fails; use subprocess.run(…, check=True)"
    if escape.text.startswith("%%") and escape.magic in SHELLS:
        if re.search(r"\s--bg\b", escape.text):
            return "nobody sees if a program in the background fails; wait for its result in Python"
        lines = [line.strip() for line in re.sub(r"\\\n", " ", escape.body).split("\n")]
        commands = [line for line in lines if line and not _starts_nothing(line)]
        strict = any(re.match(r"set\s+(-\w*e|-o\s+errexit)", line) for line in commands)
        if "--no-raise-error" in escape.text:
            return "nobody sees if this cell fails; remove --no-raise-error"
        if not strict and not all(map(_only_shows, commands[:-1])):
            return "only the last command counts; begin the cell with set -e"
    return ""


def _starts_nothing(line: str) -> bool:
    """Return whether a line of a shell is a comment, an assignment or part of a condition."""
    is_structure = bool(STRUCTURE.fullmatch(line))
    return line.startswith("#") or (is_structure and not OUTPUT_OF_PROGRAM.search(line))


def _only_shows(command: str) -> bool:
    """Return whether all programs of a shell line only show something."""
    if CHANGES.search(command):
        return False
    parts = (part.split() for part in re.split(r"&&|\|\|?|;", command))
    return all(
        not words or words[0] in SHOWS or SHOWS_STATE.match(" ".join(words)) for words in parts
    )


def _ignored_result(node: ast.Call) -> str:
    """Return the problem of a program that is started by a statement of its own."""
    match node.func:
        case ast.Attribute(value=ast.Name(id="os"), attr="system"):
            return "nobody sees if this command fails; use subprocess.run(…, check=True)"
        case ast.Attribute(value=ast.Name(id="subprocess"), attr=name) if name in PROGRAMS:
            keywords = {keyword.arg: keyword.value for keyword in node.keywords}
            checked = keywords.get("check")
            safe = None in keywords or (isinstance(checked, ast.Constant) and checked.value is True)
            if checked is not None and not isinstance(checked, ast.Constant):
                safe = True
            if name != "run":
                return f"nobody sees if subprocess.{name} fails; use subprocess.run(…, check=True)"
            return "" if safe else "nobody sees if this program fails; pass check=True"
    return ""
