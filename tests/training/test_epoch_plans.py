"""Plans drawn in a compiled program, against NumPy's; jax_checks.py has them on JAX."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pytest
from imbalanced_rows import COMBINATIONS, training_rows
from outcome_checks import assert_same_bits
from small_problems import SmallProblem, short_training

from remix_study.batches.mixing import MIXINGS
from remix_study.batches.nominal import nominal_features
from remix_study.batches.plan import StackPlanner
from remix_study.batches.random_bits import NUMPY, derive_keys, member_keys, random_bits
from remix_study.batches.samplers import DEVICE_SAMPLERS
from remix_study.batches.smote_draws import fits_device, grid_of, points_of
from remix_study.batches.stack_draws import stack_rows
from remix_study.batches.strategies import compose, make_strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.preprocessing import CLIP
from remix_study.training import epoch_plans, stack_trainer
from remix_study.training.backend import backend
from remix_study.training.epoch_plans import (
    _mixing_weights,
    can_draw_on_device,
    device_plans,
    host_plans,
)

K, BATCH, SIZES = 4, 16, (100, 133, 64, 133)
DRAWN_ON_DEVICE = [s for s in COMBINATIONS if s.sampler in DEVICE_SAMPLERS]
# Few distinct values, so that rows are equally near.
FEATURES = np.random.default_rng(4).integers(-2, 3, size=(200, 3)).astype(np.float32) / 2


def make_planner(strategies):
    """A planner of four members, the third of which lacks a class."""
    rng = np.random.default_rng(3)
    y = rng.choice(K, 200, p=[0.7, 0.2, 0.07, 0.03]).astype(np.int32)
    training = []
    for number, size in enumerate(SIZES):
        rows = np.sort(rng.permutation(200 if number != 2 else np.flatnonzero(y < 3))[:size])
        rows = rows.astype(np.int32)
        features = FEATURES[rows]
        training.append(
            TrainingRows(rows, y[rows], K, lambda features=features: features, rare=(2, 3))
        )
    seeds = [2**62 + 1, 4, 5, 6]
    rows = stack_rows(training, 140)
    return StackPlanner(strategies, training, seeds, batch_size=BATCH, rows=rows), y


def assert_same_plans(strategies, *, jit, epochs=2, weights=None):
    planner, y = make_planner(strategies)
    on_host = host_plans(planner, np.ones(4, bool), y, K, weights)
    put = backend().on_device
    rows = put(y), K, None if weights is None else put(weights)
    on_device = device_plans(planner, *rows, jit=jit)
    for host, device in islice(zip(on_host, on_device, strict=True), epochs):
        for member, steps in enumerate(planner.steps):
            assert host.plan.neighbours is device.plan.neighbours is None
            for name in host.plan._fields[:4]:
                result = np.asarray(getattr(device.plan, name))[member, :steps]
                expected = np.asarray(getattr(host.plan, name))[member, :steps]
                assert result.dtype == expected.dtype
                np.testing.assert_array_equal(result, expected, err_msg=name)
        for name in ("batches_lacking", "batches_smoted", "distinct"):
            result, expected = getattr(device.counts, name), getattr(host.counts, name)
            np.testing.assert_array_equal(np.asarray(result), expected, err_msg=name)
        np.testing.assert_allclose(
            np.asarray(device.counts.class_mass), host.counts.class_mass, rtol=1e-5, atol=1e-5
        )


@pytest.fixture
def draw_eagerly(monkeypatch):
    """Call it: from there on draws are not compiled, which takes longer than a few epochs do."""

    def draws(*options):
        *kinds, _ = options
        return partial(epoch_plans._draw, *kinds)

    return partial(monkeypatch.setattr, epoch_plans, "_draw_program", draws)


def test_a_stack_of_all_samplers_and_mixings_is_the_same_to_the_bit(draw_eagerly):
    mixed = [s for s in DRAWN_ON_DEVICE if s.sampler != "smote"]
    stacks = [mixed[start::3][:4] for start in (0, 1)]
    stacks.append([make_strategy("smote"), *stacks[0][:3]])
    members = [member for stack in stacks for member in stack]
    assert {member.sampler for member in members} == set(DEVICE_SAMPLERS)
    assert {member.mixing for member in members} == set(MIXINGS)
    assert_same_plans(stacks[2], jit=False, epochs=1)
    draw_eagerly()
    for stack in stacks[:2]:
        assert_same_plans(stack, jit=False, epochs=1)
    with_ratios = [s.with_ratio(0.3) if s.takes_ratio else s for s in stacks[1]]
    assert any(strategy.ratio for strategy in with_ratios)
    assert_same_plans([*with_ratios[:3], make_strategy("balance")], jit=False, epochs=1)
    weights = np.linspace(0, 2, 200, dtype=np.float32)
    assert_same_plans(stacks[0], jit=False, epochs=1, weights=weights)


def test_compiled_draws_are_the_same_to_the_bit():
    names = ("baseline", "remix", "balanced-mixup", "smote")
    assert_same_plans([make_strategy(name) for name in names], jit=True)


@pytest.mark.parametrize("jit", [False, True])
def test_bits_are_the_same_in_a_program(jit):
    from keras import ops

    def draw(keys, number):
        return random_bits(ops, derive_keys(ops, keys, number), (5, 8), 3)

    keys, number = member_keys([1, 2**40], 2), np.array([9], np.uint32)
    put = backend().on_device
    drawn = backend().compiled(draw, xla=jit)(put(keys), put(number))
    expected = random_bits(NUMPY, derive_keys(NUMPY, keys, number), (5, 8), 3)
    np.testing.assert_array_equal(np.asarray(drawn), expected)
    np.testing.assert_array_equal(np.asarray(draw(put(keys), put(number))), expected)


def test_whole_stacks_of_smote_are_the_same_to_the_bit(draw_eagerly):
    draw_eagerly()
    assert_same_plans([make_strategy("smote")] * 4, jit=False, epochs=3)
    with_ratios = [make_strategy("smote").with_ratio(0.4)] * 2
    assert_same_plans([*with_ratios, *[make_strategy("smote")] * 2], jit=False, epochs=1)


def test_what_is_drawn_on_the_host(monkeypatch):
    planner, _ = make_planner([compose("smote-dataset"), *[make_strategy("remix")] * 3])
    assert not can_draw_on_device(planner)
    planner, _ = make_planner([compose("balanced-dataset", "remix-chou")] * 4)
    assert can_draw_on_device(planner)
    planner, _ = make_planner([make_strategy("smote")] * 4)
    assert can_draw_on_device(planner)
    nominal = nominal_features(FEATURES, ((0, 1),))
    planner.training[0] = replace(planner.training[0], nominal=nominal)
    assert not can_draw_on_device(planner)
    asked = []
    monkeypatch.setattr(epoch_plans, "fits_device", lambda *of_smote: asked.append(of_smote))
    # 140 rows are eight batches and a part of one.
    assert not can_draw_on_device(planner)
    assert asked == [(planner.training, 8, BATCH)]


def test_counts_come_to_the_host_without_a_wait(draw_eagerly, monkeypatch):
    copied = []
    monkeypatch.setattr(backend(), "begin_copy_to_host", copied.append)
    draw_eagerly()
    planner, y = make_planner([make_strategy("baseline")] * 4)
    epoch = next(device_plans(planner, backend().on_device(y), K, jit=False))
    assert list(map(id, copied)) == list(map(id, epoch.counts))


def test_distances_fit_32_bits_and_far_too_many_features_do_not():
    for width in (1, 5, 36, 178, 1000, 30_000):
        rows = training_rows(np.repeat([0, 1], 20), np.zeros((40, width), np.float32))
        largest = width * (2 * CLIP * grid_of((width,))) ** 2
        assert fits_device([rows], 1, 40) == (largest < 2**31) == (width < 30_000)
    # A program computes 2**26 distances at a time, and at most 16 times: here those of 64 batches.
    rows = training_rows(np.repeat([0, 1], 20), np.zeros((40, 5), np.float32))
    assert fits_device([rows], 17 * 64 - 1, 1024)
    assert not fits_device([rows], 17 * 64, 1024)
    assert not fits_device([rows, rows], 17 * 32, 1024)
    image = training_rows([0, 1], np.ones((2, 8, 8, 3), np.float32))
    assert points_of([image], 3).values.tolist() == [[[255] * 192] * 2 + [[0] * 192]]


@pytest.mark.parametrize("names", [("remix", "smote")])
def test_training_is_the_same_wherever_plans_are_drawn(names):
    problem = SmallProblem()
    members, strategies = problem.members(), [make_strategy(name) for name in names]
    outcomes = []
    for draws_on_device in (False, True):
        engine = problem.engine(members)
        engine.draws_on_device = draws_on_device
        with pytest.MonkeyPatch.context() as patch:
            unused = "host_plans" if draws_on_device else "device_plans"
            patch.setattr(stack_trainer, unused, None)
            outcomes.append(engine.fit(members, strategies, short_training(epochs=3)))
    assert_same_bits(*outcomes)
    for host, device in zip(*outcomes, strict=True):
        np.testing.assert_allclose(
            host.trained_on.class_shares, device.trained_on.class_shares, atol=1e-6
        )
        assert host.trained_on.distinct_share == device.trained_on.distinct_share


def test_mixing_weights_that_are_drawn_ahead_are_those_of_their_epochs():
    strategies = [make_strategy("remix", 0.3), make_strategy("baseline")] * 2
    planner, _ = make_planner(strategies)
    threads = threading.active_count()
    drawn_ahead = _mixing_weights(planner, "beta", MIXINGS["beta"])
    # Three generators' worth.
    for epoch, drawn in enumerate(islice(drawn_ahead, 40)):
        expected = planner.mixing_weights(epoch, [0, 2], MIXINGS["beta"])
        np.testing.assert_array_equal(drawn[[0, 2]], expected)
        assert (drawn[[1, 3]] == 1).all()
    assert threading.active_count() == threads + 1
    drawn_ahead.close()
    assert threading.active_count() == threads
