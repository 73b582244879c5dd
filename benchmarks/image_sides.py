"""The contestants on images: the engine, the loop of a careful user, the bare network."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from typing import Any

BATCH = 64
STRATEGIES = ("balance", "remix", "augment", "remix-aug")
# Steps of a round of the bare network.
STEPS = 40

STUDY = """
[study]
name = "benchmark"
objectives = ["g_mean"]
[[problems]]
dataset = "cifar10-small"
kind = "multi-class"
minority = ["automobile", "bird", "cat"]
imbalance = [0.25]
[cv]
folds = 2
repeats = 1
[model]
name = "cnn"
[training]
epochs = {epochs}
start_from_epoch = 0
patience = {epochs}
[search.space]
strategy = {strategies}
"""

Round = dict[str, float]
Work = Callable[[str], Round]
Kind = Callable[[int, tuple[str, ...]], Work]


def make_task(epochs: int) -> Any:
    """Make the task as a study does."""
    from remix_study.study.task_preparation import prepare_tasks
    from remix_study.studyfile.parsing import parse_study

    text = STUDY.format(epochs=epochs, strategies=json.dumps(STRATEGIES))
    return prepare_tasks(parse_study(text))[0]


def timed(images: int, work: Callable[[], Any]) -> Round:
    """Images a second, by the wall clock and by the CPU time of the process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"wall": images / wall, "cpu": images / cpu}


def trained_images(task: Any, epochs: int) -> int:
    """Count the images that all folds train on, without those that are only scored."""
    return sum(len(fold.train) // BATCH * BATCH for fold in task.folds) * epochs


def engine(epochs: int, strategies: tuple[str, ...]) -> Work:
    """A trial of the study, after a first one that compiles."""
    from remix_study.batches.strategies import make_strategy
    from remix_study.study.configurations import Configuration

    task = make_task(epochs)

    def fit(name: str) -> None:
        task.fit(Configuration(make_strategy(name), task.spec.training, task.study.model))

    for name in strategies:
        fit(name)
    return lambda name: timed(trained_images(task, epochs), lambda: fit(name))


def loop(epochs: int, strategies: tuple[str, ...]) -> Work:
    """A loop with the engine's batches, best weights, and validation and test probabilities."""
    import keras
    import numpy as np
    import tensorflow as tf

    from remix_study.batches.plan import plan_epoch
    from remix_study.batches.strategies import make_strategy

    task = make_task(epochs)
    members = task.members.members
    problem = task.problem
    X, Y = problem.X, np.eye(problem.K, dtype=np.float32)[problem.y]

    def batches(member: Any, name: str) -> Any:
        strategy, epoch = make_strategy(name), itertools.count()

        def batch_rows() -> Any:
            epoch_plan = plan_epoch(
                strategy, member.training, batch_size=BATCH, seed=member.seed, epoch=next(epoch)
            )
            yield from zip(epoch_plan.first, epoch_plan.second, epoch_plan.weight, strict=True)

        augment = keras.Sequential(
            [
                keras.layers.RandomRotation(20 / 360, fill_mode="nearest"),
                keras.layers.RandomTranslation(0.2, 0.2, fill_mode="nearest"),
            ]
        )
        pixels, labels = tf.constant(X), tf.constant(Y)

        def images(rows: Any) -> Any:
            x = tf.cast(tf.gather(pixels, rows), tf.float32)
            return (augment(x, training=True) if strategy.augment else x) / 255

        def blend(first: Any, second: Any, share: Any) -> tuple[Any, Any]:
            if not strategy.has_mixing:
                return images(first), tf.gather(labels, first)
            y = share[:, None] * tf.gather(labels, first)
            y += (1 - share[:, None]) * tf.gather(labels, second)
            share = share[:, None, None, None]
            return share * images(first) + (1 - share) * images(second), y

        specs = [tf.TensorSpec((BATCH,), dtype) for dtype in (tf.int32, tf.int32, tf.float32)]
        rows = tf.data.Dataset.from_generator(batch_rows, output_signature=tuple(specs))
        return rows.map(blend, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def fit_fold(position: int, name: str) -> None:
        layers = keras.layers
        fold, member = task.folds[position], members[position]
        model = keras.Sequential(
            [
                keras.Input(X.shape[1:]),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(problem.K),
            ]
        )
        model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        validation = X[fold.validation] / np.float32(255), Y[fold.validation]
        model.fit(
            batches(member, name),
            epochs=epochs,
            validation_data=validation,
            validation_batch_size=256,
            callbacks=[keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)],
            verbose=0,
        )
        for rows in (fold.validation, fold.test):
            model.predict(X[rows] / np.float32(255), batch_size=256, verbose=0)

    def fit(name: str) -> None:
        for position in range(len(task.folds)):
            fit_fold(position, name)

    # TensorFlow and Keras do some work once a process, such as to load kernels.
    fit_fold(0, strategies[0])
    return lambda name: timed(trained_images(task, epochs), lambda: fit(name))


def bare(epochs: int, strategies: tuple[str, ...]) -> Work:  # noqa: ARG001
    """Forward and backward of the network over one batch, in one graph; nothing else."""
    import numpy as np
    import tensorflow as tf

    from remix_study.models.building import build_network

    network = build_network("cnn", stack=1, input_shape=(32, 32, 3), n_classes=10, options={})
    rng = np.random.default_rng(0)
    x = tf.constant(rng.random((BATCH, 32, 32, 3), np.float32))
    y = tf.one_hot(rng.integers(0, 10, BATCH), 10)
    variables = network.train.trainable_variables

    @tf.function(autograph=False)
    def passes() -> Any:
        def train_step(step: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                z = network.train(x + total, training=True)
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, z))
            gradients = tape.gradient(loss, variables)
            # Used, so that no pass can be left out.
            used = tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])
            return step + 1, total + 1e-12 * used

        return tf.while_loop(lambda step, _: step < STEPS, train_step, (0, 0.0))[1]

    passes()
    return lambda _: timed(STEPS * BATCH, lambda: passes().numpy())


KINDS: dict[str, Kind] = {"engine": engine, "loop": loop, "bare": bare}
