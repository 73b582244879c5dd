"""Planned points: which there are, what they mean, and what they are called."""

from __future__ import annotations

import itertools

import pytest

from remix_study.batches.strategies import DEFAULT_STRATEGIES
from remix_study.errors import StudyFileError
from remix_study.study.checks import check_study
from remix_study.study.configurations import configuration_of, grid_configurations, label_of
from remix_study.study.tables import configuration_key
from remix_study.studyfile.parsing import parse_study

HEAD = '[study]\nname = "a"\n'
SEARCH = '[search]\nalgorithm = "tpe"\ntrials = 3\n'


def study_of(text: str, before: str = ""):
    study = parse_study(f"{HEAD}{before}[search.space]\n{text}", "my.toml")
    check_study(study)
    return study


def points(text: str) -> list[dict]:
    return grid_configurations(study_of(text).search.space)


def test_without_a_space_every_strategy_is_one_point():
    found = points("")
    assert [point["strategy"] for point in found] == list(DEFAULT_STRATEGIES)
    assert [point["alpha"] for point in found if "alpha" in point] == [0.1, 0.1]


def test_alpha_nought_is_the_strategy_that_does_not_mix():
    found = points(
        'strategy = ["baseline", "balance", "mixup", "remix"]\n'
        "alpha.remix = [0.0, 0.1]\nalpha.mixup = [0, 0.3]"
    )
    assert found == [
        {"strategy": "baseline"},
        {"strategy": "balance"},
        {"strategy": "mixup", "alpha": 0.3},
        {"strategy": "remix", "alpha": 0.1},
    ]


def test_only_strategies_that_mix_take_the_common_alpha():
    found = points('strategy = ["cost", "mixup", "remix"]\nalpha = [0.1, 0.2]')
    assert found == [
        {"strategy": "cost"},
        *({"strategy": s, "alpha": a} for s in ("mixup", "remix") for a in (0.1, 0.2)),
    ]


def test_parts_are_combined_but_smote_is_not_mixed():
    found = points(
        'sampler = ["natural", "smote"]\nmixing = ["none", "beta", "beta-sample"]\n'
        "alpha = [0.0, 0.2]"
    )
    assert found == [
        {"sampler": "natural", "mixing": "none", "loss": "cross-entropy"},
        {"sampler": "natural", "mixing": "beta", "loss": "cross-entropy", "alpha": 0.2},
        {"sampler": "natural", "mixing": "beta-sample", "loss": "cross-entropy", "alpha": 0.2},
        {"sampler": "smote", "mixing": "none", "loss": "cross-entropy"},
    ]


def test_settings_multiply_the_points():
    found = points(
        'strategy = ["baseline", "remix"]\nalpha = [0.1]\nlearning_rate = [0.1, 1]\n'
        "model.hidden = [[8], [8, 4]]\nbatch_size = [16, 32]"
    )
    seen = [(p["strategy"], p["learning_rate"], p["model.hidden"], p["batch_size"]) for p in found]
    expected = itertools.product(["baseline", "remix"], [0.1, 1.0], ["[8]", "[8, 4]"], [16, 32])
    assert seen == list(expected)


def test_a_setting_is_what_the_point_says_on_top_of_the_file():
    study = study_of(
        'strategy = ["remix"]\nlearning_rate = [0.5]\nmodel.hidden = [[8, 4]]',
        "[model]\ndropout = 0.3\n",
    )
    (point,) = grid_configurations(study.search.space)
    setting = configuration_of(point, study.training, study.model)
    assert (setting.strategy.name, setting.strategy.alpha) == ("remix", 0.1)
    assert setting.training.learning_rate == 0.5
    assert setting.training.epochs == study.training.epochs
    assert setting.model.options == {"dropout": 0.3, "hidden": [8, 4]}


def test_names_that_look_like_numbers_stay_names():
    study = study_of('model.kind = ["4", "8-4"]', '[model]\nname = "a:b"\n')
    kinds = {
        configuration_of(point, study.training, study.model).model.options["kind"]
        for point in grid_configurations(study.search.space)
    }
    assert kinds == {"4", "8-4"}


@pytest.mark.parametrize(
    ("point", "label"),
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
def test_labels(point, label):
    assert label_of(point) == label


def test_the_order_of_parameters_is_of_no_matter():
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
def test_spaces_that_make_no_sense(text, expected):
    with pytest.raises(StudyFileError) as caught:
        points(text)
    assert str(caught.value).startswith(f"my.toml: {expected}")


@pytest.mark.parametrize(
    ("remix", "mixup", "fits"),
    [
        ("{low = 0.1, high = 1}", "{low = 0.2, high = 2}", True),
        ("{low = 0.1, high = 1, log = true}", "{low = 0.2, high = 2}", False),
        ("{low = 0.1, high = 1}", "[0.1, 0.2]", False),
        ("[0.1, 0.3]", "[0.1, 0.2]", False),
        ("[0.1, 0.2]", "[0.1, 0.2]", True),
    ],
)
def test_optuna_must_take_alpha_for_one_parameter_in_a_search(remix, mixup, fits):
    text = f"alpha.remix = {remix}\nalpha.mixup = {mixup}"
    if fits:
        study_of(text, SEARCH)
        return
    with pytest.raises(StudyFileError, match=r"search\.space\.alpha: a search needs the same"):
        study_of(text, SEARCH)


def test_every_problem_must_be_able_to_take_every_setting():
    problems = '[[problems]]\ndataset = "wine"\n[[problems]]\ndataset = "digits"\n'
    start = "start_from_epoch = 60\nepochs = 90\n"
    study_of("epochs = [50, 90]", problems)
    with pytest.raises(StudyFileError, match="60 leaves none of 50 epochs"):
        study_of("epochs = [50, 90]", problems + start)
