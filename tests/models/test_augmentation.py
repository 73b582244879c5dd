"""Augmentation: Keras layers that depend on seeds, options and images alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remix_study.errors import UsageError
from remix_study.models.augmentation import build_augmentation

SHAPE = (12, 10, 3)


@pytest.fixture(scope="module")
def augment():
    return build_augmentation("rotate-shift", SHAPE, {})


def images(n=6, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape)).astype(np.float32)


def seeds(*numbers):
    return np.array([[number, 7 * number + 1] for number in numbers], np.uint32)


SEED = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(SEED, SEED, SEED)
def test_output_stays_in_range_and_depends_on_the_seeds_alone(augment, a, b, c):
    x = images()
    image_seeds = np.array([[a, b], [b, c]], np.uint32)
    output = np.asarray(augment(x, image_seeds))
    assert output.shape == x.shape
    assert output.dtype == np.float32
    assert np.isfinite(output).all()
    # Pixels from outside are copies of the nearest one: the range of values does not grow.
    assert output.min() >= x.min() - 1e-3
    assert output.max() <= x.max() + 1e-3
    np.testing.assert_array_equal(output, augment(x, image_seeds))
    changed = image_seeds.copy()
    changed[0, 0] ^= 1
    assert np.abs(output - np.asarray(augment(x, changed))).max() > 1e-3


def test_each_image_of_a_batch_is_transformed_differently(augment):
    x = np.repeat(images(1), 32, axis=0)
    output = np.asarray(augment(x, seeds(1, 2)))
    assert len({image.tobytes() for image in output}) == 32


def test_shifts_are_up_to_a_fifth_of_each_side():
    """A bright square moves by at most 0.2 of a side, rotates and stays in the image."""
    x = np.zeros((64, 30, 30, 1), np.float32)
    x[:, 12:18, 12:18] = 255
    pipeline = build_augmentation("rotate-shift", (30, 30, 1), {})
    output = np.asarray(pipeline(x, seeds(3, 4)))[..., 0]
    mass = output.sum(axis=(1, 2))
    np.testing.assert_allclose(mass, 36 * 255, rtol=0.12)
    place = np.arange(30)
    ys = (output.sum(axis=2) * place).sum(axis=1) / mass - 14.5
    xs = (output.sum(axis=1) * place).sum(axis=1) / mass - 14.5
    for shifts in (xs, ys):
        assert np.abs(shifts).max() < 6.5
        assert shifts.std() == pytest.approx(12 / np.sqrt(12), rel=0.3)
    assert abs(np.corrcoef(xs, ys)[0, 1]) < 0.4


def test_rotation_is_up_to_twenty_degrees_either_way():
    """A horizontal bar's angle, without any shift."""
    pipeline = build_augmentation("rotate-shift", (41, 41, 1), {"shift": 0.0})
    x = np.zeros((200, 41, 41, 1), np.float32)
    x[:, 19:22, 8:33] = 255
    output = np.asarray(pipeline(x, seeds(5, 6)))[..., 0]
    y, x_place = np.mgrid[:41, :41] - 20
    mass = output.sum(axis=(1, 2))
    xx, yy, xy = ((output * part).sum(axis=(1, 2)) / mass
                  for part in (x_place**2, y**2, x_place * y))  # fmt: skip
    angles = np.degrees(np.arctan2(2 * xy, xx - yy) / 2)
    assert np.abs(angles).max() < 20.5
    assert np.abs(angles).max() > 17
    assert (angles > 5).any()
    assert (angles < -5).any()


def test_options_reach_the_pipeline():
    still = build_augmentation("rotate-shift", SHAPE, {"rotation": 0, "shift": 0})
    np.testing.assert_allclose(np.asarray(still(images(), seeds(1, 2))), images(), atol=1e-3)
    black = build_augmentation(
        "rotate-shift", SHAPE, {"rotation": 0, "shift": 0.5, "fill": "constant"}
    )
    assert (np.asarray(black(images() + 1, seeds(1, 2))) == 0).any()


def test_a_users_own_pipeline():
    pipeline = build_augmentation("small_images:flip", SHAPE, {"share": 0.0})
    assert pipeline.generators == 2
    x = images(64)
    output = np.asarray(pipeline(x, seeds(1, 2)))
    unchanged = (output == x).all(axis=(1, 2, 3))
    flipped = (output == x[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (unchanged ^ flipped).all()
    assert 16 < flipped.sum() < 48


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("small_images:crop", r"makes images of shape \(4, 4, 3\) of \(12, 10, 3\)"),
        ("small_images:learns", "has weights to learn"),
        ("small_images:no_layer", "returned function, not a Keras layer"),
        ("small_images:pairs", "holds MixUp, which would blend images and not their labels"),
        (
            "small_images:breaks",
            r"cannot be applied to images of shape \(12, 10, 3\) \(ValueError",
        ),
        ("small_images:fails", r"cannot be built .*no pipeline for \(12, 10, 3\) at all"),
        ("small_images:missing", "cannot be imported"),
        ("nowhere:missing", "cannot be imported"),
    ],
)
def test_pipelines_that_are_refused(name, message):
    with pytest.raises(UsageError, match=f'augmentation "{name}" {message}') as caught:
        build_augmentation(name, SHAPE, {})
    assert "\n" not in str(caught.value)
