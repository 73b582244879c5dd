"""The contract of every sampler and mixing, and stacks of plans."""

from __future__ import annotations

from functools import cache

import imbalanced_rows
import numpy as np
import pytest
from imbalanced_rows import COMBINATIONS, combination_name

from remix_study.batches import smote_draws
from remix_study.batches.class_groups import nearest_neighbours
from remix_study.batches.plan import BatchPlan, StackPlanner, plan_epoch
from remix_study.batches.plan_summary import StackSummary, count_epoch, summarise_plan
from remix_study.batches.random_bits import NUMPY
from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.stack_draws import stack_rows
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


SEED = 2**62 + 1


def plan(strategy: Strategy, epoch: int = 0, seed: int = SEED, **kwargs) -> BatchPlan:
    return plan_epoch(
        strategy,
        kwargs.get("training", training_rows()),
        batch_size=kwargs.get("batch_size", BATCH),
        seed=seed,
        epoch=epoch,
    )


@cache
def plans(strategy: Strategy) -> list[BatchPlan]:
    """The first epochs of a strategy, drawn once for all tests."""
    return imbalanced_rows.plans(strategy, EPOCHS, training_rows(), BATCH, seed=SEED)


def arrays(plan: BatchPlan) -> tuple[np.ndarray, ...]:
    return plan.first, plan.second, plan.weight, plan.label_weight


def is_equal(a: BatchPlan, b: BatchPlan) -> bool:
    return all(map(np.array_equal, arrays(a), arrays(b)))


