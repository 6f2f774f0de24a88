"""Paths are written for the project's root, and constants become parameters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from nb.authoring import propose
from nb.authoring.path_rewriting import PathsFromRoot, rewrite_from_root, write_through_outputs
from nb.notebook.code import names_of_notebook
from nb.notebook.file import CellFile, parse_cells, read_cells


def notebook(path: Path, *sources: str) -> CellFile:
    cells = [
        {"cell_type": "code", "metadata": {}, "source": source, "outputs": []} for source in sources
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}))
    return read_cells(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "a.csv").touch()
    return tmp_path


USED = {
    "data/raw/a.csv": "data/raw/a.csv",
    "data/out.csv": "data/out.csv",
    "notebooks/exploratory/plot.png": "reports/figures/plot.png",
    "notebooks/exploratory/values.npy": "data/processed/values.npy",
    "notebooks/exploratory/parts/a.txt": "data/processed/parts/a.txt",
    "notebooks/exploratory/parts/b.txt": "data/processed/parts/b.txt",
    "notebooks/exploratory/two.npy": "data/processed/two.npy",
    "notebooks/exploratory/two.png": "reports/figures/two.png",
}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("read('../../data/raw/a.csv')", "read('data/raw/a.csv')"),
        ('base = "../../data/"  # ü', 'base = "data/"  # ü'),
        ("x = f'../../data/{kind}.csv'", "x = f'data/{kind}.csv'"),
        ("x = f'../../data/raw/a_{kind}.csv'", "x = f'data/raw/a_{kind}.csv'"),
        ("os.chdir('../..')", ""),
        ("save('../../data/out.csv')", "save('data/out.csv')"),
        ("save('plot.png')", "save('reports/figures/plot.png')"),
        ("q = '''from '../../data/raw/a.csv'\n'''", "q = '''from 'data/raw/a.csv'\n'''"),
        ("!cat ../../data/raw/a.csv", "!cat data/raw/a.csv"),
        ("read('{root}/data/raw/a.csv')", "read('data/raw/a.csv')"),
        ("read('/home/other/project/data/raw/a.csv')", "read('data/raw/a.csv')"),
        ("é = 'ü'; read('../../data/raw/a.csv')", "é = 'ü'; read('data/raw/a.csv')"),
        ("write('../new.csv')", "write('notebooks/new.csv')"),
        ("np.save('../exploratory/values', v)", "np.save('data/processed/values.npy', v)"),
        ("np.save('values', v)", "np.save('data/processed/values.npy', v)"),
        ("OUT = 'values'\nnp.save(OUT, v)", "OUT = 'data/processed/values'\nnp.save(OUT, v)"),
        ("plt.savefig(fname='plot')", "plt.savefig(fname='reports/figures/plot.png')"),
        ("f('../../data/out.csv', '../../data/')", "f('data/out.csv', 'data/')"),
        ("np.save('two', v)", "np.save('data/processed/two.npy', v)"),
        ("plt.savefig('two')", "plt.savefig('reports/figures/two.png')"),
        ("make_archive.make_archive('two')", "make_archive.make_archive('two')"),
        ("db = shelve.open('values')", "db = shelve.open('data/processed/values')"),
        ("!wc -l values.npy", "!wc -l data/processed/values.npy"),
        ("%%bash\nwc -l values.npy", "%%bash\nwc -l data/processed/values.npy"),
        ("!wc {root}/data/raw/a.csv", "!wc data/raw/a.csv"),
        ("t['values']", "t['values']"),
        ("!echo values", "!echo values"),
        *((same, same) for same in ("print('...')", "x = '.'", "f('a.csv')", "'/'", "'./no'")),
        ("f('/home/other/project/data/raw')", "f('data/raw')"),
        ("'{other}/data/raw'", "'{other}/data/raw'"),
        *((same, same) for same in ("'data/raw/a.csv'", "# ../../data/raw", "'/etc/hosts'")),
        *((same, same) for same in ("base + '/data/raw/a.csv'", "f'{base}/data/raw/a.csv'")),
        ("'{root}' + '/data/raw/a.csv'", "'.' + '/data/raw/a.csv'"),
        ("glob('*.npy')", "glob('data/processed/*.npy')"),
        ("glob('parts/*.txt')", "glob('data/processed/parts/*.txt')"),
        ("out = './parts'", "out = 'data/processed/parts'"),
        ("os.listdir('parts')", "os.listdir('data/processed/parts')"),
        ("glob('t*')", "glob('t*')"),  # of two folders then
        ("r = Path.cwd().parent.parent", "r = Path.cwd()"),
        ("r = pathlib.Path().resolve().parents[1]", "r = pathlib.Path().resolve()"),
        (
            "here = Path.cwd()\nr = here.parents[1] / 'data'",
            'here = Path.cwd()\nr = here / "data"',
        ),
        (
            "r = Path.cwd().parent.parent / 'data' / 'out.csv'",
            'r = Path.cwd() / "data/out.csv"',
        ),
        ("Path.cwd().parent.exists()", 'Path.cwd().joinpath("notebooks").exists()'),
        ("r = os.path.dirname(os.path.dirname(os.getcwd()))", "r = os.getcwd()"),
        (
            "r = os.path.join(os.getcwd(), '..', '..', 'data')",
            'r = os.path.join(os.getcwd(), "data")',
        ),
        ("r = os.getcwd() + '/../../data/out.csv'", 'r = os.getcwd() + "/data/out.csv"'),
        ("w = os.getcwd() + '/plot.png'", 'w = os.getcwd() + "/reports/figures/plot.png"'),
        *((same, same) for same in ("Path.cwd()", "Path.cwd() / name")),
        *(
            (same, same)
            for same in (
                "here = 1\nhere = Path.cwd()\nhere.parent",
                "f'{os.getcwd() + \"/plot.png\"}'",
            )
        ),
    ],
)
def test_paths_are_written_from_the_root(root: Path, before: str, after: str) -> None:
    folder = root / "notebooks" / "exploratory"
    other = root.with_name(f"{root.name}-other")
    (other / "data" / "raw").mkdir(parents=True)
    before = before.replace("{root}", str(root)).replace("{other}", str(other))
    file = notebook(folder / "a.ipynb", before)
    changed = rewrite_from_root(file, PathsFromRoot(root, folder, used=USED))
    assert changed.get(1, before) == after.replace("{other}", str(other))


def test_a_folder_above_the_notebook_never_moves_with_an_output(root: Path) -> None:
    folder = root / "notebooks" / "exploratory"
    used = {
        "notebooks/a.txt": "data/processed/a.txt",
        "notebooks/exploratory/b.txt": "data/processed/b.txt",
    }
    file = notebook(folder / "a.ipynb", "%cd ..\nsys.path.append('..')\nx = '../exploratory/'")
    changed = rewrite_from_root(file, PathsFromRoot(root, folder, used=used))
    assert changed[1] == (
        "%cd notebooks\nsys.path.append('notebooks')\nx = 'notebooks/exploratory/'"
    )


def test_for_a_copy_only_absolute_paths_change(root: Path) -> None:
    folder = root / "notebooks" / "exploratory"
    file = notebook(folder / "a.ipynb", f"a = '{root}/data/raw/a.csv'\nb = '../../data/raw/a.csv'")
    changed = rewrite_from_root(file, PathsFromRoot(root, folder, target="/copy"))
    assert changed == {1: "a = '/copy/data/raw/a.csv'\nb = '../../data/raw/a.csv'"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "t.to_csv('data/out.csv', index=False)",
            "t.to_csv(paths.output('data/out.csv'), index=False)",
        ),
        ("np.save('data/out', x)", "np.save(paths.output('data/out'), x)"),
        ("f = Path('data/out.csv')", "f = paths.output('data/out.csv')"),
        ("é = 1; save(fname='data/out.csv')", "é = 1; save(fname=paths.output('data/out.csv'))"),
        *(
            (same, same)
            for same in (
                "t.to_csv('data/other.csv')",
                "OUT = 'data/out.csv'",
                "print('data/out.csv')",
                "t.to_csv(f'data/out.csv')",
                "!cat data/out.csv",
                "save('')",
            )
        ),
    ],
)
def test_an_output_is_written_by_the_projects_function(
    tmp_path: Path, before: str, after: str
) -> None:
    file = notebook(tmp_path / "a.ipynb", before)
    assert write_through_outputs(file, ["data/out.csv"]).get(1, before) == after


def test_a_parameters_cell_keeps_its_literals(tmp_path: Path) -> None:
    file = notebook(tmp_path / "a.ipynb", "OUT = Path('data/out.csv')")
    tagged = replace(file, cells=tuple(replace(cell, tags=("parameters",)) for cell in file.cells))
    assert write_through_outputs(file, ["data/out.csv"])
    assert write_through_outputs(tagged, ["data/out.csv"]) == {}


def names(tmp_path: Path, *sources: str) -> list[str]:
    file = notebook(tmp_path / "a.ipynb", *sources)
    return [one.code for one in propose.proposed_parameters(file, names_of_notebook(file))]


def test_constants_become_annotated_parameters(tmp_path: Path) -> None:
    cell = "LIMIT = 3  # at most\nname = 'x'\nshare = -0.5\nflags = [1, 2]\nok = True"
    assert names(tmp_path, cell) == [
        "LIMIT: int = 3",
        "name: str = 'x'",
        "share: float = -0.5",
        "flags: list = [1, 2]",
        "ok: bool = True",
    ]


@pytest.mark.parametrize(
    "cells",
    [
        ["x = 1", "x = 2"],
        ["x = 0", "x += 1"],
        ["x = []"],
        ["x = [1]", "x.append(2)"],
        ["x = {'a': 1}", "x['a'] = 2"],
        ["x = 1", "def f():\n    return x"],
        ["x = 1", "if True:\n    def f():\n        global x\n        x = 2"],
        ["x = [1]", "x[0] += 1"],
        ["x = 1", "def x():\n    pass"],
        ["def x():\n    pass", "x = 1"],
        ["x = 1", "for x in (1, 2):\n    pass"],
        ["x = None"],
        ["x = ((0, 0), (0, 1))"],
        ["x = [(1, 2)]"],
        ["x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]"],
        ["x = {1, 2}"],
        ["x = b'a'"],
        ["x = {'north': 'n', 'south': 's'}"],
        ["x = 'select name, count(*) as n from people'"],
        ["x = 'price'", "table[x]"],
        ["x = ['area', 'rooms']", "model.fit(table[x], table['price'])"],
        ["x = 'area'", "table.groupby(x)"],
        ["x = ['area']", "table[x + ['price']]"],
        ["x = ['area']", "table[['price'] + x]"],
        ["from pathlib import Path\nx = [Path('a'), Path('b')]"],
        ["x = 'area'", "table.sort_values(by=x)"],
        ["x = ['area']", "sns.PairGrid(table, x_vars=x)"],
        ["x = 'area'", "sns.scatterplot(table, x=x, y='price')"],
        ["x = ['Income', 'Age']", "table.plot(label=x[0])"],
        ["x = 'Income'", "ax.set_xlabel(x)"],
        ["x = compute()"],
        ["x = 'a\\nb'"],
        ["_x = 1"],
    ],
)
def test_what_changes_or_belongs_to_a_function_is_no_parameter(
    tmp_path: Path, cells: list[str]
) -> None:
    assert names(tmp_path, *cells) == []


@pytest.mark.parametrize(
    ("constant", "use"),
    [
        ("3", "table[counts >= x]"),
        ("3", "table[table['area'].isin(kept[kept > x].index)]"),
        ("3", "rows[x]"),
        ("3", "rows[:x]"),
        ("'mean'", "table.agg(x)"),
        ("'2024-01-31'", "table[table['day'] > x]"),
        ("[1, 2]", "table.iloc[x]"),
        ("3", "plt.scatter(x=x, y=2)"),
    ],
)
def test_a_threshold_or_size_is_a_parameter_where_it_selects_rows(
    tmp_path: Path, constant: str, use: str
) -> None:
    (code,) = names(tmp_path, f"x = {constant}", use)
    assert code.endswith(f" = {constant}")


def test_the_rest_of_a_cell_stays(tmp_path: Path) -> None:
    source = "import os\n\n# how many\nLIMIT = 3  # at most\nprint(LIMIT)"
    file = notebook(tmp_path / "a.ipynb", source)
    (found,) = propose.proposed_parameters(file, names_of_notebook(file))
    assert propose.without_constants(source, [found]) == "import os\n\nprint(LIMIT)"
    assert found.comment == "how many at most"
    assert propose.proposed_cell([found]) == "# how many at most\nLIMIT: int = 3"
    assert propose.proposed_cell([replace(found, comment="")]) == "# Parameters\n\nLIMIT: int = 3"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("n = 3\nname: str = 'a'", ""),
        ("table = None\nn = 3", "table: None alone does not say the type"),
        ("n = 3\nprint(n)", "this does not give a value to one name"),
        ("%matplotlib inline\nn = 3", "this is no Python but a line of IPython"),
        ("n = 3\n= 2", "invalid syntax"),
    ],
)
def test_a_parameters_cell_that_no_run_could_read_is_an_ordinary_cell(
    tmp_path: Path, source: str, reason: str
) -> None:
    file = notebook(tmp_path / "a.ipynb", "import os", source)
    content = json.loads(file.text)
    content["cells"][1]["metadata"]["tags"] = ["keep", "parameters"]
    file = parse_cells(file.path, json.dumps(content))
    changed, why = propose.without_unreadable_tag(file)
    assert why.startswith(reason) and bool(why) == bool(reason)
    assert changed.cells[1].tags == (("keep",) if reason else ("keep", "parameters"))
    assert [cell.source for cell in changed.cells] == ["import os", source]
    assert changed.cells[0].tags == ()
