"""Stripping of notebooks for Git: outputs, counts and volatile metadata are removed.

nbstripout defines the result. This module gives the same bytes a thousand times faster for ordinary
nbformat 4 notebooks, and refuses all doubtful files. The module needs only the standard
library and runs on Python 3.8, because the Git filter must work without the project's environment.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

# nbstripout's own defaults, which it always strips.
NBSTRIPOUT_KEYS = (
    "metadata.signature",
    "metadata.widgets",
    "cell.metadata.collapsed",
    "cell.metadata.ExecuteTime",
    "cell.metadata.execution",
    "cell.metadata.heading_collapsed",
    "cell.metadata.hidden",
    "cell.metadata.scrolled",
)

# Metadata that change when a notebook is merely opened or run, by the tool that writes them.
EXTRA_KEYS = (
    *NBSTRIPOUT_KEYS,
    # papermill: paths, times, parameter values
    "metadata.papermill",
    "cell.metadata.papermill",
    # Jupyter: the exact Python version; whether an output, which is not stored, is folded
    "metadata.language_info.version",
    "cell.metadata.jupyter.outputs_hidden",
    # VS Code: a hash of the interpreter's path
    "metadata.vscode",
    "metadata.interpreter",
    # Colab: who ran the cell and when, the id of an output
    "cell.metadata.executionInfo",
    "cell.metadata.outputId",
    # Deepnote: times
    "cell.metadata.execution_start",
    "cell.metadata.execution_millis",
    "cell.metadata.deepnote_to_be_reexecuted",
    # PyCharm: whether the cell is running
    "cell.metadata.pycharm",
)

# How the name begins under which other Jupyter servers have a project's kernel (`make kernel`).
OFFERED = "nb-"

_CELL_FIELDS = frozenset(
    ("attachments", "cell_type", "execution_count", "id", "metadata", "outputs", "source")
)
_BUNDLE_OUTPUTS = ("display_data", "execute_result")
_TEXT_OUTPUTS = ("stream", "error")
_LINES_BESIDES_TEXT = ("application/javascript", "image/svg+xml")


class NotJsonError(ValueError):
    """Data that is not JSON, so not a notebook (yet): a merge conflict, for example."""


class RefusedError(ValueError):
    """The notebook is JSON that only nbstripout itself may strip; the message says why."""


def load(data: bytes) -> Any:
    """Parse the bytes of a notebook file.

    Raises:
        NotJsonError: the bytes are no JSON in UTF-8.
        RefusedError: they are JSON beyond the limits of Python's parser.
    """
    try:
        return json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NotJsonError(str(error)) from error
    except (RecursionError, ValueError) as error:
        raise RefusedError(f"it cannot be parsed ({error})") from error


def kernel_name(name: str) -> str:
    """Return the name of a kernel in its own environment: python3, if other servers rename it."""
    return "python3" if name.startswith(OFFERED) else name


def settle(notebook: object) -> None:
    """Make the kernel's names and absent cell ids stable, in place, which nbstripout does not.

    A project's kernel that other servers have under another name is python3 here.

    The display name becomes the kernel's name: the former differs between machines, and a notebook
    without a display name is invalid. Cells without an id, where the format requires ids, are named
    after their position: nbformat would invent a random id each time, and Git would never see a
    clean file. Parts that do not look like a notebook's are left alone.

    Args:
        notebook: any parsed JSON.
    """
    if type(notebook) is not dict:
        return
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if type(metadata) is dict else None
    if type(kernel) is dict and type(kernel.get("name")) is str:
        kernel["name"] = kernel_name(kernel["name"])
        kernel["display_name"] = kernel["name"]
    version, minor = notebook.get("nbformat"), notebook.get("nbformat_minor")
    cells = notebook.get("cells")
    has_ids = version == 4 and type(minor) is int and minor >= 5
    if has_ids and type(cells) is list and all(type(cell) is dict for cell in cells):
        _complete_ids(cells)


def strip(
    data: bytes,
    *,
    extra_keys: Iterable[str] = EXTRA_KEYS,
    keep_id: bool = True,
    settled: bool = True,
) -> bytes:
    """Strip a notebook as nbstripout does, to the byte.

    Args:
        data: the file in the working tree.
        extra_keys: metadata to drop, in the notation of nbstripout's `--extra-keys`.
        keep_id: keep cell ids (`--keep-id`) instead of numbering the cells.
        settled: apply `settle` first.

    Returns:
        The file as Git shall store it.

    Raises:
        NotJsonError: the data is no JSON.
        RefusedError: the notebook is unusual; nbstripout itself has to decide.
    """
    return strip_parsed(load(data), extra_keys=extra_keys, keep_id=keep_id, settled=settled)


def strip_parsed(
    notebook: object,
    *,
    extra_keys: Iterable[str] = EXTRA_KEYS,
    keep_id: bool = True,
    settled: bool = True,
) -> bytes:
    """Strip the parsed JSON of a notebook, which is changed; arguments and errors are `strip`'s."""
    if settled:
        settle(notebook)
    notebook_keys, cell_keys = _split_keys(extra_keys)
    try:
        _strip_notebook(notebook, notebook_keys, cell_keys, keep_id)
        text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True)
        return (text + "\n").encode("utf-8")
    except UnicodeEncodeError as error:
        raise RefusedError("it contains half of a Unicode surrogate pair") from error
    except RecursionError as error:
        raise RefusedError("it is nested too deeply") from error


