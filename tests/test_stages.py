"""What schedulers read of the pipeline: `nb stages --json`."""

import json
from typing import Any

from conftest import Project
from nb.declaration.papermill_command import OPTIONS

PARAMETRISED = """
  score:
    foreach: ${countries}
    do:
      desc: Score ${item}
      frozen: true
      meta: {scheduler: {retries: 2}}
      cmd: echo ${item} > data/processed/${item}.txt
      deps: [models/forest.joblib]
      outs: ["data/processed/${item}.txt"]
"""


def test_a_scheduler_reads_the_stages_as_dvc_resolves_them(ready: Project) -> None:
    ready.write("params.yaml", "countries: [at, de]\n")
    before = ready.read("dvc.yaml")
    ready.write("dvc.yaml", before.rstrip("\n") + "\n" + PARAMETRISED)
    try:
        listed: list[dict[str, Any]] = json.loads(ready.run("nb", "stages", "--json"))
    finally:
        ready.write("dvc.yaml", before)
        (ready.path / "params.yaml").unlink()
    stages = {stage["name"]: stage for stage in listed}
    assert list(stages)[:2] == ["ingest", "features"]
    after = {name: set(stage["after"]) for name, stage in stages.items()}
    assert after["evaluate"] == {"features", "train@logistic", "train@forest"}
    assert after["score@de"] == {"train@forest"}
    assert stages["score@de"]["command"] == "echo de > data/processed/de.txt"
    assert stages["score@de"]["frozen"]
    assert stages["score@de"]["meta"] == {"scheduler": {"retries": 2}}

    train = stages["train@forest"]
    assert train["group"] == "train"
    assert train["notebook"] == "notebooks/production/30-train.ipynb"
    assert train["executed"] == "reports/notebooks/30-train-forest.ipynb"
    assert train["metrics"] == ["reports/metrics/train-forest.json"]
    assert train["fixed"] == {"model": "forest"}
    values = {row["name"]: (row["type"], row.get("value")) for row in train["parameters"]}
    assert values["folds"] == ("int", 5)


def test_every_option_of_the_installed_papermill_is_known(ready: Project) -> None:
    code = """if True:
        import json
        from papermill.cli import papermill
        options = [o for o in papermill.params if o.param_type_name == 'option']
        counts = [0 if o.is_flag else o.nargs for o in options]
        names = [o.opts + o.secondary_opts for o in options]
        print(json.dumps([[name, n] for each, n in zip(names, counts) for name in each]))
        print(json.dumps(papermill.context_settings['help_option_names']))
    """
    options, help_names = map(json.loads, ready.run("python", "-c", code).splitlines())
    known = {name: count for names, count in OPTIONS.items() for name in names}
    assert known == {**dict(options), **dict.fromkeys(help_names, 0)}


def test_a_stage_in_another_folder_is_listed_as_a_stage_of_the_project(ready: Project) -> None:
    before = ready.read("dvc.yaml")
    entry = """
  again:
    wdir: notebooks
    cmd: >-
      papermill production/10-ingest.ipynb ../reports/notebooks/again.ipynb -y 'seed: 7'
    deps: [../.nb/fingerprints/10-ingest.txt]
    outs: [../data/interim/again.csv]
"""
    ready.write("dvc.yaml", before.rstrip("\n") + "\n" + entry)
    try:
        listed: list[dict[str, Any]] = json.loads(ready.run("nb", "stages", "--json"))
    finally:
        ready.write("dvc.yaml", before)
    (again,) = (stage for stage in listed if stage["name"] == "again")
    assert again["notebook"] == "notebooks/production/10-ingest.ipynb"
    assert again["executed"] == "reports/notebooks/again.ipynb"
    assert [row["name"] for row in again["parameters"]]
    assert again["fixed"] == {"seed": 7}
    assert again["outputs"] == ["data/interim/again.csv"]
    assert again["folder"] == "notebooks"
