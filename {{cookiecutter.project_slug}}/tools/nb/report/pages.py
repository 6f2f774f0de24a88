"""Rendering of an executed copy as an HTML page: cells by nbconvert, code folded."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from nb.declaration.reader import FILE, Stage, read_stages
from nb.execution import deferred_imports
from nb.execution.copies.failure import ERROR_MARK, INJECTED, first_line_of
from nb.notebook.content import load_json, parse_notebook, read_notebook_text
from nb.project import EXECUTED, SITE, NbError, parse_json, write_whole
from nb.secrets.mask import Mask

from .about import read_about
from .files import NOTES, Files
from .interactive.sections import Section, sections_of
from .outputs import Outputs, table_of_contents
from .rich.markdown import Text

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter
    from nbformat import NotebookNode

NOTE_SCHEMA = 2
HIDDEN_INPUT = {"hide-input", "hide_input"}
REMOVED_INPUT = {"remove-input", "remove_input"}
REMOVED_OUTPUT = {"remove-output", "remove_output"}
HIDDEN, SHOWN, LEFT_OUT = "hidden", "shown", "left out"
REMOVED_CELL = {"remove-cell", "remove_cell"}


@dataclass
class Note:
    """The record of a page: the facts for the index, which then reads no executed copy.

    Attributes:
        key: the hash of the page's sources; a page with another key is outdated.
        name: the path of the executed copy below the folder of copies, without suffix.
        title: the first heading of the notebook.
        error: the error that ended the notebook, in one line; empty after a success.
        cell: the number of the failed code cell, from 1, without the cell that papermill injects.
        traceback: the traceback, as HTML.
        figures: links to the figures, relative to the site.
        files: the files of the page, relative to the site.
        sections: the words of the page for the search.
        schema: the version of the format.
    """

    key: str
    name: str
    title: str
    error: str = ""
    cell: int | None = None
    traceback: str = ""
    figures: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    schema: int = NOTE_SCHEMA


@dataclass
class Rendered:
    """A notebook as HTML: cells, title, headings and error."""

    body: str
    title: str
    contents: list[tuple[int, str, str]]
    has_title: bool
    error: str = ""
    cell: int | None = None
    anchor: int | None = None


def name_of(root: Path, copy: Path) -> str:
    """Return the path of an executed copy below the folder of copies, without suffix."""
    return copy.relative_to(root / EXECUTED).with_suffix("").as_posix()


def stage_of(root: Path, copy: Path) -> Stage | None:
    """Return the stage that writes an executed copy.

    `dvc.lock` grows with each stage of a run and is read only for templates that DVC resolves.
    """
    path = copy.relative_to(root).as_posix()
    declared = _declared_by_copy(root, file_mark(root / FILE)).get(path)
    if declared and "${" not in repr((declared.name, *_artifacts(declared))):
        return declared
    return _by_copy(read_stages(root)).get(path)


@lru_cache(maxsize=1)
def _declared_by_copy(root: Path, _mark_of_file: tuple[int, ...]) -> dict[str, Stage]:
    return _by_copy(read_stages(root, with_lock=False))


def _by_copy(stages: Iterable[Stage]) -> dict[str, Stage]:
    return {stage.papermill.executed: stage for stage in reversed(list(stages))}


def file_mark(path: Path) -> tuple[int, ...]:
    """Return time and size of a file; nothing if there is none."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size


def _artifacts(stage: Stage) -> tuple[list[str], list[str]]:
    """Return the paths that a stage reads and writes, as a page lists them."""
    return sorted(a.path for a in stage.reads), sorted(a.path for a in stage.writes)


def write_page(root: Path, copy: Path, stage: Stage | None) -> Note:
    """Write the page of an executed copy, unless the page is up to date; return the record."""
    name = name_of(root, copy)
    note_file = root / NOTES / f"{name}.json"
    key = _key(root, copy, stage)
    known = read_note(note_file)
    if known and known.key == key and all((root / SITE / f).is_file() for f in known.files):
        return known
    note = _write_page(root, copy, stage, name, key)
    write_whole(note_file, json.dumps(asdict(note)))
    return note


def read_note(path: Path) -> Note | None:
    """Return the record of a page; None if there is none of this version of the format."""
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        return Note(**content) if content["schema"] == NOTE_SCHEMA else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _key(root: Path, copy: Path, stage: Stage | None) -> str:
    declared = stage and (stage.name, *_artifacts(stage))
    return key_of(file_mark(copy), declared, read_about(root))


def key_of(*sources: object) -> str:
    """Return the key of a page: a hash of the sources, and of the code that renders them."""
    return hashlib.sha256(repr((*sources, _version())).encode("utf-8", "replace")).hexdigest()


@cache
def _version() -> str:
    """Return a hash of the code and the templates: a page of other code is outdated."""
    own = sorted(path for path in Path(__file__).parent.rglob("*") if path.is_file())
    kept = [path for path in own if path.suffix != ".pyc"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in kept)).hexdigest()


def _write_page(root: Path, copy: Path, stage: Stage | None, name: str, key: str) -> Note:
    files = Files(root, f"notebooks/{name}.html")
    host = read_about(root).host
    notebook = stage.papermill.notebook if stage else ""
    source_page = host.file(notebook) if host and notebook else ""
    link = files.link(copy.relative_to(root).as_posix())
    outputs = Outputs(link, files, name)
    rendered, run = _rendered(copy, outputs, _source(root, stage))
    files.write_page(
        "page.html.j2",
        page=rendered,
        stage=stage,
        name=name,
        source=source_page,
        home=files.relative("index.html"),
        copy=link,
        parameters=_dict(run.get("parameters")),
        run=run,
    )
    figures = [
        posixpath.normpath(posixpath.join("notebooks", name, "..", href))
        for href in outputs.figures
    ]
    return Note(
        key,
        name,
        rendered.title,
        rendered.error,
        rendered.cell,
        outputs.error,
        figures,
        files.written,
        sections_of(rendered.body),
    )


