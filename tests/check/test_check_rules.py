"""The rules for notebooks: each on its own examples, and what must not be found."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nb.check.findings import IN_PIPELINE, Finding
from nb.check.formats import findings_text
from nb.check.registry import RULES
from nb.check.runner import check_paths
from nb.project import NbError

from documentation.facts import rules_table

DOCS = Path(__file__).parent.parent.parent / "docs/reference"
GENERATED = DOCS.parent.parent / "{{cookiecutter.project_slug}}/pyproject.toml"
NAME = "notebooks/production/10-example.ipynb"
DEPENDENCIES = '["pandas>=2", "some-thing[x]"]'
FILES = {
    "pyproject.toml": f'[project]\nname = "example"\ndependencies = {DEPENDENCIES}\n',
    "dvc.yaml": f"""\
stages:
  example:
    cmd: papermill {NAME} reports/notebooks/10-example.ipynb
""",
    "src/example_package/__init__.py": "",
    "src/example_package/paths.py": "ROOT = 1\n\n\ndef output(path):\n    return path\n",
}


def cells_of(text: str) -> list[dict[str, Any]]:
    """Read the percent format; `kB` at the end of a line stands for something of that size."""
    cells = []
    for part in re.split(r"^# %%", text, flags=re.M)[1:]:
        header, _, body = part.partition("\n")
        body = re.sub(
            r"^# … and (\d+) lines more", lambda m: "pass\n" * int(m[1]), body, flags=re.M
        )
        tags = json.loads(header.partition("tags=")[2] or "[]")
        cell: dict[str, Any] = {"cell_type": "code", "metadata": {"tags": tags}, "source": body}
        big = "x" * 1000 * int((re.findall(r"(\d+) kB$", body, re.M) or ["0"])[0])
        if "[markdown]" in header:
            cell["cell_type"] = "markdown"
            cell["source"] = re.sub(r"^# ?", "", body, flags=re.M)
            cell["attachments"] = {"plan.png": {"image/png": big}}
        else:
            output = {"output_type": "stream", "name": "stdout", "text": big}
            cell |= {"outputs": [output], "execution_count": 1}
        cells.append(cell)
    return cells


def write_project(root: Path, example: str, name: str = NAME) -> None:
    """Write a project that holds an example of a rule."""
    notebook, *others = re.split(r"^=== ", example, flags=re.M)
    files = {**FILES, **dict(other.split("\n", 1) for other in others)}
    if "# %%" in notebook:
        content = {"cells": cells_of(notebook), "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
        notebook = json.dumps(content)
    for path, text in {**files, name: notebook}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


def find(root: Path, code: str, example: str, name: str = NAME) -> list[str]:
    """Return what a rule says of an example: `cell:line message`."""
    write_project(root, example, name)
    findings = check_paths(root, select=(code,)).findings
    assert {finding.code for finding in findings} <= {code}
    return [f"{finding.cell}:{finding.line} {finding.message}" for finding in findings]


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the dependencies of the examples be installed, whatever this environment holds."""
    installed = (("pandas", "pandas"), ("Some.Thing", "thing"), ("transitive", "tr"))
    for name, module in (*installed, ("space-one", "space"), ("space-two", "space")):
        folder = tmp_path / "site" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "RECORD").write_text(f"{module}/__init__.py,,\n{name}-1.0.dist-info/RECORD,,\n")
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.mark.parametrize("code", RULES)
def test_every_rule_passes_its_good_example_and_fails_its_bad_one(
    tmp_path: Path, code: str
) -> None:
    assert find(tmp_path / "good", code, RULES[code].good) == []
    found = find(tmp_path / "bad", code, RULES[code].bad)
    assert found
    assert all("\n" not in message for message in found)


@pytest.mark.parametrize("code", RULES)
def test_exploratory_notebooks_get_only_the_rules_that_protect_others(
    tmp_path: Path, code: str
) -> None:
    found = find(tmp_path, code, RULES[code].bad, "notebooks/exploratory/01-dm-example.ipynb")
    assert bool(found) == (RULES[code].scope in ("every", IN_PIPELINE))


