"""The client of a stage's fork server: has papermill forked, or else runs papermill here.

This starts for every stage, so it imports next to nothing. The protocol is that
of `nb.processes.fork_server`.
"""

import io
import json
import os
import signal
import socket
import sys

assert sys.platform != "win32"


def main() -> None:
    """Pass on the arguments, the environment and the standard streams; exit as papermill does."""
    here = os.getcwd()
    # Programs that the notebook starts find the environment of an ordinary papermill.
    del os.environ["NB_PYTHON"]
    own = os.path.dirname(__file__)
    paths = os.environ["PATH"].split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(path for path in paths if path != own)
    folder, name = os.path.split(os.environ.pop("NB_FORK_SERVER"))
    request = {
        "kind": "papermill",
        "arguments": sys.argv[1:],
        "folder": here,
        "environment": dict(os.environ),
        "python": sys.executable,
    }
    connection = socket.socket(socket.AF_UNIX)
    try:
        os.chdir(folder)  # the path of a socket may have no more than about a hundred characters
        connection.connect(name)
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], [0, 1, 2])
        answers = connection.makefile("r")
        answer = json.loads(answers.readline() or "{}")
    except OSError as error:
        answer = {"refused": str(error)}
    if not answer.keys() & {"pid", "exit"}:
        os.chdir(here)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print(f"nb: papermill starts anew: {answer.get('refused', 'no answer')}", file=sys.stderr)
        program = os.path.join(os.path.dirname(sys.executable), "papermill")
        os.execv(program, [program, *sys.argv[1:]])
    # Ctrl-C reaches papermill as it reaches this process; papermill's answer is waited for.
    end_as(answer["exit"] if "exit" in answer else last_answer(answers))


def last_answer(answers: io.TextIOWrapper) -> int:
    """Return papermill's exit code; without an answer, papermill died with the fork server."""
    try:
        return int(json.loads(answers.readline())["exit"])
    except (OSError, ValueError):
        return -signal.SIGKILL


def end_as(code: int) -> None:
    """Exit with a code; by the same signal, if that is negative."""
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):  # which nobody can handle
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


main()
