"""Kernels forked from a process with warm imports behave as ordinary ones. Linux only."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from conftest import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

# Notebooks chosen to break forking: each leaves what it found in `result`.
NOTEBOOKS = {
    "blas": """
import numpy as np
a = np.arange(640_000, dtype=float).reshape(800, 800) / 1e5
result = [float((a @ a.T).sum()), float(np.linalg.svd(a, compute_uv=False)[0].round(6))]
""",
    "pyarrow": """
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq
table = pa.table({"x": list(range(100_000)), "g": [i % 7 for i in range(100_000)]})
pq.write_table(table, "pyarrow.parquet")
back = pq.read_table("pyarrow.parquet", use_threads=True)
result = [pc.sum(back["x"]).as_py(), back.group_by("g").aggregate([("x", "sum")]).num_rows]
""",
    "sklearn": """
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 5)); y = (X[:, 0] > 0).astype(int)
forest = RandomForestClassifier(20, random_state=0, n_jobs=2)
result = cross_val_score(forest, X, y, cv=4, n_jobs=2).tolist()
""",
    "matplotlib": """
import hashlib, io
import matplotlib, matplotlib.pyplot as plt
figure, axes = plt.subplots(); axes.plot([1, 2, 3]); plt.show()
buffer = io.BytesIO(); figure.savefig(buffer, metadata={"Software": None})
found = [matplotlib.get_backend(), plt.isinteractive(), dict(matplotlib.rcParams)]
result = [hashlib.sha256(buffer.getvalue()).hexdigest(), repr(found)]
plt.plot([3, 1, 2]);
""",
    "asyncio": """
import asyncio
async def double(n):
    await asyncio.sleep(0.01)
    return 2 * n
doubled = await asyncio.gather(*map(double, range(5)))
try:
    asyncio.run(double(1))
except RuntimeError as error:
    doubled.append(str(error))
result = [doubled, type(asyncio.get_running_loop()).__name__]
""",
    "multiprocessing": """
import multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor
def square(n): return n * n
with mp.get_context("fork").Pool(2) as pool:
    squares = pool.map(square, range(5))
with ProcessPoolExecutor(2, mp_context=mp.get_context("fork")) as executor:
    squares += executor.map(square, range(3))
with mp.get_context("spawn").Pool(1) as pool:
    squares += pool.map(abs, [-1, -2])
result = [squares, mp.get_start_method(), mp.current_process().name, mp.parent_process() is None]
""",
    "threading": """
import threading
from concurrent.futures import ThreadPoolExecutor
seen = []
threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(5)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
with ThreadPoolExecutor(4) as executor:
    seen += executor.map(abs, [-7, -8])
result = [sorted(seen), threading.main_thread() is threading.current_thread(),
          sorted(thread.name.split("-")[0] for thread in threading.enumerate())]
""",
    "sqlite": """
import sqlite3
with sqlite3.connect("test.sqlite") as database:
    database.execute("drop table if exists t"); database.execute("create table t (x)")
    database.executemany("insert into t values (?)", [(n,) for n in range(9)])
result = database.execute("select sum(x) from t").fetchone()
""",
    "logging": """
import logging
before = [len(logging.getLogger().handlers), logging.getLogger().level, logging.raiseExceptions]
logging.basicConfig(format="%(levelname)s %(message)s", level="INFO")
logging.info("an info"); logging.getLogger("mine").warning("a warning")
result = before
""",
    "seeded": """
import random
import numpy as np
random.seed(3); np.random.seed(3)
result = [random.random(), np.random.random(), np.random.default_rng(3).random()]
""",
    "main": """
import pickle, sys
class Point:
    def __init__(self, x): self.x = x
point = pickle.loads(pickle.dumps(Point(3)))
main = sys.modules["__main__"]
result = [point.x, __name__, Point.__module__, getattr(main, "__file__", None),
          main.__dict__ is globals(), repr(getattr(main, "__spec__", None))]
""",
    "shell": """
