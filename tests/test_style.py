"""The template's own code is as clean as it asks generated projects to be."""

import subprocess

from conftest import TEMPLATE


def test_code_is_linted_formatted_and_typed() -> None:
    done = subprocess.run(["make", "lint"], cwd=TEMPLATE, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
