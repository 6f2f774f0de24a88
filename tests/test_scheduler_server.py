"""The server of a scheduler on this machine: the address on the screen, the rest in a log."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE
from scheduled import answers, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
# Serves as `make dagster` does, with a small server in the place of Dagster.
SERVE = """
import sys
from pathlib import Path
sys.path.insert(0, "orchestration")
import server
port = server.wanted_port(3000)
log = Path.cwd() / ".nb/it/server.log"
command = [sys.executable, "-c", {program!r}]
server.serve("it", command, {{"SAID": "hello"}}, port, log, lambda: ", as x")
"""
SERVER = """
import http.server, os, sys
print(os.environ["SAID"], flush=True)
port = int(os.environ["PORT"])
http.server.test(http.server.SimpleHTTPRequestHandler, port=port, bind="127.0.0.1")
"""
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + SERVER


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with what the server of a scheduler needs of a project."""
    template = TEMPLATE / "{{cookiecutter.project_slug}}"
    (tmp_path / "orchestration").mkdir()
    for name in ("environment", "server"):
        (source,) = template.glob(f"*orchestration/*{name}.py*")
        shutil.copy(source, tmp_path / f"orchestration/{name}.py")
    (tmp_path / "tools").symlink_to(template / "tools")
    return tmp_path


@pytest.fixture
def port() -> int:
    """A port that is free."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def start(project: Path, program: str, port: int | str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SERVE.format(program=program)],
        cwd=project,
        env={"PORT": str(port), "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_address_is_on_the_screen_and_the_rest_in_the_log(project: Path, port: int) -> None:
    running = start(project, SERVER, port)
    until(lambda: answers(f"http://127.0.0.1:{port}"))
    assert running.stdout
    lines = [running.stdout.readline() for _ in range(2)]
    running.send_signal(signal.SIGINT)
    lines.append(running.communicate(timeout=30)[0])
    assert lines == [
        "it: starts, which may take a minute; its log is .nb/it/server.log\n",
        f"it: http://127.0.0.1:{port}, as x; Ctrl-C ends it\n",
        "it: ended\n",
    ]
    assert running.returncode == 0
    assert (project / ".nb/it/server.log").read_text().startswith("hello\n")


def test_the_second_interrupt_kills_a_server_that_is_deaf(project: Path, port: int) -> None:
    running = start(project, DEAF, port)
    until(lambda: answers(f"http://127.0.0.1:{port}"))

    def has_ended() -> bool:
        running.send_signal(signal.SIGINT)
        return running.poll() is not None

    until(has_ended)
    assert not answers(f"http://127.0.0.1:{port}")


def test_a_server_that_ends_by_itself_shows_the_end_of_its_log(project: Path, port: int) -> None:
    running = start(project, "raise SystemExit('no such setting')", port)
    shown = running.communicate(timeout=30)[0]
    assert running.returncode == 1
    assert "no such setting\nit: ended with exit code 1; the whole log is" in shown


@pytest.mark.parametrize("given", ["http", "0", "70000", "-1"])
def test_a_port_that_is_none_is_refused(project: Path, given: str) -> None:
    shown = start(project, SERVER, given).communicate(timeout=30)[0]
    assert shown == f"PORT={given} is no port; give a number below 65536, such as 3000\n"


def test_a_port_that_is_taken_is_refused_with_another(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = start(project, SERVER, port).communicate(timeout=30)[0]
    assert shown == f"it: port {port} is taken; choose another: make it PORT={port + 1}\n"
