"""The production notebooks run, on small inputs, in a temporary copy of the project.

Files in tests/smoke override those of the project: parameters in `tests/smoke/config/*.yaml`,
samples of data under `tests/smoke/data`. A new stage in dvc.yaml is run without a change here.
"""

from pathlib import Path

from nb.workcopy import smoke

ROOT = Path(__file__).parent.parent


def test_the_production_notebooks_run_on_small_inputs(tmp_path: Path) -> None:
    smoke.copy_project(ROOT, tmp_path)
    done = smoke.run_pipeline(tmp_path)
    assert done.returncode == 0, done.stdout


def test_every_production_notebook_is_a_stage_of_the_pipeline() -> None:
    assert smoke.undeclared_notebooks(ROOT) == []
