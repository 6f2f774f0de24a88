"""Drop what was not chosen, name the package in the notebooks, print the next steps.

Standard library only, offline, inside the new folder only, and safe to run again: updating a
project from the template runs it in temporary folders.
"""

from pathlib import Path

SLUG = "{{ cookiecutter.project_slug }}"
PACKAGE = "{{ cookiecutter.package_name }}"
CI = "{{ cookiecutter.ci }}"
DASHBOARD = "{{ cookiecutter.dashboard }}"
WAREHOUSE = "{{ cookiecutter.warehouse }}"
SCHEDULER = "{{ cookiecutter.scheduler }}"
CLOUD = "{{ cookiecutter.cloud }}".startswith("T")  # True or False
EXAMPLE = "{{ cookiecutter.example }}".startswith("T")  # True or False

# Notebooks are copied unrendered; this is the package that they import in the template.
PLACEHOLDER = "project_package"
NOTEBOOKS = ("10-ingest", "20-features", "30-train", "40-evaluate")
EXAMPLE_FILES = (
    ".dvc/plots",
    "notebooks/exploratory/01-dm-first-look.ipynb",
    *(f"config/{name}.yaml" for name in NOTEBOOKS),
    *(f"notebooks/production/{name}.ipynb" for name in NOTEBOOKS),
    *(f"src/{PACKAGE}/{module}.py" for module in ("data", "models", "evaluation")),
    *(f"tests/test_{module}.py" for module in ("data", "models", "evaluation")),
    *(f"tests/smoke/config/{name}.yaml" for name in NOTEBOOKS),
)
WAREHOUSE_FILES = (
    "config/warehouse.yaml",
    f"src/{PACKAGE}/warehouse.py",
    "tests/smoke/config/warehouse.yaml",
    "tests/test_warehouse.py",
)
WAREHOUSE_EXAMPLE_FILES = ("config/15-sizes.yaml", "notebooks/production/15-sizes.ipynb")
DAGSTER_FILES = ("orchestration/dagster_definitions.py", "orchestration/start_dagster.py")
AIRFLOW_FILES = ("orchestration/airflow_dag.py", "orchestration/start_airflow.py")
CLOUD_FILES = (
    *(".binder", ".devcontainer", ".dockerignore", "Dockerfile", "docs"),
    *("notebooks/start.ipynb", "tools/badges.py"),
)
# What belongs to one choice only, and whether that was chosen.
OPTIONAL = {
    (".github",): CI == "GitHub",
    (".gitlab-ci.yml",): CI == "GitLab",
    (f"src/{PACKAGE}/artifacts.py", "tests/test_artifacts.py"): DASHBOARD != "none",
    (f"src/{PACKAGE}/decision.py", "tests/test_decision.py"): DASHBOARD != "none" and EXAMPLE,
    (".streamlit", "app", "tests/test_app.py"): DASHBOARD == "Streamlit",
    ("notebooks/dashboard", "tests/test_dashboard.py", "voila.json"): DASHBOARD == "Voila",
    ("notebooks/dashboard/decision.ipynb",): DASHBOARD == "Voila" and EXAMPLE,
    ("notebooks/dashboard/results.ipynb",): DASHBOARD == "Voila" and not EXAMPLE,
    ("orchestration",): SCHEDULER != "none",
    DAGSTER_FILES: SCHEDULER == "Dagster",
    AIRFLOW_FILES: SCHEDULER == "Airflow",
    CLOUD_FILES: CLOUD,
    EXAMPLE_FILES: EXAMPLE,
    WAREHOUSE_FILES: WAREHOUSE != "none",
    WAREHOUSE_EXAMPLE_FILES: EXAMPLE and WAREHOUSE != "none",
    ("config", "tests/smoke"): EXAMPLE or WAREHOUSE != "none",
}

NEXT_STEPS = f"""
{SLUG} is ready. Next:

    cd {SLUG}
    make setup            the environment, Git and DVC (once per clone)
    make run-notebooks    run the production notebooks and make a report
    make                  everything else there is
"""


def remove(path: Path) -> None:
    """Remove a file or a folder with all that it holds; nothing if there is none."""
    if path.is_dir():
        for child in path.iterdir():
            remove(child)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def drop_unchosen(root: Path) -> None:
    """Remove the files and folders of the options that were not chosen."""
    for paths, chosen in OPTIONAL.items():
        for path in () if chosen else paths:
            remove(root / path)


def drop_caches(root: Path) -> None:
    """Remove compiled files, which a template that was worked on may hold."""
    for folder in list(root.rglob("__pycache__")):
        remove(folder)


def name_package(root: Path) -> None:
    """Let the notebooks import the project's package."""
    for notebook in root.glob("notebooks/**/*.ipynb"):
        text = notebook.read_text(encoding="utf-8")
        notebook.write_text(text.replace(PLACEHOLDER, PACKAGE), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    drop_unchosen(Path.cwd())
    drop_caches(Path.cwd())
    name_package(Path.cwd())
    print(NEXT_STEPS)
