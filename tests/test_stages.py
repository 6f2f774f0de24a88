"""What schedulers read of the pipeline: `nb stages --json`."""

import json
from typing import Any

from conftest import Project

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
