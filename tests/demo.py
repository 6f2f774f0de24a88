"""Generate a project and run its notebooks: what `make demo` runs.

python tests/demo.py build/demo
"""

import shutil
import subprocess
import sys
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent


def generate(folder: Path) -> None:
    """Generate the default project into a folder, anew, for the Python that runs this."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    answers = {
        "project_name": folder.name.title(),
        "project_slug": folder.name,
        "package_name": "biopsies",
        "python_version": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    cookiecutter(str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder.parent))


def main(folder: Path) -> int:
    """Generate, set up and run; return the exit code of the run."""
    generate(folder)
    code = subprocess.call(
        ["make", "--directory", str(folder), "--no-print-directory", "run-notebooks"]
    )
    if code == 0:
        print(f"""
The notebooks ran. What they made:

    {folder}/reports/site/         the report: open index.html in a browser
    {folder}/reports/metrics/      how good the models are
    {folder}/models/               the models
    {folder}/data/                 the tables between the notebooks

Go on with: cd {folder} && make
""")
    return code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
