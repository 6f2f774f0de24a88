"""SVG pictures: the graph of the pipeline, and line charts.

Drawn here, because a plotting library would take seconds to import and megabytes per page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from html import escape

from nb.wording import shortened

WIDTH, HEIGHT = 184, 52
GAP_X, GAP_Y = 56, 20
LONGEST_LABEL = 22
COLORS = 6  # style.css has as many


@dataclass(frozen=True)
class Node:
    """A node of the graph.

    Attributes:
        name: the name, by which edges refer to the node.
        state: a word, shown by color and in the text.
        detail: a short second line.
        href: the target of a click.
    """

    name: str
    state: str
    detail: str
    href: str


def layers(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the nodes by distance from the nodes without inputs, neighbours side by side.

    Args:
        edges: the nodes that each node needs.
    """
    try:
        names = list(TopologicalSorter(edges).static_order())
    except CycleError:  # DVC refuses a cycle; the report shows the nodes all the same
        names = list(edges)
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = max((depth.get(other, -1) + 1 for other in edges[name]), default=0)
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    place: dict[str, float] = {}
    for name in sorted(edges, key=lambda name: depth[name]):
        rows[depth[name]].append(name)
    for row in rows:
        means = {n: _mean([place[m] for m in edges[n] if m in place]) for n in row}
        row.sort(key=means.__getitem__)
        place |= {name: number - len(row) / 2 for number, name in enumerate(row)}
    return rows


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def stage_graph(nodes: Sequence[Node], edges: Mapping[str, set[str]]) -> str:
    """Return the picture of a graph, from left to right.

    Args:
        nodes: the nodes.
        edges: the names of the nodes that each node needs.
    """
    columns = layers({node.name: edges.get(node.name, set()) for node in nodes})
    tallest = max(map(len, columns), default=0)
    height = tallest * (HEIGHT + GAP_Y) - GAP_Y + 4
    places: dict[str, tuple[float, float]] = {}
    for x, column in enumerate(columns):
        top = (height - len(column) * (HEIGHT + GAP_Y) + GAP_Y) / 2
        for y, name in enumerate(column):
            places[name] = (2 + x * (WIDTH + GAP_X), top + y * (HEIGHT + GAP_Y))
    width = len(columns) * (WIDTH + GAP_X) - GAP_X + 4
    edge_paths = [
        _edge(places[other], places[name])
        for name, others in edges.items()
        for other in sorted(others)
        if name in places and other in places
    ]
    boxes = [_box(node, *places[node.name]) for node in nodes]
    return (
        f'<svg class="graph" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="group" aria-label="The stages and what each needs">'
        f'<g class="edges" aria-hidden="true">{"".join(edge_paths)}</g>{"".join(boxes)}</svg>'
    )


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + WIDTH, start[1] + HEIGHT / 2
    x2, y2 = end[0], end[1] + HEIGHT / 2
    bend = max(GAP_X / 2, (x2 - x1) / 3)
    return (
        f'<path d="M{x1:g} {y1:g}C{x1 + bend:.1f} {y1:g} {x2 - bend:.1f} {y2:g} {x2:g} {y2:g}"/>'
        f'<path class="tip" d="M{x2 - 6:g} {y2 - 4:g}L{x2 - 1:g} {y2:g}L{x2 - 6:g} {y2 + 4:g}"/>'
    )


def _box(node: Node, x: float, y: float) -> str:
    name = shortened(node.name, LONGEST_LABEL)
    label = ", ".join(part for part in (node.name, node.state, node.detail) if part)
    return (
        f'<a href="{escape(node.href)}" aria-label="{escape(label)}">'
        f'<title>{escape(label)}</title><g class="node" data-state="{escape(node.state)}">'
        f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>'
        f'<rect class="bar" x="{x:g}" y="{y:g}" width="6" height="{HEIGHT}" rx="3"/>'
        f'<text class="name" x="{x + 17:g}" y="{y + 22:g}">{escape(name)}</text>'
        f'<text class="detail" x="{x + 17:g}" y="{y + 40:g}">'
        f"{escape(' · '.join(filter(None, (node.state, node.detail))))}</text></g></a>"
    )


Points = Sequence[tuple[float, float]]


def line_chart(
    series: Mapping[str, Points],
    *,
    label: str,
    size: tuple[int, int],
    dots: Sequence[str] = (),
    x_title: str = "",
    y_title: str = "",
    ticks_x: bool = True,
) -> str:
    """Return a line chart.

    Args:
        series: points by name; names are in the legend, which the page shows.
        label: the content of the chart in words, for screen readers.
        size: width and height, in pixels.
        dots: the tooltips of the points, which are marked then.
        x_title: the name of the horizontal axis.
        y_title: the name of the vertical axis.
        ticks_x: write the ends of the horizontal axis.
    """
    points = [point for values in series.values() for point in values]
    if not points:
        return ""
    width, height = size
    left, right, top = 60, 10, 10
    bottom = 12 + (14 if ticks_x else 0) + (16 if x_title else 0)
    x_low, x_high = _range([x for x, _ in points])
    y_low, y_high = _range([y for _, y in points])

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            left + (x - x_low) / (x_high - x_low) * (width - left - right),
            height - bottom - (y - y_low) / (y_high - y_low) * (height - top - bottom),
        )

    parts = [_axis(at(x_low, y), at(x_high, y), f"{y:.4g}") for y in (y_low, y_high)]
    if ticks_x:
        places = {"start": x_low, "end": x_high}
        y = f'y="{height - bottom + 15}"'
        parts += [_text(f'x="{at(x, 0)[0]:.1f}" {y}', f"{x:.4g}", a) for a, x in places.items()]
    across, down = (left + width - right) / 2, (height - bottom + top) / 2
    titles = {
        f'x="{across:.1f}" y="{height - 4}"': x_title,
        f'transform="translate(12 {down:.1f}) rotate(-90)"': y_title,
    }
    parts += [_text(where, title) for where, title in titles.items() if title]
    for number, values in enumerate(series.values()):
        parts += _line([at(x, y) for x, y in values], f"c{number % COLORS}", dots)
    return (
        f'<svg class="chart" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _line(points: Points, color: str, dots: Sequence[str]) -> Iterator[str]:
    """Yield a line, and a mark with a tooltip for each point if there are tooltips."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    yield f'<polyline class="{color}" points="{path}"/>'
    for (x, y), said in zip(points, dots, strict=True) if dots else ():
        mark = f'<circle class="{color}" cx="{x:.1f}" cy="{y:.1f}" r="3.5">'
        yield f"{mark}<title>{escape(said)}</title></circle>"


def _text(where: str, text: str, anchor: str = "middle") -> str:
    return f'<text {where} text-anchor="{anchor}">{escape(text)}</text>'


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        pad = abs(low) * 0.1 or 1.0
        return low - pad, high + pad
    return low, high


def _axis(start: tuple[float, float], end: tuple[float, float], text: str) -> str:
    return (
        f'<path class="axis" d="M{start[0]:.1f} {start[1]:.1f}H{end[0]:.1f}"/>'
        f'<text x="{start[0] - 5:.1f}" y="{start[1] + 4:.1f}" text-anchor="end">{text}</text>'
    )
