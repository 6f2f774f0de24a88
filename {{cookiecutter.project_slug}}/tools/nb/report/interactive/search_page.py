"""Search page of the site, which holds the words of every page; the words of the index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nb.report.files import PageFiles, inline_script, slug
from nb.report.stages import Row

from .sections import Section

SEARCH = "search.html"


@dataclass(frozen=True, kw_only=True)
class SearchedPage:
    """A page of the site in the index of the search.

    Attributes:
        title: the title.
        path: the page, relative to the site.
        name: the name of the notebook or experiment; empty for the index of the site.
        sections: the words, by section.
    """

    title: str
    path: str
    name: str = ""
    sections: Sequence[Section] = ()


def write_search(root: Path, pages: Iterable[SearchedPage]) -> str:
    """Write the search page of the site; return the path in the site."""
    files = PageFiles(root, SEARCH)
    shown = [
        {
            "title": page.title,
            "href": files.relative(page.path),
            "name": page.name,
            "sections": page.sections,
        }
        for page in pages
    ]
    files.write_page(
        "interactive/search.html.j2", pages=shown, **inline_script("interactive/search.js")
    )
    return SEARCH


def overview_sections(
    rows: Iterable[Row], metrics: Mapping[str, Mapping[str, float]]
) -> list[Section]:
    """Return the words of the site's index: stages with parameters and files, and metrics."""
    stages = [
        (
            f"stage-{slug(row.name)}",
            f"Stage {row.name}",
            " ".join(
                [
                    row.stage.desc,
                    row.cause,
                    *(f"{name} = {value}" for name, value in row.parameters.items()),
                    *(artifact.path for artifact, *_ in (*row.reads, *row.writes)),
                ]
            ).strip(),
        )
        for row in rows
    ]
    numbers = [
        ("metrics", f"Metric {name}", f"{value:.6g}, {path}")
        for path, values in metrics.items()
        for name, value in values.items()
    ]
    return [*stages, *numbers]
