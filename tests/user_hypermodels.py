"""Hypermodels of KerasTuner, as a user would write them, good and bad."""

from __future__ import annotations

import keras
from keras import layers


def tuned_mlp(hp):
    """KerasTuner's first example: depth, widths, activation, dropout and Adam's rate."""
    model = keras.Sequential([keras.Input((13,))])
    for number in range(hp.Int("layers", 1, 3)):
        units = hp.Int(f"units_{number}", 4, 12, step=4)
        model.add(layers.Dense(units, hp.Choice("activation", ["relu", "tanh"])))
    if hp.Boolean("has_dropout"):
        model.add(layers.Dropout(hp.Float("dropout", 0.1, 0.4, step=0.1)))
    model.add(layers.Dense(3, "softmax"))
    rate = hp.Float("rate", 1e-4, 1e-2, sampling="log", default=3e-3)
    model.compile(keras.optimizers.Adam(rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


class MlpOrCnn:
    """Its example of conditional scopes, as a class; a subclass of HyperModel looks the same."""

    def build(self, hp):
        x = inputs = keras.Input((8, 8, 1))
        kind = hp.Choice("kind", ["mlp", "cnn"], default="cnn")
        with hp.conditional_scope("kind", ["mlp"]):
            if kind == "mlp":
                x = layers.Dense(hp.Int("width", 8, 64, step=2, sampling="log"), "relu")(
                    layers.Flatten()(x)
                )
        with hp.conditional_scope("kind", ["cnn"]):
            if kind == "cnn":
                size = hp.Fixed("kernel", 3)
                x = layers.Conv2D(hp.Int("filters", 2, 8), size, activation="relu")(x)
                pooling = hp.Choice("pooling", ["max", "mean"])
                pool = layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D
                x = layers.Flatten()(pool(hp.Int("window", 2, 3))(x))
        return keras.Model(inputs, layers.Dense(4)(x))


def _compiled(units=4, **options):
    model = keras.Sequential([keras.Input((13,)), layers.Dense(units), layers.Dense(3, "softmax")])
    model.compile(**{"optimizer": "adam", "loss": "categorical_crossentropy"} | options)
    return model


def by_rmsprop(hp):  # noqa: ARG001
    return _compiled(optimizer="rmsprop")


def by_other_adam(hp):  # noqa: ARG001
    return _compiled(optimizer=keras.optimizers.Adam(beta_1=0.8))


def by_schedule(hp):  # noqa: ARG001
    schedule = keras.optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
    return _compiled(optimizer=keras.optimizers.Adam(schedule))


def by_focal_loss(hp):  # noqa: ARG001
    return _compiled(loss=keras.losses.CategoricalFocalCrossentropy())


def by_smoothed_labels(hp):  # noqa: ARG001
    return _compiled(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1))


def by_class_instance(hp):
    return _compiled(
        optimizer=keras.optimizers.Adam(hp.Choice("rate", [1e-2, 1e-3])),
        units=hp.Int("units", 4, 8, step=4),
        loss=keras.losses.SparseCategoricalCrossentropy(),
    )


def by_two(hp):
    has_first, has_second = hp.Boolean("one"), hp.Boolean("two")
    if has_first or has_second:
        hp.Int("width", 2, 4)
    return _compiled()


def by_changing_bounds(hp):
    hp.Int("width", 2, 4 if hp.Boolean("wide") else 8)
    return _compiled()


def by_mixed_choice(hp):
    hp.Choice("width", [1, "many"])
    return _compiled()


def by_unknown_kind(hp):
    hp.Percentage("width")
    return _compiled()


def by_reserved_name(hp):
    hp.Int("ensemble", 1, 3)
    return _compiled()


def by_error(hp):
    return _compiled(optimizer=hp.Choice("optimizer", ["adam"])[:3] / 2)
