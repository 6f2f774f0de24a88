"""Pages of executed copies, each with a record for the index; outdated pages are written anew."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from nb.declaration.reader import FILE, Stage, read_stages
from nb.execution.copies.failure import first_line_of
from nb.project import EXECUTED, SITE, NbError, write_whole
from nb.typed_json import read_versioned

from .about import read_about
from .files import NOTES, PageFiles
from .interactive.sections import Section, sections_of
from .rendering import RenderedNotebook, read_executed, render
from .rich.outputs import Outputs

NOTE_SCHEMA = 2


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
        return read_versioned(Note, path.read_bytes(), NOTE_SCHEMA)
    except OSError:
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
    kept = [path for path in own if "__pycache__" not in path.parts]
    return hashlib.sha256(b"".join(path.read_bytes() for path in kept)).hexdigest()


def _write_page(root: Path, copy: Path, stage: Stage | None, name: str, key: str) -> Note:
    files = PageFiles(root, f"notebooks/{name}.html")
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
) -> tuple[RenderedNotebook, dict[str, object]]:
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
    return RenderedNotebook("", copy.stem, [], False, problem), {}


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _source(root: Path, stage: Stage | None) -> Path | None:
    notebook = stage.papermill.notebook if stage else ""
    return root / notebook if notebook else None
