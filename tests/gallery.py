"""Run a notebook with every kind of output that JupyterLab shows; write the executed copy.

python tests/gallery.py tests/report/gallery.ipynb    (in an environment with the group gallery)
"""

from __future__ import annotations

import sys
from pathlib import Path

TEXT = r"""# Gallery of outputs

Formulas in a line, $e = mc^2$, and on lines of their own:

$$\int_0^\infty \frac{\sin x}{x}\,dx = \frac{\pi}{2}$$

- [x] a task that is done
- [ ] an open task

```mermaid
graph TD; data --> model --> report
```"""
CELLS = {
    "plotly": "import plotly.express as px\npx.scatter(x=[1, 2, 3], y=[3, 1, 2])",
    "altair": "import altair as alt\nimport pandas as pd\n"
    "table = pd.DataFrame({'a': [1, 2], 'b': [3, 4]})\n"
    "alt.Chart(table).mark_bar().encode(x='a:O', y='b')",
    "bokeh, its loader": "from bokeh.plotting import figure, output_notebook, show\n"
    "output_notebook()",
    "bokeh": "plot = figure(width=300, height=200)\nplot.line([1, 2], [3, 4])\nshow(plot)",
    "folium": "import folium\nfolium.Map([52, 13])",
    "ipywidgets": "import ipywidgets as widgets\n"
    "widgets.VBox([widgets.IntSlider(3, description='n'), widgets.HTML('<b>bold</b>')])",
    "tqdm": "from tqdm.auto import tqdm\nfor _ in tqdm(range(5)):\n    pass",
    "sound": "from IPython import display\ndisplay.Audio([0, 0.5, 0, -0.5] * 200, rate=8000)",
    "film": "display.Video(b'\\0\\0\\0\\x18ftypmp42', embed=True, mimetype='video/mp4')",
    "JSON": "display.JSON({'a': [1, {'b': None}]})",
    "frame": "display.IFrame('https://example.org', 400, 300)",
    "formula": "display.Math(r'\\frac{1}{2}')",
    "sympy": "import sympy\nx = sympy.Symbol('x')\nsympy.Integral(sympy.sin(x) / x, x)",
    "script": "display.Javascript('alert(1)')",
    "picture": 'picture = \'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40">\'\n'
    'display.SVG(picture + \'<circle cx="20" cy="20" r="16"/></svg>\')',
    "styled table": "table.style.background_gradient()",
}


def main(target: Path) -> None:
    """Run the notebook and write the executed copy."""
    import nbformat
    from nbclient import NotebookClient

    v4 = nbformat.v4
    cells = [v4.new_markdown_cell(TEXT), *map(v4.new_code_cell, CELLS.values())]
    notebook = v4.new_notebook(cells=cells)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell{number}"
    NotebookClient(notebook).execute()
    nbformat.write(notebook, target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
