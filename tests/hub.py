"""Run a notebook through a Jupyter server, as JupyterLab does: what the test of JupyterHub starts.

python tests/hub.py http://127.0.0.1:8000/user/alice TOKEN project/notebooks/any.ipynb KERNEL

It needs only what every Jupyter server is installed with. Prints the output of the cells, and saves
the notebook under the name of the kernel that it ran with.
"""

import json
import sys
import uuid
from pathlib import PurePosixPath
from urllib.parse import quote
from urllib.request import Request, urlopen

from websocket import WebSocket, create_connection


class Server:
    """The REST interface of a Jupyter server."""

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        self.header = {"Authorization": f"token {token}"}

    def ask(self, method: str, path: str, body: object = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.address}/api/{path}", data, self.header, method=method)
        with urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def connect(self, kernel: str) -> WebSocket:
        address = self.address.replace("http", "ws", 1)
        header = [f"{name}: {value}" for name, value in self.header.items()]
        channels = f"{address}/api/kernels/{kernel}/channels"
        return create_connection(channels, header=header, timeout=300)


def execute(kernel: WebSocket, code: str) -> None:
    """Execute a cell and print what it puts out; end if it fails."""
    message_id = uuid.uuid4().hex
    header = {"msg_id": message_id, "msg_type": "execute_request", "username": "", "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": True, "stop_on_error": True}
    header["session"] = "test"
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    kernel.send(json.dumps({**message, "channel": "shell", "buffers": []}))
    failed, waiting = False, {"execute_reply", "idle"}
    while waiting:
        answer = json.loads(kernel.recv())
        if answer["parent_header"].get("msg_id") != message_id:
            continue
        kind, content = answer["msg_type"], answer["content"]
        waiting -= {kind, content.get("execution_state")}
        if kind == "stream":
            print(content["text"], end="")
        elif kind == "error":
            print(*content["traceback"], sep="\n")
            failed = True
    if failed:
        sys.exit(1)


def main(address: str, token: str, path: str, kernel_name: str) -> None:
    server = Server(address, token)
    notebook = server.ask("GET", f"contents/{quote(path)}")["content"]
    folder = str(PurePosixPath(path).parent)
    kernel = server.ask("POST", "kernels", {"name": kernel_name, "path": folder})
    connection = server.connect(kernel["id"])
    execute(connection, "import sys; print('kernel:', sys.prefix)")
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            execute(connection, cell["source"])
    connection.close()
    server.ask("DELETE", f"kernels/{kernel['id']}")
    spec = {"name": kernel_name, "display_name": kernel_name, "language": "python"}
    notebook["metadata"]["kernelspec"] = spec
    saved = {"type": "notebook", "format": "json", "content": notebook}
    server.ask("PUT", f"contents/{quote(path)}", saved)


if __name__ == "__main__":
    main(*sys.argv[1:])
