"""Scores of validation rows after each epoch of ``model.fit``."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike, NDArray

from remix_study.batches.keras_arguments import read_labels
from remix_study.errors import UsageError
from remix_study.metrics.class_scores import RARE
from remix_study.metrics.scoring import score

_METRICS = ("g_mean", "bbs", "average_precision")


class ImbalanceMetrics(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback that scores validation rows as studies do, after each epoch.

    ```python
    scores = remix_study.ImbalanceMetrics(X_val, y_val)
    stop = keras.callbacks.EarlyStopping("val_bbs", mode="min", patience=20)
    model.fit(train, epochs=200, callbacks=[scores, stop])
    ```

    It adds ``val_g_mean``, ``val_bbs`` (balanced Brier score, lower is better) and
    ``val_average_precision`` to the logs: callbacks behind it in the list see them, and so does
    the history. Of two classes, average precision is the one's that has fewer of these rows.

    Args:
        X: Validation rows as the model takes them.
        y: (n,) class names or integer codes from 0, or (n, K) one-hot labels.
        from_logits: Whether the model ends in a linear layer rather than softmax or sigmoid.
        batch_size: Rows that the model predicts at a time.

    Raises:
        UsageError: Labels that cannot be read, or, in the first epoch, a model whose output has
            another number of classes or is no probabilities.
    """

    def __init__(
        self, X: Any, y: ArrayLike, *, from_logits: bool = False, batch_size: int = 1024
    ) -> None:
        super().__init__()
        labels = read_labels(y)
        if len(labels.shares) != len(X):
            raise UsageError(f"X has {len(X)} rows, and y has {len(labels.shares)}")
        self._X, self._codes = X, labels.shares.argmax(axis=1)
        self._n_classes = len(labels.classes)
        self._from_logits, self._batch_size = from_logits, batch_size

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Add the scores to the logs."""
        outputs = self.model.predict(self._X, batch_size=self._batch_size, verbose=0)
        probabilities, codes = self._probabilities(np.asarray(outputs)), self._codes
        if self._n_classes == 2 and 2 * codes.mean() > 1:
            # The rare class of two is the second one.
            probabilities, codes = probabilities[:, ::-1], RARE - codes
        scores = score(codes, probabilities, self._n_classes)
        if logs is not None:
            logs |= {f"val_{name}": scores[name] for name in _METRICS}

    def _probabilities(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """Probabilities (n, K) of the model's outputs."""
        is_one_unit = outputs.ndim == 1 or outputs.shape[1:] == (1,)
        if is_one_unit:
            outputs = outputs.reshape(-1, 1)
        if outputs.shape[1:] != (2 - is_one_unit if self._n_classes == 2 else self._n_classes,):
            raise UsageError(
                f"the model gives {outputs.shape[1:]} values a row, and y has {self._n_classes} "
                "classes; give y one-hot where it lacks a class"
            )
        if self._from_logits:
            activation = ops.sigmoid if is_one_unit else ops.softmax
            outputs = np.asarray(activation(np.float32(outputs)))
        probabilities = np.asarray(
            np.hstack([1 - outputs, outputs]) if is_one_unit else outputs, np.float64
        )
        is_probability = np.isclose(probabilities.sum(axis=1), 1, atol=1e-3).all()
        if not is_probability or probabilities.min() < 0:
            raise UsageError(
                "the model's outputs are no probabilities: set from_logits=True, or end the model "
                "in softmax or sigmoid"
            )
        return np.asarray(probabilities)
