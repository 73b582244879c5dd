"""Samplers that balance the whole training part, against imbalanced-learn."""

from __future__ import annotations

import numpy as np
from imbalanced_rows import COUNTS, FEATURES, LABELS, SIGNIFICANCE, plan, plans, training_rows
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from remix_study.batches.training_rows import TrainingRows


class TestUndersample:
    def test_every_pass_has_the_class_counts_of_imbalanced_learn(self):
        expected = np.bincount(
            RandomUnderSampler(random_state=0).fit_resample(FEATURES, LABELS)[1]
        )
        size = expected.sum()
        for epoch in range(20):
            rows = plan("undersample", epoch=epoch).first.ravel()
            assert len(rows) == len(LABELS) // 24 * 24
            passes = rows[: len(rows) // size * size].reshape(-1, size)
            for pass_rows in passes:
                np.testing.assert_array_equal(np.bincount(LABELS[pass_rows]), expected)
                assert len(set(pass_rows)) == size
            last_rows = rows[passes.size :]
            assert len(set(last_rows)) == len(last_rows)
            assert (np.bincount(LABELS[last_rows], minlength=3) <= expected).all()

    def test_rows_are_used_as_often_as_by_imbalanced_learn(self):
        ours, theirs = np.zeros(len(LABELS)), np.zeros(len(LABELS))
        for epoch, planned in enumerate(plans("undersample", 300)):
            first_pass = planned.first[0][:21]
            ours += np.bincount(first_pass, minlength=len(LABELS))
            sampler = RandomUnderSampler(random_state=epoch)
            sampler.fit_resample(FEATURES, LABELS)
            theirs[sampler.sample_indices_] += 1
        largest = LABELS == 0
        assert stats.chi2_contingency([ours[largest], theirs[largest]]).pvalue > SIGNIFICANCE
        np.testing.assert_array_equal(theirs[LABELS == 2], 300)
        # The first pass holds each row of the smallest class once.
        assert ours[LABELS == 2].sum() == 300 * 21 / 3

    def test_the_order_within_a_pass_is_random(self):
        places = [
            np.flatnonzero(LABELS[planned.first.ravel()[:21]] == 2)
            for planned in plans("undersample", 300)
        ]
        counts = np.bincount(np.concatenate(places), minlength=21)
        assert stats.chisquare(counts).pvalue > SIGNIFICANCE


def smote_triples(epochs=1, seed=11, training=None):
    """(rows, 3) of several epochs: first row, second row, weight."""
    training = training or training_rows()
    planned = plans("smote-dataset", epochs, training, seed=seed)
    return np.concatenate(
        [np.stack([p.first, p.second, p.weight], axis=-1).reshape(-1, 3) for p in planned]
    )


class TestSmoteDataset:
    def test_the_enlarged_rows_are_those_of_imbalanced_learn(self):
        triples = np.unique(smote_triples(200), axis=0)
        labels = LABELS[triples[:, 0].astype(int)]
        _, expected = SMOTE(random_state=0).fit_resample(FEATURES, LABELS)
        np.testing.assert_array_equal(np.bincount(labels), np.bincount(expected))
        unblended = triples[triples[:, 2] == 1]
        np.testing.assert_array_equal(np.sort(unblended[:, 0]), np.arange(len(LABELS)))
        for code in (1, 2):
            rows = np.flatnonzero(code == LABELS)
            k = min(5, len(rows) - 1)
            search = NearestNeighbors(n_neighbors=k + 1).fit(FEATURES[rows])
            near = search.kneighbors(FEATURES[rows])[1]
            allowed = {(rows[i], rows[j]) for i in range(len(rows)) for j in near[i, 1:]}
            synthetic = triples[(labels == code) & (triples[:, 2] < 1)].astype(int)
            assert {tuple(pair) for pair in synthetic[:, :2]} <= allowed

    def test_synthetic_rows_are_distributed_as_those_of_imbalanced_learn(self):
        for code in (1, 2):
            parts = []
            for seed in range(40):
                triples = np.unique(smote_triples(12, seed), axis=0)
                is_synthetic = (LABELS[triples[:, 0].astype(int)] == code) & (triples[:, 2] < 1)
                triples = triples[is_synthetic]
                base, partner = (FEATURES[triples[:, side].astype(int)] for side in (0, 1))
                parts.append(base + (1 - triples[:, 2:]) * (partner - base))
            ours = np.concatenate(parts)
            rows = np.isin(LABELS, [0, code])
            counts = {code: COUNTS[code] + len(ours)}
            sampler = SMOTE(sampling_strategy=counts, random_state=1)
            theirs = sampler.fit_resample(FEATURES[rows], LABELS[rows])[0][rows.sum() :]
            for direction in np.random.default_rng(2).normal(size=(8, 3)):
                assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > SIGNIFICANCE

    def test_synthetic_rows_are_made_once_for_a_member_and_differ_between_members(self):
        first, repeated = (np.unique(smote_triples(200), axis=0) for _ in range(2))
        np.testing.assert_array_equal(first, repeated)
        training = training_rows()
        same_seed = np.unique(smote_triples(200, training=training), axis=0)
        next_seed = np.unique(smote_triples(200, seed=12, training=training), axis=0)
        np.testing.assert_array_equal(same_seed, first)
        assert not np.array_equal(next_seed, first)

    def test_an_epoch_has_no_row_twice_and_as_many_steps_as_the_baseline(self):
        epoch = plan("smote-dataset")
        assert epoch.first.shape == plan("baseline").first.shape
        assert len(np.unique(smote_triples(), axis=0)) == epoch.first.size

    def test_a_class_of_one_row_is_repeated(self):
        y = np.repeat([0, 1], [40, 1]).astype(np.int32)
        epoch = plan("smote-dataset", training_rows(y, FEATURES[:41]), batch_size=41)
        is_rare = y[epoch.first] == 1
        assert 10 < is_rare.sum() < 30
        assert (epoch.second[is_rare] == 40).all()

    def test_features_are_computed_once_for_each_enlarged_class(self):
        calls = []
        training = TrainingRows(
            np.arange(len(LABELS), dtype=np.int32), LABELS, 3, lambda: calls.append(1) or FEATURES
        )
        smote_triples(5, training=training)
        assert len(calls) == 2
