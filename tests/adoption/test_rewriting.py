"""Paths and imports rewritten for a new place; all other text keeps every character."""

from __future__ import annotations

import ast
import posixpath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nb.adoption.new_places import HOME, data_homes, folder_homes
from nb.adoption.rewriting import (
    Relocation,
    path_use,
    rewrite_links,
)
from nb.notebook.path_literals import rewrite_paths
from nb.refactoring.import_rewriting import imports_for_runs, rewrite_imports

FILES = {"data/prices.csv", "data/more/areas.csv", "img/a.png", "top.csv", "data/part-1.csv"}
HOMES = data_homes(FILES, set(), {"data"})
RULE = Relocation(HOMES, folder_homes(HOMES), "explore")


def rewritten(source: str) -> str:
    return rewrite_paths(source, RULE.paths)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pd.read_csv('../data/prices.csv')", "pd.read_csv('../../data/raw/prices.csv')"),
        ("open('data/prices.csv')", "open('../../data/raw/prices.csv')"),
        ("DATA_DIR = '../data'", "DATA_DIR = '../../data/raw'"),
        ("DATA_DIR = '../data/'", "DATA_DIR = '../../data/raw/'"),
        ("x = f'../data/{name}.csv'", "x = f'../../data/raw/{name}.csv'"),
        ("glob('../data/*.csv')", "glob('../../data/raw/*.csv')"),
        ("p = '../data/part-%d.csv' % n", "p = '../../data/raw/part-%d.csv' % n"),
        ("os.path.join('..', 'data', x)", "os.path.join('../../data/raw', x)"),
        ("Path('..') / 'data' / 'prices.csv'", "Path('../../data/raw/prices.csv')"),
        ("Path('..', 'data') / name", "Path('../../data/raw') / name"),
        ("pathlib.Path('..') / 'data' / name", "pathlib.Path('../../data/raw') / name"),
        ("f(os.path.join('..', 'data', 'prices.csv'))", "f('../../data/raw/prices.csv')"),
        ("os.path.join('../data', x)", "os.path.join('../../data/raw', x)"),
        ("Path('../data') / 'prices.csv'", "Path('../../data/raw/prices.csv')"),
        ("'/home/me/work/data/prices.csv'.x", "'../../data/raw/prices.csv'.x"),
        ("f('C:\\\\work\\\\top.csv')", "f('../../data/raw/top.csv')"),
        ("!head ../data/prices.csv", "!head ../../data/raw/prices.csv"),
        ("n = !wc -l data/prices.csv", "n = !wc -l ../../data/raw/prices.csv"),
        ("%cd ..", "%cd ."),
        ("import os\nos.chdir('..')\nimport b", "import os\n\nimport b"),
        ("if x:\n    os.chdir('..')", "if x:\n    os.chdir('.')"),
        ("%%bash\nhead ../data/prices.csv", "%%bash\nhead ../../data/raw/prices.csv"),
        ("np.loadtxt(r'..\\data\\prices.csv')", "np.loadtxt(r'../../data/raw/prices.csv')"),
    ],
)
def test_paths_lead_to_the_new_place(old: str, new: str) -> None:
    assert rewritten(old) == new


@pytest.mark.parametrize(
    "source",
    [
        "df['data']",
        "df['top.csv']",
        "base / 'top.csv'",
        "os.path.join(DATA_DIR, 'top.csv')",
        "x == 'data'",
        "print('the data of ../nowhere')",
        "requests.get('https://example.org/data/prices.csv')",
        "plot(color='img')",
        "x = 'ä'; y = 1  # ../data/prices.csv",
        "def f(:",
        ">>> x = 1\n>>> x + 1\n2",
        "In [1]: x = 1",
        "    x = 1\n    y = 2",
    ],
)
def test_other_text_stays(source: str) -> None:
    assert rewritten(source) == source


PART = st.text("abc", min_size=1, max_size=3)
NAME = st.lists(PART, min_size=1, max_size=3).map("/".join)


