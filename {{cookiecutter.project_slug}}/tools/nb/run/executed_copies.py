"""Executed copies that belong to `dvc.lock`: noted at the end of a run, shared by the storage.

A *note* says which result an executed copy shows: the hash of the entry in `dvc.lock`, that is of
command, parameters, inputs and outputs. `nb push` sends the copies that show the results of
`dvc.lock` and the records of the runs that made them; `nb pull` brings them. A copy is no output
of its stage: DVC would run the stage again for a deleted copy, and a duration that a notebook
prints would change `dvc.lock` in every commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nb.declaration.reader import read_lock, read_stages
from nb.declaration.tasks import RAN
from nb.execution.executed_copy import find_failure
from nb.pipeline.storage import NamedFiles, named_files
from nb.project import (
    EXECUTED,
    PYPROJECT,
    NbError,
    UsageError,
    parse_json,
    pyproject_table,
    read_pyproject,
    write_whole,
)

from .record import RUNS, RunRecord, StageRecord, read_record, seconds_of

COPY_NOTES = Path(".nb/executed")
COPY_SCHEMA = 1
# The folder of the storage; below it: notes by key, copies by hash, records of runs by id.
STORED_COPIES = "executed"
SETTING = "largest-executed-copy"
LARGEST_MB = 20
_HASH = re.compile(r"[0-9a-f]{64}")
_RUN = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
# Set where DVC keeps a file, and no part of what the file holds.
_SIZES = {"size", "nfiles", "hash"}


@dataclass(frozen=True, kw_only=True)
class CopyNote:
    """The result that an executed copy shows.

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
    """Note, after a run, which results the new executed copies show."""
    ran = {stage.name: stage for stage in done.stages if stage.state == RAN}
    is_plain = not done.stages and done.exit_code == 0  # `dvc repro` tells of no stage
    if not ran and not is_plain:
        return
    began = seconds_of(done.started)
    for name, path, key in _locked_copies(root):
        copy = root / path
        stage = ran.get(name)
        if not copy.is_file() or not (stage or (is_plain and copy.stat().st_mtime >= began)):
            continue
        write_whole(_note_file(root, path), _note(copy, key, done, stage).text())


def _note(copy: Path, key: str, done: RunRecord, stage: StageRecord | None) -> CopyNote:
    content = copy.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    run, ended = (done.id, stage.ended) if stage else ("", done.ended)
    return CopyNote(key=key, content=digest, size=len(content), run=run, ended=ended)


def push_copies(root: Path, tell: Callable[[str], None]) -> int:
    """Send the executed copies that show the results of `dvc.lock`; return the number sent.

    Args:
        root: the project's root.
        tell: called with a line about copies that are too large.

    Raises:
        NbError: if the storage cannot be used, or the setting is wrong.
    """
    limit = largest_copy(root)
    ours = {p: n for _, p, key in _locked_copies(root) if (n := _shown_result(root, p, key))}
    large = [path for path, note in ours.items() if limit and note.size > limit]
    if large:
        tell(f"not sent, larger than {limit // 1_000_000} MB ({SETTING}): {', '.join(large)}")
    ours = {path: note for path, note in ours.items() if note.size <= limit}
    if not ours:
        return 0
    with named_files(root, STORED_COPIES) as stored, TemporaryDirectory() as folder:
        return _send(root, stored, ours, Path(folder))


def _send(root: Path, stored: NamedFiles, ours: Mapping[str, CopyNote], folder: Path) -> int:
    """Send copies and records first, then the notes that name them."""
    there = stored.sizes()
    copies = {_copy_name(note): root / path for path, note in ours.items()}
    runs = {_run_name(note.run): root / RUNS / f"{note.run}.json" for note in ours.values()}
    files = {
        name: path
        for name, path in (copies | runs).items()
        if path.is_file() and there.get(name) != path.stat().st_size
    }
    stored.send(files)
    notes: dict[str, Path] = {}
    for number, note in enumerate(ours.values()):
        path = folder / str(number)
        path.write_text(note.text(), encoding="utf-8")
        notes[_note_name(note.key)] = path
    # A note may name another run of the same inputs: that of the last push is kept.
    old = _fetch_texts(stored, [name for name in notes if name in there], folder)
    stored.send({n: p for n, p in notes.items() if old.get(n) != p.read_bytes()})
    return len(copies.keys() & files.keys())