lines = !echo one && pwd | wc -l
!printf two
import subprocess
done = subprocess.run("exit 3", shell=True)
result = [list(lines), _exit_code, done.returncode]
""",
    "input": """
try:
    input("name? ")
except Exception as error:
    result = [type(error).__name__, str(error)]
""",
    "comm": """
from ipykernel.comm import Comm
comm = Comm(target_name="test"); comm.send({"x": 1})
result = [comm.target_name, get_ipython().kernel.comm_manager is not None]
""",
    "process": """
import locale, os, resource, signal, sys, time
# The last two are set when scikit-learn is imported, which another notebook asks for.
volatile = {"JPY_PARENT_PID", "_", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"}
numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP)
result = [os.getcwd(), {k: v for k, v in os.environ.items() if k not in volatile}, sys.path,
          sys.argv[0], len(sys.argv), repr(sys.flags), sys._xoptions, sys.executable,
          [repr(signal.getsignal(n)) for n in numbers], sorted(signal.pthread_sigmask(0, [])),
          os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid(), locale.getlocale(),
          time.tzname, sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_NOFILE)]
""",
    "streams": """
import os, sys
os.system("echo by a child"); print("printed"); print("error", file=sys.stderr)
result = [type(sys.stdout).__name__, sys.stdin.read() if sys.stdin else None, sys.stdout.encoding,
          len(os.listdir("/proc/self/fd")) < 60]
""",
    "warnings": """
import warnings
import numpy as np
np.float64(1) / np.float64(0)
warnings.warn("mine"); warnings.warn("old", DeprecationWarning)
# Those of categories that a library defines for itself came with its import.
result = [(f[0], f[2].__name__, repr(f[3])) for f in warnings.filters
          if f[2].__module__ == "builtins" and f[1] is None]
""",
    "pandas": """
import pandas as pd
table = pd.DataFrame({"x": [1, 2, 3], "g": list("aab")})
display(table)
result = [table.groupby("g").x.sum().to_dict(), pd.get_option("display.max_rows"),
          pd.get_option("display.max_columns"), pd.get_option("display.width"),
          pd.options.mode.copy_on_write, type(table.plot()).__name__];
""",
    "schemas": """
import jsonschema, nbformat
checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
texts = {"iri": "https://example.org/ü", "iri-reference": "#ü", "date": "2026-01-01"}
result = [[checker.conforms(text, name), checker.conforms("a b", name)]
          for name, text in texts.items()]
result.append([sorted(checker.checkers), nbformat.__name__])
""",
    "hdfs": """
import pyarrow.fs
from papermill.iorw import HDFSHandler
try:
    HDFSHandler().listdir("/")
except Exception as error:
    result = [type(error).__name__, str(error)[:80], pyarrow.fs.__file__]
""",
    "atexit": """
import atexit, threading, time
from pathlib import Path
atexit.register(Path("atexit.txt").write_text, "written at the end")
def late():
    time.sleep(0.3); Path("thread.txt").write_text("by a thread that was waited for")
threading.Thread(target=late).start()
result = "registered"
""",
    "project": """
import sys
import biopsies.models
leaked = getattr(biopsies.models, "leak", None)
biopsies.models.leak = "project"
result = [leaked, sorted(name for name in sys.modules if name.startswith("biopsies"))]
""",
}
UNSEEDED = """
import random, secrets, sys, uuid
import numpy as np
result = [random.random(), np.random.random(), np.random.default_rng().random(), str(uuid.uuid4()),
          secrets.token_hex(8)]
