"""The contract of every sampler and mixing, stacking, and the summary of what was trained on."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.plan import BatchPlan, plan_epoch, stack_plans
from remix_study.batches.plan_summary import summarise_plan
from remix_study.batches.samplers import SAMPLERS, SMOTE_SAMPLERS
from remix_study.batches.strategies import Strategy, compose, make_strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.errors import UsageError

K, BATCH, EPOCHS = 3, 32, 40
RNG = np.random.default_rng(7)
Y = RNG.choice(K, 500, p=[0.8, 0.14, 0.06]).astype(np.int32)
X = RNG.normal(size=(500, 4)).astype(np.float32)
ROWS = np.sort(RNG.permutation(500)[:301]).astype(np.int32)
STEPS = 301 // BATCH


def training_rows(rows: np.ndarray = ROWS) -> TrainingRows:
    return TrainingRows(rows, Y[rows], K, lambda: X[rows])


def plan(strategy: Strategy, epoch: int = 0, seed: int = 2**62 + 1, **kwargs) -> BatchPlan:
    return plan_epoch(
        strategy,
        kwargs.get("training", training_rows()),
        batch_size=kwargs.get("batch_size", BATCH),
        seed=seed,
        epoch=epoch,
    )


def arrays(plan: BatchPlan) -> tuple[np.ndarray, ...]:
    return plan.first, plan.second, plan.weight, plan.label_weight


def equal(one: BatchPlan, other: BatchPlan) -> bool:
    return all(map(np.array_equal, arrays(one), arrays(other)))


COMBINATIONS = [
    pytest.param(
        compose(sampler, mixing, 0.3 if mixing != "none" else None), id=f"{sampler}-{mixing}"
    )
    for sampler in SAMPLERS
    for mixing in MIXINGS
    if sampler not in SMOTE_SAMPLERS or mixing == "none"
]


@pytest.mark.parametrize("strategy", COMBINATIONS)
class TestContract:
    def test_shapes_and_types(self, strategy):
        for epoch in range(5):
            drawn = plan(strategy, epoch)
            assert [a.shape for a in arrays(drawn)] == [(STEPS, BATCH)] * 4
            assert [a.dtype for a in arrays(drawn)] == ["int32", "int32", "float32", "float32"]
            for weight in (drawn.weight, drawn.label_weight):
                assert np.isfinite(weight).all()
                assert weight.min() >= 0
                assert weight.max() <= 1

    def test_only_own_training_rows(self, strategy):
        for epoch in range(EPOCHS):
            drawn = plan(strategy, epoch)
            assert np.isin(drawn.first, ROWS).all()
            assert np.isin(drawn.second, ROWS).all()

    def test_seed_and_epoch_alone_make_the_plan(self, strategy):
        assert equal(plan(strategy, 3), plan(strategy, 3))
        assert not np.array_equal(plan(strategy, 3).first, plan(strategy, 4).first)
        assert not np.array_equal(plan(strategy, 3).first, plan(strategy, 3, seed=5).first)

    def test_does_not_depend_on_the_stack(self, strategy):
        others = [
            plan(compose("balanced", "beta", 0.9), training=training_rows(ROWS[::2])),
            plan(strategy, training=training_rows(np.setdiff1d(np.arange(500, dtype="i4"), ROWS))),
        ]
        alone = plan(strategy)
        for place in range(3):
            members = [*others[:place], plan(strategy), *others[place:]]
            stacked = stack_plans(members)
            steps = stacked.steps[place]
            assert steps == STEPS
            for got, wanted in zip(stacked[:4], arrays(alone), strict=True):
                np.testing.assert_array_equal(got[:steps, place], wanted)

    def test_labels_are_mixed_exactly_as_features(self, strategy):
        if strategy.mixing == "remix-chou":
            return  # Its point is that they are not; see test_rivals.py.
        drawn = plan(strategy)
        labels = np.eye(K, dtype=np.float32)[Y]

        def blend(weight):
            w = weight[..., None]
            return w * labels[drawn.first] + (1 - w) * labels[drawn.second]

        # One-hot labels in the place of features: both blends must then be the same.
        np.testing.assert_allclose(blend(drawn.weight), blend(drawn.label_weight), atol=1e-6)
        np.testing.assert_allclose(blend(drawn.label_weight).sum(-1), 1, atol=1e-6)
        if strategy.has_mixing:
            np.testing.assert_array_equal(drawn.weight, drawn.label_weight)
        else:
            assert (drawn.label_weight == 1).all()

    def test_rows_are_blended_exactly_where_the_strategy_says_so(self, strategy):
        """The engine leaves the second rows out where it does not."""
        weights = np.concatenate([plan(strategy, epoch).weight for epoch in range(EPOCHS)])
        assert (weights < 1).any() == strategy.has_blended_rows

    def test_class_shares_exact_in_every_batch(self, strategy):
        for epoch in range(EPOCHS):
            drawn = plan(strategy, epoch)
            natural = plan(make_strategy("baseline"), epoch)
            for step in range(STEPS):
                counts = np.bincount(Y[drawn.first[step]], minlength=K)
                in_nature = np.bincount(Y[natural.first[step]], minlength=K)
                if strategy.sampler == "natural":
                    # The same draws as the baseline: strategies are compared on equal terms.
                    np.testing.assert_array_equal(drawn.first[step], natural.first[step])
                    continue
                if strategy.sampler in ("undersample", "smote-dataset"):
                    continue  # Balanced as a whole; see test_rivals.py.
                present = in_nature > 0
                if strategy.sampler.endswith("-repo"):
                    assert (counts[~present] == 0).all()
                    assert np.isin(drawn.first[step], natural.first[step]).all()
                    continue
                if strategy.sampler == "balanced-dataset":
                    present[:] = True
                share = BATCH // present.sum()
                assert np.isin(counts[present], [share, share + 1]).all()
                assert (counts[~present] == 0).all()
                if strategy.sampler in ("balanced", "smote"):
                    assert np.isin(drawn.first[step], natural.first[step]).all()
                    if strategy.mixing != "balanced-mixup":  # whose partners are from all rows
                        assert np.isin(drawn.second[step], natural.first[step]).all()

    def test_class_shares_of_the_labels_within_a_binomial_bound(self, strategy):
        nature = [
            np.bincount(Y[rows], minlength=K)
            for e in range(EPOCHS)
            for rows in plan(make_strategy("baseline"), e).first
        ]
        present = np.array(nature) > 0
        expected = {
            "natural": np.bincount(Y[ROWS], minlength=K) / len(ROWS),
            "balanced-dataset": np.full(K, 1 / K),
            "undersample": np.full(K, 1 / K),
            "smote-dataset": np.full(K, 1 / K),
        }.get(strategy.sampler, (present / present.sum(1, keepdims=True)).mean(0))
        if strategy.mixing == "remix-chou":
            return  # Its labels lean to rare classes by design; see test_rivals.py.
        if strategy.mixing == "balanced-mixup":
            share = strategy.alpha / (strategy.alpha + 1)  # the mean of Beta(alpha, 1)
            expected = (1 - share) * expected + share / K
        summary = summarise_plan(plan(strategy, 0), Y, K)
        for epoch in range(1, EPOCHS):
            summary += summarise_plan(plan(strategy, epoch), Y, K)
        rows = EPOCHS * STEPS * BATCH
        bound = 4 * np.sqrt(expected * (1 - expected) / rows)
        assert (np.abs(summary.class_shares - expected) <= bound).all()

    def test_every_row_is_used_in_the_long_run(self, strategy):
        seen = np.unique([plan(strategy, epoch).first for epoch in range(EPOCHS)])
        np.testing.assert_array_equal(seen, ROWS)

    def test_features_are_asked_for_by_smote_alone(self, strategy):
        asked = []
        training = TrainingRows(ROWS, Y[ROWS], K, lambda: asked.append(1) or X[ROWS])
        plan(strategy, training=training)
        assert bool(asked) == (strategy.sampler in SMOTE_SAMPLERS)


def test_natural_epoch_is_a_permutation_cut_to_whole_batches():
    drawn = plan(make_strategy("baseline"))
    assert len(np.unique(drawn.first)) == STEPS * BATCH
    np.testing.assert_array_equal(drawn.first, drawn.second)
    assert (drawn.weight == 1).all()
    dropped = [np.setdiff1d(ROWS, plan(make_strategy("baseline"), e).first) for e in range(5)]
    assert len({tuple(rows) for rows in dropped}) == 5


def test_strategies_of_one_seed_share_partners_and_lambdas():
    small, large = plan(make_strategy("remix", 0.1)), plan(make_strategy("remix", 0.4))
    np.testing.assert_array_equal(small.first, large.first)
    np.testing.assert_array_equal(small.second, large.second)
    np.testing.assert_array_equal(small.first, plan(make_strategy("balance")).first)
    np.testing.assert_array_equal(small.weight, plan(make_strategy("remix")).weight)


@pytest.mark.parametrize(("batch_size", "words"), [(0, "at least 1"), (302, "301 training rows")])
def test_batch_that_cannot_be_filled_is_refused(batch_size, words):
    with pytest.raises(UsageError, match=words):
        plan(make_strategy("baseline"), batch_size=batch_size)


def test_batch_of_all_rows_is_one_step():
    for name in ("baseline", "balance", "smote", "remix"):
        assert plan(make_strategy(name), batch_size=301).steps == 1


class TestStack:
    def test_pads_with_rows_that_are_safe_to_gather(self):
        short, long = plan(make_strategy("remix"), batch_size=32), plan(make_strategy("mixup"))
        short = BatchPlan(*(a[:4] for a in arrays(short)))
        stacked = stack_plans([short, None, long], steps=12)
        assert [a.shape for a in stacked[:4]] == [(12, 3, BATCH)] * 4
        assert [a.dtype for a in stacked] == ["int32", "int32", "float32", "float32", "int32"]
        np.testing.assert_array_equal(stacked.steps, [4, 0, STEPS])
        np.testing.assert_array_equal(stacked.first[4:, 0], 0)
        np.testing.assert_array_equal(stacked.second[:, 1], 0)
        np.testing.assert_array_equal(stacked.weight[STEPS:, 2], 1)
        np.testing.assert_array_equal(stacked.label_weight[:4, 0], short.label_weight)
        np.testing.assert_array_equal(stacked.second[:STEPS, 2], long.second)

    def test_refuses_what_does_not_fit(self):
        drawn = plan(make_strategy("baseline"))
        with pytest.raises(ValueError, match="does not fit"):
            stack_plans([drawn], steps=STEPS - 1)
        with pytest.raises(ValueError, match="one batch size"):
            stack_plans([drawn, plan(make_strategy("baseline"), batch_size=16)])
        with pytest.raises(ValueError, match="at least one"):
            stack_plans([None])


class TestTrainedOn:
    @pytest.mark.parametrize("strategy", COMBINATIONS)
    def test_equals_a_slow_count(self, strategy):
        drawn = plan(strategy)
        mass, lacking, smoted = np.zeros(K), np.zeros(K, int), 0
        for step in range(STEPS):
            labels = np.zeros((BATCH, K))
            made = False
            for row in range(BATCH):
                i, j = drawn.first[step, row], drawn.second[step, row]
                lam = float(drawn.label_weight[step, row])
                labels[row, Y[i]] += lam
                labels[row, Y[j]] += 1 - lam
                made |= strategy.sampler in SMOTE_SAMPLERS and i != j
            mass += labels.mean(0)
            lacking += labels.sum(0) == 0
            smoted += made
        summary = summarise_plan(drawn, Y, K)
        np.testing.assert_allclose(summary.class_shares, mass / STEPS, atol=1e-9)
        np.testing.assert_array_equal(summary.batches_lacking, lacking)
        assert summary.batches_smoted == smoted
        assert summary.distinct_share == len(set(drawn.first.ravel())) / drawn.first.size

    def test_by_hand(self):
        y = np.array([0, 0, 1, 1])
        one = np.float32(1)
        drawn = BatchPlan(
            np.array([[0, 2], [1, 1]], "i4"),
            np.array([[0, 3], [1, 2]], "i4"),
            np.array([[one, 0.25], [one, 0.5]], "f4"),
            np.array([[one, one], [one, 0.5]], "f4"),
        )
        summary = summarise_plan(drawn, y, 3)
        np.testing.assert_allclose(summary.class_shares, [0.625, 0.375, 0])
        np.testing.assert_allclose(summary.lacking_shares, [0, 0, 1])
        assert summary.smote_share == 0.5
        assert summary.distinct_share == 0.75

    def test_labels_blended_otherwise_than_features_are_not_smote(self):
        pair = np.array([[0]], "i4"), np.array([[2]], "i4")
        drawn = BatchPlan(*pair, np.array([[0.5]], "f4"), np.array([[0.75]], "f4"))
        summary = summarise_plan(drawn, np.array([0, 0, 1]), 2)
        assert summary.batches_smoted == 0
        np.testing.assert_allclose(summary.class_shares, [0.75, 0.25])

    def test_adds_up_over_epochs(self):
        smote = make_strategy("smote")
        parts = [summarise_plan(plan(smote, epoch), Y, K) for epoch in range(3)]
        total = parts[0] + parts[1] + parts[2]
        assert total.epochs == 3
        assert total.batches == 3 * STEPS
        np.testing.assert_allclose(
            total.class_shares, np.mean([part.class_shares for part in parts], axis=0)
        )
        assert total.distinct_share == pytest.approx(np.mean([p.distinct_share for p in parts]))
        plain = json.loads(json.dumps(total.as_dict()))
        assert sum(plain["class_shares"]) == pytest.approx(1)
        assert 0 < plain["smote_share"] <= 1

    def test_extreme_imbalance_gives_the_share_the_paper_hides(self):
        # Half of the batches of 64 lack a class of one in a hundred rows: Algorithm 1 brings it
        # to (1 - .99^64) / 2 = .24 of the rows, far from the half that "balanced" suggests.
        y = (np.arange(6400) % 100 == 0).astype(np.int32)
        training = TrainingRows(np.arange(6400, dtype=np.int32), y, 2, lambda: X)
        summary = summarise_plan(
            plan_epoch(make_strategy("remix"), training, batch_size=64, seed=1, epoch=0), y, 2
        )
        for epoch in range(1, 30):
            drawn = plan_epoch(
                make_strategy("remix"), training, batch_size=64, seed=1, epoch=epoch
            )
            summary += summarise_plan(drawn, y, 2)
        assert summary.class_shares[1] == pytest.approx((1 - 0.99**64) / 2, abs=0.01)
        assert summary.lacking_shares[1] == pytest.approx(0.99**64, abs=0.02)


@pytest.mark.parametrize("name", ["smote", "remix"])
def test_planning_stays_far_below_a_loop_over_batches(name):
    rng = np.random.default_rng(0)
    y = (rng.random(2240) < 0.05).astype(np.int32)
    features = rng.normal(size=(2240, 36)).astype(np.float32)
    training = TrainingRows(np.arange(2240, dtype=np.int32), y, 2, lambda: features)
    strategy = make_strategy(name)
    seconds = []
    for epoch in range(10):
        start = time.perf_counter()
        plan_epoch(strategy, training, batch_size=128, seed=0, epoch=epoch)
        seconds.append(time.perf_counter() - start)
    # About 0.5 ms; a library's SMOTE called batch after batch takes 25.
    assert min(seconds) < 5e-3
