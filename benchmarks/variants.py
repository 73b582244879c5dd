"""The contestants: ways to train the same networks, each in a process of its own."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import torch_variants
from cases import DROPOUT, MEMBERS, Case, Size, make_configuration, make_task
from clock import Clock, Round, Work, by_folds, repeated


def serve(pipe: Connection, kind: str, case: Case, size: Size, strategy: str) -> None:
    """Train rounds until None is received, then send the peak resident size in MiB."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "jax" if kind == "engine-jax" else "tensorflow"
    work = _KINDS[kind](case, size, strategy)
    pipe.send("ready")
    try:
        while (number := pipe.recv()) is not None:
            pipe.send(work(number))
    except EOFError:
        # The parent process has ended.
        return
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _engine(case: Case, size: Size, strategy: str) -> Work:
    import keras  # noqa: F401  (every Keras user has imported it before training)

    task = make_task(case, size)

    def trial(times: Round) -> None:
        clock = Clock(MEMBERS)
        task.fit(make_configuration(task, strategy), clock.mark)
        clock.add_to(times)

    return repeated(trial)


def _loop(case: Case, size: Size, strategy: str) -> Work:
    """The loop of a careful user: a new model a fold, NumPy batches, ``model.fit``."""
    import keras
    import numpy as np

    from remix_study.batches.plan import plan_epoch

    task = make_task(case, size)
    prepared, members = task.members.preprocessing, task.members.members
    one_hot = np.eye(2, dtype=np.float32)

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __init__(self, position: int, X: Any) -> None:
            super().__init__()
            self.member, self.X, self.epoch = members[position], X, -1
            self.Y = one_hot[task.problem.y]
            self.strategy = make_configuration(task, strategy).strategy
            self.on_epoch_end()

        def __len__(self) -> int:
            return len(self.member.training.rows) // case.batch

        def on_epoch_end(self) -> None:
            self.epoch += 1
            self.plan = plan_epoch(
                self.strategy,
                self.member.training,
                batch_size=case.batch,
                seed=self.member.seed,
                epoch=self.epoch,
            )

        def __getitem__(self, step: int) -> tuple[Any, Any]:
            first, second = self.plan.first[step], self.plan.second[step]
            share = self.plan.weight[step][:, None]
            label = self.plan.label_weight[step][:, None]
            x = share * self.X[first] + (1 - share) * self.X[second]
            return x, label * self.Y[first] + (1 - label) * self.Y[second]

    class ImblearnBatches(Batches):
        """Natural batches, each oversampled by imbalanced-learn and cut back to its size."""

        def __getitem__(self, step: int) -> tuple[Any, Any]:
            from imblearn.over_sampling import SMOTE, RandomOverSampler

            rows = self.plan.first[step]
            x, y = self.X[rows], task.problem.y[rows]
            counts = np.bincount(y, minlength=2)
            if counts.min() > 0:
                fewest = int(counts.min())
                sampler = (
                    SMOTE(k_neighbors=min(5, fewest - 1), random_state=step)
                    if fewest > 1
                    else RandomOverSampler(random_state=step)
                )
                x, y = sampler.fit_resample(x, y)
                cut = np.random.default_rng(step).permutation(len(y))[: case.batch]
                x, y = x[cut], y[cut]
            return x, one_hot[y]

    batches = ImblearnBatches if strategy == "smote" else Batches
    if strategy == "smote":
        strategy = "baseline"

    def fit_fold(position: int, times: Round) -> None:
        validation = task.folds[position].validation
        X = prepared.apply(position, task.problem.X)
        clock = Clock(1)
        layers: list[Any] = []
        for place, units in enumerate(case.hidden):
            layers.append(keras.layers.Dense(units, activation="relu"))
            if place < len(case.hidden) - 1:
                layers.append(keras.layers.Dropout(DROPOUT))
        model = keras.Sequential([*layers, keras.layers.Dense(2)])
        model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
        model.fit(
            batches(position, X),
            epochs=size.epochs,
            validation_data=(X[validation], one_hot[task.problem.y[validation]]),
            validation_batch_size=1024,
            callbacks=[
                keras.callbacks.EarlyStopping(patience=size.epochs, restore_best_weights=True),
                keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: clock.mark(1)),
            ],
            verbose=0,
        )
        clock.add_to(times)

    return by_folds(fit_fold, size)


def _sklearn(case: Case, size: Size, _strategy: str) -> Work:
    """scikit-learn's MLPClassifier: Adam and the same widths; no strategy, no dropout."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    task = make_task(case, size)
    prepared = task.members.preprocessing

    def fit_fold(position: int, times: Round) -> None:
        fold = task.folds[position]
        X, y = prepared.apply(position, task.problem.X), task.problem.y
        clock = Clock(1)
        model = MLPClassifier(case.hidden, batch_size=case.batch, alpha=0.0)
        for _ in range(size.epochs):
            model.partial_fit(X[fold.train], y[fold.train], classes=[0, 1])
            log_loss(y[fold.validation], model.predict_proba(X[fold.validation]), labels=[0, 1])
            clock.mark(1)
        clock.add_to(times)

    return by_folds(fit_fold, size)


def _matmul(_case: Case, _size: Size, _strategy: str) -> Work:
    """Rates of a large product in TensorFlow and in NumPy, in operations a second."""
    import numpy as np
    import tensorflow as tf

    n = 2048
    host = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    device = tf.constant(host)

    def rate(product: Callable[[], Any]) -> float:
        product()
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < 0.4:
            product()
            count += 1
        return 2 * n**3 * count / (time.perf_counter() - began)

    def work(_number: int) -> Round:
        return {"rate": [rate(lambda: (device @ device).numpy()), rate(lambda: host @ host)]}

    return work


_KINDS: dict[str, Callable[[Case, Size, str], Work]] = {
    "engine": _engine,
    "engine-jax": _engine,
    "loop": _loop,
    "sklearn": _sklearn,
    "torch-loop": torch_variants.loop,
    "torch-stacked": torch_variants.stacked,
    "realmlp": torch_variants.realmlp,
    "matmul": _matmul,
}
