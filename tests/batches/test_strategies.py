"""The built-in strategies, and strategies composed of parts."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from remix_study.batches.losses import (
    loss_vectors,
)
from remix_study.batches.strategies import (
    DEFAULT_STRATEGIES,
    STRATEGIES,
    compose,
    make_strategy,
    strategy_names,
    takes_alpha,
)
from remix_study.errors import UsageError


def parts(strategy):
    return strategy.sampler, strategy.mixing, strategy.alpha, strategy.loss


def test_a_description_makes_no_other_strategy():
    strategy = make_strategy("remix")
    assert replace(strategy, description="x") == strategy != replace(strategy, alpha=0.2)


def test_the_named_strategies():
    assert {name: parts(make_strategy(name)) for name in strategy_names()} == {
        "baseline": ("natural", "none", 0.0, "cross-entropy"),
        "cost": ("natural", "none", 0.0, "class-weighted"),
        "smote": ("smote", "none", 0.0, "cross-entropy"),
        "balance": ("balanced", "none", 0.0, "cross-entropy"),
        "mixup": ("natural", "beta", 0.1, "cross-entropy"),
        "remix": ("balanced", "beta", 0.1, "cross-entropy"),
        "logit-adjusted": ("natural", "none", 0.0, "logit-adjusted"),
        "undersample": ("undersample", "none", 0.0, "cross-entropy"),
        "smote-dataset": ("smote-dataset", "none", 0.0, "cross-entropy"),
        "focal": ("natural", "none", 0.0, "focal"),
        "class-balanced": ("natural", "none", 0.0, "class-balanced"),
        "remix-chou": ("natural", "remix-chou", 0.1, "cross-entropy"),
        "balanced-mixup": ("natural", "balanced-mixup", 0.1, "cross-entropy"),
        "cost-repo": ("natural", "none", 0.0, "class-weighted-inert"),
        "smote-repo": ("smote-repo", "none", 0.0, "cross-entropy"),
        "remix-repo": ("balanced-repo", "beta", 0.1, "cross-entropy"),
    }
    mixing = ["mixup", "remix", "remix-chou", "balanced-mixup", "remix-repo"]
    assert [name for name in strategy_names() if takes_alpha(name)] == mixing


def test_default_strategies_of_a_study():
    assert DEFAULT_STRATEGIES == (
        "baseline", "cost", "smote", "balance", "mixup", "remix", "logit-adjusted",
    )  # fmt: skip


def test_strategies_that_augment_images_are_listed_separately():
    """They are listed only for images, and are another strategy but for augmentation."""
    names = set(strategy_names(images=True)) - set(strategy_names())
    assert names == {"augment", "remix-aug"} == {n for n, s in STRATEGIES.items() if s.augment}
    for name, plain in (("augment", "balance"), ("remix-aug", "remix")):
        assert parts(make_strategy(name)) == parts(make_strategy(plain))
        assert make_strategy(name) != make_strategy(plain)
    assert make_strategy("remix-aug", 0.3) == compose("balanced", "beta", 0.3, augment=True)
    assert make_strategy("remix-aug", 0.3).label == "remix-aug (0.3)"
    assert make_strategy("remix-aug", 0) == make_strategy("augment")
    assert compose("natural", augment=True).name == "natural+augment"
    with pytest.raises(UsageError, match="takes no alpha"):
        make_strategy("augment", 0.1)


def test_each_is_described_in_one_sentence():
    for strategy in STRATEGIES.values():
        assert strategy.description.endswith(".")
        assert ". " not in strategy.description


@pytest.mark.parametrize(
    ("name", "zero"),
    [
        ("remix", "balance"),
        ("mixup", "baseline"),
        ("remix-chou", "baseline"),
        ("balanced-mixup", "baseline"),
        ("remix-repo", "balanced-repo"),
    ],
)
def test_alpha_zero_is_the_strategy_without_mixing(name, zero):
    for alpha in (0, 0.0, -0.0, np.float64(0)):
        strategy = make_strategy(name, alpha)
        assert strategy == (make_strategy(zero) if zero in STRATEGIES else compose(zero))
        assert strategy.label == zero
        assert math.copysign(1, strategy.alpha) == 1


def test_labels():
    assert make_strategy("remix").label == "remix (0.1)"
    assert make_strategy("mixup", 1).label == "mixup (1)"
    assert make_strategy("baseline").label == "baseline"
    assert compose("balanced-dataset", "beta-sample", 0.25).label == (
        "balanced-dataset+beta-sample (0.25)"
    )


def test_a_strategy_is_a_value():
    assert make_strategy("remix", 0.3) == compose("balanced", "beta", 0.3)
    assert make_strategy("remix", 0.3) != make_strategy("remix", 0.4)
    assert len({make_strategy("remix", 0.3), compose("balanced", "beta", 0.3)}) == 1


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("natural",), "baseline"),
        (("natural", "none", None, "class-weighted"), "cost"),
        (("natural", "beta"), "mixup"),
        (("balanced", "beta", 2.0), "remix"),
        (("balanced", "beta-sample", 0), "balance"),
        (("smote", "beta", 0), "smote"),
        (("balanced", "beta-sample"), "balanced+beta-sample"),
        (("balanced-dataset",), "balanced-dataset"),
        (("balanced", "none", None, "class-weighted"), "balanced+class-weighted"),
        (("balanced", "beta", 0.1, "logit-adjusted"), "balanced+beta+logit-adjusted"),
    ],
)
def test_composed_names(arguments, name):
    strategy = compose(*arguments)
    assert strategy.name == name
    assert strategy.description


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: make_strategy("remiks"), 'unknown strategy "remiks"; did you mean "remix"'),
        (lambda: takes_alpha("zzz"), 'unknown strategy "zzz"; known: baseline, cost'),
        (lambda: make_strategy("smote", 0.1), "'smote' takes no alpha.*mixup, remix, remix-chou"),
        (lambda: make_strategy("baseline", 0.0), "takes no alpha"),
        (lambda: make_strategy("remix", -1), "at least 0, got -1"),
        (lambda: make_strategy("remix", float("nan")), "finite number"),
        (lambda: make_strategy("remix", float("inf")), "finite number"),
        (lambda: make_strategy("remix", True), "finite number"),
        (lambda: make_strategy("remix", "0.1"), "finite number"),
        (lambda: compose("ballanced"), 'unknown sampler.*did you mean "balanced"'),
        (
            lambda: compose("balanced", "gamma"),
            "unknown mixing.*none, beta, beta-sample, remix-chou",
        ),
        (lambda: compose("balanced", loss="hinge"), "unknown loss.*class-weighted"),
        (lambda: compose("balanced", "none", 0.3), "alpha 0.3 has no effect"),
        (lambda: compose("smote", "beta", 0.3), "'smote' cannot be mixed.*alpha 0"),
        (lambda: compose("smote", "beta-sample"), "'smote' cannot be mixed"),
        (lambda: compose("smote-repo", "beta"), "'smote-repo' cannot be mixed"),
        (lambda: compose("smote-dataset", "remix-chou"), "'smote-dataset' cannot be mixed"),
        (lambda: loss_vectors("hinge", np.array([0, 1]), 2), "unknown loss"),
    ],
)
def test_mistakes_are_one_clear_line(make, words):
    with pytest.raises(UsageError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
