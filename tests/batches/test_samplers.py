"""Samplers against slow transcriptions: the paper's Algorithm 1, and SMOTE in the batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imbalanced_rows import SIGNIFICANCE, plan, plans, training_rows
from imblearn.over_sampling import SMOTE
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.strategies import compose, make_strategy
from remix_study.batches.training_rows import TrainingRows


def algorithm_1(X, Y, B, resample, permutation, beta):
    """Algorithm 1 of the paper, line by line; the three random draws are handed in."""
    classes = [c for c in range(Y.shape[1]) if Y[:, c].sum() > 0]  # 2: C classes in Y
    C = len(classes)
    X1, Y1 = [], []
    for c in classes:  # 3: B/C instances from each class
        of_class = [i for i in range(len(Y)) if Y[i, c] == 1]
        for i in resample(of_class, B // C):
            X1.append(X[i])
            Y1.append(Y[i])
    idx = permutation(B)  # 4
    lam = beta()  # 5
    X2 = [lam * X1[i] + (1.0 - lam) * X1[idx[i]] for i in range(B)]  # 6
    Y2 = [lam * Y1[i] + (1.0 - lam) * Y1[idx[i]] for i in range(B)]  # 7
    return np.array(X2), np.array(Y2), np.array(Y1)  # 8


class TestAlgorithm1:
    B, K = 24, 3  # 24 can be shared by 1, 2 and 3 classes

    def setup_method(self):
        rng = np.random.default_rng(3)
        self.y = rng.choice(self.K, 240, p=[0.85, 0.1, 0.05])
        self.X = rng.normal(size=(240, 5))
        self.Y = np.eye(self.K)[self.y]
        self.training = training_rows(self.y)

    def test_equals_the_transcription_given_the_same_draws(self):
        class_numbers = set()
        for epoch in range(20):
            remix = plan("remix", self.training, self.B, epoch, alpha=0.7)
            natural = plan("baseline", self.training, self.B, epoch)
            for step in range(remix.steps):
                batch = natural.first[step]
                order = np.argsort(self.y[remix.first[step]], kind="stable")
                first, second = remix.first[step][order], remix.second[step][order]
                # A permutation within the batch: some idx must lead from first to second.
                assert sorted(first) == sorted(second)
                idx = np.empty(self.B, int)
                idx[np.argsort(second, kind="stable")] = np.argsort(first, kind="stable")
                lam = np.unique(remix.weight[step])
                assert len(lam) == 1
                place = {row: i for i, row in enumerate(batch)}
                queue = [place[row] for row in first]

                def resample(of_class, size, queue=queue):
                    rows = [queue.pop(0) for _ in range(size)]
                    assert set(rows) <= set(of_class)
                    return rows

                X2, Y2, Y1 = algorithm_1(
                    self.X[batch],
                    self.Y[batch],
                    self.B,
                    resample,
                    lambda b, idx=idx: idx[:b],
                    lambda lam=lam: float(lam[0]),
                )
                assert queue == []
                class_numbers.add(int((Y1.sum(0) > 0).sum()))
                w = remix.weight[step][order][:, None].astype(float)
                v = remix.label_weight[step][order][:, None].astype(float)
                np.testing.assert_allclose(w * self.X[first] + (1 - w) * self.X[second], X2)
                np.testing.assert_allclose(v * self.Y[first] + (1 - v) * self.Y[second], Y2)
        assert class_numbers == {1, 2, 3}

    def test_copies_are_distributed_as_in_the_transcription(self):
        rng = np.random.default_rng(5)
        ours, theirs = [], []
        epochs = [plans(name, 150, self.training, self.B) for name in ("balance", "baseline")]
        for balance, natural in zip(*epochs, strict=True):
            for step in range(balance.steps):
                batch = natural.first[step]
                copies, _, Y1 = algorithm_1(
                    batch,
                    self.Y[batch],
                    self.B,
                    lambda of_class, size: rng.choice(of_class, size, replace=True),
                    rng.permutation,
                    lambda: 1.0,
                )
                np.testing.assert_array_equal(
                    np.bincount(self.y[balance.first[step]], minlength=self.K), Y1.sum(0)
                )
                theirs.extend((copies == row).sum() for row in batch)
                ours.extend((balance.first[step] == row).sum() for row in batch)
        table = np.array([np.bincount(np.minimum(c, 9), minlength=10) for c in (ours, theirs)])
        assert stats.chi2_contingency(table).pvalue > SIGNIFICANCE

    def test_permutation_and_lambda_are_fair(self):
        y = [0] * 4 + [1] * 4
        training = training_rows(y)
        fixed_points, weights = [], []
        for mixup in plans("mixup", 2000, training, 8, alpha=0.4):
            fixed_points.append((mixup.first == mixup.second).sum())
            weights.append(mixup.weight[0, 0])
        assert np.mean(fixed_points) == pytest.approx(1, abs=0.1)  # a random permutation fixes one
        assert stats.kstest(weights, stats.beta(0.4, 0.4).cdf).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("name", ["balance", "smote", "balanced-dataset"])
def test_remainder_goes_to_classes_at_random(name):
    training = training_rows(np.repeat(np.arange(6), [30, 30, 20, 20, 10, 10]))
    extra = np.zeros(6)
    batches = 0
    for planned in plans(name, 100, training, 40):
        for rows in planned.first:
            counts = np.bincount(training.y[rows], minlength=6)
            if name == "balanced-dataset" or (counts > 0).all():
                assert set(counts) == {6, 7}
                extra += counts == 7
                batches += 1
    # 40 rows for 6 classes: four of them get a seventh row, each two times in three.
    assert batches > 200
    np.testing.assert_allclose(extra / batches, 4 / 6, atol=0.1)


def test_balanced_dataset_draws_evenly_from_all_rows_of_a_class():
    training = training_rows(np.repeat([0, 1], [190, 10]))
    first = np.concatenate(
        [planned.first.ravel() for planned in plans("balanced-dataset", 200, training, 20)]
    )
    counts = np.bincount(first, minlength=200)
    assert counts[190:].sum() == counts[:190].sum()
    assert stats.chisquare(counts[:190]).pvalue > SIGNIFICANCE
    assert stats.chisquare(counts[190:]).pvalue > SIGNIFICANCE


@pytest.mark.parametrize("name", ["balance", "balanced-dataset", "smote"])
def test_rows_are_in_random_order(name):
    # A row's place in the batch must not depend on its class, nor on whether it is synthetic.
    training = training_rows(np.repeat([0, 1, 2], [50, 9, 5]))
    places = [[], [], []]
    for planned in plans(name, 300, training, 64):
        labels = training.y[planned.first[0]]
        for label in range(3):
            places[label].extend(np.flatnonzero(labels == label))
    for of_class in places:
        assert np.mean(of_class) == pytest.approx(63 / 2, abs=1)


def test_batch_smaller_than_the_number_of_classes():
    training = training_rows(np.arange(40) % 8)
    for name in ("balance", "smote", "balanced-dataset"):
        for epoch in range(20):
            counts = [
                np.bincount(training.y[rows], minlength=8)
                for rows in plan(name, training, 5, epoch).first
            ]
            assert np.sum(counts) == 40
            if name == "balanced-dataset":
                assert np.max(counts) == 1


@st.composite
def problems(draw):
    counts = draw(st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(sum))
    n = sum(counts)
    return counts, draw(st.integers(1, min(n, 70))), draw(st.integers(0, 2**63 - 1))


@settings(max_examples=80, deadline=None)
@given(problems())
def test_any_counts_and_any_batch(problem):
    counts, batch, seed = problem
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    rng = np.random.default_rng(seed)
    rng.shuffle(y)
    # Few distinct values: duplicates and ties among the neighbours too.
    X = rng.integers(0, 3, size=(len(y), 2)).astype(np.float32)
    rows = (np.arange(len(y)) * 3 + 5).astype(np.int32)
    training = TrainingRows(rows, y, len(counts), lambda: X)
    label = dict(zip(rows.tolist(), y.tolist(), strict=True))

    natural = plan("baseline", training, batch, epoch=2, seed=seed)
    for strategy in (
        make_strategy("balance"),
        make_strategy("smote"),
        compose("balanced-dataset", "beta-sample", 0.2),
        make_strategy("remix", 1e-3),
    ):
        planned = plan(strategy, training, batch, epoch=2, seed=seed)
        assert planned.first.shape == (len(y) // batch, batch)
        assert np.isin(planned.first, rows).all()
        assert np.isin(planned.second, rows).all()
        assert np.isfinite(planned.weight).all()
        for step in range(planned.steps):
            batch_counts, natural_counts = (
                np.bincount([label[row] for row in epoch.first[step]], minlength=len(counts))
                for epoch in (planned, natural)
            )
            is_whole = "dataset" in strategy.sampler
            present = np.array(counts) > 0 if is_whole else natural_counts > 0
            quota = batch // present.sum()
            assert batch_counts.sum() == batch
            assert np.isin(batch_counts[present], [quota, quota + 1]).all()
            assert (batch_counts[~present] == 0).all()
            if strategy.name == "smote":
                unblended = planned.first[step][planned.weight[step] == 1]
                for c in np.flatnonzero(present):
                    natural_rows = [row for row in natural.first[step] if label[row] == c]
                    class_rows = [row for row in unblended if label[row] == c]
                    if natural_counts[c] < batch_counts[c]:
                        assert set(natural_rows) <= set(class_rows)
                        assert natural_counts[c] == 1 or len(class_rows) == natural_counts[c]
                    else:
                        assert len(set(class_rows)) == len(class_rows) == batch_counts[c]
                    if natural_counts[c] == 1:
                        assert class_rows == natural_rows * batch_counts[c]


class TestSmote:
    """One batch holds all rows, so that every epoch resamples the same batch."""

    COUNTS = (60, 9, 4, 1)
    B = sum(COUNTS)

    def setup_method(self):
        rng = np.random.default_rng(8)
        self.y = np.repeat(np.arange(4), self.COUNTS)
        self.X = rng.normal(size=(self.B, 3)).astype("f4") + self.y[:, None].astype("f4")
        self.training = training_rows(self.y, self.X)

    def triples(self, label, epochs=600):
        """(base, neighbour, gap) of all synthetic rows of a class."""
        triples = []
        for planned in plans("smote", epochs, self.training, self.B):
            is_synthetic = (planned.first != planned.second) & (self.y[planned.first] == label)
            parts = planned.first, planned.second, 1 - planned.weight
            triples.extend(zip(*(part[is_synthetic] for part in parts), strict=True))
        return np.array(triples)

    def neighbours(self, label, k):
        """All (base, neighbour) pairs that SMOTE may draw, by scikit-learn."""
        rows = np.flatnonzero(self.y == label)
        near = NearestNeighbors(n_neighbors=k + 1).fit(self.X[rows]).kneighbors(self.X[rows])[1]
        return {(rows[i], rows[j]) for i in range(len(rows)) for j in near[i, 1:]}

    @pytest.mark.parametrize(("label", "k"), [(1, 5), (2, 3)])
    def test_base_neighbour_and_gap_are_uniform_over_what_the_library_allows(self, label, k):
        triples = self.triples(label)
        allowed = self.neighbours(label, k)
        pairs, counts = np.unique(triples[:, :2], axis=0, return_counts=True)
        assert {tuple(pair) for pair in pairs.astype(int)} == allowed
        assert stats.chisquare(counts).pvalue > SIGNIFICANCE
        assert stats.kstest(triples[:, 2], "uniform").pvalue > SIGNIFICANCE

    @pytest.mark.parametrize(("label", "k"), [(1, 5), (2, 3)])
    def test_synthetic_rows_are_distributed_as_those_of_imbalanced_learn(self, label, k):
        triples = self.triples(label, epochs=300)
        base, partner = (self.X[triples[:, side].astype(int)] for side in (0, 1))
        ours = base + triples[:, 2:] * (partner - base)
        rows = np.isin(self.y, [0, label])
        class_counts = {label: self.COUNTS[label] + len(ours)}
        sampler = SMOTE(sampling_strategy=class_counts, k_neighbors=k, random_state=1)
        theirs = sampler.fit_resample(self.X[rows], self.y[rows])[0][rows.sum() :]
        assert len(theirs) == len(ours)
        for direction in np.random.default_rng(2).normal(size=(8, 3)):
            assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > SIGNIFICANCE

    def test_counts_are_those_of_imbalanced_learn(self):
        y = np.repeat([0, 1, 2], [50, 8, 6])
        X = np.random.default_rng(4).normal(size=(64, 3)).astype("f4")
        planned = plan("smote", training_rows(y, X), 64)
        counts = np.bincount(y[planned.first[0]])
        class_counts = {c: int(counts[c]) for c in (1, 2)}
        resampled = SMOTE(sampling_strategy=class_counts, random_state=0).fit_resample(X, y)[1]
        np.testing.assert_array_equal(np.bincount(resampled)[1:], counts[1:])
        assert (planned.weight[0] == 1).sum() == counts[0] + 8 + 6

    def test_single_row_is_repeated_and_large_class_is_cut_at_random(self):
        times = np.zeros(60)
        for planned in plans("smote", 300, self.training, self.B):
            is_single = planned.first[0] == self.B - 1
            assert is_single.sum() in (18, 19)
            assert (planned.second[0][is_single] == self.B - 1).all()
            majority = planned.first[0][self.y[planned.first[0]] == 0]
            assert len(np.unique(majority)) == len(majority) in (18, 19)
            times[majority] += 1
        assert stats.chisquare(times).pvalue > SIGNIFICANCE

    def test_synthetic_rows_of_a_batch_have_independent_bases(self):
        equal_shares = []
        for planned in plans("smote", 200, self.training, self.B):
            is_synthetic = (planned.first != planned.second) & (self.y[planned.first] == 1)
            bases = planned.first[is_synthetic]
            equal_shares.append(np.mean(bases[1:] == bases[:-1]))
        assert np.mean(equal_shares) == pytest.approx(1 / 9, abs=0.03)

    def test_share_of_batches_in_which_smote_blends_rows(self):
        y = (np.arange(3200) % 50 == 0).astype(np.int32)
        training = training_rows(y)
        first, *others = plans("smote", 20, training, 32)
        summary = summarise_plan(first, y, 2)
        for planned in others:
            summary += summarise_plan(planned, y, 2)
        two_or_more = stats.hypergeom(3200, 64, 32).sf(1)
        assert summary.smote_share == pytest.approx(two_or_more, abs=0.03)

    def test_rows_of_any_rank(self):
        images = self.X.reshape(self.B, 3, 1, 1)
        flat = plan("smote", self.training, self.B)
        shaped = plan("smote", training_rows(self.y, images), self.B)
        np.testing.assert_array_equal(flat.second, shaped.second)
