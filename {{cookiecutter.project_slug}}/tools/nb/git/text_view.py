"""Text view of notebooks for diffs, such as `git diff`: cells as a person reads them, no outputs.

Only the standard library is used, from Python 3.8 on: Git starts a process for each version of each
notebook in a diff.
"""

from __future__ import annotations

import json
import os
import sys
from zlib import crc32

from nb.notebook.strip import NotJsonError, RefusedError, strip
from nb.printable import VISIBLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def text_view(data: bytes) -> bytes:
    """Show a notebook's kernel, metadata and cells; return data of any other kind unchanged.

    The header of a cell names the tags and, for all cells but code, the type. Numbers and ids are
    left out, so an inserted cell changes the text of no other cell. Other metadata, attachments and
    kept outputs have a line each, so that their changes have a diff.

    Args:
        data: the notebook file, of any quality: a diff must always work.
    """
    try:
        notebook = json.loads(_stored(data).decode("utf-8"))
        parts = [_cell(cell) for cell in notebook["cells"]]
        head = _head(notebook)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return data
    if head:
        parts.insert(0, "\n".join(head))
    shown = "\n\n".join(parts).replace("\r\n", "\n").translate(VISIBLE)
    return (shown + "\n").encode("utf-8", "backslashreplace")


def readable_text(name: str, data: bytes) -> str:
    """Return the content of a file as text, that of a notebook as text view."""
    return (text_view(data) if name.endswith(".ipynb") else data).decode("utf-8", "replace")


def readable_diff(name: str, before: bytes | None, after: bytes) -> str:
    """Return the change of a file as a unified diff, that of a notebook as text; None: new."""
    import difflib  # here, so that each `git add` starts sooner

    old, new = (
        readable_text(name, side or b"").splitlines(keepends=True) for side in (before, after)
    )
    source = "/dev/null" if before is None else f"a/{name}"
    return "".join(difflib.unified_diff(old, new, source, f"b/{name}"))


def is_text_view(data: bytes) -> bool:
    """Return whether data can be a text view: `git blame` sends such through the filter."""
    heads = (b"# format: ", b"# kernel: ", b"# metadata: ", b"# %%")
    return data.startswith(heads) or not data.strip()


def _stored(data: bytes) -> bytes:
    """Return the notebook in the form that Git stores; the file may hold more."""
    try:
        return strip(data)
    except (NotJsonError, RefusedError):
        return data


def _head(notebook: dict[str, Any]) -> list[str]:
    """Return lines for an unusual format, for the kernel and for other metadata."""
    metadata = notebook["metadata"]
    version = f"{notebook.get('nbformat')}.{notebook.get('nbformat_minor')}"
    kernel = dict(metadata.get("kernelspec", {}))
    name = kernel.pop("name", None)
    kernel.pop("display_name", None)  # the filter derives that from the name
    more = f" {json.dumps(kernel, ensure_ascii=False, sort_keys=True)}" if kernel else ""
    return [
        *([f"# format: {version}"] if version != "4.5" else []),
        *([f"# kernel: {name}{more}"] if name or more else []),
        *_metadata(metadata, but="kernelspec"),
    ]


def _metadata(metadata: dict[str, object], *, but: str) -> list[str]:
    """Return a line for each key except `but`, which is shown otherwise."""
    return [
        f"# metadata: {key}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}"
        for key, value in sorted(metadata.items())
        if key != but
    ]


def _cell(cell: dict[str, Any]) -> str:
    kind = cell["cell_type"]
    header = "# %%" if kind == "code" else f"# %% [{kind}]"
    tags = cell["metadata"].get("tags")
    if tags:
        header += f" tags: {', '.join(tags)}"
    source = cell["source"]
    body = source if isinstance(source, str) else "".join(source)
    more = [*_metadata(cell["metadata"], but="tags"), *_attachments(cell), *_outputs(cell)]
    return "\n".join([header, *more, *([body] if body else [])])


def _attachments(cell: dict[str, Any]) -> list[str]:
    """Return a line for each attached file, so that a diff shows a replaced image."""
    return [
        f"# attachment: {name} ({mime}, {_size(content)})"
        for name, bundle in cell.get("attachments", {}).items()
        for mime, content in bundle.items()
    ]


def _outputs(cell: dict[str, Any]) -> list[str]:
    """Return a line for each output that Git stores."""
    return [
        f"# kept output: {output['output_type']} ({_size(json.dumps(output, sort_keys=True))})"
        for output in cell.get("outputs", [])
    ]


def _size(content: str | list[str]) -> str:
    """Return the length of a text and a checksum: another image may be as long."""
    whole = "".join(content)
    return f"{len(whole)} characters, {crc32(whole.encode('utf-8', 'backslashreplace')):08x}"


def main(arguments: list[str]) -> int:
    """Show the notebook on stdin; return the exit code."""
    try:
        sys.stdout.buffer.write(text_view(sys.stdin.buffer.read()))
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads on. The usual exit would flush into the closed pipe and complain.
        os._exit(1)
    return 0
