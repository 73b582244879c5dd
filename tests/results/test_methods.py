"""Distances between alphas, and the nearest alpha, on a logarithmic scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from remix_study.results.methods import alpha_distance, nearest_alphas


@dataclass(frozen=True)
class Method:
    strategy: str
    alpha: float | None


def alphas_selected(methods, **keywords):
    selected = nearest_alphas([(method.strategy, method) for method in methods], **keywords)
    return {strategy: method.alpha for strategy, method in selected.items()}


def test_distance_is_logarithmic():
    assert alpha_distance(0.1) == 0
    assert alpha_distance(0.01) == pytest.approx(math.log(10))
    assert alpha_distance(1.0) == pytest.approx(alpha_distance(0.01))
    assert alpha_distance(0.4, target=0.2) == pytest.approx(math.log(2))
    assert alpha_distance(None) == alpha_distance(0.0) == 0


@pytest.mark.parametrize("order", [(0.01, 0.2), (0.2, 0.01)])
def test_of_0_01_and_0_2_the_second_is_nearest_to_0_1(order):
    """By difference 0.01 would be nearer; by ratio 0.2 is, a factor of 2 against one of 10."""
    methods = [Method("remix", alpha) for alpha in order]
    assert alphas_selected(methods) == {"remix": 0.2}


def test_one_method_for_each_key_and_the_first_among_equals():
    methods = [
        Method("baseline", None),
        Method("remix", 0.05),
        Method("mixup", 1.0),
        Method("remix", 0.2),
        Method("mixup", 0.3),
        Method("baseline", None),
    ]
    assert alphas_selected(methods) == {"baseline": None, "remix": 0.05, "mixup": 0.3}
    assert list(alphas_selected(methods)) == ["baseline", "remix", "mixup"]
    assert alphas_selected(methods, target=1.0) == {"baseline": None, "remix": 0.2, "mixup": 1.0}
