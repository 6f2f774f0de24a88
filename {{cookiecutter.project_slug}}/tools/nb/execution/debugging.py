"""Script of a notebook for a debugger, with the values of the config file: written and run.

A debugger steps through files. The cells of a notebook, which a kernel runs as text, are therefore
written to `.nb/debug/<name>.py`, and the script stops before the first of them.
"""

from __future__ import annotations

import bdb
import os
import runpy
import sys
import traceback
from pathlib import Path

from nb.notebook.config import read_config
from nb.notebook.content import Notebook, read_notebook
from nb.notebook.magics import foreign_cell, mask
from nb.notebook.parameters import TAG, assignments, check_values, read_parameters
from nb.project import CONFIG, NbError, write_whole

DEBUG_FOLDER = Path(".nb/debug")
MADE_OF = "# Made of {name} by nb debug: edit the notebook, not this file."
STOP = "breakpoint()  # The debugger stops here: set breakpoints below, then continue."


def write_script(root: Path, path: Path) -> Path:
    """Write a notebook as a script, with the values of its config file; return the script.

    Raises:
        NbError: if the notebook cannot be read, is not in Python, or the values do not fit.
    """
    notebook = read_notebook(path)
    config = CONFIG / f"{path.stem}.yaml"
    parameters = read_parameters(notebook)
    values = check_values(parameters, read_config(root / config), config)
    script = root / DEBUG_FOLDER / f"{path.stem}.py"
    injected = f"# %% {config.as_posix()}\n{assignments(parameters, values)}" if values else ""
    write_whole(script, script_text(notebook, injected))
    return script


def script_text(notebook: Notebook, injected: str = "") -> str:
    """Return the code cells of a notebook as a script; magics call IPython, as in a kernel.

    Args:
        injected: code that follows the parameters cell.
    """
    parts = [f"{MADE_OF.format(name=notebook.path.name)}\n{STOP}"]
    for cell in notebook.cells:
        # Of another language: IPython hands the text on, so there is nothing to step through.
        note = ", in another language" if foreign_cell(cell.source) else ""
        parts.append(f"# %% code cell {cell.number}{note}\n{_python(cell.source)}")
        if TAG in cell.tags and injected:
            parts.append(injected)
    return "\n\n".join(parts) + "\n"


def _python(source: str) -> str:
    """Return a cell as Python; lines of IPython become the calls that a kernel makes of them."""
    masked = mask(source)
    if masked and not masked.hidden:
        return source
    from IPython.core.inputtransformer2 import TransformerManager

    return str(TransformerManager().transform_cell(source)).rstrip()


def run_script(root: Path, script: Path) -> None:
    """Run a script in the project's root, as the kernel of a stage would.

    Raises:
        NbError: if the script raises; its traceback is printed before.
    """
    os.chdir(root)
    # A window per figure would hold the script up; plt.savefig shows a figure.
    os.environ.setdefault("MPLBACKEND", "agg")
    try:
        runpy.run_path(str(script), init_globals=_kernel_names(script), run_name="__main__")
    except bdb.BdbQuit:
        pass  # the user quit the debugger
    except Exception as error:
        rest = error.__traceback__
        while rest and rest.tb_frame.f_code.co_filename != str(script):
            rest = rest.tb_next
        sys.stderr.writelines(traceback.format_exception(type(error), error, rest))
        raise NbError(f"{type(error).__name__} in {script.relative_to(root).as_posix()}") from None


def _kernel_names(script: Path) -> dict[str, object]:
    """Return the names that a kernel adds to a notebook's own."""
    code = script.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    if "display(" in code:
        from IPython.display import display

        names["display"] = display
    if "get_ipython()" in code:
        from IPython.core.interactiveshell import InteractiveShell

        main = sys.modules["__main__"]
        names["get_ipython"] = InteractiveShell.instance  # takes the place of __main__
        InteractiveShell.instance()
        sys.modules["__main__"] = main
    return names
