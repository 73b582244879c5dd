"""Configurations of a grid: which there are, what they mean, and their labels."""

from __future__ import annotations

import itertools

import pytest

from remix_study.batches.strategies import DEFAULT_STRATEGIES
from remix_study.errors import StudyFileError
from remix_study.study.checks import check_study
from remix_study.study.configurations import configuration_of, grid_configurations, label_of
from remix_study.study.tables import configuration_key
from remix_study.studyfile.features import Features
from remix_study.studyfile.parsing import parse_study

HEAD = '[study]\nname = "a"\n'
SEARCH = '[search]\nalgorithm = "tpe"\ntrials = 3\n'


def study_of(text: str, before: str = ""):
    study = parse_study(f"{HEAD}{before}[search.space]\n{text}", "my.toml")
    check_study(study)
    return study


def configurations(text: str) -> list[dict]:
    return grid_configurations(study_of(text).search.space)


def test_without_a_space_every_strategy_is_one_configuration():
    grid = configurations("")
    assert [parameters["strategy"] for parameters in grid] == list(DEFAULT_STRATEGIES)
    assert [parameters["alpha"] for parameters in grid if "alpha" in parameters] == [0.1, 0.1]


def test_alpha_0_is_the_strategy_that_does_not_mix():
    grid = configurations(
        'strategy = ["baseline", "balance", "mixup", "remix"]\n'
        "alpha.remix = [0.0, 0.1]\nalpha.mixup = [0, 0.3]"
    )
    assert grid == [
        {"strategy": "baseline"},
        {"strategy": "balance"},
        {"strategy": "mixup", "alpha": 0.3},
        {"strategy": "remix", "alpha": 0.1},
    ]


def test_only_strategies_that_mix_take_the_common_alpha():
    grid = configurations('strategy = ["cost", "mixup", "remix"]\nalpha = [0.1, 0.2]')
    assert grid == [
        {"strategy": "cost"},
        *({"strategy": s, "alpha": a} for s in ("mixup", "remix") for a in (0.1, 0.2)),
    ]


def test_parts_are_combined_but_smote_is_not_mixed():
    grid = configurations(
        'sampler = ["natural", "smote"]\nmixing = ["none", "beta", "beta-sample"]\n'
        "alpha = [0.0, 0.2]"
    )
    assert grid == [
        {"sampler": "natural", "mixing": "none", "loss": "cross-entropy"},
        {"sampler": "natural", "mixing": "beta", "loss": "cross-entropy", "alpha": 0.2},
        {"sampler": "natural", "mixing": "beta-sample", "loss": "cross-entropy", "alpha": 0.2},
        {"sampler": "smote", "mixing": "none", "loss": "cross-entropy"},
    ]


def test_listed_values_are_combined():
    grid = configurations(
        'strategy = ["baseline", "remix"]\nalpha = [0.1]\nlearning_rate = [0.1, 1]\n'
        "model.hidden = [[8], [8, 4]]\nbatch_size = [16, 32]"
    )
    combinations = [
        (p["strategy"], p["learning_rate"], p["model.hidden"], p["batch_size"]) for p in grid
    ]
    expected = itertools.product(["baseline", "remix"], [0.1, 1.0], ["[8]", "[8, 4]"], [16, 32])
    assert combinations == list(expected)


def test_parameters_are_applied_on_top_of_the_file():
    study = study_of(
        'strategy = ["remix"]\nlearning_rate = [0.5]\nmodel.hidden = [[8, 4]]\n'
        'features.numeric = ["quantile"]',
        "[model]\ndropout = 0.3\n",
    )
    (parameters,) = grid_configurations(study.search.space)
    configuration = configuration_of(parameters, study.training, study.model)
    assert (configuration.strategy.name, configuration.strategy.alpha) == ("remix", 0.1)
    assert configuration.training.learning_rate == 0.5
    assert configuration.training.epochs == study.training.epochs
    assert configuration.model.options == {"dropout": 0.3, "hidden": [8, 4]}
    assert configuration.model.features == Features(numeric="quantile")


def test_names_that_look_like_numbers_stay_names():
    study = study_of('model.kind = ["4", "8-4"]', '[model]\nname = "a:b"\n')
    kinds = {
        configuration_of(parameters, study.training, study.model).model.options["kind"]
        for parameters in grid_configurations(study.search.space)
    }
    assert kinds == {"4", "8-4"}


