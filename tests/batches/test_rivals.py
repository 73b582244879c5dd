"""The rival strategies and the repository's samplers, against references that are not ours."""

from __future__ import annotations

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from remix_study.batches.plan import plan_epoch
from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.strategies import compose, make_strategy
from remix_study.batches.training_rows import TrainingRows

LEVEL = 1e-4  # Seeds are fixed: a test of distribution fails for ever or never.
COUNTS = (90, 20, 7)
LABELS = np.random.default_rng(1).permutation(np.repeat(np.arange(3), COUNTS)).astype(np.int32)
ROWS = (np.random.default_rng(2).normal(size=(len(LABELS), 3)) + LABELS[:, None]).astype(
    np.float32
)


def training_rows(y=LABELS, x=ROWS) -> TrainingRows:
    return TrainingRows(np.arange(len(y), dtype=np.int32), y, int(y.max()) + 1, lambda: x)


def plan(strategy, training=None, batch_size=24, epoch=0, seed=11):
    strategy = make_strategy(strategy) if isinstance(strategy, str) else strategy
    training = training or training_rows()
    return plan_epoch(strategy, training, batch_size=batch_size, seed=seed, epoch=epoch)


class TestUndersample:
    def test_every_pass_holds_the_classes_as_the_library_cuts_them(self):
        wanted = np.bincount(RandomUnderSampler(random_state=0).fit_resample(ROWS, LABELS)[1])
        size = wanted.sum()
        for epoch in range(20):
            rows = plan("undersample", epoch=epoch).first.ravel()
            assert len(rows) == len(LABELS) // 24 * 24
            whole = rows[: len(rows) // size * size].reshape(-1, size)
            for one in whole:
                np.testing.assert_array_equal(np.bincount(LABELS[one]), wanted)
                assert len(set(one)) == size
            rest = rows[whole.size :]
            assert len(set(rest)) == len(rest)
            assert (np.bincount(LABELS[rest], minlength=3) <= wanted).all()

    def test_rows_are_kept_as_often_as_the_library_keeps_them(self):
        ours, theirs = np.zeros(len(LABELS)), np.zeros(len(LABELS))
        for epoch in range(300):
            ours += np.bincount(
                plan("undersample", epoch=epoch).first[0][:21], minlength=len(LABELS)
            )
            cut = RandomUnderSampler(random_state=epoch)
            cut.fit_resample(ROWS, LABELS)
            theirs[cut.sample_indices_] += 1
        large = LABELS == 0
        assert stats.chi2_contingency([ours[large], theirs[large]]).pvalue > LEVEL
        np.testing.assert_array_equal(theirs[LABELS == 2], 300)
        # The first pass alone holds each row of the smallest class once; its order is random.
        assert ours[LABELS == 2].sum() == 300 * 21 / 3

    def test_the_order_within_a_pass_is_random(self):
        places = [np.flatnonzero(LABELS[plan("undersample", epoch=e).first.ravel()[:21]] == 2)
                  for e in range(300)]  # fmt: skip
        assert stats.chisquare(np.bincount(np.concatenate(places), minlength=21)).pvalue > LEVEL


class TestSmoteDataset:
    def rows(self, epochs=1, seed=11, training=None):
        training = training or training_rows()
        parts = [plan("smote-dataset", training, epoch=e, seed=seed) for e in range(epochs)]
        return np.concatenate(
            [np.stack([p.first, p.second, p.weight], axis=-1).reshape(-1, 3) for p in parts]
        )

    def test_the_enlarged_set_is_that_of_the_library(self):
        found = np.unique(self.rows(200), axis=0)
        label = LABELS[found[:, 0].astype(int)]
        _, wanted = SMOTE(random_state=0).fit_resample(ROWS, LABELS)
        np.testing.assert_array_equal(np.bincount(label), np.bincount(wanted))
        own = found[found[:, 2] == 1]
        np.testing.assert_array_equal(np.sort(own[:, 0]), np.arange(len(LABELS)))
        for code in (1, 2):
            of_class = np.flatnonzero(code == LABELS)
            k = min(5, len(of_class) - 1)
            near = (
                NearestNeighbors(n_neighbors=k + 1)
                .fit(ROWS[of_class])
                .kneighbors(ROWS[of_class])[1]
            )
            allowed = {
                (of_class[i], of_class[j]) for i in range(len(of_class)) for j in near[i, 1:]
            }
            made = found[(label == code) & (found[:, 2] < 1)].astype(int)
            assert {tuple(pair) for pair in made[:, :2]} <= allowed

    def test_made_rows_are_distributed_as_the_library_makes_them(self):
        for code in (1, 2):
            made = []
            for seed in range(40):
                found = np.unique(self.rows(12, seed), axis=0)
                found = found[(LABELS[found[:, 0].astype(int)] == code) & (found[:, 2] < 1)]
                base, other = (ROWS[found[:, side].astype(int)] for side in (0, 1))
                made.append(base + (1 - found[:, 2:]) * (other - base))
            ours = np.concatenate(made)
            keep = np.isin(LABELS, [0, code])
            wanted = {code: COUNTS[code] + len(ours)}
            sampler = SMOTE(sampling_strategy=wanted, random_state=1)
            theirs = sampler.fit_resample(ROWS[keep], LABELS[keep])[0][keep.sum() :]
            for direction in np.random.default_rng(2).normal(size=(8, 3)):
                assert stats.ks_2samp(ours @ direction, theirs @ direction).pvalue > LEVEL

    def test_made_once_for_a_member_and_anew_for_another(self):
        first, again = (np.unique(self.rows(200), axis=0) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        training = training_rows()
        shared = np.unique(self.rows(200, training=training), axis=0)
        other = np.unique(self.rows(200, seed=12, training=training), axis=0)
        np.testing.assert_array_equal(shared, first)
        assert not np.array_equal(other, first)

    def test_an_epoch_has_no_row_twice_and_as_many_steps_as_without(self):
        drawn = plan("smote-dataset")
        assert drawn.first.shape == plan("baseline").first.shape
        assert len(np.unique(self.rows(), axis=0)) == drawn.first.size

    def test_a_class_of_one_row_is_repeated(self):
        y = np.repeat([0, 1], [40, 1]).astype(np.int32)
        drawn = plan("smote-dataset", training_rows(y, ROWS[:41]), batch_size=41)
        rare = y[drawn.first] == 1
        assert 10 < rare.sum() < 30
        assert (drawn.second[rare] == 40).all()

    def test_features_are_asked_for_once(self):
        asked = []
        training = TrainingRows(
            np.arange(len(LABELS), dtype=np.int32), LABELS, 3, lambda: asked.append(1) or ROWS
        )
        self.rows(5, training=training)
        assert len(asked) == 2  # once for each class that grows


def test_remix_chou_equals_a_literal_loop():
    strategy = make_strategy("remix-chou", 0.8)
    counts = np.bincount(LABELS)
    cases = set()
    for epoch in range(20):
        drawn, mixup = plan(strategy, epoch=epoch), plan(make_strategy("mixup", 0.8), epoch=epoch)
        # Rows, partners and lambdas are those of MixUp: only labels differ.
        for one, other in zip(
            (drawn.first, drawn.second, drawn.weight),
            (mixup.first, mixup.second, mixup.weight),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)
        for step in range(drawn.steps):
            for row in range(24):
                lam = drawn.weight[step, row]
                n_i = counts[LABELS[drawn.first[step, row]]]
                n_j = counts[LABELS[drawn.second[step, row]]]
                if n_i / n_j >= 3 and lam < 0.5:
                    wanted = 0.0
                elif n_i / n_j <= 1 / 3 and 1 - lam < 0.5:
                    wanted = 1.0
                else:
                    wanted = lam
                cases.add((n_i > n_j, n_i < n_j, wanted == lam))
                assert drawn.label_weight[step, row] == np.float32(wanted)
    assert len(cases) == 5  # either side of a pair, given way or not, and pairs of one class


def test_remix_chou_at_exactly_three_to_one():
    y = np.repeat([0, 1], [30, 10]).astype(np.int32)
    drawn = plan(make_strategy("remix-chou", 1.0), training_rows(y, ROWS[:40]), batch_size=40)
    lam = drawn.weight[0, 0]
    pair = y[drawn.first[0]] != y[drawn.second[0]]
    wanted = np.where(y[drawn.first[0]] == 0, 0.0 if lam < 0.5 else lam, 1.0 if lam > 0.5 else lam)
    np.testing.assert_array_equal(drawn.label_weight[0][pair], wanted[pair].astype(np.float32))


class TestBalancedMixup:
    def test_natural_rows_mixed_with_rows_of_a_uniform_class(self):
        partners, lams = [], []
        for epoch in range(400):
            drawn = plan(make_strategy("balanced-mixup", 0.3), epoch=epoch)
            natural = plan("baseline", epoch=epoch)
            np.testing.assert_array_equal(drawn.first, natural.first)
            np.testing.assert_array_equal(drawn.weight, drawn.label_weight)
            assert (drawn.weight == drawn.weight[:, :1]).all()
            partners.append(drawn.second)
            lams.append(1 - drawn.weight[:, 0])
        rows = np.bincount(np.concatenate(partners).ravel(), minlength=len(LABELS))
        by_class = [rows[code == LABELS].sum() for code in range(3)]
        assert stats.chisquare(by_class).pvalue > LEVEL
        for code in range(3):
            assert stats.chisquare(rows[code == LABELS]).pvalue > LEVEL
        lam = np.concatenate(lams).astype(float)
        # x = (1 - l) x_I + l x_C with l ~ Beta(a, 1): the partner's share, small on average.
        inner = lam[lam > 1e-6]
        low = stats.beta(0.3, 1).cdf(1e-6)
        assert stats.kstest(inner, lambda x: (x**0.3 - low) / (1 - low)).pvalue > LEVEL
        assert lam.mean() == pytest.approx(0.3 / 1.3, abs=0.03)

    @pytest.mark.parametrize("alpha", [1e-300, 1e-6, 1e300])
    def test_alpha_at_the_edges(self, alpha):
        weight = plan(make_strategy("balanced-mixup", alpha)).weight
        np.testing.assert_allclose(weight, 1.0 if alpha < 1 else 0.0, atol=1e-6)


class TestRepository:
    """A batch of all rows, so that every epoch resamples the same batch."""

    def test_balanced_repo_is_distributed_as_oversampling_then_a_draw_with_replacement(self):
        y, x = LABELS[:60], ROWS[:60]
        training, n_classes = training_rows(y, x), int(y.max()) + 1
        rng = np.random.default_rng(3)
        ours, theirs = [], []
        for epoch in range(400):
            drawn = plan("remix-repo", training, 60, epoch)
            ours.append(drawn.first[0])
            grown = RandomOverSampler(random_state=epoch).fit(x, y)
            grown.fit_resample(x, y)
            theirs.append(rng.choice(grown.sample_indices_, 60, replace=True))
        for code in range(n_classes):
            counts = [[(y[rows] == code).sum() for rows in side] for side in (ours, theirs)]
            assert stats.ks_2samp(*counts).pvalue > LEVEL
            # Binomial, not exact.
            assert np.var(counts[0]) == pytest.approx(60 * (1 / 3) * (2 / 3), rel=0.25)
            # How often one row is repeated: a row repeated by chance is drawn more often.
            copies = [
                np.bincount(
                    np.minimum(
                        [(rows == i).sum() for rows in side for i in np.flatnonzero(y == code)], 8
                    ),
                    minlength=9,
                )
                for side in (ours, theirs)
            ]
            seen = np.sum(copies, axis=0) > 10
            assert stats.chi2_contingency(np.array(copies)[:, seen]).pvalue > LEVEL
        rows = np.stack(ours)
        assert (rows[:, :-1] == rows[:, 1:]).mean() < 0.1

    def smote(self, counts, epochs=300):
        y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
        x = ROWS[: len(y)]
        batch = len(y)
        drawn = [plan("smote-repo", training_rows(y, x), batch, epoch) for epoch in range(epochs)]
        first, second, weight = (
            np.concatenate([getattr(p, name)[0] for p in drawn])
            for name in ("first", "second", "weight")
        )
        return y, x, first, second, weight, drawn

    @pytest.mark.parametrize(("counts", "k"), [((30, 9, 3), 2), ((30, 12, 9), 5)])
    def test_smote_repo_has_one_k_for_all_classes(self, counts, k):
        y, x, first, second, _, _ = self.smote(counts)
        for code in (1, 2):
            own = np.flatnonzero(y == code)
            near = NearestNeighbors(n_neighbors=k + 1).fit(x[own]).kneighbors(x[own])[1]
            allowed = {(own[i], own[j]) for i in range(len(own)) for j in near[i, 1:]}
            made = (first != second) & (y[first] == code)
            pairs, times = np.unique(
                np.stack([first, second])[:, made], axis=1, return_counts=True
            )
            assert {tuple(pair) for pair in pairs.T} == allowed
            assert stats.chisquare(times).pvalue > LEVEL

    def test_smote_repo_is_distributed_as_smote_then_a_cut_without_replacement(self):
        y, x, first, second, weight, drawn = self.smote((30, 9, 6))
        ours = weight[:, None] * x[first] + (1 - weight)[:, None] * x[second]
        theirs, labels, counts = [], [], []
        rng = np.random.default_rng(0)
        for seed in range(40):
            grown, code = SMOTE(k_neighbors=5, random_state=seed).fit_resample(x, y)
            cut = rng.choice(len(code), len(y), replace=False)
            theirs.append(grown[cut])
            labels.append(code[cut])
            counts.append(np.bincount(code[cut], minlength=3))
        mine = np.stack([np.bincount(y[p.first[0]], minlength=3) for p in drawn])
        for code in range(3):
            assert stats.ks_2samp(mine[:, code], np.stack(counts)[:, code]).pvalue > LEVEL
            one, other = (
                ours[y[first] == code],
                np.concatenate(theirs)[np.concatenate(labels) == code],
            )
            for direction in np.random.default_rng(2).normal(size=(4, 3)):
                assert stats.ks_2samp(one @ direction, other @ direction).pvalue > LEVEL
        for p in drawn:
            # No row of the data twice in a batch, unless it was made.
            large = p.first[0][y[p.first[0]] == 0]
            assert len(set(large)) == len(large)

    def test_smote_repo_repeats_where_the_smallest_class_has_two_rows(self):
        y, _, first, second, weight, drawn = self.smote((30, 9, 2))
        np.testing.assert_array_equal(first, second)
        assert (weight == 1).all()
        counts = np.sum([np.bincount(y[p.first[0]], minlength=3) for p in drawn], axis=0)
        np.testing.assert_allclose(counts / counts.sum(), 1 / 3, atol=0.02)
        assert summarise_plan(drawn[0], y, 3).batches_smoted == 0

    @pytest.mark.parametrize("sampler", ["balanced-repo", "smote-repo"])
    def test_a_batch_of_one_class_stays_of_one_class(self, sampler):
        y = np.zeros(40, np.int32)
        training = TrainingRows(np.arange(40, dtype=np.int32), y, 2, lambda: ROWS[:40])
        drawn = plan(compose(sampler), training, 20)
        natural = plan("baseline", training, 20)
        for mine, theirs in zip(drawn.first, natural.first, strict=True):
            assert set(mine) <= set(theirs)
            if sampler == "smote-repo":
                assert set(mine) == set(theirs)

    def test_share_of_batches_with_true_smote_is_that_of_the_notes(self):
        # One row in a hundred, batches of 64: three or more in 2.6 % of them.
        y = (np.arange(64 * 400) % 100 == 0).astype(np.int32)
        training = training_rows(y, np.random.default_rng(0).normal(size=(len(y), 2)).astype("f4"))
        summary = summarise_plan(plan("smote-repo", training, 64), y, 2)
        for epoch in range(1, 6):
            summary += summarise_plan(plan("smote-repo", training, 64, epoch), y, 2)
        assert summary.smote_share == pytest.approx(0.026, abs=0.008)