def test_the_guide_lists_the_rules_as_they_are() -> None:
    assert rules_table() in (DOCS / "check.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "cells",
    [
        "import pandas as pd\n# %%\npd.read_csv",
        "def f():\n    return later\n# %%\nlater = 1\n# %%\nf()",
        "def f(x):\n    if x:\n        return later\n# %%\nf(0)\nlater = 1",
        "[a for a in [1] if a for b in [a]]\n{k: v for k, v in {}.items()}",
        "if True:\n    x = 1\nelse:\n    y = 1\nprint(x, y)",
        "try:\n    import fast\nexcept ImportError:\n    fast = None\nfast",
        "try:\n    spark\nexcept NameError:\n    spark = 1\nspark",
        "for i in range(3):\n    if i:\n        print(before)\n    before = i\ni",
        "while (line := input()):\n    print(line)",
        "with open('f') as file, open('g') as (a, b):\n    file, a, b",
        "match [1]:\n    case [first, *rest] if first:\n        first, rest\n"
        "    case {'a': a, **more}:\n        a, more\n    case str() as text:\n        text",
        "class A:\n    x = 1\n    y = [x]\n    def f(self):\n        return A, __class__",
        "def f():\n    global made\n    made = 1\nf()\nmade",
        "def f(a, *b, c=1, **d):\n    e = 1\n    def g():\n        nonlocal e\n"
        "        return a, b, c, d\n    return lambda x: (x, e, g)",
        "x = 1\nx += 1\ndel x\nx = 2\nx",
        "display(In, Out, _, __, _1, _i2, get_ipython())\n__name__",
        "files = !ls\nfiles\n%time table = 1\n# %%\ntable",
        "%%capture shown\nx = 1\n# %%\nshown, x",
        "%%sql result <<\nselect 1\n# %%\nresult",
        "!ls {folder}\n!sort a \\\n  b\nx = 1\nx?",
        "from os.path import *\njoin",
        "%run other.py\nfrom_other",
        "globals()['a'] = 1\na",
        "total = sum(n for n in [1])\nif any((match := n) for n in [1]):\n    match",
        "x: int = 1\nx\ndef f(a: 'Later') -> Later: ...\nclass Later: ...",
        "import a.b as c, d.e\nc, d",
        "async def f():\n    async with x() as y:\n        return y\nx = 1\nawait f()",
        "def even(n):\n    return n == 0 or odd(n - 1)\n"
        "def odd(n):\n    return n and even(n - 1)\neven(4)",
        "f = lambda: later\nlater = 1\nf()",
        "def decorate(f): return f\n@decorate\ndef g(): return later\ng()\nlater = 1",
        "for x in []:\n    pass\nelse:\n    y = 1\ny\ntype(x)",
        "value = 1 if 'x' in dir() else x",
        "import this; x = 1; x\n(a, [b, *c]) = 1, [2]\na, b, c",
    ],
)
def test_calls_in_order_and_doubtful_calls_are_not_reported(tmp_path: Path, cells: str) -> None:
    assert find(tmp_path, "NB301", f"# %%\n{cells}") == []


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (
            "def f():\n    return x\nf()\n# %%\nx = 1",
            "1:3 f() is called before code cell 2 assigns x, which it uses",
        ),
        (
            "def f():\n    return g()\ndef g():\n    return x\nf()\nx = 1",
            "1:5 g() is called before this cell assigns x, which it uses",
        ),
        ("def f():\n    return x\nx = f()", "1:3 f() is called before this cell assigns x"),
        ("def f():\n    print(x)\nif True:\n    f()\n# %%\nx = 1", "1:4 f() is called before"),
        ("def f():\n    print(x)\nwith f() as y:\n    x = 1", "1:3 f() is called before"),
        ("def f():\n    print(x)\n%matplotlib inline\nf()\n# %%\nx = 1", "1:4 f() is called"),
        ("def f():\n    print(x)\nf()\nf()\n# %%\nx = 1", "1:3 f() is called before"),
    ],
)
def test_a_call_above_an_assignment_is_reported_once(
    tmp_path: Path, cells: str, found: str
) -> None:
    (message,) = find(tmp_path, "NB301", f"# %%\n{cells}")
    assert message.startswith(found)


@pytest.mark.parametrize(
    ("cells", "by_ruff"),
    [
        ("print(x)\n# %%\nx = 1", True),
        ("x = 1\ndel x\n# %%\nx", True),
        ("def f():\n    return gone", True),
        ("[x for _ in [1]]\n# %%\nx = 1", True),
        ("def f():\n    return x\nf()\n# %%\nx = 1", False),
        ("In, Out, _, __, _exit_code, exit, quit\ndisplay(get_ipython())", None),
        ("try:\n    spark\nexcept NameError:\n    spark = 1\nspark", None),
    ],
)
def test_a_mistake_with_names_is_found_once_by_ruff_or_by_us(
    tmp_path: Path, cells: str, by_ruff: bool | None
) -> None:
    own = find(tmp_path, "NB301", f"# %%\n{cells}")
    (names,) = re.findall(r"^builtins = .*", GENERATED.read_text("utf-8"), re.M)
    command = ["ruff", "check", "--isolated", "--no-cache", "--select=F821", "--config", names]
    options = ["--output-format", "json", tmp_path / NAME]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    found = {row["code"] for row in json.loads(done.stdout)}
    assert (found, len(own)) == {True: ({"F821"}, 0), False: (set(), 1), None: (set(), 0)}[by_ruff]


@pytest.mark.parametrize(
    ("output", "cell"),
    [
        ("data/interim/table.csv", 'paths.output("data/interim/table.csv")'),
        ("data/interim/table.csv", 'ROOT / "data" / "interim" / "table.csv"'),
        ("data/interim/table.csv", 'os.path.join(folder, "table.csv")'),
        ("data/interim/table.csv", 'f"{folder}/table.csv"'),
        ("data/interim/table.csv", 'f"data/{name}"'),
        ("data/interim/table.csv", '"data/interim/%s.csv" % name'),
        ("data/interim/table.csv", '"data/{}/table.csv".format(x)'),
        ("data/interim/table.csv", '"data/interim/" + name + ".csv"'),
        ("data/interim/table.csv", 'path.with_suffix(".csv")'),
        ("data/interim/table.csv", "!cp a.csv data/interim/table.csv"),
        ("data/interim/table.csv", "%%bash\ncp a.csv data/interim/table.csv"),
        ("models", 'ROOT / "models/forest.joblib"'),
        ("data/parts/", 'ROOT / f"data/parts/{number}.csv"'),
        ("models/${item.model}.joblib", 'f"models/{model}.joblib"'),
        ("models/${item.model}.joblib", '"models/forest.joblib"'),
        ("${folder}/table.csv", 'f"{folder}/table.csv"'),
        ("models/${item}", "paths.output(f'models/{item}')"),
        ("models/${item}", 'ROOT / "models" / item'),
        ("data/interim/table.csv", 'folder = ROOT / "data/interim"\nopen(folder / name)'),
        ("data/made.csv", "from example_package import writes\nwrites.all()"),
        ("data/from-config.csv", 'open(target, "w")'),
    ],
)
def test_an_output_that_can_be_seen_is_not_reported(tmp_path: Path, output: str, cell: str) -> None:
    files = {
        "dvc.yaml": f"{FILES['dvc.yaml']}    outs:\n      - {output}:\n          cache: false\n",
        "config/10-example.yaml": "target: data/from-config.csv\n",
        "src/example_package/writes.py": "def all():\n    open('data/made.csv', 'w')\n",
    }
    others = "".join(f"\n=== {path}\n{text}" for path, text in files.items())
    assert find(tmp_path, "NB106", f"# %%\n{cell}{others}") == []
    # The same output is missed in a notebook that names another one.
    del files["config/10-example.yaml"]
    others = "".join(f"\n=== {path}\n{text}" for path, text in files.items())
    (tmp_path / "config/10-example.yaml").unlink()
    (message,) = find(tmp_path, "NB106", f'# %%\nprint(f"{{x:.0%}} of it", "a.txt"){others}')
    declared = output.rstrip("/")
    assert f"stage example declares {declared}, which no cell names" in message


