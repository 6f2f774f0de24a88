"""Admission of forks: refused for another interpreter, environment, user, limit or priority."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Variables that no library reads while it is imported. If any other variable differs from the warm
# process's, a fork may behave unlike an ordinary start.
HARMLESS_VARIABLES = (
    "DVC_", "JPY_", "JUPYTER_DEFAULT_PROVISIONER_NAME", "NB_", "OLDPWD=", "PATH=", "PS1=", "PS2=",
    "PWD=", "PYDEVD_DISABLE_FILE_VALIDATION", "SHLVL=", "_=",
)  # fmt: skip
# Further properties that a process inherits: lines of /proc/PID/status, and files beside that.
INHERITED_LINES = ("Uid", "Gid", "Groups", "Umask", "Cpus_allowed:", "Cap", "NoNewPrivs")
INHERITED_FILES = ("cgroup", "limits", "oom_score_adj")
# Read from the working directory as matplotlib is imported.
MATPLOTLIB_SETTINGS = "matplotlibrc"


def peer_pid(connection: socket.socket) -> int:
    """Return the id of the process at the other end of a connection."""
    if sys.platform != "linux":
        raise NotImplementedError
    form = "3i"  # struct ucred: process, user, group
    content = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form))
    return int(struct.unpack(form, content)[0])


def inherited_properties(pid: int) -> list[str]:
    """Return the properties that a process inherits and a fork from elsewhere would lack."""
    if sys.platform == "win32":
        raise NotImplementedError
    folder = Path("/proc", str(pid))
    try:
        lines = (folder / "status").read_text().splitlines()
        texts = [(folder / name).read_text() for name in INHERITED_FILES]
        priority = os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return [f"{pid} is gone"]
    return [*(text for text in lines if text.startswith(INHERITED_LINES)), *texts, str(priority)]


def refusal(request: Mapping[str, Any]) -> str:
    """Return the reason why a process cannot be forked for a request; empty if it can."""
    if request["python"] != sys.executable:
        return f"it is for another interpreter, {request['python']}"
    ours, theirs = os.environ, request["environment"]
    names = sorted(
        name
        for name in ours.keys() | theirs.keys()
        if not f"{name}=".startswith(HARMLESS_VARIABLES) and ours.get(name) != theirs.get(name)
    )
    if names:
        return f"it is to start with another value of {', '.join(names)}"
    here, there = Path.cwd(), Path(request["folder"])
    if here != there and any((folder / MATPLOTLIB_SETTINGS).exists() for folder in (here, there)):
        return f"it is to start where {MATPLOTLIB_SETTINGS} is another one"
    return ""
