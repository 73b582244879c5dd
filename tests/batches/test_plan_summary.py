"""Summaries of batch plans against slow counts and cases worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from imbalanced_rows import COMBINATIONS, LABELS, combination_name, plan, training_rows

from remix_study.batches.plan import BatchPlan
from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.samplers import SMOTE_SAMPLERS

K, BATCH = 3, 24
STEPS = len(LABELS) // BATCH


WEIGHTS = np.random.default_rng(4).exponential(size=len(LABELS)).astype(np.float32)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])
@pytest.mark.parametrize("strategy", COMBINATIONS, ids=combination_name)
def test_equals_a_slow_count(strategy, weights):
    epoch = plan(strategy, batch_size=BATCH)
    row_weights = np.ones(len(LABELS)) if weights is None else weights
    class_mass, batches_lacking, batches_smoted = np.zeros(K), np.zeros(K, int), 0
    for step in range(STEPS):
        soft_labels = np.zeros((BATCH, K))
        has_smote = False
        for row in range(BATCH):
            i, j = epoch.first[step, row], epoch.second[step, row]
            label_weight = float(epoch.label_weight[step, row])
            if strategy.sampler in SMOTE_SAMPLERS:
                label_weight = float(epoch.weight[step, row])
            soft_labels[row, LABELS[i]] += label_weight * row_weights[i]
            soft_labels[row, LABELS[j]] += (1 - label_weight) * row_weights[j]
            has_smote |= strategy.sampler in SMOTE_SAMPLERS and i != j
        class_mass += soft_labels.mean(0)
        batches_lacking += soft_labels.sum(0) == 0
        batches_smoted += has_smote
    summary = summarise_plan(epoch, LABELS, K, weights)
    np.testing.assert_allclose(summary.class_shares, class_mass / class_mass.sum(), atol=1e-6)
    np.testing.assert_array_equal(summary.batches_lacking, batches_lacking)
    assert summary.batches_smoted == batches_smoted
    assert summary.distinct_share == len(set(epoch.first.ravel())) / epoch.first.size


def test_by_hand():
    y = np.array([0, 0, 1, 1])
    epoch = BatchPlan(
        first=np.array([[0, 2], [1, 1]], "i4"),
        second=np.array([[0, 3], [1, 2]], "i4"),
        weight=np.array([[1, 0.25], [1, 0.5]], "f4"),
        label_weight=np.array([[1, 1], [1, 0.5]], "f4"),
    )
    summary = summarise_plan(epoch, y, 3)
    np.testing.assert_allclose(summary.class_shares, [0.625, 0.375, 0])
    np.testing.assert_allclose(summary.lacking_shares, [0, 0, 1])
    assert summary.smote_share == 0.5
    assert summary.distinct_share == 0.75


def test_labels_blended_otherwise_than_features_are_not_smote():
    pair = np.array([[0]], "i4"), np.array([[2]], "i4")
    epoch = BatchPlan(*pair, np.array([[0.5]], "f4"), np.array([[0.75]], "f4"))
    summary = summarise_plan(epoch, np.array([0, 0, 1]), 2)
    assert summary.batches_smoted == 0
    np.testing.assert_allclose(summary.class_shares, [0.75, 0.25])


def test_sums_add_up_over_epochs():
    summaries = [summarise_plan(plan("smote", epoch=epoch), LABELS, K) for epoch in range(3)]
    total = summaries[0] + summaries[1] + summaries[2]
    assert total.epochs == 3
    assert total.batches == 3 * STEPS
    np.testing.assert_allclose(
        total.class_shares, np.mean([summary.class_shares for summary in summaries], axis=0)
    )
    distinct_shares = [summary.distinct_share for summary in summaries]
    assert total.distinct_share == pytest.approx(np.mean(distinct_shares))
    stored = json.loads(json.dumps(total.as_dict()))
    assert sum(stored["class_shares"]) == pytest.approx(1)
    assert 0 < stored["smote_share"] <= 1


def test_remix_under_extreme_imbalance_is_far_from_equal_shares():
    # Half of the batches of 64 lack a class of one in a hundred rows: Algorithm 1 brings it to
    # (1 - .99^64) / 2 = .24 of the rows, where "balanced" suggests a half.
    y = (np.arange(6400) % 100 == 0).astype(np.int32)
    training = training_rows(y)
    summary = summarise_plan(plan("remix", training, 64, seed=1), y, 2)
    for epoch in range(1, 30):
        summary += summarise_plan(plan("remix", training, 64, epoch, seed=1), y, 2)
    assert summary.class_shares[1] == pytest.approx((1 - 0.99**64) / 2, abs=0.01)
    assert summary.lacking_shares[1] == pytest.approx(0.99**64, abs=0.02)
