"""The client of a fork server speaks the protocol of the server, whatever texts it passes on."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nb.processes.fork_server import SHIM, line, receive

if sys.platform == "win32":
    pytest.skip("there are no forks", allow_module_level=True)

TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket on which a client asks."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.settimeout(20)
        yield listener


def start(
    server: socket.socket, *arguments: str, python: str = sys.executable, **variables: str
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        **variables,
        "NB_PYTHON": python,
        "NB_FORK_SERVER": server.getsockname(),
        "PATH": f"/first:{SHIM}:/last",
    }
    command = [python, "-I", "-S", str(SHIM / "request.py"), *arguments]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def answer(server: socket.socket, *answers: dict[str, object], text: str = "") -> dict[str, Any]:
    """Be the server: write a text to the client's output, answer, and return the request."""
    connection, _ = server.accept()
    request, files = receive(connection)
    os.write(files[1], text.encode())
    for file in files:
        os.close(file)
    connection.sendall(b"".join(map(line, answers)))
    connection.close()
    return request


@given(texts=st.lists(TEXT, max_size=3), value=TEXT)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arguments_environment_and_streams_arrive(
    server: socket.socket, texts: list[str], value: str
) -> None:
    with start(server, *texts, STRANGE=value) as client:
        request = answer(server, {"pid": 1}, {"exit": 7}, text="from the server")
        output, said = client.communicate(timeout=20)
    assert said == ""
    assert (client.returncode, output) == (7, "from the server")
    assert (request["kind"], request["arguments"]) == ("papermill", texts)
    assert (request["folder"], request["python"]) == (str(Path.cwd()), sys.executable)
    assert request["environment"]["STRANGE"] == value
    assert request["environment"]["PATH"] == "/first:/last"
    assert request["environment"].keys() & {"NB_PYTHON", "NB_FORK_SERVER"} == set()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ([{"exit": 3}], 3),
        ([{"pid": 5}, {"exit": 0}], 0),
        ([{"pid": 5}, {"exit": -15}], -15),
        ([{"pid": 5}], -9),
    ],
)
def test_the_client_ends_as_papermill_does(
    server: socket.socket, answers: list[dict[str, object]], code: int
) -> None:
    with start(server) as client:
        answer(server, *answers)
        client.communicate(timeout=20)
    assert client.returncode == code


def test_a_refusal_is_said_and_papermill_starts_here(server: socket.socket, tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    (tmp_path / "papermill").write_text('#!/bin/sh\necho "$STRANGE" "$@" $NB_PYTHON\n')
    (tmp_path / "papermill").chmod(0o755)
    with start(server, "a b", python=str(tmp_path / "python"), STRANGE="{x}") as client:
        answer(server, {"refused": 'it has "another" value of {ÄÖÜ}'})
        output, said = client.communicate(timeout=20)
    assert said == 'nb: papermill starts anew: it has "another" value of {ÄÖÜ}\n'
    assert (client.returncode, output) == (0, "{x} a b\n")


def test_the_start_imports_no_module_in_python() -> None:
    code = """\
import sys
before = set(sys.modules)
with open(sys.argv[1]) as file:
    exec(file.read().rpartition("main()")[0])
print(*sys.modules.keys() - before)
"""
    command = [sys.executable, "-I", "-S", "-c", code, str(SHIM / "request.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"_json", "_signal", "_socket", "posix"}