def _complete_ids(cells: list[dict[str, object]]) -> None:
    taken = {cell["id"] for cell in cells if type(cell.get("id")) is str}
    seen: set[str] = set()
    for number, cell in enumerate(cells):
        name = cell.get("id")
        if type(name) is not str or name in seen:
            name = str(number)
            while name in taken:
                name += "-"
            taken.add(name)
            cell["id"] = name
        seen.add(name)


def _split_keys(keys: Iterable[str]) -> tuple[list[str], list[str]]:
    """Sort keys into those of the notebook's metadata and those of a cell's metadata."""
    of_notebook, of_cell = [], []
    for key in keys:
        if key.startswith("cell.metadata."):
            of_cell.append(key[len("cell.metadata.") :])
        elif key.startswith("metadata."):
            of_notebook.append(key[len("metadata.") :])
        else:
            raise RefusedError(f"the extra key {key} is no metadata")
    return of_notebook, of_cell


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise RefusedError(otherwise)


def _object(value: object, otherwise: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise RefusedError(otherwise)
    return value


def _list(value: object, otherwise: str) -> list[Any]:
    if type(value) is not list:
        raise RefusedError(otherwise)
    return value


def _strip_notebook(
    content: object, notebook_keys: list[str], cell_keys: list[str], keep_id: bool
) -> None:
    notebook = _object(content, "it is no JSON object")
    version, minor = notebook.get("nbformat"), notebook.get("nbformat_minor", 0)
    _require(type(version) is int and version == 4, "it is not in nbformat 4")
    _require(type(minor) is int, "its minor version is no integer")
    metadata = _object(notebook.get("metadata"), "it has no metadata")
    cells = _list(notebook.get("cells"), "it has no list of cells")
    for key in ("orig_nbformat", "orig_nbformat_minor", "signature"):
        metadata.pop(key, None)
    keep_outputs = bool(metadata.get("keep_output"))
    for key in notebook_keys:
        _pop(metadata, key)
    for index, cell in enumerate(cells):
        try:
            _strip_cell(cell, cell_keys, keep_outputs)
        except RefusedError as error:
            raise RefusedError(f"{cell_label(cells, index)}: {error}") from error
    _strip_ids(cells, minor >= 5, keep_id)


def cell_label(cells: Sequence[object], index: int) -> str:
    """Return `code cell 3`, or `the text below code cell 3` for a cell of another type.

    Jupyter shows the same number beside a cell after a run from top to bottom.

    Args:
        cells: all cells in the JSON of a notebook, of any quality.
        index: the position of the cell, from 0.
    """
    is_code = [isinstance(cell, dict) and cell.get("cell_type") == "code" for cell in cells]
    number = sum(is_code[: index + 1])
    if is_code[index]:
        return f"code cell {number}"
    return f"the text below code cell {number}" if number else "the text at the top"


def _strip_cell(content: object, keys: list[str], keep_by_default: bool) -> None:
    cell = _object(content, "it is no JSON object")
    _require(cell.keys() <= _CELL_FIELDS, "it has unknown fields")
    kind = cell.get("cell_type")
    _require(kind in ("code", "markdown", "raw"), "it has an unknown type")
    metadata = _object(cell.get("metadata"), "it has no metadata")
    if kind == "code":
        _strip_outputs(cell, keeps_output(metadata, keep_by_default))
    else:
        _require("outputs" not in cell, "it is no code and has outputs")
        keeps_output(metadata, keep_by_default)
    if "execution_count" in cell:
        cell["execution_count"] = None
    if "source" in cell:
        cell["source"] = _joined(cell["source"]).splitlines(True)
    if "attachments" in cell:
        attachments = _object(cell["attachments"], "its attachments are no JSON object")
        for bundle in attachments.values():
            _split_bundle(bundle)
    if metadata:
        metadata.pop("trusted", None)
        for key in keys:
            _pop(metadata, key)


def _strip_ids(cells: list[dict[str, object]], required: bool, keep: bool) -> None:
    ids = [cell["id"] for cell in cells if "id" in cell]
    _require(all(type(name) is str for name in ids), "a cell's id is no string")
    if keep:
        complete = len(set(ids)) == len(cells)
        _require(complete or not required, "cells lack an id of their own")
        return
    for number, cell in enumerate(cells):
        if required or "id" in cell:
            cell["id"] = str(number)


def keeps_output(metadata: dict[str, Any], default: bool) -> bool:
    """Return whether the outputs of a cell are stored.

    Args:
        metadata: the cell's.
        default: whether the notebook's metadata keeps all outputs.

    Raises:
        RefusedError: the metadata are contradictory, or not in the format.
    """
    tags = metadata.get("tags", [])
    _require(type(tags) is list, "its tags are no list")
    if "init_cell" in metadata:
        return bool(metadata["init_cell"])
    if "keep_output" in metadata:
        by_metadata = bool(metadata["keep_output"])
        agreed = by_metadata or "keep_output" not in tags
        _require(agreed, "its metadata and tags disagree on keep_output")
        return by_metadata
    return default or "keep_output" in tags


def _strip_outputs(cell: dict[str, object], keep: bool) -> None:
    for output in _list(cell.get("outputs"), "it has no list of outputs"):
        _normalise_output(output, keep)
    if not keep:
        cell["outputs"] = []


def _normalise_output(content: object, keep: bool) -> None:
    output = _object(content, "an output is no JSON object")
    kind = output.get("output_type")
    if kind in _BUNDLE_OUTPUTS:
        data = _object(output.get("data", {}), "an output's data is no JSON object")
        if keep:
            _split_bundle(data)
    else:
        _require(kind in _TEXT_OUTPUTS, "an output has an unknown type")
        if type(output.get("text")) is list:
            output["text"] = _joined(output["text"])
        if keep and kind == "stream":
            output["text"] = _joined(output.get("text")).splitlines(True)
    if keep and "execution_count" in output:
        output["execution_count"] = None


def _split_bundle(content: object) -> None:
    """Write each text of a MIME bundle as nbformat does: as lines, other text in a piece."""
    bundle = _object(content, "a MIME bundle is no JSON object")
    for mime, value in bundle.items():
        is_json = mime.startswith("application/") and mime.endswith("+json")
        is_list = type(value) is list and mime != "application/json" and not is_json
        if is_list and all(type(line) is str for line in value):
            value = "".join(value)
        if type(value) is str and (mime.startswith("text/") or mime in _LINES_BESIDES_TEXT):
            value = value.splitlines(True)
        bundle[mime] = value


def _joined(text: object) -> str:
    if type(text) is list and all(type(line) is str for line in text):
        return "".join(text)
    _require(type(text) is str, "a text is neither a string nor a list of strings")
    return str(text)


def _pop(tree: object, key: str) -> None:
    """Delete a key like `a.b`: the literal name at any level wins, as in nbstripout."""
    while type(tree) is dict:
        if key in tree:
            del tree[key]
            return
        head, _, key = key.partition(".")
        tree = tree.get(head) if key else None
