"""Notes on executed copies, `.nb/executed/*.json`: the result of `dvc.lock` that a copy shows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nb.declaration.reader import read_lock, read_stages
from nb.declaration.tasks import RAN
from nb.project import EXECUTED, write_whole
from nb.typed_json import read_versioned

from .record import RunRecord, seconds_of

COPY_NOTES = Path(".nb/executed")
COPY_SCHEMA = 1
_HASH = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
# Facts of a file in `dvc.lock` that depend on where DVC keeps the file.
_SIZES = {"size", "nfiles", "hash"}


@dataclass(frozen=True, kw_only=True)
class CopyNote:
    """Note on an executed copy: the result that the copy shows.

    Attributes:
        key: the hash of the entry in `dvc.lock`.
        content: the SHA-256 of the copy.
        size: the size of the copy in bytes.
        run: the id of the run that made the copy; empty if the run wrote no record of the stage.
        ended: the end of the stage, UTC.
        schema: the version of the format.
    """

    key: str
    content: str
    size: int
    run: str = ""
    ended: str | None = None
    schema: int = COPY_SCHEMA

    def text(self) -> str:
        """Return the note as JSON."""
        return json.dumps(asdict(self), indent=2) + "\n"


def result_key(entry: Mapping[str, Any]) -> str:
    """Return the hash of an entry of `dvc.lock`: equal for equal results of equal inputs."""
    files = {
        kind: [{k: v for k, v in file.items() if k not in _SIZES} for file in entry.get(kind) or []]
        for kind in ("deps", "outs")
    }
    values = {"cmd": entry.get("cmd"), "params": entry.get("params") or {}}
    text = json.dumps({**files, **values}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def note_copies(root: Path, done: RunRecord) -> None:
    """Note the results that the executed copies of a run show, after the run."""
    ran = {stage.name: stage for stage in done.stages if stage.state == RAN and stage.executed}
    is_plain = not done.stages and done.exit_code == 0  # `dvc repro` tells of no stage
    if not ran and not is_plain:  # nor an executed copy
        return
    began = seconds_of(done.started)
    for name, path, key in locked_copies(root):
        copy = root / path
        stage = ran.get(name)
        if not copy.is_file() or not (stage or (is_plain and copy.stat().st_mtime >= began)):
            continue
        run, ended = (done.id, stage.ended) if stage else ("", done.ended)
        _write_note(root, path, key, run, ended)


def note_foreign_copies(root: Path, ended: Mapping[str, str | None]) -> None:
    """Note the results that executed copies of another project, such as a variant, show here.

    Args:
        root: the project's root, whose `dvc.lock` has the results.
        ended: the end of each stage, by the path of the copy.
    """
    for _, path, key in locked_copies(root):
        if path in ended:
            _write_note(root, path, key, "", ended[path])


def _write_note(root: Path, path: str, key: str, run: str, ended: str | None) -> None:
    content = (root / path).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    note = CopyNote(key=key, content=digest, size=len(content), run=run, ended=ended)
    write_whole(note_file(root, path), note.text())


def parse_note(text: str | bytes | None) -> CopyNote | None:
    """Return the note in a text; None if the text is none of this version, or is damaged."""
    note = read_versioned(CopyNote, text or "", COPY_SCHEMA)
    if note is None or not all(map(_HASH.fullmatch, (note.key, note.content))):
        return None
    with suppress(ValueError):
        if note.ended is not None:
            seconds_of(note.ended)
        return note if note.run == "" or _RUN.fullmatch(note.run) else None
    return None


def locked_copies(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the stages of `dvc.lock` that write an executed copy: name, copy, and key."""
    lock = read_lock(root)
    for stage in read_stages(root):
        path = stage.papermill.executed
        if stage.name in lock and path.startswith(f"{EXECUTED.as_posix()}/"):
            yield stage.name, path, result_key(lock[stage.name])


def valid_note(root: Path, path: str, key: str) -> CopyNote | None:
    """Return the note of an executed copy that is here and shows a result; None otherwise."""
    with suppress(OSError):
        note = parse_note(note_file(root, path).read_bytes())
        content = (root / path).read_bytes() if note and note.key == key else b""
        if note and hashlib.sha256(content).hexdigest() == note.content:
            return note
    return None


def note_file(root: Path, path: str) -> Path:
    """Return the file of the note on an executed copy."""
    inner = Path(path).relative_to(EXECUTED)
    return root / COPY_NOTES / inner.with_suffix(".json")
