"""Batches in which the rare classes get a share of choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imbalanced_rows import LABELS, training_rows

from remix_study.batches.plan import StackPlanner, plan_epoch
from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.random_bits import NUMPY, member_keys
from remix_study.batches.samplers import RATIO_SAMPLERS, SAMPLERS
from remix_study.batches.stack_draws import class_quotas, rare_share
from remix_study.batches.strategies import compose, make_strategy
from remix_study.errors import UsageError

K, BATCH = 3, 24
RARE = (1, 2)


def rows(rare=RARE):
    return replace(training_rows(LABELS), rare=rare)


@given(
    ratio=st.floats(0.01, 0.99),
    present=st.lists(st.booleans(), min_size=5, max_size=5).filter(any),
    batch=st.integers(1, 70),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=60, deadline=None)
def test_quotas_add_up_and_are_even_within_rare_and_other_classes(ratio, present, batch, seed):
    training = replace(rows(), n_classes=5)
    target = rare_share([ratio], [training], batch)
    in_batch = np.tile(present, (1, 40, 1))
    quota = class_quotas(NUMPY, member_keys([seed], 1), in_batch, batch, target)[0]
    assert (quota.sum(axis=1) == batch).all()
    assert (quota[:, ~np.array(present)] == 0).all()
    is_rare = np.isin(np.arange(5), RARE)
    n_rare = quota[:, is_rare].sum(axis=1)
    for group in (is_rare & present, ~is_rare & present):
        if group.any():
            assert (np.ptp(quota[:, group], axis=1) <= 1).all()
    if not (is_rare & present).any():
        assert (n_rare == 0).all()
    elif not (~is_rare & present).any():
        assert (n_rare == batch).all()
    else:
        assert set(n_rare) <= {int(ratio * batch), int(ratio * batch) + 1}


def test_the_share_is_the_ratio_on_average():
    # 7.2 of 24 rows: 7 in four batches of five, 8 in the fifth.
    target = rare_share([0.3], [rows()], BATCH)
    present = np.ones((1, 20_000, K), bool)
    quota = class_quotas(NUMPY, member_keys([3], 1), present, BATCH, target)[0]
    shares = quota.mean(axis=0) / BATCH
    np.testing.assert_allclose(shares, [0.7, 0.15, 0.15], atol=0.002)


@pytest.mark.parametrize("sampler", RATIO_SAMPLERS)
def test_each_sampler_draws_the_shares(sampler):
    strategy = compose(sampler).with_ratio(0.25)
    summaries = [
        summarise_plan(
            plan_epoch(strategy, rows(), batch_size=BATCH, seed=seed, epoch=0), LABELS, K
        )
        for seed in range(20)
    ]
    shares = np.mean([summary.class_shares for summary in summaries], axis=0)
    # A batch may lack a class; most of them have all three.
    np.testing.assert_allclose(shares[1:].sum(), 0.25, atol=0.02)
    if sampler == "balanced-dataset":
        np.testing.assert_allclose(shares, [0.75, 0.125, 0.125], atol=0.01)


def test_half_of_two_classes_is_what_balancing_does():
    labels = np.minimum(LABELS, 1)
    training = replace(training_rows(labels), rare=(1,))
    plain, half = (
        plan_epoch(s, training, batch_size=BATCH, seed=1, epoch=0)
        for s in (make_strategy("balance"), make_strategy("balance").with_ratio(0.5))
    )
    for name in ("first", "second", "weight"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(half, name))


def test_members_with_a_ratio_do_not_change_others():
    plain, remix = make_strategy("balance"), make_strategy("remix")
    strategies = [plain, plain.with_ratio(0.2), remix.with_ratio(0.4), make_strategy("baseline")]
    training = [rows()] * 4
    stack = StackPlanner(strategies, training, [5, 6, 7, 8], batch_size=BATCH).plan(2)
    for place, (strategy, seed) in enumerate(zip(strategies, [5, 6, 7, 8], strict=True)):
        alone = plan_epoch(strategy, training[place], batch_size=BATCH, seed=seed, epoch=2)
        for name in ("first", "second", "weight", "label_weight"):
            np.testing.assert_array_equal(getattr(stack, name)[place], getattr(alone, name))


def test_a_ratio_where_it_has_no_effect_is_refused():
    for sampler in set(SAMPLERS) - set(RATIO_SAMPLERS):
        with pytest.raises(UsageError, match="takes no ratio: leave it out, or choose one of"):
            compose(sampler).with_ratio(0.3)
    for wrong in (0, 1, -0.1, float("nan")):
        with pytest.raises(UsageError, match="ratio must be above 0 and below 1"):
            make_strategy("balance").with_ratio(wrong)
