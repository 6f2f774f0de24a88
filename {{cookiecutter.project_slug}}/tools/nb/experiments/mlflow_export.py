"""Export to MLflow: finished variants as runs, once each, with parameters, metrics, figures.

MLflow is no part of the project's environment: the export asks for the package `mlflow-skinny`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nb.declaration.reader import read_stages
from nb.project import NbError, one_line

from . import store
from .store import FIGURE_SUFFIXES, VariantRecord
from .table import flat_metrics
from .values import public_parameters

if TYPE_CHECKING:
    from mlflow import MlflowClient

# MLflow refuses longer values, and more values in a single request.
LONGEST_VALUE = 6000
MOST_PARAMETERS = 100
MOST_METRICS = 1000
IDENTITY = "nb.variant"


def export_variants(
    root: Path, records: Sequence[VariantRecord], uri: str
) -> Iterator[tuple[VariantRecord, bool]]:
    """Log the finished variants; yield each with True, or with False for a variant logged before.

    Args:
        uri: the tracking server, or a folder, as MLflow takes them.

    Raises:
        NbError: if MLflow is not installed, or cannot be reached.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        hint = "uv add --group trackers mlflow-skinny, or pip install mlflow-skinny"
        raise NbError(f"there is no MLflow in this environment: {hint}") from None
    client = MlflowClient(tracking_uri=uri)
    figures = [a.path for stage in read_stages(root) for a in stage.writes]
    figures = [path for path in dict.fromkeys(figures) if path.lower().endswith(FIGURE_SUFFIXES)]
    try:
        for record in records:
            if record.state == store.FINISHED:
                yield record, _log(client, root, record, figures)
    except (MlflowException, OSError) as error:
        raise NbError(f"MLflow at {uri}: {one_line(error)}") from None


def _log(client: MlflowClient, root: Path, record: VariantRecord, figures: Sequence[str]) -> bool:
    """Log a variant, unless MLflow has a finished run for that; return whether a run was logged."""
    identity = hashlib.sha256(f"{root.name}\0{record.identity}".encode()).hexdigest()
    name = f"{root.name}: {record.experiment}"
    known = client.get_experiment_by_name(name)
    experiment = known.experiment_id if known else client.create_experiment(name)
    query = f"tags.`{IDENTITY}` = '{identity}' and attributes.status = 'FINISHED'"
    if client.search_runs([experiment], query, max_results=1):
        return False
    tags = {IDENTITY: identity, "mlflow.runName": record.name or f"variant {record.number}"}
    if record.commit:
        tags |= {"mlflow.source.git.commit": record.commit, "nb.dirty": str(record.dirty)}
    run = client.create_run(experiment, start_time=_milliseconds(record.started), tags=tags)
    _log_values(client, run.info.run_id, record)
    copy = store.variant_copy(root, record.number)
    for path in figures:
        if (copy / path).is_file():
            client.log_artifact(run.info.run_id, str(copy / path), str(Path(path).parent))
    client.set_terminated(run.info.run_id, end_time=_milliseconds(record.ended or record.started))
    return True


def _log_values(client: MlflowClient, run: str, record: VariantRecord) -> None:
    from mlflow.entities import Metric, Param

    ended = _milliseconds(record.ended or record.started)
    (values,) = public_parameters([record])
    parameters = [Param(_key(n), str(value)[:LONGEST_VALUE]) for n, value in values.items()]
    numbers = {**flat_metrics(record.metrics), "seconds": record.seconds}
    metrics = [Metric(_key(name), value, ended, 0) for name, value in numbers.items()]
    for start in range(0, len(parameters), MOST_PARAMETERS):
        client.log_batch(run, params=parameters[start : start + MOST_PARAMETERS])
    for start in range(0, len(metrics), MOST_METRICS):
        client.log_batch(run, metrics=metrics[start : start + MOST_METRICS])


def _key(name: str) -> str:
    """Return a name with the characters that MLflow takes: `@`, as in `train@forest`, is not."""
    return "".join(c if c.isalnum() or c in "_-. /" else "-" for c in name)[:250]


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
