"""The overview of an adoption as a page: the graph of the notebooks and the table."""

from __future__ import annotations

from pathlib import Path

from nb.project import write_whole
from nb.report.charts import Node, stage_graph
from nb.report.files import filled_template, slug

from .overview import DOES_RUN, Overview

# Beside the documents that `nb export` makes: the site holds results of stages alone.
OVERVIEW_PAGE = Path("reports/documents/adoption.html")


def write_overview_page(root: Path, overview: Overview) -> Path:
    """Write the page and return the path."""
    nodes = [
        Node(
            Path(row.notebook).stem,
            "done" if row.state == DOES_RUN else "failed",
            row.readiness[:30],
            f"#{slug(row.notebook)}",
        )
        for row in overview.rows
    ]
    edges = {
        Path(name).stem: {Path(other).stem for other in others}
        for name, others in overview.edges().items()
    }
    text = filled_template(
        "adoption.html.j2",
        project=root.name,
        overview=overview,
        graph=stage_graph(nodes, edges),
        proposed=overview.proposed(),
    )
    write_whole(root / OVERVIEW_PAGE, text)
    return root / OVERVIEW_PAGE