warm = "papermill" in sys.modules
"""
# The interpreter's state after the imports: what an import, or who imports in advance, may change.
STATE = """
import asyncio, atexit, builtins, copyreg, decimal, faulthandler, gc, json, locale, logging
import multiprocessing, os, random, re, resource, signal, socket, sys, threading, warnings
import finds_stream, requests
import matplotlib, numpy as np, pandas as pd, sklearn
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    options = {name: repr(pd.get_option(name)) for name in pd._config.config._registered_options}
manager = logging.Logger.manager
loggers = {n: l for n, l in manager.loggerDict.items() if isinstance(l, logging.Logger)}
def described(l):
    handlers = [(type(h).__name__, h.level, h.formatter and h.formatter._fmt) for h in l.handlers]
    return [l.level, l.disabled, l.propagate, handlers, len(l.filters), l.getEffectiveLevel()]
def plain(text):
    return re.sub("0x[0-9a-f]+|/tmp/(?:tmp|nb-kernel-)[^']*", "", repr(text))
files = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
links = [(re.sub("[0-9]+", "", os.readlink(f)), os.get_inheritable(int(f.rpartition("/")[2])))
         for f in files if os.path.lexists(f)]
umask = os.umask(0); os.umask(umask)
result = {
    "loggers": {name: described(logger) for name, logger in sorted(loggers.items())},
    "root": described(logging.getLogger()),
    "logging": [manager.disable, logging.raiseExceptions, repr(logging.lastResort),
                logging.getLoggerClass().__name__, logging.getLogRecordFactory().__name__,
                sorted(logging._levelToName.items()), logging._warnings_showwarning is None],
    "warnings": sorted(
        (f[0], repr(f[1]), f[2].__name__, repr(f[3]), f[4]) for f in warnings.filters),
    "shown": [plain(warnings.showwarning), plain(warnings.formatwarning)],
    "environment": {k: v for k, v in os.environ.items() if k not in ("JPY_PARENT_PID", "_")},
    "signals": {n.name: repr(signal.getsignal(n)) for n in signal.Signals},
    "mask": sorted(signal.pthread_sigmask(0, [])),
    "rcParams": {name: repr(value) for name, value in matplotlib.rcParams.items()},
    "pandas": options,
    "numpy": [repr(np.get_printoptions()), np.geterr(), np.getbufsize()],
    "sklearn": sklearn.get_config(),
    "sys": {name: plain(getattr(sys, name, None)) for name in (
        "path", "argv", "orig_argv", "flags", "meta_path", "path_hooks", "excepthook",
        "displayhook", "unraisablehook", "breakpointhook", "dont_write_bytecode", "warnoptions",
        "_xoptions", "executable", "prefix", "ps1", "tracebacklimit", "pycache_prefix")},
    "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), repr(sys.gettrace()),
               repr(sys.getprofile()), sys.get_asyncgen_hooks() == (None, None)],
    "locale": [locale.setlocale(n) for n in (locale.LC_CTYPE, locale.LC_NUMERIC, locale.LC_TIME)],
    "process": [umask, os.getcwd(), os.getpriority(0, 0), os.getsid(0) == os.getpid()],
    "gc": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
    "threads": [sorted(t.name for t in threading.enumerate()), threading.stack_size()],
    "atexit": atexit._ncallbacks(),
    "asyncio": type(asyncio.get_event_loop_policy()).__name__,
    "decimal": [repr(decimal.getcontext()), repr(decimal.DefaultContext)],
    "faulthandler": faulthandler.is_enabled(),
    "files": sorted(links),
    "multiprocessing": [multiprocessing.get_start_method(allow_none=True),
                        multiprocessing.current_process().name],
    "sockets": socket.getdefaulttimeout(),
    "builtins": [sorted(vars(builtins)), repr(atexit.register)],
    "shell": {m: sorted(v) for m, v in get_ipython().magics_manager.magics.items()},
    "streams": [(type(s).__name__, s.encoding, s.isatty()) for s in (sys.stdout, sys.stderr)],
}
"""
# What went wrong in the background: loggers tell, in the stream of errors.
BACKGROUND = """
import asyncio, gc, logging
async def fail():
    raise ValueError("nobody waits for this")
