"""Export of a notebook as a document: HTML, PDF, slides, script, or Markdown with its figures.

HTML and slides are self-contained. Outputs are rendered as on the pages of the site, but for
interactive figures: no script of a notebook runs in a document, which shows their picture.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nb.notebook.content import find_notebook
from nb.project import EXECUTED, SITE, NbError, UsageError, write_whole

from . import rendering
from .files import PageFiles, filled_template
from .rich.outputs import Outputs

if TYPE_CHECKING:
    from nbformat import NotebookNode

DOCUMENTS = Path("reports/documents")
SUFFIXES = {"html": "html", "pdf": "pdf", "slides": "slides.html", "markdown": "md", "script": "py"}
BROWSERS = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "microsoft-edge", "msedge"),
)
BROWSER_PATHS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
PDF_SECONDS = 120
# Of the page's own clock, which runs faster, for figures that scripts draw.
DRAWING_MILLISECONDS = 10_000


def find_executed(root: Path, name: str, kind: str) -> Path:
    """Return the notebook to export.

    A name means the executed copy, which has the outputs; for a script, and without a copy, the
    production notebook.

    Args:
        name: a name, or a path.
        kind: html, pdf, slides, markdown or script.

    Raises:
        NbError: if there is no such notebook (exit code 2).
    """
    copy = root / EXECUTED / f"{name}.ipynb" if "." not in name else None
    if copy and copy.is_file() and kind != "script":
        return copy
    try:
        return find_notebook(root, name)
    except NbError:
        if copy and copy.is_file():
            return copy
        raise


def export_document(path: Path, kind: str, target: Path, *, no_input: bool) -> bool:
    """Write a document; return whether the notebook has outputs to show, or needs none.

    A document without outputs begins with a sentence that says so.

    Args:
        kind: html, pdf, slides, markdown or script.
        target: the file to write.
        no_input: leave out all code. Otherwise cells tagged hide-input or remove-input are shown
            without code, and cells tagged remove-cell are left out.

    Raises:
        NbError: if the notebook cannot be read, or a PDF lacks a browser to print with.
    """
    if kind == "script" and no_input:
        raise UsageError("a script without its input is empty; leave out --no-input.")
    try:
        return _write_document(path, kind, target, no_input=no_input)
    except (NbError, OSError):
        raise
    except Exception:  # nbconvert takes each notebook for a valid notebook
        rendering.require_valid(path)
        raise


def _write_document(path: Path, kind: str, target: Path, *, no_input: bool) -> bool:
    code = rendering.LEFT_OUT if no_input else rendering.SHOWN
    notebook = rendering.read_executed(path)
    is_complete = kind == "script" or _has_outputs(notebook)
    if not is_complete:
        _tell_of_missing_outputs(notebook, path)
    if kind == "script":
        _comment_raw_cells(notebook)
    if kind in ("markdown", "script"):
        _convert(notebook, kind, target, no_input=no_input)
    elif kind == "slides":
        write_whole(target, _slides(notebook, path, code).encode("utf-8", "replace"))
    elif kind == "pdf":
        _print_document(notebook, path, code, target)
    else:
        page = _document(notebook, path, code, Outputs(""))
        write_whole(target, page.encode("utf-8", "replace"))
    return is_complete


def _has_outputs(notebook: NotebookNode) -> bool:
    """Return whether a notebook has an output, or no code that could have any."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return not code or any(cell.outputs for cell in code)


def _tell_of_missing_outputs(notebook: NotebookNode, path: Path) -> None:
    from nbformat.v4 import new_markdown_cell

    note = f"**`{path.name}` is shown without outputs: there is no executed copy.**"
    notebook.cells.insert(0, new_markdown_cell(note))


def _document(notebook: NotebookNode, path: Path, code: str, outputs: Outputs) -> str:
    page = rendering.render(notebook, path, outputs, code=code)
    return filled_template("document.html.j2", page=page, project=path.stem)


def _slides(notebook: NotebookNode, path: Path, code: str) -> str:
    outputs = Outputs("")
    bodies = []
    rendering.annotate_cells(notebook, code)
    for cells in _divide(notebook.cells):
        notebook.cells = cells
        bodies.append(rendering.render_cells(notebook, path, outputs))
    title = outputs.headings[0][1] if outputs.headings else path.stem
    return filled_template("slides.html.j2", slides=list(filter(str.strip, bodies)), title=title)


