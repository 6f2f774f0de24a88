"""Git filter that strips notebooks on their way into Git, and its installation in a clone.

Git starts a process per command and sends it every notebook (gitattributes(5), "Long Running
Filter Process"); clients that cannot, start `clean` once per notebook. Only the standard library
is used, from Python 3.8 on, so that neither needs the project's environment. Notebooks that
`nb.notebook.strip` refuses go to nbstripout itself.
"""

from __future__ import annotations

import json
import os
import sys

from nb.notebook.strip import EXTRA_KEYS, NotJsonError, RefusedError, load, settle, strip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

# The files that filter, text view and merge consist of, relative to tools/.
RUNTIME = (
    *("nb/__init__.py", "nb/printable.py", "nb/notebook/__init__.py", "nb/notebook/strip.py"),
    *("nb/git/__init__.py", "nb/git/text_view.py", "nb/git/filter.py"),
    *("nb/git/align.py", "nb/git/merge.py"),
    "git-notebook",  # last: an older launcher does not know of newer files
)

# A clone runs its own copy of them, like a hook. The files in the work tree come and go: while Git
# writes a linked worktree or an older commit they are absent, and during a rebase or a merge they
# may be half of something else.
LAUNCHER = 'sh "$(git rev-parse --git-common-dir)/nb/git-notebook"'
# The filter starts at each `git status` and `git add`: it asks Git only in a linked worktree.
_FILTER = (
    'f=.git/nb/git-notebook; [ -f "$f" ] || f="$(git rev-parse --git-common-dir)/nb/git-notebook"; '
    'exec sh "$f" filter'
)
# A clone without its own copy of the files merges lines, and always reports a conflict.
_MERGE = (
    'f="$(git rev-parse --git-common-dir)/nb/git-notebook"; if [ -f "$f" ]; '
    'then sh "$f" merge %O %A %B %P; '
    "else git merge-file -L ours -L base -L theirs %A %O %B; exit 1; fi"
)
WIRING = {
    "filter.nbstripout.process": _FILTER,
    "filter.nbstripout.clean": f"{LAUNCHER} clean %f",
    "filter.nbstripout.smudge": "cat",
    "filter.nbstripout.required": "true",
    "diff.notebook.textconv": f"{LAUNCHER} textconv",
    "diff.notebook.xfuncname": "^[[:space:]]*(((async )?def|class) .*|#{2,6} .*|# %% .+)$",
    "merge.notebook.name": "notebooks, cell by cell",
    "merge.notebook.driver": _MERGE,
}

_MAX_PACKET = 65516


def is_installed(git_dir: Path, tools: Path | None = None) -> bool:
    """Return whether a clone runs the very files of a project.

    Args:
        git_dir: the common Git directory (`git rev-parse --git-common-dir`).
        tools: the folder `tools` of the project; by default, or if files are missing there, that of
            this file.
    """
    return all(
        copy.is_file() and copy.read_bytes() == original.read_bytes()
        for original, copy in _runtime(git_dir, tools)
    )


def install(git_dir: Path, tools: Path | None = None) -> None:
    """Copy filter, text view and merge into a clone, for the commands of `WIRING` to find.

    Args:
        git_dir: the common Git directory (`git rev-parse --git-common-dir`).
        tools: the folder `tools` of the project; by default, or if files are missing there, that of
            this file.
    """
    for original, copy in _runtime(git_dir, tools):
        copy.parent.mkdir(parents=True, exist_ok=True)
        # Git may be starting the filter in this moment: Git finds the old file or the new file.
        draft = copy.with_name(copy.name + ".new")
        draft.write_bytes(original.read_bytes())
        draft.replace(copy)


def _runtime(git_dir: Path, tools: Path | None) -> Iterator[tuple[Path, Path]]:
    from pathlib import Path

    own = Path(__file__).parents[2]
    is_whole = tools and all((tools / name).is_file() for name in RUNTIME)
    return (((tools if is_whole and tools else own) / n, git_dir / "nb" / n) for n in RUNTIME)


def clean(data: bytes, name: str) -> bytes:
    """Turn a notebook of the working tree into the notebook that Git stores.

    Data that is not JSON stays unchanged, with a warning: somebody is resolving a conflict, and
    `git add` must not get in the way.

    Args:
        data: the file.
        name: the path of the file, for messages.

    Raises:
        RefusedError: the notebook cannot be stripped; the message gives the reason and the remedy.
    """
    if not data:
        return data
    try:
        return strip(data)
    except NotJsonError:
        from .text_view import is_text_view  # here, so that each `git add` starts sooner

        if is_text_view(data):
            return data
        _say(f"{_quoted(name)} is not valid JSON, so it goes to Git as it is, with any outputs.")
        return data
    except RefusedError as reason:
        return _nbstripout(data, name, str(reason))


def _nbstripout(data: bytes, name: str, reason: str) -> bytes:
    import subprocess

    notebook = load(data)
    settle(notebook)
    options = ["--keep-id", "--extra-keys", " ".join(EXTRA_KEYS)]
    for command in _nbstripout_commands(name):
        try:
            done = subprocess.run(
                [*command, *options],
                input=json.dumps(notebook).encode(),
                capture_output=True,
                env=_without_configured_keys(),
            )
        except OSError:  # not a program of this machine: the next candidate may be
            continue
        if done.returncode == 0:
            return done.stdout.replace(b"\r\n", b"\n")  # nbstripout on Windows
        error = done.stderr.decode(errors="replace").strip()
        if "No module named" not in error:
            last = error.splitlines()[-1] if error else "without a word"
            raise RefusedError(f"{reason}; nbstripout fails ({last})")
    raise RefusedError(f"{reason}, so nbstripout is needed, and it is not installed: make setup")


