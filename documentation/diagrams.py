"""Mermaid flowcharts as SVG, drawn when the site is built: pages load no script for them."""

from __future__ import annotations

import re
from html import escape

from nb.report.charts import layers

WIDTH, HEIGHT, GAP_X, GAP_Y = 132, 34, 18, 38
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", re.M | re.S)
ARROW = re.compile(r"^\s*(\S+) (-->|-- .+? -->|-\. .+? \.->) (\S+?)(\[.+\])?$")
LABEL = re.compile(r'(\w+)\["([^"]+)"\]')

Point = tuple[float, float]


def draw_flowcharts(markdown: str) -> str:
    """Replace the flowcharts of a page by pictures."""
    return BLOCK.sub(lambda block: flowchart(block[1]), markdown)


def flowchart(text: str) -> str:
    """Return the picture of a flowchart, from the top down.

    Known are nodes, `node["label"]`, `a --> b`, `a -- word --> b` and `a -. word .-> b`.

    Raises:
        ValueError: for a line of another kind.
    """
    labels = dict(LABEL.findall(text))
    needs: dict[str, set[str]] = {name: set() for name in labels}
    arrows: list[tuple[str, str, str]] = []
    for line in text.splitlines()[1:]:
        found = ARROW.match(line)
        if found:
            start, kind, end, _ = found.groups()
            arrows.append((start, end, kind))
            needs.setdefault(start, set())
            needs.setdefault(end, set()).add(start)
        elif line.strip() and not LABEL.fullmatch(line.strip()):
            raise ValueError(f"no line of a flowchart that can be drawn: {line}")
    return _picture(needs, labels, arrows)


def _picture(
    needs: dict[str, set[str]], labels: dict[str, str], arrows: list[tuple[str, str, str]]
) -> str:
    rows = layers(needs)
    width = max(map(len, rows)) * (WIDTH + GAP_X) + GAP_X
    height = len(rows) * (HEIGHT + GAP_Y)
    places: dict[str, Point] = {}
    for y, row in enumerate(rows):
        left = (width - len(row) * (WIDTH + GAP_X) + GAP_X) / 2
        for x, name in enumerate(row):
            places[name] = (left + x * (WIDTH + GAP_X), 2 + y * (HEIGHT + GAP_Y))
    lines = [_arrow(places[start], places[end], kind) for start, end, kind in arrows]
    boxes = [_box(labels.get(name, name), *place) for name, place in places.items()]
    said = escape("; ".join(f"{labels.get(a, a)} to {labels.get(b, b)}" for a, b, _ in arrows))
    return (
        f'<div class="flowchart"><svg viewBox="0 0 {width} {height}" style="min-width:'
        f'{min(width, 640)}px;max-width:{width}px" role="img" aria-label="{said}">'
        f"{''.join(lines)}{''.join(boxes)}</svg></div>"
    )


def _arrow(start: Point, end: Point, kind: str) -> str:
    x1, y1, x2, y2 = start[0] + WIDTH / 2, start[1] + HEIGHT, end[0] + WIDTH / 2, end[1]
    bend = (y2 - y1) / 2
    word = kind.strip("-.> ")
    path = f"M{x1:g} {y1:g}C{x1:g} {y1 + bend:g} {x2:g} {y2 - bend:g} {x2:g} {y2 - 2:g}"
    tip = f"M{x2 - 4:g} {y2 - 7:g}L{x2:g} {y2 - 1:g}L{x2 + 4:g} {y2 - 7:g}"
    dotted = ' class="dotted"' if "." in kind else ""
    text = f'<text x="{(x1 + x2) / 2:g}" y="{(y1 + y2) / 2 + 4:g}">{escape(word)}</text>'
    return f'<path{dotted} d="{path}"/><path d="{tip}"/>{text if word else ""}'


def _box(label: str, x: float, y: float) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text x="{x + WIDTH / 2:g}" y="{y + HEIGHT / 2 + 4:g}">{escape(label)}</text>'
    )
