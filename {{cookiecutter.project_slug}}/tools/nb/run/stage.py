"""A stage of a run: reproduced by DVC in a worker of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from nb import pipeline
from nb.declaration.tasks import Outcome
from nb.pipeline.loaded import LoadedPipeline
from nb.processes.start_method import FORK, start_method
from nb.runtime.worker import Order, Reproduce


def reproducing(loaded: LoadedPipeline | None) -> Reproduce:
    """Return the function that reproduces a stage in a worker.

    Args:
        loaded: the pipeline as this process loaded it; a fresh process has to load it again.
    """
    return partial(reproduce_stage, loaded=loaded if start_method() == FORK else None)


def reproduce_stage(
    order: Order,
    *,
    tell: Callable[[str], None],
    stopped: Callable[[], bool],
    loaded: LoadedPipeline | None = None,
) -> Outcome:
    """Have DVC bring the stage of an order up to date.

    Args:
        order: the stage, and the options of the run.
        tell: called with each line that DVC has to say.
        stopped: whether to give up waiting for another process.
        loaded: the pipeline as the process loaded it from which this one was forked.
    """
    return pipeline.reproduce(
        Path(order.root),
        order.stage,
        force=order.force,
        pull=order.pull,
        tell=tell,
        stopped=stopped,
        persisted=order.persisted,
        loaded=loaded,
    )