task = asyncio.ensure_future(fail())
await asyncio.sleep(0.01)
del task
gc.collect()
logging.getLogger("aiohttp.client").error("a session was not closed")
result = 1
"""
# A library that decides, as it is imported, by the stream that it finds.
STREAMS = """
import finds_stream, logging
logging.getLogger("found").warning("a warning")
result = finds_stream.found
"""
UNSEEDED_NAMES = [f"unseeded{number}" for number in range(3)]


def stage(project: Project, name: str, source: str) -> dict[str, Any]:
    """Write a notebook; return its stage."""
    text = "import json\nfrom pathlib import Path\n"
    text += "kept = {'result': result, 'warm': globals().get('warm')}\n"
    text += f"Path('out/{name}.json').write_text(json.dumps(kept));"
    cells = [nbformat.v4.new_code_cell(cell, id=f"{n}") for n, cell in enumerate((source, text))]
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells),
        project.path / "notebooks" / "production" / f"{name}.ipynb",
    )
    copy = f"reports/notebooks/{name}.ipynb"
    command = f"papermill notebooks/production/{name}.ipynb {copy} --engine nb -k python3"
    return {"cmd": command, "outs": [{f"out/{name}.json": {"cache": False}}]}


# Libraries that are not for the warm process, with what is said of them.
LIBRARIES = {
    "asks": (
        "from IPython import get_ipython\nassert get_ipython()",
        "looks for a running IPython",
    ),
    "threads": (
        "import threading as t, time\nt.Thread(target=time.sleep, args=(9,), daemon=True).start()",
        "starts threads",
    ),
    "breaks": (
        "import sys\nassert 'IPython.core.getipython' in sys.modules\n"
        "from IPython import get_ipython\nget_ipython().kernel.shell",
        "'NoneType' object",
    ),
    "torch": ("loaded = True", ""),
    "imports_torch": ("import torch", "imports torch, which uses the GPU"),
}


def make_project(path: Path, ready: Project, sources: dict[str, str]) -> Project:
    """Return a project of notebooks in the environment of another."""
    project = Project(path)
    for folder in ("tools/nb", ".dvc", "notebooks/production", "out"):
        (project.path / folder).mkdir(parents=True)
    (project.path / ".venv").symlink_to(ready.path / ".venv")
    project.write("pyproject.toml", "")
    project.write(".dvcignore", ".venv\n")
    project.write(".dvc/config", "[core]\n analytics = false\n no_scm = true\n")
    stages = {name: stage(project, name, source) for name, source in sources.items()}
    project.write("dvc.yaml", json.dumps({"stages": stages}))
    return project


@pytest.fixture(scope="module")
def runs(
    ready: Project, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, dict[str, Any]]]:
    """What each notebook found and showed, by `warm` or `cold` and the notebook's name."""
    sources = NOTEBOOKS | dict.fromkeys(UNSEEDED_NAMES, UNSEEDED)
    project = make_project(tmp_path_factory.mktemp("warm") / "project", ready, sources)
    found = {}
    for kind, option in (("warm", ()), ("cold", ("--cold",))):
        for name in ("atexit.txt", "thread.txt"):
            (project.path / name).unlink(missing_ok=True)
        output = project.run("nb", "run", "--force", "--keep-going", "-j2", *option, TZ="UTC")
        assert "starts anew" not in output
        found[kind] = {name: seen(project, name) for name in sources}
        found[kind]["atexit"]["files"] = [project.read("atexit.txt"), project.read("thread.txt")]
    return found


def seen(project: Project, name: str) -> dict[str, Any]:
    """Return what a notebook kept, and its outputs."""
    kept: dict[str, Any] = json.loads(project.read(f"out/{name}.json"))
    copy = nbformat.read(project.path / "reports" / "notebooks" / f"{name}.ipynb", as_version=4)
    outputs = json.dumps([(cell.execution_count, cell.outputs) for cell in copy.cells])
    return kept | {"outputs": json.loads(re.sub(r"ipykernel_\d+", "ipykernel", outputs))}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_forked_kernel_is_as_an_ordinary_one(
    runs: dict[str, dict[str, dict[str, Any]]], name: str
) -> None:
    assert runs["warm"][name] == runs["cold"][name]


