"""Which probabilities of a trial the database keeps, and in what form.

In 16 bits a row holds differences of log probabilities in half precision, which keeps small ones
and those near one alike: log p_1 - log p_0 of two classes, in a quarter of the space of 32 bits;
of more classes each one's difference to the largest, in half of it.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from remix_study.study.tables import pack, unpack
from remix_study.study.task import Task

Form = Literal["all", "16 bits", "none"]

# Bytes of a trial's probabilities in 32 bits above which "auto" keeps 16: a hundred such trials
# would take a quarter of a gigabyte.
_MOST_BYTES = 2_500_000
# Begin the bytes of an array in 16 bits, of two and of more classes; those of zlib begin with "x".
_RATIO, _RATIOS = b"r", b"s"
_SMALLEST = 1e-38


def form_of(task: Task) -> Form:
    """The form that a task's probabilities are kept in."""
    if task.study.keep != "auto":
        return task.study.keep
    rows = sum(len(fold.validation) + len(fold.test) for fold in task.folds)
    return "16 bits" if rows * task.problem.K * 4 > _MOST_BYTES else "all"


def note_of(task: Task) -> str:
    """What pages cannot show, or show less exactly, of a task; "" where everything is kept."""
    match form_of(task):
        case "none":
            return (
                'no probabilities are kept (study.keep = "none"): there is no calibration, no '
                "correction and no threshold to show"
            )
        case "16 bits":
            return (
                "probabilities are kept in 16 bits (study.keep): calibration, corrections and "
                "thresholds may differ from those of 32 bits in the third digit"
            )
    return ""


def pack_probabilities(probabilities: NDArray[np.float32], form: Form) -> bytes:
    """Compress the probabilities (n, K) of some rows, in 32 or 16 bits."""
    if form != "16 bits":
        return pack(probabilities)
    logs = np.log(np.clip(probabilities, _SMALLEST, None, dtype=np.float64))
    if logs.shape[1] == 2:
        return _RATIO + pack((logs[:, 1] - logs[:, 0]).astype(np.float16))
    return _RATIOS + pack((logs - logs.max(axis=1, keepdims=True)).astype(np.float16))


def unpack_probabilities(blob: bytes, n_rows: int) -> NDArray[np.float64]:
    """Probabilities (n_rows, K) of either form.

    Raises:
        zlib.error, ValueError: The bytes are damaged.
    """
    if blob[:1] not in (_RATIO, _RATIOS):
        return unpack(blob, np.float32).reshape(n_rows, -1).astype(np.float64)
    logits: NDArray[Any] = unpack(blob[1:], np.float16).reshape(n_rows, -1).astype(np.float64)
    if blob[:1] == _RATIO:
        logits = np.concatenate([np.zeros((n_rows, 1)), logits], axis=1)
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True), dtype=np.float64)
