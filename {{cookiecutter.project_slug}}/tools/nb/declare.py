"""Read and edit `dvc.yaml` as a file, without DVC: the stages, their notebooks and outputs.

An edit adds text and leaves every byte of what is there alone: comments, order and quotes stay.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

from .project import CONFIG, EXECUTED, FINGERPRINTS, PRODUCTION, NbError

FILE = "dvc.yaml"
TEMPLATED = re.compile(r"\$\{[^}]*\}")
# The longest line of a folded command; a longer word stays whole.
WIDTH = 96


@dataclass(frozen=True)
class Stage:
    """A stage of `dvc.yaml` that runs a notebook.

    Attributes:
        name: its name; that of the whole matrix, if it has one.
        line: its line in `dvc.yaml`, from 1.
        command: its command, on one line.
        notebook: the notebook that it runs, relative to the root; with `${…}` where it is
            templated, empty if it runs none.
        outputs: what it declares to write: outputs, metrics and plots, relative to the root.
        given: the parameters that its command passes (`-p`, `-r`, `-y` are those of papermill).
        configs: the files of parameters that its command passes (`-f`).
    """

    name: str
    line: int
    command: str
    notebook: str
    outputs: tuple[str, ...]
    given: frozenset[str]
    configs: tuple[str, ...]

    def runs(self, notebook: str) -> bool:
        """Whether it runs a notebook, which is given relative to the root."""
        return fnmatchcase(notebook, as_glob(self.notebook))


def as_glob(path: str) -> str:
    """Return a path of `dvc.yaml` as a pattern: anything may stand where it is templated."""
    pieces = (re.sub(r"([*?[])", r"[\1]", piece) for piece in TEMPLATED.split(path))
    return "*".join(pieces)


def read_stages(root: Path) -> list[Stage]:
    """Return the stages that `dvc.yaml` declares, in order.

    Raises:
        NbError: if it cannot be read or is not a pipeline (exit code 2).
    """
    import yaml

    text = _read(root)
    # All values as text, by the parser in C where there is one: ten times as fast.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        content = yaml.load(text, Loader=loader) or {}
    except yaml.YAMLError as error:
        raise _broken(error) from None
    stages = content.get("stages") if isinstance(content, dict) else None
    if not isinstance(stages, dict):
        return []
    lines = {name: number for number, name in _stage_lines(text)}
    return [_stage(name, lines.get(name, 1), entry) for name, entry in stages.items()]


def _read(root: Path) -> str:
    try:
        return (root / FILE).read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise NbError(
            f"there is no {FILE} in {root.name}; git checkout HEAD -- {FILE} brings it back.", 2
        ) from None
    except (OSError, ValueError) as error:
        raise NbError(f"{FILE} cannot be read: {error}", 2) from None


def _broken(error: Exception) -> NbError:
    return NbError(f"{FILE} is not valid YAML: {' '.join(str(error).split())}", 2)


def _stage_lines(text: str) -> Iterable[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"""\s+["']?([^\s"'#:]+)["']?:\s*(#.*)?$""", line)
        if found:
            yield number, found[1]


def _stage(name: str, line: int, entry: Any) -> Stage:
    body = entry.get("do", entry) if isinstance(entry, dict) else {}
    body = body if isinstance(body, dict) else {}
    commands = body.get("cmd", "")
    command = " && ".join(map(str, commands)) if isinstance(commands, list) else str(commands)
    command = " ".join(command.split())
    folder = str(body.get("wdir", ""))
    outputs = [path for key in ("outs", "metrics", "plots") for path in _paths(body.get(key))]
    words = _words(command)
    notebook = next((word for word in words if word.endswith(".ipynb")), "")
    return Stage(
        name=name,
        line=line,
        command=command,
        notebook=_inside(folder, notebook),
        outputs=tuple(_inside(folder, path) for path in outputs),
        given=frozenset(_after(words, "-p", "-r", "--parameters", "--parameters_raw")),
        configs=tuple(_inside(folder, path) for path in _after(words, "-f", "--parameters_file")),
    )


def _paths(entries: Any) -> list[str]:
    """Return the paths of a list of outputs, each a path or a path with settings."""
    entries = [entries] if isinstance(entries, str) else entries or []
    return [path for entry in entries for path in (entry if isinstance(entry, dict) else [entry])]


def _words(command: str) -> list[str]:
    if not re.search(r"""["'\\]""", command):
        return command.split()  # as shlex does, a hundred times as fast
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _after(words: Sequence[str], *options: str) -> list[str]:
    return [value for word, value in pairwise(words) if word in options and value]


def _inside(folder: str, path: str) -> str:
    is_apart = path and folder not in ("", ".") and not path.startswith("/")
    return f"{folder.rstrip('/')}/{path}" if is_apart else path


def add_stage(
    root: Path,
    name: str,
    notebook: Path,
    *,
    desc: str = "",
    deps: Sequence[str] = (),
    params: bool = True,
    outs: Sequence[str] = (),
    metrics: Sequence[str] = (),
    plots: Sequence[str] = (),
) -> None:
    """Declare the stage of a production notebook, after those that `dvc.yaml` has.

    Args:
        root: the project's root.
        name: of the stage.
        notebook: the notebook, below `notebooks/production`, relative to the root.
        desc: what the stage is for, in one sentence.
        deps: the files that it reads, relative to the root; its fingerprint is added.
        params: whether it has parameters, in `config/<name of the notebook>.yaml`.
        outs: the files that it writes, kept by DVC.
        metrics: small files of numbers that it writes, kept by Git.
        plots: figures and tables to be plotted, kept by DVC.

    Raises:
        NbError: if `dvc.yaml` cannot be read, or has a stage of that name (exit code 2).
    """
    text = _read(root)
    newline = "\r\n" if "\r\n" in text else "\n"
    body = _body(notebook, desc, deps, params, outs, metrics, plots)
    stage = _stage_text(name, body, notebook, params)
    changed = _insert(text.replace("\r\n", "\n"), name, stage)
    (root / FILE).write_bytes(changed.replace("\n", newline).encode("utf-8"))


def _body(
    notebook: Path,
    desc: str,
    deps: Sequence[str],
    params: bool,
    outs: Sequence[str],
    metrics: Sequence[str],
    plots: Sequence[str],
) -> dict[str, Any]:
    """Return the entry of a stage but for its command; what is empty is left out."""
    inner = notebook.relative_to(PRODUCTION).with_suffix("")
    entry: dict[str, Any] = {
        "desc": desc,
        "cmd": "",
        "deps": [(FINGERPRINTS / f"{inner.as_posix()}.txt").as_posix(), *deps],
        "params": [{config_of(notebook): None}] if params else [],
        "outs": list(outs),
        "metrics": [{path: {"cache": False}} for path in metrics],
        "plots": list(plots),
    }
    return {key: value for key, value in entry.items() if value or key == "cmd"}


def config_of(notebook: Path) -> str:
    """Return the file that holds a notebook's parameters, relative to the root."""
    return (CONFIG / f"{notebook.stem}.yaml").as_posix()


def _stage_text(name: str, body: Mapping[str, Any], notebook: Path, params: bool) -> str:
    """Write a stage as the others are written, its command folded over two lines."""
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import FoldedScalarString

    inner = notebook.relative_to(PRODUCTION)
    config = f" -f {shlex.quote(config_of(notebook))}" if params else ""
    executed = shlex.quote((EXECUTED / inner).as_posix())
    first = f"papermill {shlex.quote(notebook.as_posix())} {executed}"
    command = FoldedScalarString(f"{first} --engine nb -k python3{config}")
    command.fold_pos = [len(first)]
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 10_000
    # `config/x.yaml:` without a value, as DVC's own documentation writes it.
    yaml.representer.add_representer(
        type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "")
    )
    stream = StringIO()
    yaml.dump({name: {**body, "cmd": command}}, stream)
    return stream.getvalue()