@pytest.mark.parametrize(
    ("code", "cell"),
    [
        ("NB302", 'requests.get("https://example.org/../x")\nx = "/api/v1/users"'),
        ("NB304", "!make  # noqa: NB304\nx = !make  # noqa: NB304"),
        ("NB302", 'open(root + "/data/raw/x.csv")'),
        ("NB302", 'hosted = os.path.exists("/opt/deeplearning")\nPath("/content").is_dir()'),
        ("NB302", 'server = ["/usr/bin/model_server", "--port=1"]'),
        ("NB302", 'REPOSITORY = "file:///srv/git/flats.git"'),
        ("NB302", '"""A note on ../data and /home."""\nf"{ratio}/home/x and so on"'),
        ("NB302", 're.compile("a..b")\nprint("wait ...")\nopen("/dev/null")\n!ls 2>/dev/null'),
        ("NB303", '!pip list\n%pip freeze\nprint("pip install pandas")'),
        ("NB304", "subprocess.run(['a'], check=True)\ndone = subprocess.run(['a'])"),
        ("NB304", "!make\nassert _exit_code == 0"),
        ("NB304", "%%bash\nset -euo pipefail\na\nb"),
        ("NB304", "%%bash\n# one command\na"),
        ("NB304", "%%bash\na --long \\\n  --command"),
        ("NB202", "%%writefile a.py\n" + "a = 1\n" * 70),
        ("NB002", "  # pasted\n  a = 1\n  if a:\n      a = 2"),
        ("NB304", "!ls -la data\n!head -n 3 a.csv | grep -i b | sort | uniq -c\n!pwd && ls"),
        ("NB304", "!gcloud storage ls -l $bucket\n!gsutil cat $uri | head -n 2\n!aws s3 ls"),
        ("NB304", "!kubectl get pods\n!docker images\n!gcloud config list project"),
        ("NB304", "!nvidia-smi\n!python --version\n!git status\n!pip list 2>/dev/null"),
        ("NB304", "%%bash\nls\nwc -l a.csv"),
        ("NB304", "%%bash\nf=a.gz\nif [ ! -e $f ]; then\n    wget $f\nfi"),
        ("NB304", "%%bash\nls\nA='b c'\nmake"),
        ("NB304", "!git config --global user.name 'A B'"),
        ("NB304", "!saved_model_cli show --dir model\n!mkdir -p frames\n!rm -rf model.pkl"),
        ("NB303", "import sys\nif 'google.colab' in sys.modules:\n    %pip install polars"),
        (
            "NB303",
            "IS_COLAB = 'google.colab' in sys.modules\nif IS_COLAB:\n    !pip install polars",
        ),
        ("NB202", 'text = """- name: a\n' + "x\n" * 70 + '"""\nPath("c.yaml").write_text(text)'),
        ("NB202", "a = (\n" + "a = 1\n" * 70),
        ("NB305", "table.to_csv(f'times_{bins}.csv')\npd.read_csv('times_128.csv')"),
        ("NB305", "!unzip -q news.zip\npd.read_csv('fake.csv')"),
        ("NB305", "subprocess.run(['unzip', 'a.zip'], check=True)\npd.read_csv('fake.csv')"),
        ("NB305", "zipfile.ZipFile('a.zip').extractall()\npd.read_csv('fake.csv')"),
        ("NB306", 'print("https://a.org")\ndisplay(Image(url="https://a.org"))\nd.get("http://")'),
        ("NB307", "reader.input()\nform.input"),
        ("NB401", "from os.path import *"),
        ("NB402", "import sys, json\nfrom IPython.display import display\nimport example_package"),
        ("NB402", "import thing.part"),
        ("NB402", "if 'google.colab' in sys.modules:\n    from google.colab import auth"),
        ("NB402", "hosted = 'colab' in sys.modules\nif a or hosted:\n    import colab.auth"),
        ("NB402", "try:\n    import polars\nexcept ImportError:\n    polars = None"),
        (
            "NB403",
            "from example_package.paths import ROOT, output as o\nimport example_package.paths",
        ),
        ("NB403", "from example_package import paths\npaths.extra = 1\npaths.extra"),
        ("NB403", "from example_package import paths\ndef f(paths):\n    return paths.any"),
        ("NB403", "import example_package.paths as p\np.ROOT, p.__name__"),
        ("NB501", 'pad_token = "<pad>"\nmax_tokens = 5\napi_key = os.environ["K"]\npassword = ""'),
        ("NB501", 'password_file = "a"\ntokens = "a b"\nmonkey = "a"\nkey = "column"'),
        ("NB201", "# the first is no title, and that is said of no other cell  # noqa"),
    ],
)
def test_what_is_fine_is_not_reported(tmp_path: Path, code: str, cell: str) -> None:
    assert find(tmp_path, code, f"# %%\n{cell}") == []