def test_the_imports_of_programs_change_nothing_for_a_notebook(
    ready: Project, tmp_path: Path
) -> None:
    (tmp_path / "finds_stream.py").write_text(
        "import logging, sys\nfound = [sys.stderr.isatty(), sys.stderr.encoding]\n"
        "logging.getLogger('found').addHandler(logging.StreamHandler())\n"
    )
    sources = {"state": STATE, "background": BACKGROUND, "streams": STREAMS}
    project = make_project(tmp_path / "project", ready, sources)
    found = []
    for option in ((), ("--cold",)):
        project.run("nb", "run", "--force", "-j1", *option, PYTHONPATH=str(tmp_path))
        found.append({name: seen(project, name) for name in sources})
    warm, cold = found
    for name, state in warm["state"]["result"].items():
        assert state == cold["state"]["result"][name], name
    assert "nobody waits for this" in json.dumps(warm["background"])
    assert "a session was not closed" in json.dumps(warm["background"])
    assert warm == cold


@pytest.mark.slow
def test_unseeded_random_numbers_differ(runs: dict[str, dict[str, dict[str, Any]]]) -> None:
    stages = [run[name] for run in runs.values() for name in UNSEEDED_NAMES]
    assert [stage["warm"] for stage in stages] == [True] * 3 + [False] * 3
    numbers = [number for stage in stages for number in stage["result"]]
    assert len(set(numbers)) == len(numbers)


EXPECT = """
import json, os, select, sys
from pathlib import Path
from nb.runtime.warm_client import Warm

expected, variable, wanted = json.loads(sys.argv[1])
environment = dict(os.environ)
warm = Warm(Path.cwd(), "nb.commands.warm_process")
first = warm.pid
warm.expect({**environment, "ASKED": "early"}, expected)
warm.preload({**environment, "ASKED": variable}, wanted)
while True:
    select.select([warm], [], [])
    assert warm.listen()
    if warm.is_ready():
        break
print(json.dumps([warm.pid == first, sorted(warm.excluded)]))
warm.close()
"""


@pytest.mark.parametrize(
    ("expected", "variable", "wanted", "answer"),
    [
        (["one"], "early", ["one", "two"], [True, []]),
        (["one", "two"], "early", ["one", "two"], [True, []]),
        ([], "other", ["one", "two"], [True, []]),
        (["one"], "other", ["one", "two"], [False, []]),
        (["one", "two"], "early", ["two"], [False, []]),
        (["starts"], "early", ["one", "starts"], [False, ["starts"]]),
    ],
)
def test_imports_before_all_are_known_are_those_of_the_stages(
    ready: Project,
    tmp_path: Path,
    expected: list[str],
    variable: str,
    wanted: list[str],
    answer: Any,
) -> None:
    project = make_project(tmp_path / "project", ready, {"a": "import one, two"})
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            f"import os\nwith open('seen', 'a') as file:\n print(os.getpid(), {name!r}, "
            "os.environ['ASKED'], file=file)"
        )
    (tmp_path / "starts.py").write_text(LIBRARIES["threads"][0])
    call = json.dumps([expected, variable, wanted])
    output = project.run("python", "-c", EXPECT, call, PYTHONPATH=str(tmp_path))
    assert json.loads(output.splitlines()[-1]) == answer
    seen = [line.split() for line in project.read("seen").splitlines()]
    last = [line[1:] for line in seen if line[0] == seen[-1][0]]
    assert sorted(last) == [[name, variable] for name in sorted(wanted) if name != "starts"]


