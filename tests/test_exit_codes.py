"""The exit codes in docs/reference/run.md are those of the tooling, with the same sentences."""

import re
from pathlib import Path

from nb.exit_codes import ExitCode, after_signal, as_exit_code

PAGE = Path(__file__).parent.parent / "docs/reference/run.md"


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