@pytest.mark.parametrize(
    ("code", "cell", "found"),
    [
        ("NB302", 'open("/srv/x")', "/srv/x is an absolute path"),
        ("NB302", 'pd.read_csv("/mine/x.csv")', "/mine/x.csv is an absolute path"),
        ("NB302", r'open("C:\\data\\x.csv")', r"C:\data\x.csv is an absolute path"),
        ("NB302", 'open(f"/home/{user}/x")', "/home/ is an absolute path"),
        ("NB302", 'open("~/x.csv")', "~/x.csv is an absolute path"),
        ("NB302", 'sys.path.append("..")', ".. is a path upwards"),
        ("NB302", "%cd ..", ".. leads out of the project"),
        ("NB302", "!cp ../a.csv b.csv", "../a.csv leads out of the project"),
        (
            "NB302",
            "!wc ../../data/a.csv",
            "../../data/a.csv leads out of the project; a run starts in the root: write data/a.csv",
        ),
        ("NB302", "os.path.join('..', '..', 'data')", ".. is a path upwards"),
        ("NB303", "!pip install pandas", "a notebook installs nothing"),
        ("NB303", "pip install pandas", "a notebook installs nothing"),
        ("NB303", "!{sys.executable} -m pip install -q pandas", "a notebook installs nothing"),
        ("NB303", "%conda install -y x", "a notebook installs nothing"),
        ("NB303", "if fresh:\n    !conda install -y x", "a notebook installs nothing"),
        ("NB303", "%%bash\nuv add x", "a notebook installs nothing"),
        ("NB303", "os.system('pip install x')", "a notebook installs nothing"),
        (
            "NB303",
            "subprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])",
            "a notebook installs nothing",
        ),
        ("NB304", "%%bash --bg\na", "nobody sees if a program in the background fails"),
        ("NB304", "files = !make", "nobody sees if this command fails"),
        ("NB304", "%%bash\nwget a\nls", "only the last command counts"),
        ("NB304", "%%bash\nf=$(make)\nls", "only the last command counts"),
        ("NB304", "%%bash\nf=`make`\nls", "only the last command counts"),
        ("NB304", "%%bash\nif [ -e $(make) ]; then\nls\nfi", "only the last command counts"),
        ("NB304", "%%bash\nif [ a ]; make; [ b ]; then\nls\nfi", "only the last command counts"),
        ("NB304", f"%%bash\nA={'$aaaaaaaaaaaa' * 999} !\nls", "only the last command counts"),
        ("NB304", f"%%bash\nif [ {'$aaaaaaaaaaaa' * 999}\nls", "only the last command counts"),
        ("NB304", "!mkdir a && make", "nobody sees if this command fails"),
        (
            "NB303",
            "if 'google.colab' in sys.modules:\n    pass\n!pip install a",
            "a notebook installs nothing",
        ),
        (
            "NB202",
            "def f():\n    'F.'\n" + "    a = 1\n" * 70,
            "72 lines, more than 60; move f to src/",
        ),
        ("NB305", "table.to_csv(f'{name}')\npd.read_csv('a.csv')", "a.csv does not exist"),
        ("NB304", "files = !ls", "nobody sees if this command fails"),
        ("NB304", "!cat a b > c", "nobody sees if this command fails"),
        ("NB304", "!ls && make", "nobody sees if this command fails"),
        ("NB304", "!find . -name x -delete", "nobody sees if this command fails"),
        ("NB304", "!cat $(make)", "nobody sees if this command fails"),
        ("NB304", "!sort -o b a", "nobody sees if this command fails"),
        ("NB304", "os.system('make')", "nobody sees if this command fails"),
        ("NB304", "subprocess.run(['make'])", "nobody sees if this program fails"),
        ("NB304", "subprocess.call(['make'])", "nobody sees if subprocess.call fails"),
        ("NB304", "%%bash\na\nb", "only the last command counts"),
        ("NB306", 'pd.read_csv("https://a.org/x.csv")', "https://a.org/x.csv may change"),
        ("NB306", 'URL = "http://a.org"\nrequests.get(URL, timeout=3)', "http://a.org may change"),
        ("NB306", "!wget -q https://a.org/x.zip", "https://a.org/x.zip may change"),
        ("NB306", "urllib.request.urlretrieve('ftp://a.org/x', 'y')", "ftp://a.org/x may change"),
        ("NB307", "name = input()", "a run has nobody to answer input()"),
        ("NB307", "from getpass import getpass\ngetpass('k')", "a run has nobody to answer"),
        ("NB307", "breakpoint()", "breakpoint() waits for ever"),
        ("NB402", "if 'a' in names:\n    import colab", "colab is no dependency"),
        ("NB402", "if 'a' in sys.modules:\n    pass\nimport colab", "colab is no dependency"),
        ("NB302", "os.path.exists('../x')", "../x is a path upwards"),
        ("NB304", "!gcloud storage rm list", "nobody sees if this command fails"),
        ("NB304", "!aws s3 ls > a", "nobody sees if this command fails"),
        ("NB402", "import tr.x", 'tr is no dependency of the project; add "transitive" to'),
        (
            "NB402",
            "import example_pakage",
            "example_pakage is no dependency of the project; add the package that provides "
            "example_pakage to the dependencies",
        ),
        (
            "NB402",
            "import space.two.part",
            'space is no dependency of the project; add "space-two"',
        ),
        ("NB402", "import space.other", "space is no dependency of the project; add the package"),
        ("NB403", "import example_package.pats", "there is no module example_package.pats"),
        ("NB403", "from example_package.paths import root", "example_package.paths has no root"),
        ("NB501", 'DB_PASSWORD = "x"', "DB_PASSWORD looks like a secret"),
        ("NB501", 'github_token: str = "x"', "github_token looks like a secret"),
    ],
)
def test_what_is_wrong_is_reported(tmp_path: Path, code: str, cell: str, found: str) -> None:
    messages = find(tmp_path, code, f"# %%\n{cell}")
    assert len(messages) == 1
    assert messages[0].partition(" ")[2].startswith(found)


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ('extra = ["not-installed"]', 1),  # off by default
        ('dev = ["not-installed"]', 0),  # it may be what brings the module along
        ('dev = [{ include-group = "extra" }]\nextra = ["not-installed"]', 0),
    ],
)
def test_what_setup_does_not_install_hides_nothing(tmp_path: Path, groups: str, found: int) -> None:
    project = f"{FILES['pyproject.toml']}\n[dependency-groups]\n{groups}\n"
    example = f"# %%\nimport nowhere\n=== pyproject.toml\n{project}"
    assert len(find(tmp_path, "NB402", example)) == found