def _rendered(
    copy: Path, outputs: Outputs, source: Path | None
) -> tuple[Rendered, dict[str, object]]:
    """Return an executed copy as HTML, and papermill's metadata of the run.

    The page of a copy that cannot be rendered says so, whatever the cause: other pages and the
    index must not suffer.
    """
    try:
        notebook = read_executed(copy)
        rendered = render(notebook, copy, outputs, source=source)
        return rendered, _dict(notebook.metadata.get("papermill"))
    except NbError as error:
        problem = str(error)
    except Exception as error:
        problem = first_line_of(f"{type(error).__name__}: {error}")
    return Rendered("", copy.stem, [], False, problem), {}


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _source(root: Path, stage: Stage | None) -> Path | None:
    notebook = stage.papermill.notebook if stage else ""
    return root / notebook if notebook else None


def read_executed(path: Path) -> NotebookNode:
    """Return a notebook with credentials masked: a copy by another engine is not masked yet.

    Raises:
        NbError: if the notebook cannot be read.
    """
    with deferred_imports.put_off():
        import nbformat

    try:
        text = read_notebook_text(path, lambda text: load_json(path, text) and text)
        notebook: NotebookNode = nbformat.reads(text, as_version=4)
        parse_notebook(path, notebook)
        notebook = nbformat.from_dict(Mask({}).tree(notebook))
    except Exception as error:  # nbformat raises errors of many types
        reason = first_line_of(str(error)).replace(str(path), "it")
        raise NbError(f"{path.name} cannot be shown: {reason}") from None
    return notebook


def render(
    notebook: NotebookNode,
    path: Path,
    outputs: Outputs,
    *,
    source: Path | None = None,
    code: str = HIDDEN,
) -> Rendered:
    """Render a notebook.

    Args:
        notebook: the notebook; the cells get annotations for the template.
        path: the path of the notebook.
        outputs: the renderer of outputs; collects headings and figures.
        source: the source notebook of an executed copy, the base of relative images.
        code: `HIDDEN` in a fold, `SHOWN` except in cells tagged hide-input, or `LEFT_OUT`.
    """
    error, cell, anchor = annotate_cells(notebook, code)
    body = render_cells(notebook, source or path, outputs)
    titles = [text for level, text, _ in outputs.headings if level == 1]
    return Rendered(
        body,
        titles[0] if titles else path.stem,
        table_of_contents(outputs.headings),
        bool(titles),
        error,
        cell,
        anchor,
    )


def render_cells(notebook: NotebookNode, path: Path, outputs: Outputs) -> str:
    """Return the cells of an annotated notebook as HTML.

    Args:
        notebook: the notebook.
        path: the base of relative images in the text.
        outputs: the renderer of outputs; collects headings and figures.
    """
    from nbconvert.exporters import TemplateExporter
    from nbconvert.filters import Highlight2HTML

    exporter = _exporter()
    language = notebook.metadata.get("language_info", {})
    lexer = language.get("pygments_lexer", language.get("name"))
    exporter.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer))
    exporter.register_filter("show_markdown", partial(_markdown, outputs, str(path.parent)))
    exporter.register_filter("show_output", outputs.output)
    outputs.read_widgets(notebook.metadata)
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    # HTMLExporter would parse the whole page once more, for templates of nbconvert.
    body, _ = TemplateExporter.from_notebook_node(exporter, notebook, resources=resources)
    return str(body)


def annotate_cells(notebook: NotebookNode, code: str) -> tuple[str, int | None, int | None]:
    """Annotate the cells for the template: numbers, folded code, cells to leave out.

    Returns:
        The first error; the number of the failed code cell in the source notebook, which lacks the
        cell that papermill injects; and the number in the copy, the anchor of the cell.
    """
    found: tuple[str, int | None, int | None] = ("", None, None)
    kept: list[NotebookNode] = []
    number = known = 0
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", ()))
        is_code = cell.cell_type == "code"
        number += is_code
        known += is_code and INJECTED not in tags
        if not is_code:
            if not tags & {*REMOVED_CELL, ERROR_MARK}:
                kept.append(cell)
            continue
        errors = [output for output in cell.outputs if output.output_type == "error"]
        label = "Parameters of this run" if INJECTED in tags else f"Code cell {known}"
        if errors and not found[0]:
            error = errors[0]
            found = (first_line_of(f"{error.ename}: {error.evalue}"), known, number)
        if tags & REMOVED_OUTPUT:
            cell.outputs = []
        cell.metadata["transient"] = {"remove_source": _leaves_out(tags, code) and not errors}
        is_open = code == SHOWN or bool(errors)
        cell.metadata["nb"] = {"number": number, "label": label, "open": is_open}
        if not tags & REMOVED_CELL and (cell.source.strip() or cell.outputs):
            kept.append(cell)
    notebook.cells = kept
    return found


def _leaves_out(tags: set[str], code: str) -> bool:
    return (
        bool(tags & REMOVED_INPUT)
        or code == LEFT_OUT
        or (code == SHOWN and bool(tags & HIDDEN_INPUT))
    )


@cache
def _exporter() -> HTMLExporter:
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(
        extra_template_basedirs=[str(Path(__file__).parent)],
        template_name="cells",
        optimistic_validation=True,  # once, and not after each of a dozen preprocessors
    )
    exporter.register_filter("focusable", lambda html: html.replace("<pre", '<pre tabindex="0"'))
    return exporter


def _markdown(outputs: Outputs, path: str, source: str, attachments: Mapping[str, object]) -> str:
    return outputs.markdown(Text(source, path, attachments))