@pytest.mark.parametrize("strategy", COMBINATIONS, ids=combination_name)
class TestContract:
    def test_shapes_and_types(self, strategy):
        for epoch in range(5):
            planned = plan(strategy, epoch)
            assert [a.shape for a in arrays(planned)] == [(STEPS, BATCH)] * 4
            assert [a.dtype for a in arrays(planned)] == ["int32", "int32", "float32", "float32"]
            for weight in (planned.weight, planned.label_weight):
                assert np.isfinite(weight).all()
                assert weight.min() >= 0
                assert weight.max() <= 1

    def test_uses_only_the_members_training_rows(self, strategy):
        for planned in plans(strategy):
            assert np.isin(planned.first, ROWS).all()
            assert np.isin(planned.second, ROWS).all()

    def test_seed_and_epoch_alone_make_the_plan(self, strategy):
        assert is_equal(plan(strategy, 3), plan(strategy, 3))
        assert not np.array_equal(plan(strategy, 3).first, plan(strategy, 4).first)
        assert not np.array_equal(plan(strategy, 3).first, plan(strategy, 3, seed=5).first)

    def test_does_not_depend_on_the_stack(self, strategy):
        other_rows = np.setdiff1d(np.arange(500, dtype="i4"), ROWS)
        others = [
            (compose("balanced", "beta", 0.9), training_rows(np.arange(500, dtype="i4")), 5),
            (strategy, training_rows(other_rows), 6),
        ]
        for epoch in (0, 17):
            alone = plan(strategy, epoch)
            for place in range(3):
                members = [*others[:place], (strategy, training_rows(), SEED), *others[place:]]
                strategies, training, seeds = zip(*members, strict=True)
                stacked = StackPlanner(
                    strategies,
                    training,
                    seeds,
                    batch_size=BATCH,
                    rows=stack_rows(training, 510),
                )
                for running in (None, np.array([place])):
                    for part, expected in zip(
                        stacked.plan(epoch, running)[:4], arrays(alone), strict=True
                    ):
                        np.testing.assert_array_equal(part[place, :STEPS], expected)

    def test_epochs_planned_together_are_those_planned_alone(self, strategy):
        def planner() -> StackPlanner:
            strategies = [strategy, compose("balanced", "beta", 0.9), strategy]
            training = [training_rows(), training_rows(), training_rows(ROWS[:130])]
            return StackPlanner(strategies, training, [SEED, 5, 6], batch_size=BATCH)

        # Over the end of a block of epochs whose mixing weights are drawn together.
        epochs, members = range(13, 19), np.array([0, 2])
        together = planner().plan_epochs(epochs, members)
        alone = [planner().plan(epoch, members) for epoch in epochs]
        for part, *separate in zip(together[:4], *(planned[:4] for planned in alone), strict=True):
            np.testing.assert_array_equal(part, np.concatenate(separate))

    def test_labels_are_mixed_exactly_as_features(self, strategy):
        if strategy.mixing == "remix-chou":
            return  # Mixes labels otherwise by design; see test_mixing.py.
        planned = plan(strategy)
        labels = np.eye(K, dtype=np.float32)[Y]

        def blend(weight):
            w = weight[..., None]
            return w * labels[planned.first] + (1 - w) * labels[planned.second]

        # One-hot labels in the place of features: both blends must then be the same.
        np.testing.assert_allclose(blend(planned.weight), blend(planned.label_weight), atol=1e-6)
        np.testing.assert_allclose(blend(planned.label_weight).sum(-1), 1, atol=1e-6)
        if strategy.has_mixing:
            np.testing.assert_array_equal(planned.weight, planned.label_weight)
        else:
            assert (planned.label_weight == 1).all()

    def test_rows_are_blended_exactly_where_the_strategy_says_so(self, strategy):
        """Otherwise the engine does not gather the second rows."""
        weights = np.concatenate([planned.weight for planned in plans(strategy)])
        assert (weights < 1).any() == strategy.has_blended_rows

    def test_class_shares_exact_in_every_batch(self, strategy):
        epochs = plans(strategy), plans(make_strategy("baseline"))
        for planned, natural in zip(*epochs, strict=True):
            for step in range(STEPS):
                counts = np.bincount(Y[planned.first[step]], minlength=K)
                natural_counts = np.bincount(Y[natural.first[step]], minlength=K)
                if strategy.sampler == "natural":
                    # The same draws as the baseline: strategies are compared on equal terms.
                    np.testing.assert_array_equal(planned.first[step], natural.first[step])
                    continue
                if strategy.sampler in ("undersample", "smote-dataset"):
                    continue  # Balanced as a whole; see test_dataset_samplers.py.
                present = natural_counts > 0
                if strategy.sampler.endswith("-repo"):
                    assert (counts[~present] == 0).all()
                    assert np.isin(planned.first[step], natural.first[step]).all()
                    continue
                if strategy.sampler == "balanced-dataset":
                    present[:] = True
                share = BATCH // present.sum()
                assert np.isin(counts[present], [share, share + 1]).all()
                assert (counts[~present] == 0).all()
                if strategy.sampler in ("balanced", "smote"):
                    assert np.isin(planned.first[step], natural.first[step]).all()
                    if strategy.mixing != "balanced-mixup":  # whose partners are from all rows
                        assert np.isin(planned.second[step], natural.first[step]).all()

    def test_class_shares_of_the_labels_within_a_binomial_bound(self, strategy):
        natural_counts = [
            np.bincount(Y[rows], minlength=K)
            for planned in plans(make_strategy("baseline"))
            for rows in planned.first
        ]
        present = np.array(natural_counts) > 0
        expected = {
            "natural": np.bincount(Y[ROWS], minlength=K) / len(ROWS),
            "balanced-dataset": np.full(K, 1 / K),
            "undersample": np.full(K, 1 / K),
            "smote-dataset": np.full(K, 1 / K),
        }.get(strategy.sampler, (present / present.sum(1, keepdims=True)).mean(0))
        if strategy.mixing == "remix-chou":
            return  # Its labels lean to rare classes by design; see test_mixing.py.
        if strategy.mixing == "balanced-mixup":
            share = strategy.alpha / (strategy.alpha + 1)  # the mean of Beta(alpha, 1)
            expected = (1 - share) * expected + share / K
        first, *others = plans(strategy)
        summary = summarise_plan(first, Y, K)
        for planned in others:
            summary += summarise_plan(planned, Y, K)
        rows = EPOCHS * STEPS * BATCH
        bound = 4 * np.sqrt(expected * (1 - expected) / rows)
        assert (np.abs(summary.class_shares - expected) <= bound).all()

    def test_every_row_is_used_in_the_long_run(self, strategy):
        used_rows = np.unique([planned.first for planned in plans(strategy)])
        np.testing.assert_array_equal(used_rows, ROWS)

    def test_features_are_computed_for_smote_only(self, strategy):
        calls = []
        training = TrainingRows(ROWS, Y[ROWS], K, lambda: calls.append(1) or X[ROWS])
        plan(strategy, training=training)
        assert bool(calls) == (strategy.sampler in SMOTE_SAMPLERS)