@given(st.sets(NAME, min_size=1, max_size=6), NAME, st.data())
def test_a_path_that_led_to_a_file_still_does(
    stems: set[str], folder: str, data: st.DataObject
) -> None:
    files = {f"{stem}.csv" for stem in stems}
    homes = data_homes(files, set(), set())
    rule = Relocation(homes, folder_homes(homes), folder)
    file = data.draw(st.sampled_from(sorted(files)))
    typed = posixpath.relpath(file, folder)
    # From the top, too, as editors run notebooks there, unless the text means a nearer file.
    assume(posixpath.normpath(posixpath.join(folder, file)) not in files)
    for text in (typed, file, f"./{typed}"):
        source = f"pd.read_csv({text!r})"
        call = ast.parse(rewrite_paths(source, rule.paths), mode="eval").body
        assert isinstance(call, ast.Call)
        new = ast.literal_eval(call.args[0])
        assert posixpath.normpath(posixpath.join(HOME, new)) == homes[file]


def test_a_link_of_markdown_follows() -> None:
    text = "![a](../img/a.png) [b](https://example.org/top.csv)"
    assert rewrite_links(text, RULE.new_path) == text.replace("../img", "../../data/raw/img")


def test_files_of_the_project_are_found_from_a_folder_that_moves_inside_it() -> None:
    rule = Relocation({}, inside="old", others=frozenset({"data/raw/x.csv", "old/a.ipynb"}))
    assert rule.new_path("../data/raw/x.csv") == "../../data/raw/x.csv"
    assert rule.new_path("..") == ".."


MODULES = {"helpers": "pkg.helpers", "lib": "pkg.lib", "lib.text": "pkg.lib.text"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("import helpers", "from pkg import helpers"),
        ("import helpers as h", "from pkg import helpers as h"),
        ("import os, helpers", "import os; from pkg import helpers"),
        ("from helpers import a, b as c", "from pkg.helpers import a, b as c"),
        ("from helpers import (\n    a,\n)  # why", "from pkg.helpers import a  # why"),
        ("import lib.text", "import pkg.lib.text; from pkg import lib"),
        ("import lib.text as t", "from pkg.lib import text as t"),
        ("if x:\n    import helpers\n%matplotlib inline", None),
        ("from helpers import *", "from pkg.helpers import *"),
        ("import helpers_of_others", "import helpers_of_others"),
        ("from . import helpers", "from . import helpers"),
    ],
)
def test_imports_lead_to_the_package(old: str, new: str | None) -> None:
    expected = new or old.replace("import helpers", "from pkg import helpers")
    assert rewrite_imports(old, MODULES) == expected


def test_what_code_writes_is_told_from_what_it_reads() -> None:
    use = path_use(
        "a",
        [
            "OUT = 'out.csv'\ndf = pd.read_csv('in.csv')\ndf.to_csv(OUT)",
            "open('w.txt', 'w')\nopen('r.txt')\njoblib.dump(m, 'm.pkl')\nplt.savefig('a.png')",
            "df.to_csv('both.csv')\npd.read_csv('both.csv')\n%%time",
        ],
    )
    assert use.written == {"out.csv", "w.txt", "m.pkl", "a.png"}
    assert use.base == "a"
    assert path_use("a/b", ["import os\nos.chdir('..')"]).base == "a"


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("%run ./setup.py", "from pkg.setup import a, b"),
        ("if new:\n    %run 'setup'", "if new:\n    from pkg.setup import a, b"),
        ("x = 1\n%run lib/quiet.py", "x = 1\nimport pkg.lib.quiet"),
        *((same, same) for same in ("%run setup.py --fast", "%run other.py", "!run setup.py")),
    ],
)
def test_a_run_of_a_module_that_moves_is_an_import(old: str, expected: str) -> None:
    modules = {"setup.py": ("pkg.setup", ["a", "b"]), "quiet.py": ("pkg.lib.quiet", [])}
    assert imports_for_runs(old, modules) == expected
