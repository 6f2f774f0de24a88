"""The client of a stage's fork server: has papermill forked, or else runs papermill here.

This starts for every stage, and all there is to it is the start of Python. So only modules in C are
imported, those below `os`, `json`, `signal` and `socket`, which would take longer than Python. The
protocol is that of `nb.processes.fork_server`.
"""

import _json
import _signal  # type: ignore[import-not-found]  # typeshed lacks this module
import _socket
import posix
import sys

TYPE_CHECKING = False  # as `typing` has it, which is not imported
if TYPE_CHECKING:
    from collections.abc import Iterator

assert sys.platform != "win32"

STREAMS = (0, 1, 2)
CHUNK_BYTES = 4096


def main() -> None:
    """Pass on the arguments, the environment and the standard streams; exit as papermill does."""
    here = posix.getcwd()
    environment = {_text(name): _text(value) for name, value in posix.environ.items()}
    # Programs that the notebook starts find the environment of an ordinary papermill.
    del environment["NB_PYTHON"]
    own = __file__.rpartition("/")[0]
    paths = environment["PATH"].split(":")
    environment["PATH"] = ":".join(path for path in paths if path != own)
    folder, _, name = environment.pop("NB_FORK_SERVER").rpartition("/")
    request = {
        "kind": "papermill",
        "arguments": sys.argv[1:],
        "folder": here,
        "environment": environment,
        "python": sys.executable,
    }
    connection = _socket.socket(_socket.AF_UNIX)
    answers = _answers(connection)
    try:
        posix.chdir(folder)  # the path of a socket may have no more than about a hundred characters
        connection.connect(name)
        _send(connection, f"{_as_json(request)}\n".encode())
        answer = next(answers, {})
    except OSError as error:
        answer = {"refused": str(error)}
    if not answer.keys() & {"pid", "exit"}:
        posix.chdir(here)
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        print(f"nb: papermill starts anew: {answer.get('refused', 'no answer')}", file=sys.stderr)
        sys.stderr.flush()
        program = f"{sys.executable.rpartition('/')[0]}/papermill"
        posix.execve(program, [program, *sys.argv[1:]], environment)
    # Ctrl-C reaches papermill as it reaches this process; papermill's answer is waited for.
    end_as(int(answer["exit"]) if "exit" in answer else last_answer(answers))


def last_answer(answers: "Iterator[dict[str, str]]") -> int:
    """Return papermill's exit code; without an answer, papermill died with the fork server."""
    try:
        return int(next(answers, {})["exit"])
    except (OSError, KeyError, ValueError):
        return -int(_signal.SIGKILL)


def end_as(code: int) -> None:
    """Exit with a code; by the same signal, if that is negative."""
    if code < 0:
        if -code not in (_signal.SIGKILL, _signal.SIGSTOP):  # which nobody can handle
            _signal.signal(-code, _signal.SIG_DFL)
        posix.kill(posix.getpid(), -code)
    sys.exit(code)


def _text(name: bytes) -> str:
    return name.decode(sys.getfilesystemencoding(), "surrogateescape")


def _as_json(value: object) -> str:
    """Return texts, lists and dictionaries of texts as JSON."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{_as_json(key)}:{_as_json(value[key])}' for key in value)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_as_json, value))}]"
    return str(_json.encode_basestring_ascii(str(value)))


def _send(connection: _socket.socket, content: bytes) -> None:
    """Send a request, with the standard streams."""
    files = b"".join(file.to_bytes(4, sys.byteorder) for file in STREAMS)
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)
    sent = connection.sendmsg([content], [rights])
    if content[sent:]:  # else the server may have answered and closed already
        connection.sendall(content[sent:])


def _answers(connection: _socket.socket) -> "Iterator[dict[str, str]]":
    """Yield the answers, each a line of JSON with one name, until the server is gone."""
    content = b""
    while part := connection.recv(CHUNK_BYTES):
        *lines, content = (content + part).split(b"\n")
        for line in lines:
            name, _, value = line.decode().strip("{}").partition(": ")
            is_text = value.startswith('"')
            yield {name.strip('"'): _json.scanstring(value, 1)[0] if is_text else value}


main()
