"""Executed copies in the storage of the project: sent by `nb push`, fetched by `nb pull`.

Sent are the copies that show the results of `dvc.lock`, and the records of the runs that made them.
A copy is no output of a stage: DVC would run the stage again for a deleted copy, and a duration
that a notebook prints would change `dvc.lock` in every commit.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from nb.execution.copies.failure import read_failure
from nb.notebook import fingerprints
from nb.pipeline.storage import NamedFiles, named_files, pull_results
from nb.project import PYPROJECT, NbError, UsageError, read_pyproject, tool_settings, write_whole
from nb.wording import byte_size

from .copy_notes import CopyNote, locked_copies, note_copies, note_file, parse_note, valid_note
from .record import RUNS, RunRecord, read_record, seconds_of

# The folder in the storage, with notes by key, copies by hash, and records of runs by id.
STORED_COPIES = "executed"
_TABLE, SETTING = "tool.nb.storage", "largest-executed-copy"
LARGEST_MB = 20


def push_copies(root: Path, tell: Callable[[str], None]) -> int:
    """Send the executed copies that show the results of `dvc.lock`; return the number sent.

    Args:
        tell: called with a line about copies that are too large.

    Raises:
        NbError: if the storage cannot be used, or the setting is wrong.
    """
    limit = copy_size_limit(root)
    ours = {p: n for _, p, key in locked_copies(root) if (n := valid_note(root, p, key))}
    large = [path for path, note in ours.items() if limit and note.size > limit]
    if large:
        tell(f"not sent, larger than {byte_size(limit)} ({SETTING}): {', '.join(large)}")
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


def pull_results_and_copies(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch the results in `dvc.lock` with the executed copies; return the number of files.

    Raises:
        NbError: if the storage cannot be used or lacks results, or a local file would be lost.
    """
    fingerprints.refresh(root)
    return pull_results(root, tell) + pull_copies(root, tell)


def pull_copies(root: Path, tell: Callable[[str], None]) -> int:
    """Fetch the executed copies that show the results of `dvc.lock`; return the number fetched.

    A copy of another result is replaced. The copy of a failed run stays, as does each copy that the
    storage lacks.

    Args:
        tell: called with a line about copies that stay, or are damaged in the storage.

    Raises:
        NbError: if the storage cannot be used, or the setting is wrong.
    """
    limit = copy_size_limit(root)
    wanted = {p: key for _, p, key in locked_copies(root) if not valid_note(root, p, key)}
    failed = [path for path in wanted if read_failure(root / path)]
    if limit and failed:
        tell(f"kept as the failed run left them: {', '.join(failed)}")
    wanted = {path: key for path, key in wanted.items() if path not in failed}
    if not limit or not wanted:
        return 0
    with named_files(root, STORED_COPIES) as stored, TemporaryDirectory() as folder:
        there = stored.sizes()
        names = [name for key in wanted.values() if (name := _note_name(key)) in there]
        texts = _fetch_texts(stored, names, Path(folder))
        notes = {path: parse_note(texts.get(_note_name(k))) for path, k in wanted.items()}
        chosen = {
            path: note
            for path, note in notes.items()
            if note and note.key == wanted[path] and there.get(_copy_name(note), limit + 1) <= limit
        }
        files = {_copy_name(note) for note in chosen.values()}
        files |= {name for note in chosen.values() if (name := _run_name(note.run)) in there}
        contents = _fetch_texts(stored, sorted(files), Path(folder))
    damaged = [
        path for path, note in chosen.items() if not _put_in_place(root, path, note, contents)
    ]
    if damaged:
        tell(f"left out, damaged in the storage: {', '.join(damaged)}")
    return len(chosen) - len(damaged)


def note_and_pull_copies(
    root: Path, done: RunRecord, tell: Callable[[str], None], *, pull: bool = False
) -> None:
    """Note the executed copies of a run that has ended; with `pull`, fetch those of others."""
    note_copies(root, done)
    if pull and not done.exit_code:
        try_to_pull_copies(root, tell)


def try_to_pull_copies(root: Path, tell: Callable[[str], None]) -> None:
    """Fetch executed copies after a run with `--pull`; an error of the storage is only a line."""
    try:
        pull_copies(root, tell)
    except NbError as error:
        tell(f"executed copies were not fetched: {error}")


def copy_size_limit(root: Path) -> int:
    """Return the most bytes of an executed copy that is sent or fetched; 0 for none at all.

    Raises:
        NbError: if the setting in `pyproject.toml` is wrong (exit code 2).
    """
    value = tool_settings(read_pyproject(root), _TABLE, [SETTING]).get(SETTING, LARGEST_MB)
    if type(value) is not int or value < 0:
        what = f"{SETTING} of {_TABLE} must be a whole number of megabytes, or 0"
        raise UsageError(f"{PYPROJECT}: {what}.")
    return value * 1_000_000


def _put_in_place(root: Path, path: str, note: CopyNote, contents: Mapping[str, bytes]) -> bool:
    """Put a fetched copy and the record of the run into place; return whether the copy is whole."""
    content = contents.get(_copy_name(note), b"")
    if hashlib.sha256(content).hexdigest() != note.content:
        return False
    record = contents.get(_run_name(note.run), b"")
    file = root / RUNS / f"{note.run}.json"
    known = read_record(record)
    if known and known.id == note.run and not file.exists():
        write_whole(file, record)
    write_whole(root / path, content)
    if note.ended:  # as if made here: the report compares the time with records
        moment = seconds_of(note.ended)
        os.utime(root / path, (moment, moment))
    write_whole(note_file(root, path), note.text())
    return True


def _fetch_texts(stored: NamedFiles, names: list[str], folder: Path) -> dict[str, bytes]:
    """Return the contents of files in the storage by name."""
    with TemporaryDirectory(dir=folder) as drafts:
        paths = {name: Path(drafts, str(number)) for number, name in enumerate(names)}
        stored.fetch(paths)
        return {name: path.read_bytes() for name, path in paths.items()}


def _note_name(key: str) -> str:
    return f"notes/{key[:2]}/{key}.json"


def _copy_name(note: CopyNote) -> str:
    return f"copies/{note.content[:2]}/{note.content}.ipynb"


def _run_name(run: str) -> str:
    return f"runs/{run}.json"
