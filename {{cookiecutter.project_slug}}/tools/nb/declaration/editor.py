"""Editor of `dvc.yaml`: appends stages of production notebooks; comments, order, quotes stay.

All other lines stay; line ends become those of Windows where any line has them. Concurrent edits
are serialised by a lock; each reads the file after the lock is taken.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from nb.locks import edit_lock
from nb.notebook.yaml_file import parse_as_dvc
from nb.project import CONFIG, EXECUTED, FINGERPRINTS, PRODUCTION, UsageError, write_whole

from .reader import FILE, read_dvc_yaml

if TYPE_CHECKING:
    from yaml import MappingNode


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
    """Append the stage of a production notebook to `dvc.yaml`.

    Args:
        notebook: the notebook, below `notebooks/production`, relative to the root.
        desc: the purpose of the stage, in a sentence.
        deps: input files, relative to the root; the fingerprint of the notebook is added.
        params: whether the notebook has parameters, in `config/<name of the notebook>.yaml`.
        outs: output files, kept by DVC.
        metrics: small output files of numbers, kept by Git.
        plots: figures and tables to be plotted, kept by DVC.

    Raises:
        NbError: if `dvc.yaml` cannot be read, or has a stage of that name (exit code 2).
    """
    inner = notebook.relative_to(PRODUCTION).with_suffix("")
    entry: dict[str, object] = {
        "desc": desc,
        "cmd": "",
        "deps": [(FINGERPRINTS / f"{inner.as_posix()}.txt").as_posix(), *deps],
        "params": [{config_of(notebook): None}] if params else [],
        "outs": list(outs),
        "metrics": [{path: {"cache": False}} for path in metrics],
        "plots": list(plots),
    }
    body = {key: value for key, value in entry.items() if value or key == "cmd"}
    stage = _stage_text(name, body, notebook, params)
    with edit_lock(root):
        text = read_dvc_yaml(root)
        newline = "\r\n" if "\r\n" in text else "\n"
        changed = _insert(text.replace("\r\n", "\n"), name, stage)
        write_whole((root / FILE).resolve(), changed.replace("\n", newline))


def config_of(notebook: Path) -> str:
    """Return the file that holds a notebook's parameters, relative to the root."""
    return (CONFIG / f"{notebook.stem}.yaml").as_posix()


def _stage_text(name: str, body: Mapping[str, object], notebook: Path, params: bool) -> str:
    """Return a stage as YAML in the style of `dvc.yaml`, the command folded over two lines."""
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
    """Return the text of `dvc.yaml` with a stage appended to the stages."""
    import yaml

    node, _ = parse_as_dvc(text, FILE)
    entries = node.value if isinstance(node, yaml.MappingNode) else []
    stages = next((value for key, value in entries if key.value == "stages"), None)
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{FILE} is not a pipeline: it holds no `stages:`.")
    if stages is None:
        start = text if not text or text.endswith("\n") else f"{text}\n"
        return f"{start}\nstages:\n{_indented(stage, 2)}".lstrip("\n")
    known = [key.value for key, _ in stages.value] if isinstance(stages, yaml.MappingNode) else []
    if name in known:
        raise UsageError(f"{FILE} already has a stage {name}; choose another name.")
    if not known:
        return _fill(text, stages, stage)
    if stages.flow_style:
        raise UsageError(f"the stages of {FILE} are in braces; write them one below the other.")
    return _append(text, stages, stage)


def _fill(text: str, stages: MappingNode, stage: str) -> str:
    """Insert the first stage in place of `{}` or of an empty value."""
    before, after = text[: stages.start_mark.index].rstrip(" "), text[stages.end_mark.index :]
    comment, _, rest = after.partition("\n")
    colon = "" if before.endswith(":") else ":"
    return f"{before}{colon}{comment}\n{_indented(stage, 2)}{rest}"


def _append(text: str, stages: MappingNode, stage: str) -> str:
    """Insert a stage after the last stage, before the next key and the comments of that key."""
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
