"""View of an experiment: a line per variant, and none of the lines that stages print."""

from __future__ import annotations

from nb.run.view import View


class ExperimentView(View):
    """The lines of an experiment; many variants would print the same lines over and over.

    Executed copies hold the output of notebooks, records the cause of a failure.
    """

    def line(self, name: str, text: str) -> None:
        """Show nothing of a line that a stage printed."""
