"""History of the benchmarks: a line of JSON per measurement in `history.jsonl`.

Ratios are kept, not only seconds: figures of two machines cannot be compared, ratios of two
versions that were measured side by side can.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .harness import TEMPLATE, machine_line

HISTORY = Path(__file__).with_name("history.jsonl")
SCHEMA = 1
# A ratio above this is named: less is noise.
TOLERATED = 1.1


def commit_of(revision: str = "HEAD") -> str:
    """Return the short id of a commit; `+` at the end says that files were changed since.

    Raises:
        ValueError: if there is no such commit.
    """
    done = _git("rev-parse", "--short", "--verify", f"{revision}^{{commit}}")
    if done.returncode:
        raise ValueError(f"{revision} is no commit of this repository")
    edited = revision == "HEAD" and _git("status", "--porcelain", "--untracked-files=no").stdout
    return done.stdout.strip() + ("+" if edited else "")


def last_release() -> str:
    """Return the last tag before this commit; empty if nothing was released yet."""
    return _git("describe", "--tags", "--abbrev=0").stdout.strip()


def slower(ratios: Mapping[str, float]) -> list[str]:
    """Return a sentence for each measurement that takes over a tenth longer than before."""
    return [
        f"{name}: {ratio:.2f} times the baseline"
        for name, ratio in ratios.items()
        if ratio > TOLERATED
    ]


def add_to_history(
    benchmark: str, baseline: str, ratios: Mapping[str, float], path: Path = HISTORY
) -> None:
    """Add a line: the commit, the baseline, the machine, and the ratios to the baseline.

    Args:
        benchmark: the name of the benchmark.
        baseline: the commit or program that the ratios are to.
        ratios: by the name of the measurement; below 1 is faster than the baseline.
        path: the file.
    """
    entry: dict[str, Any] = {
        "schema": SCHEMA,
        "benchmark": benchmark,
        "commit": commit_of(),
        "baseline": baseline,
        "machine": machine_line(),
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
    }
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=TEMPLATE, capture_output=True, text=True)