def _insert(text: str, name: str, stage: str) -> str:
    """Return the text of `dvc.yaml` with a stage added at the end of its stages."""
    import yaml

    try:
        node = yaml.compose(text)
    except yaml.YAMLError as error:
        raise _broken(error) from None
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    stages = next((value for key, value in entries if key.value == "stages"), None)
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise NbError(f"{FILE} is not a pipeline: it holds no `stages:`.", 2)
    if stages is None:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        return f"{start}\nstages:\n{_indented(stage, 2)}".lstrip("\n")
    known = [key.value for key, _ in stages.value] if isinstance(stages, yaml.MappingNode) else []
    if name in known:
        raise NbError(f"{FILE} already has a stage {name}; choose another name.", 2)
    if not known:
        return _fill(text, stages, stage)
    if stages.flow_style:
        raise NbError(f"the stages of {FILE} are in braces; write them one below the other.", 2)
    return _append(text, stages, stage)


def _fill(text: str, stages: Any, stage: str) -> str:
    """Put the first stage in the place of `{}` or of nothing."""
    before, after = text[: stages.start_mark.index].rstrip(" "), text[stages.end_mark.index :]
    comment, _, rest = after.partition("\n")
    colon = "" if before.endswith(":") else ":"
    return f"{before}{colon}{comment}\n{_indented(stage, 2)}{rest}"


def _append(text: str, stages: Any, stage: str) -> str:
    """Put a stage after the last one, before what follows the stages and its comments."""
    lines = text.splitlines(keepends=True)
    last = stages.end_mark.line if stages.end_mark.column == 0 else len(lines)
    while lines[last - 1].strip() == "" or lines[last - 1].startswith("#"):
        last -= 1
    if not lines[last - 1].endswith("\n"):
        lines[last - 1] += "\n"
    added = f"\n{_indented(stage, stages.start_mark.column)}"
    return "".join([*lines[:last], added, *lines[last:]])


def _indented(text: str, columns: int) -> str:
    return "".join(
        f"{' ' * columns}{line}" if line.strip() else line
        for line in text.splitlines(keepends=True)
    )
