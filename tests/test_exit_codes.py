"""The exit codes in docs/reference/run.md are those of the tooling; how processes end."""

import re
import subprocess
import sys
from pathlib import Path

import nb
import pytest
from nb.exit_codes import ExitCode, after_signal, as_exit_code

PAGE = Path(__file__).parent.parent / "docs/reference/run.md"
TOOLS = Path(nb.__file__).parent.parent


def test_the_table_shows_all_exit_codes() -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## Exit codes\n")[2].partition("\n## ")[0]
    shown = re.findall(r"^\| (\d+) \| (.*) \|$", section, re.MULTILINE)
    assert shown == [(str(code.value), code.meaning) for code in ExitCode]


def test_codes_follow_the_custom_of_shells() -> None:
    assert [after_signal(number) for number in (1, 2, 9, 15)] == [
        ExitCode.HUNG_UP,
        ExitCode.INTERRUPTED,
        ExitCode.KILLED,
        ExitCode.TERMINATED,
    ]
    assert [as_exit_code(code) for code in (0, 3, -9)] == [0, 3, 137]


LEAVING = """
import atexit, sys, threading, time
from nb.exit_codes import leave

class Noisy:
    def __del__(self):
        print("taken apart")

noisy = Noisy()
atexit.register(print, "at exit")
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
print("printed")
leave({code})
print("went on")
"""


def test_a_process_that_leaves_does_what_is_due_and_takes_nothing_apart() -> None:
    words = [sys.executable, "-c", LEAVING.format(code=3)]
    done = subprocess.run(words, cwd=TOOLS, capture_output=True, text=True)
    assert done.stderr == ""
    assert (done.returncode, done.stdout.split("\n")) == (3, ["printed", "thread", "at exit", ""])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_process_that_cannot_print_ends_as_python_does() -> None:
    code = "from nb.exit_codes import leave; print('text'); leave(0)"
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", code]
        done = subprocess.run(
            words, cwd=TOOLS, env={}, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 120
    assert "No space left" in done.stderr
