"""The lines of the set-up while a package manager installs."""

from __future__ import annotations

import sys

import bootstrap
import pytest

PIP = """
import sys
print("Looking in indexes: x")
for name in "abc":
    print(f"Collecting {name}==1 (from -r requirements.lock (line 1))")
    print(f"  Downloading {name}-1.whl (1 kB)")
print("Installing collected packages: a, b, c", flush=True)
if sys.argv[1:]:
    print("ERROR: no version", file=sys.stderr)
    sys.exit(1)
"""


def install(*arguments: str) -> None:
    command = (sys.executable, "-c", PIP, *arguments)
    bootstrap.run(*command, hint="next", hide=bootstrap.PIP_STEPS, counted=bootstrap.PIP_PACKAGES)


def test_packages_of_pip_are_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    install()
    shown = capfd.readouterr().err
    counts = (f"\rsetup: {number} packages to install" for number in (1, 2, 3))
    last = "\nInstalling collected packages; a minute or two\n"
    assert shown == "".join(counts) + last


def test_an_error_of_pip_is_a_line_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="next"):
        install("fail")
    assert capfd.readouterr().err.endswith("\nERROR: no version\n")
