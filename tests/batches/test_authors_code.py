"""Samplers of the authors' published code, against imbalanced-learn.

A batch holds all rows, so that every epoch resamples the same batch.
"""

from __future__ import annotations

import numpy as np
import pytest
from imbalanced_rows import FEATURES, LABELS, SIGNIFICANCE, plan, plans, training_rows
from imblearn.over_sampling import SMOTE, RandomOverSampler
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.strategies import compose
from remix_study.batches.training_rows import TrainingRows


def test_balanced_repo_is_distributed_as_oversampling_then_drawing_with_replacement():
    y, features = LABELS[:60], FEATURES[:60]
    training, n_classes = training_rows(y, features), int(y.max()) + 1
    rng = np.random.default_rng(3)
    ours, theirs = [], []
    for epoch, planned in enumerate(plans("remix-repo", 400, training, 60)):
        ours.append(planned.first[0])
        sampler = RandomOverSampler(random_state=epoch)
        sampler.fit_resample(features, y)
        theirs.append(rng.choice(sampler.sample_indices_, 60, replace=True))
    for code in range(n_classes):
        counts = [[(y[rows] == code).sum() for rows in side] for side in (ours, theirs)]
        assert stats.ks_2samp(*counts).pvalue > SIGNIFICANCE
        # Binomial, not exact.
        assert np.var(counts[0]) == pytest.approx(60 * (1 / 3) * (2 / 3), rel=0.25)
        # A row that was repeated by chance is drawn more often.
        copies = [
            np.bincount(
                np.minimum(
                    [(rows == i).sum() for rows in side for i in np.flatnonzero(y == code)], 8
                ),
                minlength=9,
            )
            for side in (ours, theirs)
        ]
        is_frequent = np.sum(copies, axis=0) > 10
        table = np.array(copies)[:, is_frequent]
        assert stats.chi2_contingency(table).pvalue > SIGNIFICANCE
    rows = np.stack(ours)
    assert (rows[:, :-1] == rows[:, 1:]).mean() < 0.1


def smote_plans(counts, epochs=300):
    """Labels, features, first rows, second rows and weights of all epochs, and their plans."""
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    features = FEATURES[: len(y)]
    training = training_rows(y, features)
    planned = plans("smote-repo", epochs, training, len(y))
    first, second, weight = (
        np.concatenate([getattr(epoch, name)[0] for epoch in planned])
        for name in ("first", "second", "weight")
    )
    return y, features, first, second, weight, planned


@pytest.mark.parametrize(("counts", "k"), [((30, 9, 3), 2), ((30, 12, 9), 5)])
def test_smote_repo_has_one_k_for_all_classes(counts, k):
    y, features, first, second, _, _ = smote_plans(counts)
    for code in (1, 2):
        rows = np.flatnonzero(y == code)
        search = NearestNeighbors(n_neighbors=k + 1).fit(features[rows])
        near = search.kneighbors(features[rows])[1]
        allowed = {(rows[i], rows[j]) for i in range(len(rows)) for j in near[i, 1:]}
        is_synthetic = (first != second) & (y[first] == code)
        pairs, times = np.unique(
            np.stack([first, second])[:, is_synthetic], axis=1, return_counts=True
        )
        assert {tuple(pair) for pair in pairs.T} == allowed
        assert stats.chisquare(times).pvalue > SIGNIFICANCE


def test_smote_repo_is_distributed_as_smote_then_a_cut_without_replacement():
    y, features, first, second, weight, plans = smote_plans((30, 9, 6))
    ours = weight[:, None] * features[first] + (1 - weight)[:, None] * features[second]
    theirs, their_labels, their_counts = [], [], []
    rng = np.random.default_rng(0)
    for seed in range(40):
        enlarged, labels = SMOTE(k_neighbors=5, random_state=seed).fit_resample(features, y)
        rows = rng.choice(len(labels), len(y), replace=False)
        theirs.append(enlarged[rows])
        their_labels.append(labels[rows])
        their_counts.append(np.bincount(labels[rows], minlength=3))
    our_counts = np.stack([np.bincount(y[epoch.first[0]], minlength=3) for epoch in plans])
    for code in range(3):
        counts = our_counts[:, code], np.stack(their_counts)[:, code]
        assert stats.ks_2samp(*counts).pvalue > SIGNIFICANCE
        of_class = (
            ours[y[first] == code],
            np.concatenate(theirs)[np.concatenate(their_labels) == code],
        )
        for direction in np.random.default_rng(2).normal(size=(4, 3)):
            projections = (rows @ direction for rows in of_class)
            assert stats.ks_2samp(*projections).pvalue > SIGNIFICANCE
    for epoch in plans:
        # Only synthetic rows may start from a row that is in the batch already.
        largest = epoch.first[0][y[epoch.first[0]] == 0]
        assert len(set(largest)) == len(largest)


def test_smote_repo_repeats_rows_if_the_smallest_class_has_two():
    y, _, first, second, weight, plans = smote_plans((30, 9, 2))
    np.testing.assert_array_equal(first, second)
    assert (weight == 1).all()
    counts = np.sum([np.bincount(y[epoch.first[0]], minlength=3) for epoch in plans], axis=0)
    np.testing.assert_allclose(counts / counts.sum(), 1 / 3, atol=0.02)
    assert summarise_plan(plans[0], y, 3).batches_smoted == 0


@pytest.mark.parametrize("sampler", ["balanced-repo", "smote-repo"])
def test_a_batch_of_one_class_stays_of_one_class(sampler):
    y = np.zeros(40, np.int32)
    training = TrainingRows(np.arange(40, dtype=np.int32), y, 2, lambda: FEATURES[:40])
    resampled = plan(compose(sampler), training, 20)
    natural = plan("baseline", training, 20)
    for rows, natural_rows in zip(resampled.first, natural.first, strict=True):
        assert set(rows) <= set(natural_rows)
        if sampler == "smote-repo":
            assert set(rows) == set(natural_rows)


def test_share_of_batches_in_which_smote_blends_rows():
    # One row in a hundred, batches of 64: three or more in 2.6 % of them.
    y = (np.arange(64 * 400) % 100 == 0).astype(np.int32)
    features = np.random.default_rng(0).normal(size=(len(y), 2)).astype("f4")
    training = training_rows(y, features)
    summary = summarise_plan(plan("smote-repo", training, 64), y, 2)
    for epoch in range(1, 6):
        summary += summarise_plan(plan("smote-repo", training, 64, epoch), y, 2)
    assert summary.smote_share == pytest.approx(0.026, abs=0.008)