CONFIG = '# %% tags=["parameters"]\na: int = ...\nb: float = 0.5\nkey: str = os.environ["KEY"]\n'


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("a: 1\n", []),
        ("a: 1\nb: 1\n", []),
        ("", ["1:1 config/10-example.yaml: parameter a is missing"]),
        ("a: 1\nb: x\n", ["1:2 config/10-example.yaml: parameter b: given"]),
        ("a: 1\nc: x\n", ["1:1 config/10-example.yaml: unknown parameter c"]),
        ("a: 1\nkey: x\n", ["1:3 config/10-example.yaml: parameter key is secret: remove it"]),
        ("a: [1\n", ["1:1 config/10-example.yaml cannot be read"]),
    ],
)
def test_the_config_file_fits_the_parameters(tmp_path: Path, config: str, found: list[str]) -> None:
    messages = find(tmp_path, "NB103", f"{CONFIG}=== config/10-example.yaml\n{config}")
    assert len(messages) == len(found)
    assert all(map(str.startswith, messages, found))


def test_a_parameter_that_the_stage_passes_need_not_be_in_the_config_file(tmp_path: Path) -> None:
    stage = (
        f"stages:\n  m:\n    matrix:\n      a: [1]\n    cmd: papermill {NAME} o -p a ${{item.a}}\n"
    )
    assert find(tmp_path, "NB103", f"{CONFIG}=== dvc.yaml\n{stage}") == []


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ("config/10-example.yaml", 0),
        ("config/${item.a}.yaml", 0),
        ("config/$KIND.yaml", 0),
        ("/etc/no-such.yaml", 0),
        ("made/1/a.yaml", 0),
        ("config/10-exmaple.yaml", 1),
        ("other/${item.a}.yaml", 1),
    ],
)
def test_the_files_of_parameters_are_there(tmp_path: Path, config: str, found: int) -> None:
    command = f"papermill {NAME} o.ipynb -f {config}"
    stages = f"stages:\n  m:\n    cmd: {command}\n  make:\n    cmd: make\n    outs: [made]\n"
    example = f"# %%\n1\n=== config/10-example.yaml\na: 1\n=== dvc.yaml\n{stages}"
    assert len(find(tmp_path, "NB105", example)) == found


@pytest.mark.parametrize(
    ("remark", "silenced"),
    [
        ("  # noqa", True),
        ("  # noqa: NB302", True),
        ("  # noqa: E501, NB302", True),
        ("  # noqa: NB303", False),
        ("  # NB302", False),
    ],
)
def test_a_line_can_be_silenced(tmp_path: Path, remark: str, silenced: bool) -> None:
    assert (find(tmp_path, "NB302", f'# %%\nx = ".."{remark}') == []) == silenced
    several = f'# %%\nx = (\n    """../a\\\nb"""{remark}\n)'
    assert (find(tmp_path, "NB302", several) == []) == silenced


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"nbformat": 3, "worksheets": []}',
        '{"nbformat": 4, "metadata": {}, "cells": [{}]}',
        '{"nbformat": 4, "metadata": {}, "cells": [null]}',
        '{"nbformat": 4, "metadata": null, "cells": []}',
        '{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "markdown", "metadata": {}}]}',
        '{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "raw", "source": ""}]}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_what_is_no_notebook_is_one_finding(tmp_path: Path, text: str) -> None:
    write_project(tmp_path, "# %%\nprint(1)")
    (tmp_path / NAME).write_bytes(text.encode("utf-8", "surrogateescape"))
    (finding,) = check_paths(tmp_path, ignore=("NB105",)).findings
    assert (finding.code, finding.cell, finding.line) == ("NB001", None, 0)
    assert "\n" not in finding.message


