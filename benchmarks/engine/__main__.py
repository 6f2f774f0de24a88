"""Measure pipelines of notebooks: `nb run`, its peers and the floor, side by side.

    python -m benchmarks.engine                                  everything; takes hours
    python -m benchmarks.engine --quick                          does it work? says nothing of speed
    python -m benchmarks.engine --pipelines pandas --contestants nb dvc scripts --repeats 1
    python -m benchmarks.engine --pipelines diamond --keep       one table of several anew

Raw results and all that is generated are in build/bench/engine. Ctrl-C keeps what was measured.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from ..harness import INTERRUPTED, TEMPLATE, parser, publish, run, say
from .contestants import contestants
from .environments import BASE
from .pipelines import calibrate, pipelines
from .report import MARKS, for_page, picture, table
from .run import SCENARIOS, Benchmark, Plan, Results

PAGE = TEMPLATE / "docs/why/run-benchmark.md"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    options = parser(__doc__, "benchmarks.engine")
    choices = [contestant.key for contestant in contestants()]
    loads = [pipeline.key for pipeline in pipelines(1)]
    options.add_argument(
        "--pipelines",
        nargs="+",
        choices=loads,
        default=loads,
        metavar="NAME",
        help=", ".join(loads),
    )
    options.add_argument(
        "--contestants",
        nargs="+",
        choices=choices,
        default=choices,
        metavar="NAME",
        help=", ".join(choices),
    )
    options.add_argument(
        "--scenarios",
        nargs="+",
        choices=[*SCENARIOS],
        default=[*SCENARIOS],
        metavar="NAME",
        help=", ".join(SCENARIOS),
    )
    options.add_argument("--repeats", type=int, default=3, metavar="N", help="rounds (3)")
    options.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="notebooks at a time, for who can (cores)",
    )
    options.add_argument(
        "--timeout",
        type=float,
        default=1800,
        metavar="SECONDS",
        help="when to give up on one command (1800)",
    )
    options.add_argument("--quick", action="store_true", help="small pipelines, one round")
    options.add_argument("--keep", action="store_true", help="keep results of other pipelines")
    options.add_argument("--publish", action="store_true", help=f"write {PAGE.name} in docs, too")
    options.add_argument("--no-measuring", action="store_true", help="show the last results again")
    return options.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; 1 if a promise of `nb run` was broken, 130 if interrupted."""
    options = parse(arguments)
    path = BASE / "results.json"
    if options.no_measuring and not path.exists():
        say(f"there are no results yet: {path.relative_to(TEMPLATE)} is missing; measure first")
        return 2
    interrupted = False
    if not options.no_measuring:
        plan = Plan(
            pipelines=[
                pipeline
                for pipeline in pipelines(calibrate(), quick=options.quick)
                if pipeline.key in options.pipelines
            ],
            contestants=[c for c in contestants() if c.key in options.contestants],
            scenarios=options.scenarios,
            repeats=1 if options.quick else options.repeats,
            jobs=options.jobs,
            timeout=options.timeout,
        )
        benchmark = Benchmark(plan, path, keep=options.keep)
        try:
            benchmark.install()
            benchmark.measure()
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted; what was measured is kept")
        if not benchmark.results.measurements:  # the results of the run before stay
            say("nothing was measured")
            return INTERRUPTED if interrupted else 1
        benchmark.results.save(path)
    results = Results.load(path)
    print(table(results))
    picture(results, BASE / "run-benchmark.svg")
    if options.publish and not interrupted:
        publish(PAGE, MARKS, for_page(results, PAGE))
    say(f"raw results: {path.relative_to(TEMPLATE)}")
    return INTERRUPTED if interrupted else 1 if results.broken else 0


if __name__ == "__main__":
    run(main)