def test_libraries_that_forks_would_break_are_left_to_each_notebook(
    ready: Project, tmp_path: Path
) -> None:
    sources = {
        name: f"import sys, {name}\nresult = 'papermill' in sys.modules" for name in LIBRARIES
    }
    project = make_project(tmp_path / "project", ready, sources)
    for name, (source, _) in LIBRARIES.items():
        (tmp_path / f"{name}.py").write_text(source)
    output = project.run("nb", "run", "--json", "--verbose", PYTHONPATH=str(tmp_path))
    for name, (_, why) in LIBRARIES.items():
        said = [line for line in output.splitlines() if f"each notebook imports {name} by" in line]
        assert len(said) == bool(why) and all(why in line for line in said)
        assert json.loads(project.read(f"out/{name}.json"))["result"] is True


def test_a_library_that_ends_the_process_ends_no_run(ready: Project, tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", ready, {"a": "import ends\nresult = 1"})
    (tmp_path / "ends.py").write_text("import os, sys\n'papermill' in sys.modules and os._exit(3)")
    output = project.run("nb", "run", PYTHONPATH=str(tmp_path))
    assert "kernels start cold" in output
    assert json.loads(project.read("out/a.json"))["result"] == 1


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("SCIPY_ARRAY_API=1", "it is to start with another value of SCIPY_ARRAY_API"),
        ("ulimit -v 8000000 &&", "its command changed its limits"),
        ("umask 077 &&", "its command changed its limits"),
        ("nice -n 7", "its command changed its limits"),
        ("taskset -c 0", "its command changed its limits"),
        ('env -i PATH=\\"$PATH\\"', ""),
        ("PATH=/nowhere:$PATH", ""),
    ],
)
def test_what_the_command_sets_up_holds_for_the_notebook(
    ready: Project, tmp_path: Path, before: str, says: str
) -> None:
    source = """
import os, resource, shutil, subprocess
status = [l for l in open("/proc/self/status") if l.startswith(("Umask", "Cpus_allowed_list"))]
result = [status, resource.getrlimit(resource.RLIMIT_AS), os.nice(0), os.environ["PATH"],
          os.environ.get("SCIPY_ARRAY_API"), shutil.which("papermill"),
          subprocess.run(["papermill", "--version"]).returncode]
"""
    project = make_project(tmp_path / "project", ready, {"a": source})
    project.edit("dvc.yaml", "papermill notebooks", f"{before} papermill notebooks")
    found = []
    for flags in (["--force"], ["--force", "--cold"]):
        output = project.run("nb", "run", *flags)
        assert (f"papermill starts anew: {says}" in output) == bool(says and len(flags) == 1)
        found.append(json.loads(project.read("out/a.json"))["result"])
    assert found[0] == found[1]


def test_variables_that_a_notebook_sets_before_imports_count(
    ready: Project, tmp_path: Path
) -> None:
    first = 'import os\nos.environ["SCIPY_ARRAY_API"] = "1"\nimport scipy._lib._array_api as a\n'
    magic = "%env SCIPY_ARRAY_API=1\nimport scipy._lib._array_api as a\n"
    after = 'import os\nimport scipy._lib._array_api as a\nos.environ["SCIPY_ARRAY_API"] = "1"\n'
    shown = "result = str(a.SCIPY_ARRAY_API)"
    sources = {"first": first + shown, "magic": magic + shown, "after": after + shown}
    project = make_project(tmp_path / "project", ready, sources)
    output = project.run("nb", "run", "--verbose")
    found = {name: json.loads(project.read(f"out/{name}.json"))["result"] for name in sources}
    assert found == {"first": "1", "magic": "1", "after": "False"}
    for name in sources:
        assert (f"{name} starts without warm imports" in output) == (name != "after")


def test_a_kernel_with_another_start_environment_starts_anew(
    ready: Project, tmp_path: Path
) -> None:
    project = make_project(tmp_path / "project", ready, {"a": "result = 1"})
    project.edit("dvc.yaml", "papermill notebooks", "OMP_NUM_THREADS=7 papermill notebooks")
    output = project.run("nb", "run")
    assert "papermill starts anew: it is to start with another value of OMP_NUM_THREADS" in output
    assert json.loads(project.read("out/a.json"))["result"] == 1