@pytest.mark.parametrize(
    "cell", ["x = = 1", "x = '\0'", "(" * 500, "x = " + "1+" * 3000 + "1", "-" * 3000 + "1", "%%"]
)
def test_strange_code_gives_no_finding_of_another_kind(tmp_path: Path, cell: str) -> None:
    write_project(tmp_path, f"# %%\n{cell}\nundefined_name")
    codes = {finding.code for finding in check_paths(tmp_path).findings}
    assert codes <= {"NB001", "NB002", "NB101", "NB201"}


def test_a_cell_that_cannot_be_parsed_is_one_finding_and_the_rest_is_checked(
    tmp_path: Path,
) -> None:
    cells = "# %%\n%matplotlib inline\nx = = 1\n# %%\nopen('/home/me/x')\n# %%\npip install x"
    write_project(tmp_path, cells)
    chosen = ("NB0", "NB3")
    found = [(f.cell, f.line, f.code) for f in check_paths(tmp_path, (), chosen).findings]
    assert found == [(1, 1, "NB002"), (2, 1, "NB302"), (3, 1, "NB303")]


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({}, ""),
        ({"kernelspec": None, "language_info": []}, ""),
        ({"language_info": {"name": "python"}}, ""),
        ({"kernelspec": {"name": "ir", "language": "R"}}, "r"),
        ({"language_info": {"name": "julia"}}, "julia"),
    ],
)
def test_notebooks_of_other_languages_are_left_out_and_named(
    tmp_path: Path, metadata: dict[str, Any], language: str
) -> None:
    write_project(tmp_path, "# %%\nx <- 1")
    content = json.loads((tmp_path / NAME).read_text("utf-8"))
    (tmp_path / NAME).write_text(json.dumps(content | {"metadata": metadata}))
    result = check_paths(tmp_path)
    assert result.skipped == ({NAME: language} if language else {})
    assert result.notebooks == (0 if language else 1)
    assert bool(result.findings) != bool(language)


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        (
            'pd.read_csv("data/raw/a.csv")',
            "data/raw/a.csv does not exist, and no stage declares it",
        ),
        ('open(paths.ROOT / "data" / "b.csv")', "data/b.csv does not exist"),
        ('b = ROOT / "data/b.csv"\nb.read_text()', "data/b.csv does not exist"),
        ('pd.read_csv(filepath := "beside.csv")', None),
        ('pd.read_csv("beside.csv")', "beside.csv is beside the notebook, but a run starts in"),
        ('np.load("there.npy")', "there.npy is only on this machine: dvc add there.npy"),
        ('open("tracked.txt")', None),
        ('open("tracked/inner.txt")', None),
        ('pd.read_csv("made/part/1.csv")', None),
        ('pd.read_csv("held/1.csv")', None),
        ('pd.read_csv("given.csv")', None),
        ('pd.read_csv("of/1.csv")', None),
        ('pd.read_csv("off/1.csv")', "off/1.csv does not exist"),
        ('json.load(open("made"))', None),
        ('open("new.txt", "w").write("a")\nopen("new.txt")', None),
        ('(ROOT / "new.txt").write_text("a")\nopen(ROOT / "new.txt")', None),
        ('np.save("new", x)\nnp.load("new.npy")', None),
        ('np.save("new", x)\nnp.load("new.npz")', "new.npz does not exist"),
        ('!unzip -o all.zip new.csv\npd.read_csv("new.csv")', None),
        ('!head new.csv\npd.read_csv("new.csv")', "new.csv does not exist"),
        ('x = "a.csv"\nx = "b.csv"\nopen(x)', None),
        ('open(f"data/{name}.csv")\npd.read_csv(name)\npickle.load(file)', None),
    ],
)
def test_files_that_others_lack_are_reported(tmp_path: Path, cell: str, found: str | None) -> None:
    declared = "    deps: [given.csv]\n    outs: [made, 'of/${item.a}.csv']\n"
    stages = FILES["dvc.yaml"] + declared
    files = {"dvc.yaml": stages, "held.dvc": "outs: []", "there.npy": "", "tracked.txt": ""}
    files |= {"tracked/inner.txt": "", "notebooks/production/beside.csv": ""}
    others = "".join(f"\n=== {path}\n{text}" for path, text in files.items())
    write_project(tmp_path, f"# %%\n1{others}")
    for command in (["init", "-q"], ["add", "tracked.txt", "tracked"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    messages = find(tmp_path, "NB305", f"# %%\n{cell}{others}")
    assert len(messages) == (found is not None)
    assert all(message.partition(" ")[2].startswith(found or "") for message in messages)


@pytest.mark.parametrize(
    ("cells", "is_title"),
    [
        ("# %% [markdown]\n# [badge](x)\n#\n# # Sales", True),
        ("# %% [markdown]\n# <img src='a.png'>\n# %% [markdown]\n# ### Sales", True),
        ("# %%\n%load_ext x\n# %% [markdown]\n# # Sales", True),
        ("# %% [markdown]\n# Sales\n# =====", True),
        ("# %% [markdown]\n# Text\n# <h3 align='center'>Sales</h3>", True),
        ("# %% [markdown]\n# Sales by day.", False),
        ("# %% [markdown]\n# ```python\n# # a comment\n# ```", False),
        ("# %% [markdown]\n# Text\n# %%\nx = 1\n# %% [markdown]\n# # Later", False),
        ("# %% [markdown]\n# #hashtag\n# - a\n# ---", False),
    ],
)
def test_a_heading_in_the_first_markdown_cells_is_a_title(
    tmp_path: Path, cells: str, is_title: bool
) -> None:
    assert (find(tmp_path, "NB201", cells) == []) == is_title


def test_a_file_beside_the_notebook_is_no_package(tmp_path: Path) -> None:
    example = "# %%\nimport helpers\n=== notebooks/production/helpers.py\nx = 1"
    (message,) = find(tmp_path, "NB402", example)
    assert message.startswith("1:1 helpers is notebooks/production/helpers.py, which other")


CLEAN = """\
import numpy as np
# %%
@cache
def clean(table: pd.DataFrame):
    '''Explained.'''
    kept = table.dropna()
    return np.clip(kept, 0, LIMIT)
"""
TIDY_UP = """\
import numpy

def tidy_up(df):
    rows = df.dropna()  # in German, too
    return numpy.clip(rows, 0, LIMIT)
"""


def test_a_copy_in_another_notebook_is_found_in_both(tmp_path: Path) -> None:
    def copies(other: str, *paths: str, folder: str = "production") -> list[str]:
        write_project(tmp_path, f"# %% [markdown]\n# # A\n# %%\n{CLEAN}")
        write_project(tmp_path, f"# %%\n{other}", f"notebooks/{folder}/20-other.ipynb")
        chosen = [tmp_path / path for path in paths]
        return [str(finding) for finding in check_paths(tmp_path, chosen, ("NB203",)).findings]

    same = f"@cache\n{TIDY_UP}".replace("@cache\nimport numpy\n", "import numpy\n@cache")
    here = f"{NAME}, code cell 2, line 1"
    there = "notebooks/production/20-other.ipynb, code cell 1, line 2"
    found = [
        f"{here}: NB203 clean stands in {there} as tidy_up, too: nb extract clean",
        f"{there}: NB203 tidy_up stands in {here} as clean, too: nb extract tidy_up",
    ]
    assert copies(same) == copies(same, "notebooks") == found
    assert copies(same, NAME) == []
    assert copies(same.replace("(rows, 0", "(rows, 1")) == []
    assert copies(same.replace("import numpy", "import jax as numpy")) == []
    (tmp_path / "notebooks/production/20-other.ipynb").unlink()
    assert copies(same, folder="exploratory") == []


def test_a_copy_of_a_module_is_found_in_one_notebook(tmp_path: Path) -> None:
    module = TIDY_UP.replace("import numpy", "import numpy\nLIMIT = 3")
    files = f"=== src/example_package/data.py\n{module}"
    cells = f"# %%\nLIMIT = 3\n{CLEAN}".replace("@cache\n", "")
    where = "src/example_package/data.py:4 as tidy_up"
    found = [f"2:1 clean stands in {where}, too: nb extract clean"]
    assert find(tmp_path, "NB203", cells + files) == found
    assert find(tmp_path, "NB203", cells.replace("LIMIT = 3", "LIMIT = 4") + files) == []
    silenced = cells.replace("DataFrame):", "DataFrame):  # noqa: NB203")
    assert find(tmp_path, "NB203", silenced + files) == []


def test_what_nbdev_exports_is_no_copy_of_its_module(tmp_path: Path) -> None:
    cells = f"# %%\n#| default_exp data\n# %%\n#| export\n{TIDY_UP}"
    generated = f"=== src/example_package/data.py\n# AUTOGENERATED! DO NOT EDIT!\n{TIDY_UP}"
    assert find(tmp_path, "NB203", cells + generated) == []
    write_project(tmp_path, f"# %%\n{TIDY_UP}", "notebooks/production/20-other.ipynb")
    (found,) = check_paths(tmp_path, select=("NB203",)).findings
    assert (found.path, found.line) == ("notebooks/production/20-other.ipynb", 3)


def test_settings_choose_the_rules(tmp_path: Path) -> None:
    def codes(settings: str, **chosen: tuple[str, ...]) -> set[str]:
        project = f"{FILES['pyproject.toml']}[tool.nb.check]\n{settings}\n"
        example = '# %%\ndef f():\n    return x\nf()\nx = ".."\n' + "pass\n" * 9
        write_project(tmp_path, f"{example}=== pyproject.toml\n{project}")
        return {finding.code for finding in check_paths(tmp_path, **chosen).findings}

    assert codes("") == {"NB101", "NB201", "NB301", "NB302"}
    assert codes('select = ["NB3"]') == {"NB301", "NB302"}
    assert codes('ignore = ["NB3", "NB101"]') == {"NB201"}
    assert codes('select = ["NB3"]', select=("NB1",)) == {"NB101"}
    assert codes('ignore = ["NB3"]', ignore=("NB1",)) == {"NB201"}
    assert codes('per-file-ignores = { "*/10-*" = ["NB1", "NB2"] }') == {"NB301", "NB302"}
    assert codes('per-file-ignores = { "*/20-*" = ["NB"] }') == codes("")
    assert codes('select = ["NB202"]\nmax-cell-lines = 10') == {"NB202"}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('select = ["NB9"]', "no rule NB9"),
        ('ignore = "NB1"', "ignore of tool.nb.check must be a list of texts"),
        ("max-cell-lines = 0", "must be a whole number above 0"),
        ("max-lines = 5", "has no setting max-lines; known are select"),
        ("per-file-ignores = []", "must be a table"),
        ("select = [", "pyproject.toml cannot be read"),
    ],
)
def test_a_wrong_setting_is_one_line(tmp_path: Path, settings: str, reason: str) -> None:
    project = f"{FILES['pyproject.toml']}[tool.nb.check]\n{settings}\n"
    write_project(tmp_path, f"# %%\n1\n=== pyproject.toml\n{project}")
    with pytest.raises(NbError, match=re.escape(reason)) as error:
        check_paths(tmp_path)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("tool = 1", "tool"),
        ("tool.nb = []", "tool.nb"),
        ('tool.nb.check = "NB1"', "tool.nb.check"),
        ("dependency-groups = 1", "dependency-groups"),
        ("project.optional-dependencies = 1", "project.optional-dependencies"),
    ],
)
def test_a_word_where_a_table_belongs_is_one_line(tmp_path: Path, text: str, name: str) -> None:
    write_project(tmp_path, f"# %%\nimport pandas\n=== pyproject.toml\n{text}\n")
    with pytest.raises(NbError, match=f"^pyproject.toml: {re.escape(name)} is no table$") as error:
        check_paths(tmp_path)
    assert error.value.exit_code == 2


