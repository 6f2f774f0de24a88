"""Names that a notebook uses in texts which libraries evaluate."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from cells import notebook
from nb.authoring.lint import with_imports_of_texts
from nb.notebook.code import names_in_texts
from nb.notebook.file import parse_cells


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("ols('np.log(price) ~ double(rooms) + C(town)', t)", {"np", "double", "C"}),
        ("formula = 'y ~ np.exp(x)'", {"np"}),
        ("t.query('area > @least and town.str.len() > 3')", {"least", "town"}),
        ("eval('math.sqrt(4) + f(2)')", {"math", "f"}),
        ("t.eval('c = a + b')", set()),
        ("print('area(2, 3) is np.nan')", set()),
        ("def f():\n    'Return g(1).'", set()),
        ("'about ~ 3 rooms. And more'", set()),
        ("path = '~/data.csv'", set()),
    ],
)
def test_names_in_formulas_and_queries_are_found(source: str, names: set[str]) -> None:
    assert names_in_texts(ast.parse(source)) == names


def test_an_import_that_a_formula_alone_uses_is_kept_from_ruff() -> None:
    file = parse_cells(
        Path("a.ipynb"),
        notebook(
            "import os\nimport numpy as np\nimport math", "fit('np.log(a) ~ math.pi')\nmath.e"
        ),
    )
    kept = with_imports_of_texts(file)
    assert kept.cells[0].source == "import os\nimport numpy as np  # noqa: F401\nimport math"
    assert kept.cells[1].source == file.cells[1].source
