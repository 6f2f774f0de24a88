"""Application of a variant: values and results become those of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from nb import pipeline
from nb.git.index import uncommitted
from nb.locks import edit_lock
from nb.notebook.config import read_config, set_value
from nb.project import NbError
from nb.run.copy_notes import note_foreign_copies
from nb.run.what_if import Setting, SettingReader
from nb.surroundings import find_repository
from nb.wording import value_text

from . import store
from .values import public_value


def apply_variant(root: Path, number: int, tell: Callable[[str], None]) -> Iterator[str]:
    """Write the values of a variant to `config/`, take the results, and yield each change.

    Args:
        tell: called with a line while another process holds DVC's lock.

    Raises:
        NbError: if the variant did not end well, or a file to change differs from the last commit.
    """
    record = store.find_variant(root, number)
    if record.state != store.FINISHED:
        raise NbError(f"variant {number} is {record.state}, and has no results to apply")
    reader = SettingReader(root)
    settings = [
        setting
        for parameter, value in record.settings.items()
        for setting in reader.resolve(parameter, value, parameter)
    ]
    copy = store.variant_copy(root, number)
    names = [stage.name for stage in record.stages]
    configs = dict.fromkeys(setting.config for setting in settings)
    _require_committed(root, [*configs, *pipeline.plain_outputs(copy, names), "dvc.lock"])
    with edit_lock(root):
        for setting in settings:
            before = read_config(root / setting.config).get(setting.name)
            if set_value(root / setting.config, setting.name, setting.value):
                yield f"{setting.config}: {_change(setting, before)}"
        pipeline.take_results(copy, root, names, tell)
    taken = store.copy_executed(record.stages, copy, root)
    note_foreign_copies(root, {stage.executed: stage.ended for stage in taken})
    if names:
        yield f"results of {', '.join(names)}"
    if pipeline.inputs_hash(root) != pipeline.inputs_hash(copy):
        yield "code, data or other parameters have changed since: nb run computes what is stale"


def _change(setting: Setting, before: object) -> str:
    """Return a parameter with the new and the old value, without secrets."""
    now, was = (value_text(public_value(setting.name, value)) for value in (setting.value, before))
    return f"{setting.name} = {now} (was {was})"


def _require_committed(root: Path, paths: list[str]) -> None:
    """Raise if a file differs from the last commit: its content would be nowhere else.

    Without Git there is no commit to go back to; the old values are said.
    """
    if find_repository(root) and (changed := uncommitted(root, *paths)):
        files = ", ".join(sorted(changed))
        raise NbError(f"{files}: changed since the last commit; commit or git stash, then again")