def test_paths_choose_the_notebooks(tmp_path: Path) -> None:
    write_project(tmp_path, "# %%\n1")
    write_project(tmp_path, "# %%\n1", "notebooks/production/20-other.ipynb")
    write_project(tmp_path, "# %%\n1", "notebooks/exploratory/01-dm-x.ipynb")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/20-other.yaml").write_text("")

    def looked_at(*names: str) -> int:
        return check_paths(tmp_path, [tmp_path / name for name in names]).notebooks

    assert looked_at() == 3
    assert looked_at(NAME) == looked_at(NAME, NAME) == 1
    assert looked_at("notebooks/production") == 2
    assert looked_at(".") == looked_at("notebooks/exploratory/../..") == 3
    assert looked_at(f"notebooks/exploratory/../../{NAME}") == 1
    assert looked_at("config/20-other.yaml") == 1
    assert looked_at("src/example_package/paths.py") == looked_at("dvc.yaml") == 2
    write_project(tmp_path, "# %%\nopen('/home/me/x')", "old/part/analysis.ipynb")
    write_project(tmp_path, "# %%\n1", "old/.ipynb_checkpoints/analysis.ipynb")
    assert looked_at("old") == 1
    named = check_paths(tmp_path, [tmp_path / "old"]).findings
    assert {finding.code for finding in named} == {"NB201", "NB302"}
    with pytest.raises(NbError, match=r"there is no notebook .*nothing\.ipynb; there are 10-"):
        looked_at("nothing.ipynb")


