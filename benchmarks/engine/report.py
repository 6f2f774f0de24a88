"""Show the results: a table in Markdown and a picture."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from .contestants import FLOOR, OURS, REFERENCE, Contestant, contestants
from .run import CHANGED, COLD, LATE, SCENARIOS, UNCHANGED, Measurement, Results

MARKS = ("<!-- measured: `make bench-engine` writes from here -->", "<!-- to here -->")
# Half-way between black and white in contrast, so they are read on a light and on a dark page.
INK, ACCENT, PEER, GROUND = "#767d87", "#2f81f7", "#8b949e", "#bf8700"
# A contestant within a twentieth of the time of `nb run` is as fast.
FASTER = 1.05
Figures = dict[tuple[str, str, str], list[Measurement]]


def seconds(value: float) -> str:
    """Return seconds with three digits that count."""
    return (
        f"{value:.0f} s" if value >= 100 else f"{value:.1f} s" if value >= 10 else f"{value:.2f} s"
    )


def group(results: Results) -> Figures:
    """Return the measurements by pipeline, contestant and scenario."""
    figures: Figures = {}
    for one in results.measurements:
        figures.setdefault((one.pipeline, one.contestant, one.scenario), []).append(one)
    return figures


def middle(taken: list[Measurement], name: str) -> float | None:
    """Return the median of a figure; None if a run failed or there is none."""
    if not taken or any(one.problem for one in taken):
        return None
    return float(median(getattr(one, name) for one in taken))


def shown_seconds(taken: list[Measurement]) -> str:
    """Return the median of the wall times in words, or why there is none."""
    wall = middle(taken, "wall")
    if wall is not None:
        return seconds(wall)
    problem = next((one.problem for one in taken if one.problem), "")
    return problem.replace(LATE, "over") if problem.startswith(LATE) else "failed"


def ratio(figures: Figures, pipeline: str, contestant: str, scenario: str) -> str:
    """Return how many times as fast as `dvc repro` a contestant was."""
    own = middle(figures.get((pipeline, contestant, scenario), []), "wall")
    other = middle(figures.get((pipeline, REFERENCE, scenario), []), "wall")
    return f"{other / own:.1f}" if own and other else ""


def shown(results: Results) -> list[Contestant]:
    """Return the contestants that were measured or could not be."""
    known = {one.contestant for one in results.measurements} | results.missing.keys()
    return [contestant for contestant in contestants() if contestant.key in known]


def table(results: Results) -> str:
    """Return tables in Markdown, one for each pipeline, and what was checked."""
    figures = group(results)
    rounds = max((one.round for one in results.measurements), default=0)
    about = results.about
    parts = [
        f"{about['cores']} cores, {about['system']}, Python {about['python']}; medians of "
        f"{rounds} round{'s' if rounds != 1 else ''}. Speed-up: how many times as fast as "
        "`dvc repro`."
    ]
    for key, title in results.titles.items():
        if any(one.pipeline == key for one in results.measurements):
            parts.append(f"### {title[0].upper()}{title[1:]}")
            parts.append(pipeline_table(results, figures, key))
            parts += faster(figures, key)
    return "\n\n".join([*parts, *remarks(results)])


def pipeline_table(results: Results, figures: Figures, pipeline: str) -> str:
    """Return one table: a row for each contestant, the scenarios side by side."""
    measured = [s for s in SCENARIOS if any(key[0] == pipeline and key[2] == s for key in figures)]
    head = [""]
    for scenario in measured:
        head += {
            COLD: ["cold", "speed-up", "CPU", "memory"],
            UNCHANGED: ["nothing changed", "speed-up", "CPU"],
            CHANGED: ["one changed", "speed-up"],
        }[scenario]
    rows = [head, ["---", *["---:"] * (len(head) - 1)]]
    for contestant in shown(results):
        own = {s: figures.get((pipeline, contestant.key, s), []) for s in SCENARIOS}
        if any(own.values()) or contestant.key in results.missing:
            cells: list[str] = []
            for scenario in measured:
                faster = ratio(figures, pipeline, contestant.key, scenario)
                cells += scenario_cells(contestant, scenario, own[scenario], faster)
            rows.append([contestant.title, *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def faster(figures: Figures, pipeline: str) -> list[str]:
    """Return the contestants that were faster than `nb run`, each with the reason, as Markdown."""
    lines: list[str] = []
    for scenario, occasion in SCENARIOS.items():
        own = middle(figures.get((pipeline, OURS, scenario), []), "wall")
        for contestant in contestants() if own else []:
            as_cold = scenario != COLD and not contestant.incremental
            key = (pipeline, contestant.key, COLD if as_cold else scenario)
            wall = middle(figures.get(key, []), "wall")
            if own and wall and own / wall >= FASTER:
                reason = f"{'runs everything, but ' if as_cold else ''}{contestant.saves}"
                figure = f"{seconds(wall)}, {own / wall:.1f} times as fast"
                lines.append(f"- {occasion}: {contestant.title}, {figure}: {reason}")
    if lines:
        return ["Faster than `nb run`:", "\n".join(lines)]
    measured = any(key[:2] == (pipeline, OURS) for key in figures)
    return ["No contestant was faster than `nb run`."] if measured else []


def scenario_cells(
    contestant: Contestant, scenario: str, taken: list[Measurement], faster: str
) -> list[str]:
    """Return the cells of one contestant and scenario."""
    wall, cpu, memory = (middle(taken, name) for name in ("wall", "cpu", "memory"))
    width = {COLD: 4, UNCHANGED: 3, CHANGED: 2}[scenario]
    if wall is None or cpu is None or memory is None:
        as_cold = scenario != COLD and not contestant.incremental
        word = shown_seconds(taken) if taken else "as cold" if as_cold else ""
        return [word, *[""] * (width - 1)]
    return [seconds(wall), faster, seconds(cpu), f"{memory / 1e6:.0f} MB"][:width]


def remarks(results: Results) -> list[str]:
    """Return what was checked, what failed and the versions."""
    found: list[str] = []
    if results.checked:
        compared = any(one.contestant == REFERENCE for one in results.measurements)
        alike = ", results that are those of `dvc repro`, byte by byte" if compared else ""
        promise = f"`dvc status` clean, `dvc repro` with nothing to do{alike}"
        plural = "s" if results.checked != 1 else ""
        found.append(
            f"Checked after {results.checked} run{plural} of `nb run`: "
            f"{promise if not results.broken else 'not all was as promised'}."
        )
    lines = [f"- broken: {sentence}" for sentence in results.broken]
    titles = {contestant.key: contestant.title for contestant in contestants()}
    lines += [f"- {titles[key]} was not installed: {why}" for key, why in results.missing.items()]
    failures = {
        (one.contestant, one.pipeline, one.scenario): one.problem
        for one in results.measurements
        if one.problem
    }
    for (key, pipeline, scenario), why in failures.items():
        lines.append(
            f"- {titles[key]} {'was stopped' if why.startswith(LATE) else 'failed'} "
            f"({results.titles[pipeline]}, {SCENARIOS[scenario]}): {why}"
        )
    ended = [one for one in results.measurements if not one.problem]
    left = {titles[one.contestant] for one in ended if one.left}
    lines += [f"- {title} left processes behind." for title in sorted(left)]
    if lines:
        found.append("\n".join(lines))
    kept = (f"{name}: {', '.join(known)}" for name, known in results.versions.items() if known)
    return [*found, f"Versions: {'; '.join(kept)}."]


def panels(results: Results, figures: Figures) -> list[tuple[str, str]]:
    """Return the pipelines and scenarios to draw: all cold runs, then what comes after."""
    measured = {(key[0], key[2]) for key in figures}
    cold = [(pipeline, COLD) for pipeline in results.titles]
    first = next(iter(results.titles))
    after = [(first, CHANGED), (first, UNCHANGED), ("many", UNCHANGED)]
    return [panel for panel in [*cold, *dict.fromkeys(after)] if panel in measured]


def picture(results: Results, path: Path) -> None:
    """Draw wall times as bars, a panel for each pipeline and scenario, and save it as SVG."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    # Without dates and random names, the same results are the same file.
    plt.rcParams.update({"svg.hashsalt": "bench", "font.size": 9, "text.color": INK})
    figures = group(results)
    drawn = panels(results, figures)
    bars = [wall_times(results, figures, *panel) for panel in drawn]
    pairs = range(0, len(drawn), 2)
    heights = [max(map(len, bars[first : first + 2])) + 1.5 for first in pairs]
    figure, grid = plt.subplots(
        len(pairs),
        2,
        figsize=(10, sum(heights) * 0.24),
        height_ratios=heights,
        squeeze=False,
        layout="constrained",
    )
    for number, axes in enumerate(grid.flat):
        axes.axis("off")
        if number < len(drawn):
            pipeline, scenario = drawn[number]
            title = f"{results.titles[pipeline]}\n{SCENARIOS[scenario]}"
            axes.set_title(title, loc="left", weight="bold", size=10, color=INK)
            draw_bars(axes, bars[number], rows=heights[number // 2] - 1)
    figure.savefig(path, transparent=True, metadata={"Date": None})
    plt.close(figure)


def wall_times(
    results: Results, figures: Figures, pipeline: str, scenario: str
) -> list[tuple[Contestant, float, str]]:
    """Return the seconds of each contestant that ran, 0 for one that failed, and what to show."""
    runs = {c.key: figures.get((pipeline, c.key, scenario), []) for c in shown(results)}
    return [
        (c, middle(taken, "wall") or 0, shown_seconds(taken))
        for c in shown(results)
        if (taken := runs[c.key])
    ]


def draw_bars(axes: Any, bars: list[tuple[Contestant, float, str]], rows: float) -> None:
    """Draw a bar for each contestant between its name and its seconds, in room for so many rows."""
    longest = max((wall for _, wall, _ in bars), default=0) or 1
    for row, (contestant, wall, figure) in enumerate(bars):
        weight = "bold" if contestant.key == OURS else "normal"
        color = {OURS: ACCENT, FLOOR: GROUND}.get(contestant.key, PEER)
        axes.barh(row, wall, height=0.7, color=color)
        axes.text(wall + longest / 50, row, figure, va="center", weight=weight)
        name = short(contestant)
        axes.text(-longest / 50, row, name, ha="right", va="center", weight=weight)
    # Room for the names on the left and for the figure behind the longest bar.
    axes.set_xlim(-1.06 * longest, 1.2 * longest)
    axes.set_ylim(rows - 0.5, -0.6)


def short(contestant: Contestant) -> str:
    return contestant.title.replace("`", "").split(" (")[0]


def for_page(results: Results, page: Path) -> str:
    """Return the tables below the picture, which is written beside a page."""
    image = page.with_suffix(".svg")
    picture(results, image)
    alt = "Seconds that each contestant took, for each pipeline"
    return f"![{alt}]({image.name})\n\n{table(results)}"
