"""ReMix batches as a Keras data set, for any Keras ``model.fit``."""

from __future__ import annotations

import itertools
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Literal

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.batches.keras_arguments import (
    non_negative_int,
    numeric_array,
    read_labels,
    row_weights,
)
from remix_study.batches.plan import BatchPlan, StackPlan, plan_epoch
from remix_study.batches.plan_summary import weighted_shares
from remix_study.batches.strategies import check_alpha, compose
from remix_study.batches.training_rows import TrainingRows, check_batch_size
from remix_study.errors import UsageError


class ReMix(keras.utils.PyDataset):  # type: ignore[misc]
    """Balanced and mixed mini-batches (Bellinger et al. 2021, Algorithm 1).

    ```python
    train = remix_study.ReMix(X, y, alpha=0.3, batch_size=64)
    model.compile("adam", "categorical_crossentropy")
    model.fit(train, epochs=20)
    ```

    Each item is a float32 batch of features in the shape of ``X`` and float32 soft labels. The
    batches are one endless sequence that depends on the arguments alone: any number of workers
    gives the same ones, and so does any ``steps_per_epoch``, which only says after how many of
    them Keras ends an epoch (say it here, not to ``model.fit``, which reads ahead). Within an
    epoch Keras' ``fit`` takes them in an order of its own unless it is told ``shuffle=False``.
    Keras calls ``on_epoch_begin`` and ``on_epoch_end``; a custom training loop must. A
    ``on_epoch_end`` without a begin, such as Keras' before a fit, goes to the next pass over the
    rows. The last partial batch of a pass is dropped.

    Args:
        X: (n, ...) numbers: rows of a table, images, sequences.
        y: (n,) class names or integer class codes from 0, or (n, K) one-hot or soft labels; the
            most probable class of a soft label is the class whose quota its row counts for.
        alpha: The mixing coefficient is from Beta(alpha, alpha); 0 balances without mixing.
        batch_size: Rows in every batch.
        sampler: ``balanced`` as in the paper, ``balanced-dataset``, ``natural`` (MixUp), or
            ``smote`` (with alpha 0), which takes all features for numbers: it blends one-hot
            columns, too.
        per_sample: Draw a mixing coefficient for each row instead of one for each batch.
        seed: From 0 to below 2**64. Data sets with the same seed give the same batches.
        n_classes: K, if integer codes may lack the last classes; when None, counted from ``y``.
        sample_weight: (n,) weights, not negative, of which only ratios matter. Items then have a
            third part, float32 (batch,): a row mixed of rows of weights w1 and w2 has the weight
            w1 lambda + w2 (1 - lambda) and each class its part of it as its label, so that its
            loss is w1 lambda loss(y1) + w2 (1 - lambda) loss(y2).
        output: What the model ends in: ``softmax`` gives labels (batch, K); ``sigmoid``, for one
            unit and two classes, (batch, 1), the share of the second class.
        steps_per_epoch: Batches of an epoch; those of a pass over the rows when None.
        **kwargs: ``workers``, ``use_multiprocessing`` and ``max_queue_size`` of
            `keras.utils.PyDataset`.

    Attributes:
        classes: Names of the classes, in the order of the columns of labels.

    Raises:
        UsageError: The data or an argument cannot be used; the message says what to do.
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        alpha: float = 0.3,
        batch_size: int = 64,
        *,
        sampler: str = "balanced",
        per_sample: bool = False,
        seed: int = 0,
        n_classes: int | None = None,
        sample_weight: ArrayLike | None = None,
        output: Literal["softmax", "sigmoid"] = "softmax",
        steps_per_epoch: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_alpha(alpha)
        self.strategy = compose(sampler, "beta-sample" if per_sample else "beta", alpha)
        self.seed = non_negative_int("seed", seed)
        if self.seed >= 2**64:
            raise UsageError(f"seed must be below 2**64, got {seed}")
        self.batch_size = non_negative_int("batch_size", batch_size)
        self._labels, self.classes = read_labels(y, n_classes)
        self._features = numeric_array(X, len(self._labels))
        self._weights = row_weights(sample_weight, len(self._labels))
        check_batch_size(self.batch_size, len(self._labels))
        self._columns = _label_columns(output, len(self.classes))
        self._steps_of_pass = len(self._labels) // self.batch_size
        self._steps = self._steps_of_pass
        if steps_per_epoch is not None:
            self._steps = non_negative_int("steps_per_epoch", steps_per_epoch)
            if not self._steps:
                raise UsageError("steps_per_epoch must be at least 1, got 0")
        self._training = TrainingRows(
            np.arange(len(self._labels), dtype=np.int32),
            self._labels.argmax(axis=1).astype(np.int32),
            self._labels.shape[1],
            self._all_features,
        )
        # Of the endless sequence: the first batch of the present epoch.
        self._start = 0
        self._has_begun, self._n_read = False, 0
        self._plans: dict[int, BatchPlan] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._steps

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], ...]:
        """Batch ``index`` of the current epoch.

        Returns:
            Features (batch, ...), labels (batch, K) or (batch, 1) and, with ``sample_weight``,
            weights (batch,), all float32.

        Raises:
            IndexError: There is no such batch.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"batch {index} of an epoch of {len(self)}")
        index %= len(self)
        with self._lock:
            self._n_read += 1
        return self._batch(self._start + index)

    def as_tf_dataset(self) -> Any:
        """The whole sequence of batches as an endless ``tf.data.Dataset``.

        For ``model.fit(train.as_tf_dataset(), steps_per_epoch=...)``, with any number of steps:
        every iteration begins with the first batch of the first pass.
        """
        import tensorflow as tf

        signature = tuple(tf.TensorSpec(part.shape, tf.float32) for part in self._batch(0))

        def batches() -> Iterator[tuple[NDArray[np.float32], ...]]:
            yield from map(self._batch, itertools.count())

        dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _batch(self, number: int) -> tuple[NDArray[np.float32], ...]:
        """A batch of the endless sequence."""
        number_of_pass, index = divmod(number, self._steps_of_pass)
        plan = self._plan(number_of_pass)
        first, second = plan.first[index], plan.second[index]
        weight, label_weight = plan.weight[index], plan.label_weight[index]
        features = _blend(self._features, first, second, weight)
        if self._weights is None:
            labels = _blend(self._labels, first, second, label_weight)
            return features, labels[:, self._columns]
        is_one_class = self._training.y[first] == self._training.y[second]
        step = StackPlan(first, second, weight, label_weight)
        pair = self._weights[first], self._weights[second]
        shares = weighted_shares(np, step, is_one_class, *pair)
        mass = shares[0][:, None] * self._labels[first] + shares[1][:, None] * self._labels[second]
        total = mass.sum(axis=1)
        # Rows of weight 0 keep a label that sums to 1.
        plain = _blend(self._labels, first, second, label_weight)
        labels = np.where(total[:, None] > 0, mass / np.where(total > 0, total, 1)[:, None], plain)
        labels = labels[:, self._columns].astype(np.float32)
        return features, labels, total.astype(np.float32)

    def on_epoch_begin(self) -> None:
        """Begin an epoch where the last one ended."""
        self._has_begun, self._n_read = True, 0

    def on_epoch_end(self) -> None:
        """Go to the batches of the next epoch."""
        with self._lock:
            if self._has_begun:
                self._start += len(self)
            else:
                self._start += self._steps_of_pass - self._start % self._steps_of_pass
            was_cut = self._has_begun and self._n_read < len(self)
            self._has_begun = False
        # Worker processes read from copies.
        if was_cut and not self.use_multiprocessing:
            warnings.warn(
                f"an epoch of ReMix ended before all {len(self)} batches were read: give "
                "steps_per_epoch to ReMix, not to fit, or batches depend on how far Keras reads "
                "ahead",
                UserWarning,
                stacklevel=2,
            )

    def _plan(self, number_of_pass: int) -> BatchPlan:
        # Several workers may call this at once, at the end of a pass for two of them.
        with self._lock:
            if number_of_pass not in self._plans:
                plan = plan_epoch(
                    self.strategy,
                    self._training,
                    batch_size=self.batch_size,
                    seed=self.seed,
                    epoch=number_of_pass,
                )
                # The pass before may still be read.
                for earlier in sorted(self._plans)[:-1]:
                    del self._plans[earlier]
                self._plans[number_of_pass] = plan
            return self._plans[number_of_pass]

    def _all_features(self) -> NDArray[np.float32]:
        return self._features.astype(np.float32, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes get a copy, and a lock cannot be pickled.
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


def _label_columns(output: str, n_classes: int) -> slice:
    """The columns of labels that a model with this output is given."""
    if output not in ("softmax", "sigmoid"):
        raise UsageError(f'output must be "softmax" or "sigmoid", got {output!r}')
    if output == "sigmoid" and n_classes != 2:
        raise UsageError(f'output "sigmoid" is for two classes, and y has {n_classes}')
    return slice(1, 2) if output == "sigmoid" else slice(None)


def _blend(
    values: NDArray[Any],
    first: NDArray[np.int32],
    second: NDArray[np.int32],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """``weight * values[first] + (1 - weight) * values[second]`` in float32."""
    first_values: NDArray[np.float32] = values[first].astype(np.float32, copy=False)
    if (weight == 1).all():
        return first_values
    weight = weight.reshape(-1, *[1] * (values.ndim - 1))
    second_values = values[second].astype(np.float32, copy=False)
    return weight * first_values + (1 - weight) * second_values