def test_findings_are_written_for_people_machines_and_github() -> None:
    finding = Finding("a,b.ipynb", 3, 7, "NB301", "100% wrong")
    other = Finding("dvc.yaml", None, 7, "NB105", "no notebook")
    assert findings_text([finding, other], "text") == (
        "a,b.ipynb, code cell 3, line 7: NB301 100% wrong\ndvc.yaml:7: NB105 no notebook"
    )
    assert json.loads(findings_text([finding], "json")) == [
        {"path": "a,b.ipynb", "cell": 3, "line": 7, "code": "NB301", "message": "100% wrong"}
    ]
    assert findings_text([finding, other], "github") == (
        "::error file=a%2Cb.ipynb,line=1,title=NB301::code cell 3, line 7: 100%25 wrong\n"
        "::error file=dvc.yaml,line=7,title=NB105::no notebook"
    )


@pytest.mark.parametrize(
    "options",
    ["-p seed 7", "-r seed 7", "-y 'seed: 7'", "--parameters_yaml='{seed: 7}'", "-b c2VlZDogNw=="],
)
@pytest.mark.parametrize(
    "command",
    [
        f"papermill {NAME} reports/out.ipynb %s",
        f"papermill %s {NAME} reports/out.ipynb",
        "cd notebooks && papermill production/10-example.ipynb ../reports/out.ipynb %s",
    ],
)
def test_a_parameter_that_the_stage_gives_is_not_missed(
    tmp_path: Path, command: str, options: str
) -> None:
    cell = '# %% tags=["parameters"]\nseed: int = ...'
    pipeline = f"\n=== dvc.yaml\nstages:\n  example:\n    cmd: >-\n      {command % options}\n"
    assert find(tmp_path, "NB103", cell + pipeline) == []
    other = pipeline.replace("10-example", "20-other")
    assert find(tmp_path, "NB103", cell + other) == [
        "1:1 config/10-example.yaml: parameter seed is missing: give it a value, int"
    ]


def test_paths_of_a_stage_in_another_folder_are_those_of_the_project(tmp_path: Path) -> None:
    pipeline = """
=== dvc.yaml
stages:
  example:
    wdir: notebooks
    cmd: papermill production/10-example.ipynb ../reports/out.ipynb -f ../config/10-example.yaml
    outs: [../reports/out.ipynb]
=== config/10-example.yaml
seed: 7"""
    cell = '# %% tags=["parameters"]\nseed: int = 1'
    for code in ("NB103", "NB104", "NB105", "NB106"):
        assert find(tmp_path, code, cell + pipeline) == []


@pytest.mark.parametrize(
    ("kernel", "findings"), [({}, 1), ({"name": "x", "language": "python"}, 3)]
)
def test_a_notebook_of_an_unnamed_language_has_a_single_finding(
    tmp_path: Path, kernel: dict[str, str], findings: int
) -> None:
    write_project(tmp_path, "# %%\nlet a = 1\n# %%\nlet b = 2\n# %%\nprint(1)\n# %%\nlet c = 3\n")
    path = tmp_path / NAME
    content = json.loads(path.read_text())
    content["metadata"] = {"kernelspec": kernel} if kernel else {}
    path.write_text(json.dumps(content))
    found = check_paths(tmp_path, (path,), ("NB002",), ()).findings
    assert len(found) == findings
    assert ("3 of 4 cells are no Python" in found[0].message) == (findings == 1)