def pull_copies(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch the executed copies that show the results of `dvc.lock`; return the number fetched.

    A copy of another result is replaced. The copy of a failed run stays, as does each copy that the
    storage lacks.

    Args:
        root: the project's root.
        tell: called with a line about copies that stay, or are damaged in the storage.

    Raises:
        NbError: if the storage cannot be used, or the setting is wrong.
    """
    limit = largest_copy(root)
    wanted = {p: key for _, p, key in _locked_copies(root) if not _shown_result(root, p, key)}
    failed = [path for path in wanted if _is_failed(root / path)]
    if limit and failed:
        tell(f"kept as the failed run left them: {', '.join(failed)}")
    wanted = {path: key for path, key in wanted.items() if path not in failed}
    if not limit or not wanted:
        return 0
    with named_files(root, STORED_COPIES) as stored, TemporaryDirectory() as folder:
        there = stored.sizes()
        names = [name for key in wanted.values() if (name := _note_name(key)) in there]
        texts = _fetch_texts(stored, names, Path(folder))
        notes = {path: read_note_text(texts.get(_note_name(k))) for path, k in wanted.items()}
        chosen = {
            path: note
            for path, note in notes.items()
            if note and note.key == wanted[path] and there.get(_copy_name(note), limit + 1) <= limit
        }
        files = {_copy_name(note) for note in chosen.values()}
        files |= {name for note in chosen.values() if (name := _run_name(note.run)) in there}
        contents = _fetch_texts(stored, sorted(files), Path(folder))
    damaged = [path for path, note in chosen.items() if not _place(root, path, note, contents)]
    if damaged:
        tell(f"left out, damaged in the storage: {', '.join(damaged)}")
    return len(chosen) - len(damaged)


def keep_track(
    root: Path, done: RunRecord, tell: Callable[[str], None], *, pull: bool = False
) -> None:
    """Note the executed copies of a run that has ended; with `pull`, fetch those of others."""
    note_copies(root, done)
    if pull and not done.exit_code:
        bring_copies(root, tell)


def bring_copies(root: Path, tell: Callable[[str], None]) -> None:
    """Fetch executed copies after a run with `--pull`; trouble with the storage is but a line."""
    try:
        pull_copies(root, tell)
    except NbError as error:
        tell(f"executed copies were not fetched: {error}")


def largest_copy(root: Path) -> int:
    """Return the most bytes of an executed copy that is sent or fetched; 0 for none at all.

    Raises:
        NbError: if the setting in `pyproject.toml` is wrong (exit code 2).
    """
    table = pyproject_table(read_pyproject(root), "tool", "nb", "storage")
    value = table.get(SETTING, LARGEST_MB)
    others = sorted(table.keys() - {SETTING})
    if others:
        what = f"tool.nb.storage has no setting {others[0]}; known is {SETTING}"
        raise UsageError(f"{PYPROJECT}: {what}.")
    if type(value) is not int or value < 0:
        what = f"{SETTING} of tool.nb.storage must be a whole number of megabytes, or 0"
        raise UsageError(f"{PYPROJECT}: {what}.")
    return value * 1_000_000


def read_note_text(text: str | bytes | None) -> CopyNote | None:
    """Return the note in a text; None if the text is none of this version, or is damaged."""
    try:
        content = parse_json(text or "")
        if content["schema"] != COPY_SCHEMA:
            return None
        note = CopyNote(**content)
        hashes = all(_HASH.fullmatch(each) for each in (note.key, note.content))
        if note.ended is not None:
            seconds_of(note.ended)
        return note if hashes and (note.run == "" or _RUN.fullmatch(note.run)) else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _locked_copies(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the stages of `dvc.lock` that write an executed copy: name, copy, and key."""
    lock = read_lock(root)
    for stage in read_stages(root):
        path = stage.papermill.executed
        if stage.name in lock and path.startswith(f"{EXECUTED.as_posix()}/"):
            yield stage.name, path, result_key(lock[stage.name])


def _shown_result(root: Path, path: str, key: str) -> CopyNote | None:
    """Return the note of an executed copy that is here and shows a result; None otherwise."""
    with suppress(OSError):
        note = read_note_text(_note_file(root, path).read_bytes())
        content = (root / path).read_bytes() if note and note.key == key else b""
        if note and hashlib.sha256(content).hexdigest() == note.content:
            return note
    return None


def _is_failed(copy: Path) -> bool:
    try:
        return find_failure(parse_json(copy.read_bytes())) is not None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False


def _place(root: Path, path: str, note: CopyNote, contents: Mapping[str, bytes]) -> bool:
    """Put a fetched copy and the record of its run into place; return whether it was whole."""
    content = contents.get(_copy_name(note), b"")
    if hashlib.sha256(content).hexdigest() != note.content:
        return False
    record = contents.get(_run_name(note.run), b"")
    file = root / RUNS / f"{note.run}.json"
    known = read_record(record)
    if known and known.id == note.run and not file.exists():
        write_whole(file, record)
    write_whole(root / path, content)
    if note.ended:  # as if it had been made here: the report compares it with records
        moment = seconds_of(note.ended)
        os.utime(root / path, (moment, moment))
    write_whole(_note_file(root, path), note.text())
    return True


def _fetch_texts(stored: NamedFiles, names: list[str], folder: Path) -> dict[str, bytes]:
    """Return the contents of files in the storage by name."""
    with TemporaryDirectory(dir=folder) as drafts:
        paths = {name: Path(drafts, str(number)) for number, name in enumerate(names)}
        stored.fetch(paths)
        return {name: path.read_bytes() for name, path in paths.items()}


def _note_file(root: Path, path: str) -> Path:
    inner = Path(path).relative_to(EXECUTED)
    return root / COPY_NOTES / inner.with_suffix(".json")


def _note_name(key: str) -> str:
    return f"notes/{key[:2]}/{key}.json"


def _copy_name(note: CopyNote) -> str:
    return f"copies/{note.content[:2]}/{note.content}.ipynb"


def _run_name(run: str) -> str:
    return f"runs/{run}.json"