def _nbstripout_commands(name: str) -> Iterator[list[str]]:
    """The ways to start nbstripout: the project's environment, this Python, the PATH."""
    import shutil
    from pathlib import Path

    # Git runs filters at the top of the work tree; the project may be a folder there. A linked
    # worktree has no environment: there that of the main worktree is taken, the folder that holds
    # the .git folder with this file's installed copy.
    tops = (Path(), Path(__file__).resolve().parents[4])
    for root in (top / folder for top in tops for folder in Path(name).parents):
        for python in (root / ".venv/bin/python", root / ".venv/Scripts/python.exe"):
            if python.exists():
                yield [str(python), "-I", "-m", "nbstripout"]
    yield [sys.executable, "-I", "-m", "nbstripout"]
    on_path = shutil.which("nbstripout")
    if on_path:
        yield [on_path]


def _without_configured_keys() -> dict[str, str]:
    """An environment in which nbstripout takes no keys from Git's configuration.

    Configuration differs between clones; the stored notebook must not.
    """
    count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
    keys = ("extrakeys", "keepmetadatakeys")
    overrides = {"GIT_CONFIG_COUNT": str(count + len(keys))}
    for number, key in enumerate(keys, count):
        overrides[f"GIT_CONFIG_KEY_{number}"] = f"filter.nbstripout.{key}"
        overrides[f"GIT_CONFIG_VALUE_{number}"] = ""
    return {**os.environ, **overrides}


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Speak Git's filter protocol, version 2, until Git closes the connection.

    Args:
        source: the stream that Git writes to.
        sink: the stream that Git reads from.

    Raises:
        EOFError: Git closed the connection, at its end or because it died.
        ValueError: the other side is not Git.
    """
    welcome = _read_lines(source)
    if b"git-filter-client" not in welcome or b"version=2" not in welcome:
        raise ValueError("version 2 of Git's filter protocol is expected on stdin")
    _write_list(sink, b"git-filter-server\n", b"version=2\n")
    _read_lines(source)
    _write_list(sink, b"capability=clean\n", b"capability=smudge\n")
    while True:
        _answer(source, sink)


def _answer(source: IO[bytes], sink: IO[bytes]) -> None:
    request = dict(line.split(b"=", 1) for line in _read_lines(source))
    data = b"".join(_read_list(source))
    if request[b"command"] == b"clean":
        name = request[b"pathname"].decode(errors="replace")
        try:
            data = clean(data, name)
        except RefusedError as reason:
            _say(f"{_quoted(name)} cannot be stripped: {reason}")
            _write_list(sink, b"status=error\n")
            return
    _write_list(sink, b"status=success\n")
    view = memoryview(data)
    for start in range(0, len(view), _MAX_PACKET):
        _write_packet(sink, view[start : start + _MAX_PACKET])
    sink.write(b"0000")
    _write_list(sink)  # an empty list: the status stays


def _read_packet(source: IO[bytes]) -> bytes | None:
    """Read a packet; None stands for the end of a list."""
    size = int(_read_exactly(source, 4), 16)
    return _read_exactly(source, size - 4) if size else None


def _read_exactly(source: IO[bytes], size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _read_list(source: IO[bytes]) -> list[bytes]:
    return list(iter(lambda: _read_packet(source), None))


def _read_lines(source: IO[bytes]) -> list[bytes]:
    """Read a list of lines. Git ends each with a line feed, Dulwich does not."""
    return [line.rstrip(b"\n") for line in _read_list(source)]


def _write_packet(sink: IO[bytes], data: bytes | memoryview) -> None:
    sink.write(b"%04x" % (len(data) + 4))
    sink.write(data)


def _write_list(sink: IO[bytes], *packets: bytes) -> None:
    for packet in packets:
        _write_packet(sink, packet)
    sink.write(b"0000")
    sink.flush()


def _say(sentence: str) -> None:
    try:
        sys.stderr.write(f"git-notebook: {sentence}\n")
        sys.stderr.flush()
    except (AttributeError, OSError):
        pass  # a GUI gave us no stderr: the sentence is lost, the result is not


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _clean_once(source: IO[bytes], sink: IO[bytes], name: str) -> int:
    try:
        data = clean(source.read(), name)
    except RefusedError as reason:
        _say(f"{_quoted(name)} cannot be stripped: {reason}")
        return 1
    sink.write(data)
    sink.flush()
    return 0


def main(arguments: list[str]) -> int:
    """Run `filter`, or `clean` with the name of the notebook on stdin; return the exit code."""
    mode, *names = arguments
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        if mode == "clean":
            return _clean_once(source, sink, names[0] if names else "stdin")
        serve(source, sink)
    except EOFError:
        pass  # how Git ends its filter
    except OSError:
        # Git is gone, and nobody is left to tell. The usual exit would flush into the closed pipe.
        os._exit(1)
    except ValueError as error:
        _say(f"{error}.")
        return 1
    return 0
