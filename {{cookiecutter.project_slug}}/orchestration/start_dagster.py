"""Start Dagster on this machine, with the pipeline as its assets: what `make dagster` runs.

    python orchestration/start_dagster.py uv|pip|conda

PORT in the environment is where its pages are served, 3000 if there is none. What Dagster keeps of
its runs is in `.nb/dagster`.
"""

from __future__ import annotations

import os
import sys

import environment

HOME = environment.ROOT / ".nb" / "dagster"
# Nothing is sent to Dagster's makers, and its UI asks for no e-mail address.
SETTINGS = "telemetry: {enabled: false}\nnux: {enabled: false}\n"


def main(manager: str) -> None:
    """Make the environment, then become `dagster dev`."""
    programs = environment.make(manager, "dagster")
    HOME.mkdir(parents=True, exist_ok=True)
    settings = HOME / "dagster.yaml"
    if not settings.exists():
        settings.write_text(SETTINGS, encoding="utf-8")
    where = ["--host", "127.0.0.1", "--port", os.environ.get("PORT", "3000")]
    definitions = ["--python-file", "orchestration/dagster_definitions.py"]
    environment.become(
        [str(programs / "python"), "-m", "dagster", "dev", *where, *definitions],
        {"DAGSTER_HOME": str(HOME)},
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
