"""ReMix batches as a Keras data set, for any Keras ``model.fit``."""

from __future__ import annotations

import operator
import threading
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from remix_study.batches.plan import BatchPlan, StackPlan, check_batch_size, plan_epoch
from remix_study.batches.plan_summary import weighted_shares
from remix_study.batches.strategies import check_alpha, compose
from remix_study.batches.training_rows import TrainingRows
from remix_study.errors import UsageError


class ReMix(keras.utils.PyDataset):  # type: ignore[misc]
    """Balanced and mixed mini-batches (Bellinger et al. 2021, Algorithm 1).

    ```python
    train = remix_study.ReMix(X, y, alpha=0.3, batch_size=64)
    model.compile("adam", "categorical_crossentropy")
    model.fit(train, epochs=20)
    ```

    Each item is a float32 batch of features in the shape of ``X`` and (batch, K) float32 soft
    labels. Batches depend on (seed, epoch, index) alone, so any number of workers gives the same
    batches. ``on_epoch_end`` begins the next epoch, with other draws; Keras calls it, and a custom
    training loop must. Keras also calls it once before a fit, after reading the first batches for
    their shape. The last partial batch of an epoch is dropped.

    Args:
        X: (n, ...) numbers: rows of a table, images, sequences.
        y: (n,) integer class codes from 0, or (n, K) one-hot or soft labels; the most probable
            class of a soft label is the class whose quota its row counts for.
        alpha: The mixing coefficient is from Beta(alpha, alpha); 0 balances without mixing.
        batch_size: Rows in every batch.
        sampler: ``balanced`` as in the paper, ``balanced-dataset``, ``natural`` (MixUp), or
            ``smote`` (with alpha 0).
        per_sample: Draw a mixing coefficient for each row instead of one for each batch.
        seed: Not negative. Data sets with the same seed give the same batches.
        n_classes: K, if integer codes may lack the last classes; when None, counted from ``y``.
        sample_weight: (n,) weights, not negative, of which only ratios matter. Items then have a
            third part, float32 (batch,): a row mixed of rows of weights w1 and w2 has the weight
            w1 lambda + w2 (1 - lambda) and each class its part of it as its label, so that its
            loss is w1 lambda loss(y1) + w2 (1 - lambda) loss(y2).
        **kwargs: ``workers``, ``use_multiprocessing`` and ``max_queue_size`` of
            `keras.utils.PyDataset`.

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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_alpha(alpha)
        self.strategy = compose(sampler, "beta-sample" if per_sample else "beta", alpha)
        self.seed = _non_negative_int("seed", seed)
        self.batch_size = _non_negative_int("batch_size", batch_size)
        self._labels = _soft_labels(y, n_classes)
        self._features = _numeric_array(X, len(self._labels))
        self._weights = _row_weights(sample_weight, len(self._labels))
        check_batch_size(self.batch_size, len(self._labels))
        self._training = TrainingRows(
            np.arange(len(self._labels), dtype=np.int32),
            self._labels.argmax(axis=1).astype(np.int32),
            self._labels.shape[1],
            self._all_features,
        )
        self._epoch = 0
        self._cached_plan: tuple[int, BatchPlan] | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return len(self._labels) // self.batch_size

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], ...]:
        """Batch ``index`` of the current epoch.

        Returns:
            Features (batch, ...), labels (batch, K) and, with ``sample_weight``, weights (batch,),
            all float32.

        Raises:
            IndexError: There is no such batch.
        """
        plan = self._plan()
        first, second = plan.first[index], plan.second[index]
        weight, label_weight = plan.weight[index], plan.label_weight[index]
        features = _blend(self._features, first, second, weight)
        if self._weights is None:
            return features, _blend(self._labels, first, second, label_weight)
        is_one_class = self._training.y[first] == self._training.y[second]
        step = StackPlan(first, second, weight, label_weight)
        pair = self._weights[first], self._weights[second]
        shares = weighted_shares(np, step, is_one_class, *pair)
        mass = shares[0][:, None] * self._labels[first] + shares[1][:, None] * self._labels[second]
        total = mass.sum(axis=1)
        # Rows of weight 0 keep a label that sums to 1.
        plain = _blend(self._labels, first, second, label_weight)
        labels = np.where(total[:, None] > 0, mass / np.where(total > 0, total, 1)[:, None], plain)
        return features, labels.astype(np.float32), total.astype(np.float32)

    def on_epoch_end(self) -> None:
        """Begin the next epoch, with other draws."""
        with self._lock:
            self._epoch += 1

    def _plan(self) -> BatchPlan:
        # Several workers may call this at once, and before Keras ends the epoch before.
        with self._lock:
            if self._cached_plan is None or self._cached_plan[0] != self._epoch:
                plan = plan_epoch(
                    self.strategy,
                    self._training,
                    batch_size=self.batch_size,
                    seed=self.seed,
                    epoch=self._epoch,
                )
                self._cached_plan = (self._epoch, plan)
            return self._cached_plan[1]

    def _all_features(self) -> NDArray[np.float32]:
        return self._features.astype(np.float32, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        # Worker processes get a copy, and a lock cannot be pickled.
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()


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


def _row_weights(values: ArrayLike | None, n_rows: int) -> NDArray[np.float32] | None:
    """Weights of mean 1, or None."""
    if values is None:
        return None
    weights = np.asarray(values)
    if weights.shape != (n_rows,) or weights.dtype.kind not in "biuf":
        raise UsageError(f"sample_weight must be one number for each of the {n_rows} rows of y")
    if not np.isfinite(weights).all() or weights.min() < 0 or not weights.any():
        raise UsageError(
            "sample_weight must not hold negative, missing or infinite values, nor only zeros"
        )
    return np.asarray(weights / weights.mean(), np.float32)


def _non_negative_int(name: str, value: object) -> int:
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0:
        raise UsageError(f"{name} must be a whole number and not negative, got {value!r}")
    return number


def _numeric_array(X: ArrayLike, n_rows: int) -> NDArray[Any]:
    try:
        features = np.asarray(X)
    except ValueError as error:
        raise UsageError(f"X must be one array of numbers: {error}") from error
    if features.dtype.kind not in "biuf":
        raise UsageError(f"X must hold numbers, got {features.dtype}: encode text columns first")
    if features.ndim < 2 or len(features) != n_rows:
        raise UsageError(
            f"X must be (n, ...) with one entry for each of the {n_rows} labels in y, "
            f"got {features.shape}"
        )
    if features.dtype.kind == "f" and not np.isfinite(features).all():
        raise UsageError("X holds missing or infinite values: impute them first")
    return features


def _soft_labels(y: ArrayLike, n_classes: int | None) -> NDArray[np.float32]:
    try:
        labels = np.asarray(y)
    except ValueError as error:
        raise UsageError(f"y must be one array of labels: {error}") from error
    if labels.dtype.kind not in "biuf":
        raise UsageError(
            "y must hold integer codes, one-hot or soft labels, "
            f"got {labels.dtype}: np.unique(y, return_inverse=True)[1] makes codes of names"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim not in (1, 2) or labels.size == 0:
        raise UsageError(f"y must be (n,) codes or (n, K) labels, got shape {labels.shape}")
    if not np.isfinite(labels).all() or labels.min() < 0:
        raise UsageError("y must not hold negative, missing or infinite values")
    if labels.ndim == 2:
        if n_classes not in (None, labels.shape[1]):
            raise UsageError(f"y has {labels.shape[1]} columns, but n_classes is {n_classes}")
        if np.abs(labels.sum(axis=1) - 1).max() > 1e-3:
            raise UsageError("every row of an (n, K) y must sum to 1: each row has one class")
        return labels.astype(np.float32)
    codes = labels.astype(np.intp)
    if (codes != labels).any():
        raise UsageError("y must hold whole numbers when it is one-dimensional: class codes")
    highest_code = int(codes.max())
    n_classes = highest_code + 1 if n_classes is None else n_classes
    if highest_code >= n_classes:
        raise UsageError(f"y holds class code {highest_code}, but n_classes is {n_classes}")
    if n_classes < 2:
        raise UsageError("y holds a single class: there is nothing to balance or mix")
    return np.eye(n_classes, dtype=np.float32)[codes]
