"""Small images to train on, with engines compiled once, and augmentations good and bad."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
from small_problems import SmallProblem

from remix_study.batches.plan import plan_epoch
from remix_study.batches.random_bits import (
    AUGMENTATION_KEYS,
    NUMPY,
    derive_keys,
    member_keys,
    random_bits,
)
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.images import ImageRows
from remix_study.models.augmentation import build_augmentation
from remix_study.models.building import build_network
from remix_study.training.engine import Engine

# Networks, augmentations and programs of this process by all that shapes them.
_PROGRAMS = {}

SHAPE = (12, 10, 3)
SMALL = {"filters": [4, 6], "dense": 5}


class SmallImages(SmallProblem):
    """Images of overlapping classes: each class is brighter in another corner."""

    def __init__(self, n_rows=160, shape=SHAPE, n_classes=3, seed=0):
        super().__init__(n_rows, 5, n_classes, seed)
        rng = np.random.default_rng(seed)
        self.X = rng.integers(0, 160, (n_rows, *shape), np.uint8)
        for code, corner in enumerate(((slice(4), slice(4)), (slice(-4, None), slice(4)))):
            self.X[self.y == code, *corner] += 90

    def members(self, sizes=(64, 48), first_seed=7):
        """Members whose features are images."""
        members = []
        for member in super().members(sizes, first_seed):
            rows = member.training.rows
            training = TrainingRows(
                rows, member.training.y, self.n_classes, lambda rows=rows: ImageRows(self.X, rows)
            )
            members.append(replace(member, training=training))
        return members

    def engine(self, members, *, name="cnn", augmentation="rotate-shift", fresh=False):
        """An engine without preprocessing, on a kept program unless ``fresh``."""
        shape = self.X.shape[1:]
        key = (name, augmentation, self.X.shape, self.n_classes)
        if fresh or key not in _PROGRAMS:
            network = build_network(
                name,
                stack=1,
                input_shape=shape,
                n_classes=self.n_classes,
                options=SMALL if name == "cnn" else {},
            )
            layers = build_augmentation(augmentation, shape, {})
        else:
            network, layers, _ = _PROGRAMS[key]
        unused = np.zeros((len(members), 0))
        engine = Engine(
            network,
            self.X,
            self.y,
            self.n_classes,
            fill=unused,
            centre=unused,
            scale=unused,
            jit=False,
            augmentation=layers,
        )
        if not fresh:
            *_, engine.program = _PROGRAMS.setdefault(key, (network, layers, engine.program))
        return engine

    def batches(self, member, strategy, augmentation, epoch=0, batch_size=16):
        """The rows of an epoch, blended here: x (rows, ...) and soft labels (rows, K)."""
        plan = plan_epoch(
            strategy, member.training, batch_size=batch_size, seed=member.seed, epoch=epoch
        )
        generators = augmentation.generators if augmentation else 0
        keys = member_keys([member.seed], AUGMENTATION_KEYS, epoch)
        xs = []
        for step in range(plan.steps):
            parts = [self.X[rows[step]].astype(np.float32) for rows in (plan.first, plan.second)]
            if augmentation:
                step_keys = derive_keys(NUMPY, keys, np.array([step], np.uint32))
                seeds = random_bits(NUMPY, step_keys, (2, generators, 2))[0]
                uses = zip(parts, seeds, strict=True)
                parts = [np.asarray(augmentation(part, seed)) for part, seed in uses]
            share = plan.weight[step][:, None, None, None]
            xs.append((share * parts[0] + (1 - share) * parts[1]) / 255)
        share = plan.label_weight[..., None]
        Y = np.eye(self.n_classes, dtype=np.float32)[self.y]
        labels = share * Y[plan.first] + (1 - share) * Y[plan.second]
        return np.concatenate(xs), labels.reshape(-1, self.n_classes)


def forget_programs():
    """Compile anew from here on, for a test that counts what is compiled."""
    _PROGRAMS.clear()


def rgb_only(input_shape, n_classes):
    """A network for colour images, even where the input shape has one channel."""
    return keras.Sequential(
        [
            keras.Input((*input_shape[:2], 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(n_classes),
        ]
    )


def flip(input_shape, share=1.0):  # noqa: ARG001
    return keras.Sequential(
        [keras.layers.RandomFlip("horizontal"), keras.layers.RandomBrightness(share)]
    )


def always(input_shape):  # noqa: ARG001
    """Turns every image upside down, without random draws."""

    @keras.saving.register_keras_serializable("small_images")
    class UpsideDown(keras.layers.Layer):
        def call(self, x, training=None):  # noqa: ARG002
            return keras.ops.flip(x, axis=1)

    return UpsideDown()


def crop(input_shape):  # noqa: ARG001
    return keras.layers.CenterCrop(4, 4)


def learns(input_shape):
    return keras.layers.Dense(input_shape[-1])


def no_layer(input_shape):  # noqa: ARG001
    return lambda x, training: x  # noqa: ARG005


def pairs(input_shape):  # noqa: ARG001
    return keras.Sequential([keras.layers.MixUp()])


def breaks(input_shape):  # noqa: ARG001
    return keras.layers.Reshape((7, 7, 7))


def fails(input_shape):
    raise RuntimeError(f"no pipeline for {input_shape}\nat all")