def test_natural_epoch_is_a_permutation_cut_to_whole_batches():
    planned = plan(make_strategy("baseline"))
    assert len(np.unique(planned.first)) == STEPS * BATCH
    np.testing.assert_array_equal(planned.first, planned.second)
    assert (planned.weight == 1).all()
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
    MEMBERS = (ROWS[:130], ROWS)

    def planner(self, *names: str) -> StackPlanner:
        return StackPlanner(
            [make_strategy(name) for name in names],
            [training_rows(rows) for rows in self.MEMBERS],
            [3, 4],
            batch_size=BATCH,
        )

    @pytest.mark.parametrize(
        "names", [("remix", "mixup"), ("smote", "smote"), ("balance", "smote")]
    )
    def test_pads_with_rows_that_are_safe_to_gather(self, names):
        planner = self.planner(*names)
        np.testing.assert_array_equal(planner.steps, [4, STEPS])
        planned = planner.plan(2)
        assert [a.shape for a in planned[:4]] == [(2, STEPS, BATCH)] * 4
        assert planned.neighbours is None
        assert [a.dtype for a in planned[:4]] == ["int32", "int32", "float32", "float32"]
        for array in planned[:2]:
            assert np.isin(array[0, 4:], [0, *self.MEMBERS[0]]).all()

    def test_members_that_do_not_train_are_not_planned(self):
        planned = self.planner("remix", "mixup").plan(0, np.array([1]))
        assert (planned.first[0] == 0).all()
        assert (planned.second[0] == 0).all()
        assert (planned.weight[0] == 1).all()
        np.testing.assert_array_equal(
            planned.first[1], self.planner("mixup", "mixup").plan(0)[0][1]
        )

    def test_counts_leave_out_padding(self):
        planner = self.planner("remix", "remix")
        summary = StackSummary(planner.steps, BATCH, K)
        for epoch in range(3):
            counts = count_epoch(NUMPY, planner.plan(epoch), Y, planner.steps, K)
            summary.add(counts, np.array([True, epoch < 2]))
        for member, epochs in enumerate((3, 2)):
            expected = [
                summarise_plan(
                    plan(
                        make_strategy("remix"),
                        epoch,
                        seed=(3, 4)[member],
                        training=training_rows(self.MEMBERS[member]),
                    ),
                    Y,
                    K,
                ).as_dict()
                for epoch in range(epochs)
            ]
            result = summary.of_member(member).as_dict()
            assert result["epochs"] == epochs
            for key in ("class_shares", "lacking_shares", "distinct_share"):
                np.testing.assert_allclose(
                    result[key], np.mean([e[key] for e in expected], axis=0), rtol=1e-6
                )


def test_smote_finds_the_neighbours_of_all_batches_at_once(monkeypatch):
    """Batch after batch, an epoch would take fifty times as long."""
    calls = []

    def counted(*arguments, **options):
        calls.append(len(arguments[3]))
        return nearest_neighbours(*arguments, **options)

    monkeypatch.setattr(smote_draws, "nearest_neighbours", counted)
    plan(make_strategy("smote"))
    assert len(calls) == 1
    assert calls[0] > STEPS