@pytest.mark.parametrize(
    ("parameters", "label"),
    [
        ({"strategy": "cost"}, "cost"),
        ({"strategy": "remix", "alpha": 0.1}, "remix (0.1)"),
        ({"strategy": "remix", "alpha": 0.0}, "balance"),
        ({"sampler": "balanced", "mixing": "beta", "alpha": 1.0}, "remix (1)"),
        ({"sampler": "smote", "mixing": "none", "loss": "cross-entropy"}, "smote"),
        ({"strategy": "cost", "learning_rate": 0.1}, "cost, learning_rate 0.1"),
        (
            {"strategy": "cost", "learning_rate": 0.012345678912345, "model.hidden": "[8, 4]"},
            "cost, learning_rate 0.0123457, model.hidden [8, 4]",
        ),
        ({"learning_rate": 0.1}, "baseline, learning_rate 0.1"),
    ],
)
def test_labels(parameters, label):
    assert label_of(parameters) == label


def test_the_order_of_parameters_does_not_matter():
    assert configuration_key({"b": 1, "a": 0.1}) == configuration_key({"a": 0.1, "b": 1})
    assert configuration_key({"a": 0.1}) != configuration_key({"a": 0.10000000000000002})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('strategy = ["remux"]', 'search.space.strategy: no strategy "remux"; did you mean "remi'),
        ('sampler = ["x"]', 'search.space.sampler: no sampler "x"; known: natural, balanced, '),
        ('mixing = ["gamma"]', 'search.space.mixing: no mixing "gamma"; known: none, beta'),
        ('loss = ["hinge"]', 'search.space.loss: no loss "hinge"; known: cross-entropy, '),
        ('strategy = ["remix"]\nsampler = ["natural"]', "search.space: give strategy or sampler,"),
        ('strategy = ["cost"]\nalpha = [1]', "search.space.alpha: nothing here is mixed; leave"),
        (
            'sampler = ["balanced"]\nalpha = [1]',
            "search.space.alpha: nothing here is mixed; leave",
        ),
        ("alpha.cost = [1]", "search.space.alpha.cost: cost mixes nothing; leave it out"),
        (
            "alpha.remux = [1]",
            "search.space.alpha.remux: search.space.strategy does not name it; did you mean ",
        ),
        (
            'strategy = ["remix"]\nalpha.mixup = [1]',
            "search.space.alpha.mixup: search.space.strategy does",
        ),
        (
            'mixing = ["beta"]\nalpha.remix = [1]',
            "search.space.alpha.remix: a space of parts has no named s",
        ),
        (
            'sampler = ["smote"]\nmixing = ["beta"]',
            "search.space: no configuration is left, as smote is ",
        ),
    ],
)
def test_contradictory_spaces_are_refused(text, expected):
    with pytest.raises(StudyFileError) as caught:
        configurations(text)
    assert str(caught.value).startswith(f"my.toml: {expected}")


@pytest.mark.parametrize(
    ("remix", "mixup", "is_valid"),
    [
        ("{low = 0.1, high = 1}", "{low = 0.2, high = 2}", True),
        ("{low = 0.1, high = 1, log = true}", "{low = 0.2, high = 2}", False),
        ("{low = 0.1, high = 1}", "[0.1, 0.2]", False),
        ("[0.1, 0.3]", "[0.1, 0.2]", False),
        ("[0.1, 0.2]", "[0.1, 0.2]", True),
    ],
)
def test_a_search_has_one_distribution_of_alpha(remix, mixup, is_valid):
    text = f"alpha.remix = {remix}\nalpha.mixup = {mixup}"
    if is_valid:
        study_of(text, SEARCH)
        return
    with pytest.raises(StudyFileError, match=r"search\.space\.alpha: a search needs the same"):
        study_of(text, SEARCH)


def test_every_value_must_fit_every_problem():
    problems = '[[problems]]\ndataset = "wine"\n[[problems]]\ndataset = "digits"\n'
    start = "start_from_epoch = 60\nepochs = 90\n"
    study_of("epochs = [50, 90]", problems)
    with pytest.raises(StudyFileError, match="60 leaves none of 50 epochs"):
        study_of("epochs = [50, 90]", problems + start)
