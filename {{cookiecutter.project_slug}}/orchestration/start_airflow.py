"""Start Airflow on this machine, with the pipeline as its DAG: what `make airflow` runs.

    python orchestration/start_airflow.py uv|pip|conda

PORT in the environment is where its pages are served, 8080 if there is none. What Airflow keeps of
its runs is in `.nb/airflow`, and so is the password that it makes up for the user admin.
"""

from __future__ import annotations

import os
import sys

import environment

HOME = environment.ROOT / ".nb" / "airflow"


def main(manager: str) -> None:
    """Make the environment, then run `airflow standalone` until Ctrl-C."""
    programs = environment.make(manager, "airflow")
    HOME.mkdir(parents=True, exist_ok=True)
    port = os.environ.get("PORT", "8080")
    environment.attend(
        [str(programs / "airflow"), "standalone"],
        {
            "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),  # it starts `airflow …`
            "AIRFLOW_HOME": str(HOME),
            "AIRFLOW__CORE__DAGS_FOLDER": str(environment.ROOT / "orchestration"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "120",  # busy machines take their time
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": port,
        },
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