def _divide(cells: list[NotebookNode]) -> Iterator[list[NotebookNode]]:
    """Yield the cells of each slide, by Jupyter's slide types or else by headings."""
    types = [cell.metadata.get("slideshow", {}).get("slide_type", "") for cell in cells]
    typed = any(kind in ("slide", "subslide") for kind in types)
    slide: list[NotebookNode] = []
    for cell, kind in zip(cells, types, strict=True):
        heading = cell.cell_type == "markdown" and cell.source.lstrip().startswith(("# ", "## "))
        if kind in ("skip", "notes"):
            continue
        if slide and (kind in ("slide", "subslide") if typed else heading):
            yield slide
            slide = []
        slide.append(cell)
    if slide:
        yield slide


def _convert(notebook: NotebookNode, kind: str, target: Path, *, no_input: bool) -> None:
    """Write a script, or Markdown with a folder of figures beside the file."""
    import nbconvert
    from traitlets.config import Config

    config = Config()
    config.TagRemovePreprocessor.enabled = True
    config.TagRemovePreprocessor.remove_cell_tags = rendering.REMOVED_CELL
    config.TagRemovePreprocessor.remove_all_outputs_tags = rendering.REMOVED_OUTPUT
    if kind == "markdown":
        hidden = rendering.REMOVED_INPUT | rendering.HIDDEN_INPUT
        config.TagRemovePreprocessor.remove_input_tags = hidden
    config.TemplateExporter.exclude_input = no_input
    maker = nbconvert.MarkdownExporter if kind == "markdown" else nbconvert.PythonExporter
    folder = f"{target.stem}_files"
    resources = {"output_files_dir": folder, "unique_key": target.stem}
    text, found = maker(config=config).from_notebook_node(notebook, resources=resources)
    for name, content in found.get("outputs", {}).items():
        write_whole(target.parent / name, content)
    write_whole(target, text.encode("utf-8", "replace"))


def _comment_raw_cells(notebook: NotebookNode) -> None:
    """Make comments of raw cells, such as the front matter of nbdev and Quarto: no Python."""
    for cell in notebook.cells:
        if cell.cell_type == "raw":
            cell.source = "\n".join(f"# {line}".rstrip() for line in cell.source.split("\n"))


def find_browser() -> str | None:
    """Return a browser of the Chromium family; None if there is none."""
    names = (shutil.which(name) for name in BROWSERS)
    paths = (path for path in BROWSER_PATHS if Path(path).is_file())
    return next((name for name in names if name), next(paths, None))


def _print_document(notebook: NotebookNode, path: Path, code: str, target: Path) -> None:
    """Write a PDF; interactive figures are drawn in frames, and then printed as they are."""
    with tempfile.TemporaryDirectory(prefix="nb-pdf-") as folder:
        files = PageFiles(Path(folder), "document.html")
        html = _document(notebook, path, code, Outputs("", files, "output"))
        # Nobody scrolls to a frame on paper.
        files.save("document.html", html.replace(' loading="lazy"', "").encode("utf-8", "replace"))
        _print(Path(folder) / SITE / "document.html", target)


def _print(page: Path, target: Path) -> None:
    browser = find_browser()
    if not browser:
        raise NbError(
            "a PDF needs Chromium, Chrome or Edge, and none was found; install one, or make"
            " --to html and print that from any browser."
        )
    made = page.with_suffix(".pdf")
    # Chromium refuses its sandbox to root, as in containers; scripts of notebooks do not reach out.
    is_root = sys.platform != "win32" and os.geteuid() == 0
    command = [
        *(browser, "--headless", "--disable-gpu", *(["--no-sandbox"] if is_root else [])),
        *(f"--user-data-dir={page.parent / 'profile'}", "--no-pdf-header-footer"),
        *(f"--virtual-time-budget={DRAWING_MILLISECONDS}", f"--print-to-pdf={made}", page.as_uri()),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PDF_SECONDS)
    except subprocess.TimeoutExpired:
        raise NbError(f"{browser} made no PDF in {PDF_SECONDS} s; try --to html.") from None
    if not made.is_file():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NbError(f"{browser} made no PDF: {last}")
    write_whole(target, made.read_bytes())
