"""A stage of a run: reproduced by DVC in a worker of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nb import pipeline
from nb.declaration.tasks import Outcome
from nb.pipeline.loaded import LoadedPipeline
from nb.pipeline.repository import rehearse
from nb.runtime.worker import Order


class StageReproducer:
    """Has DVC reproduce stages in a worker, and loads the pipeline once for all of them.

    Args:
        loaded: the pipeline as this process loaded it; a fresh process loads it again.
    """

    def __init__(self, loaded: LoadedPipeline | None = None) -> None:
        self.loaded = loaded

    def __reduce__(self) -> tuple[type[StageReproducer], tuple[()]]:
        return StageReproducer, ()

    def __call__(
        self, order: Order, *, tell: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Outcome:
        """Have DVC bring the stage of an order up to date.

        Args:
            order: the stage, and the options of the run.
            tell: called with each line that DVC has to say.
            stopped: whether to give up waiting for another process.
        """
        root = Path(order.root)
        if self.loaded is None or not self.loaded.is_of(root):
            self.loaded = rehearse(root)
        return pipeline.reproduce(
            root,
            order.stage,
            force=order.force,
            pull=order.pull,
            tell=tell,
            stopped=stopped,
            persisted=order.persisted,
            loaded=self.loaded,
        )
