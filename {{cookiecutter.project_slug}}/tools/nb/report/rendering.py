"""Rendering of a notebook as HTML: cells by nbconvert, code folded or left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from nb.execution import deferred_imports
from nb.execution.copies.failure import ERROR_MARK, INJECTED, first_line_of
from nb.notebook.content import load_json, parse_notebook, read_notebook_text
from nb.project import NbError
from nb.secrets.mask import Mask

from .files import compiled_templates
from .rich.markdown import MarkdownText
from .rich.outputs import Outputs, table_of_contents

if TYPE_CHECKING:
    from nbconvert.exporters import HTMLExporter
    from nbformat import NotebookNode

HIDDEN_INPUT = {"hide-input", "hide_input"}
REMOVED_INPUT = {"remove-input", "remove_input"}
REMOVED_OUTPUT = {"remove-output", "remove_output"}
HIDDEN, SHOWN, LEFT_OUT = "hidden", "shown", "left out"
REMOVED_CELL = {"remove-cell", "remove_cell"}


@dataclass
class RenderedNotebook:
    """A notebook as HTML: cells, title, headings and error."""

    body: str
    title: str
    contents: list[tuple[int, str, str]]
    has_title: bool
    error: str = ""
    cell: int | None = None
    anchor: int | None = None


def read_executed(path: Path) -> NotebookNode:
    """Return a notebook with credentials masked: a copy by another engine is not masked yet.

    Raises:
        NbError: if the notebook cannot be read.
    """
    with deferred_imports.defer_slow_imports():
        import nbformat

    try:
        text = read_notebook_text(path, lambda text: load_json(path, text) and text)
        notebook: NotebookNode = nbformat.reads(text, as_version=4)
        parse_notebook(path, notebook)
        notebook = nbformat.from_dict(Mask({}).tree(notebook))
    except Exception as error:  # nbformat raises errors of many types
        reason = first_line_of(str(error)).removeprefix(f"{path}: ").replace(str(path), "it")
        raise NbError(f"{path.name} cannot be shown: {reason}") from None
    return notebook


def require_valid(path: Path) -> None:
    """Refuse a notebook that the schema of nbformat does not allow.

    Raises:
        NbError: with the first fault.
    """
    import nbformat

    try:
        nbformat.validate(read_executed(path), relax_add_props=True)
    except nbformat.ValidationError as error:
        reason = first_line_of(str(error))
        raise NbError(f"{path.name} cannot be shown, it is no valid notebook: {reason}") from None


def render(
    notebook: NotebookNode,
    path: Path,
    outputs: Outputs,
    *,
    source: Path | None = None,
    code: str = HIDDEN,
) -> RenderedNotebook:
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
    return RenderedNotebook(
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
    exporter.environment.bytecode_cache = compiled_templates()
    exporter.register_filter("focusable", lambda html: html.replace("<pre", '<pre tabindex="0"'))
    return exporter


def _markdown(outputs: Outputs, path: str, source: str, attachments: Mapping[str, object]) -> str:
    return outputs.markdown(MarkdownText(source, path, attachments))
