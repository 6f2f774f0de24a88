from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from {{ cookiecutter.package_name }} import decision

MALIGNANT = [True, True, True, True, False, False, False, False]
SCORES = [0.9, 0.8, 0.7, 0.4, 0.6, 0.5, 0.3, 0.1]


@pytest.fixture
def results() -> decision.Results:
    return decision.Results(
        pd.DataFrame({"malignant": MALIGNANT}), {"forest": np.array(SCORES)}, 0.975, {}
    )


def test_a_lower_recall_misses_one_and_spares_two(results: decision.Results) -> None:
    everything = decision.decide(results, "forest", 1.0)
    most = decision.decide(results, "forest", 0.75)
    assert everything.threshold == pytest.approx(0.35)
    assert most.threshold == pytest.approx(0.65)
    assert decision.confusion(everything.outcome).to_numpy().tolist() == [[4, 0], [2, 2]]
    assert decision.confusion(most.outcome).to_numpy().tolist() == [[3, 1], [0, 4]]


def test_every_biopsy_is_listed_with_what_happens_to_it(results: decision.Results) -> None:
    biopsies = decision.decide(results, "forest", 0.75).biopsies
    assert biopsies.index.tolist() == [0, 1, 2, 4, 5, 3, 6, 7]
    assert biopsies["result"].tolist() == ["hit"] * 3 + ["spared"] * 2 + ["missed"] + ["spared"] * 2
    alarms = decision.decide(results, "forest", 1.0).biopsies.query("result == 'false alarm'")
    assert alarms["score"].tolist() == [0.6, 0.5]


def test_the_curve_falls_from_all_to_none(results: decision.Results) -> None:
    curve = decision.curve(results, "forest")
    assert curve["threshold"].tolist() == [0.0, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert curve["malignant"].tolist() == [1, 1, 1, 1, 0.75, 0.75, 0.75, 0.5, 0.25, 0]
    assert curve["benign"].tolist() == [1, 1, 0.75, 0.5, 0.5, 0.25, 0, 0, 0, 0]


def test_the_recall_of_the_last_run_is_among_the_choices(results: decision.Results) -> None:
    choices = decision.choices(results)
    assert choices[0] == 0.8
    assert choices[-1] == 1.0
    assert 0.975 in choices
    assert len(choices) == 22


def test_without_artifacts_there_is_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        decision.load(tmp_path)
