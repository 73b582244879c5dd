"""Studies whose batches give the rare classes a share of choice."""

from __future__ import annotations

import pytest
from tiny_studies import tiny

import remix_study
from remix_study.errors import DataError, StudyFileError
from remix_study.results.comparison import comparisons
from remix_study.results.frames import load_frames
from remix_study.results.sensitivity import sensitivity_curves
from remix_study.study.configurations import grid_configurations, label_of
from remix_study.study.fingerprint import definition
from remix_study.study.search_configurations import list_configurations
from remix_study.study.search_parameters import initial_configurations
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import prepare_tasks
from remix_study.studyfile.parsing import parse_study

STRATEGIES = ('strategy = ["baseline", "remix"]', 'strategy = ["baseline", "remix", "smote"]')
GRID = tiny(STRATEGIES, ("[search.space]", "[search.space]\nratio = [0.3, 0.5]"))
SEARCH = '[search]\nalgorithm = "random"\ntrials = 6\n\n'


def test_a_grid_has_each_ratio_where_batches_are_balanced():
    space = parse_study(GRID).search.space
    assert [label_of(parameters) for parameters in grid_configurations(space)] == [
        "baseline",
        "balance, ratio 0.3",
        "balance, ratio 0.5",
        "remix (0.1), ratio 0.3",
        "remix (0.1), ratio 0.5",
        "smote, ratio 0.3",
        "smote, ratio 0.5",
    ]


@pytest.mark.usefixtures("simulated")
def test_results_know_the_ratio(here):
    url = f"sqlite:///{here / 'x.db'}"
    assert remix_study.run(parse_study(GRID), storage=url).complete == 7
    frames = load_frames(open_reader(url))
    (comparison,) = comparisons(frames)
    labels = {method.label: method for method in comparison.methods}
    remix = labels["remix (0.1), ratio 0.3"]
    assert (remix.strategy, remix.settings) == ("remix", "ratio 0.3")
    assert comparison.unmixed(remix) is labels["balance, ratio 0.3"]
    assert comparison.first_method("baseline", remix.settings) is labels["baseline"]
    assert comparison.first_method("balance", "") is None
    names = {curve.name for curve in sensitivity_curves([comparison])}
    assert {name.partition(", ")[2] for name in names} == {"ratio 0.3", "ratio 0.5"}
    # More ratios may be added to a grid.
    more = GRID.replace("[0.3, 0.5]", "[0.3, 0.5, 0.2]")
    assert remix_study.run(parse_study(more), storage=url).complete == 10


def test_a_search_varies_it_where_it_has_an_effect():
    ranged = GRID.replace("[0.3, 0.5]", "{ low = 0.1, high = 0.4 }").replace(
        "[search.space]", f"{SEARCH}[search.space]"
    )
    study = parse_study(ranged)
    (task, *_) = prepare_tasks(study)
    assert "ratio" in definition(task)["search"]["space"]
    first = initial_configurations(study, study.training)
    assert "ratio" not in first["baseline"]
    assert first["remix"]["ratio"] == 0.4
    listed = parse_study(GRID.replace("[search.space]", f"{SEARCH}[search.space]")).search
    configurations = list_configurations(listed, 20)
    # Baseline; balance, remix and smote at two ratios each.
    assert len(configurations) == 7
    plain = parse_study(tiny().replace("[search.space]", f"{SEARCH}[search.space]"))
    (task, *_) = prepare_tasks(plain)
    assert "ratio" not in definition(task)["search"]["space"]


def test_a_ratio_without_effect_is_refused():
    for wrong in ("[0.3, 1.0]", "[0]", "{ low = 0.1, high = 0.4 }", '["equal"]', "[0.3, 0.3]"):
        with pytest.raises(StudyFileError, match=r"search\.space\.ratio: "):
            parse_study(GRID.replace("[0.3, 0.5]", wrong))
    unused = GRID.replace('"baseline", "remix", "smote"', '"baseline", "mixup"').replace(
        "alpha.remix", "alpha.mixup"
    )
    with pytest.raises(StudyFileError, match=r"ratio: nothing here balances batches; leave it"):
        remix_study.run(parse_study(unused))
    with pytest.raises(DataError, match=r"ratio is the share of the rare classes"):
        prepare_tasks(parse_study(GRID.replace('dataset = "wine"', "")), equal_classes())


def equal_classes():
    from remix_study.data.arrays import from_arrays

    return from_arrays([[float(i)] for i in range(60)], [0, 1, 2] * 20)
