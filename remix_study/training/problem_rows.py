"""The rows of a problem on the device, and the categories that SMOTE-NC gives synthetic rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops
from numpy.typing import NDArray

from remix_study.batches.losses import RowWeights
from remix_study.batches.nominal import UNKNOWN, NominalFeatures
from remix_study.batches.plan import StackPlan
from remix_study.batches.plan_summary import weighted_shares
from remix_study.training.backend import backend

_LARGEST = np.int32(np.iinfo(np.int32).max)


class Categories(NamedTuple):
    """The nominal features of a problem's rows, as :class:`NominalFeatures` has them.

    Attributes:
        codes: int32 (n, G).
        column: int32 (d,).
        category: int32 (d,).
        values: float32 (3, d): each feature where it is on, off and unknown.
    """

    codes: Any
    column: Any
    category: Any
    values: Any


class Data(NamedTuple):
    """The rows of a problem, on the device for a whole study.

    X is float32 (n, d) or images uint8 (n, height, width, channels), y is int32 (n,);
    ``categories`` is None where no feature is nominal, ``weights``, float32 (n,), where all rows
    count alike.
    """

    X: Any
    y: Any
    categories: Categories | None = None
    weights: Any = None


def put_rows(
    X: NDArray[Any],
    y: NDArray[np.int32],
    nominal: NominalFeatures | None = None,
    row_weights: RowWeights = None,
    *,
    room: int = 0,
) -> Data:
    """Put the rows of a problem on the device, padded with zeros up to ``room`` of them.

    On a CPU without a copy where there need be none: the arrays must not change later.
    """
    n_free = max(0, room - len(X))

    def padded(rows: NDArray[Any], dtype: str) -> NDArray[Any]:
        free = np.zeros((n_free, *rows.shape[1:]), rows.dtype)
        return np.asarray(np.concatenate([rows, free]) if n_free else rows, dtype)

    put, share = backend().on_device, backend().shared
    categories = weights = None
    if nominal is not None:
        categories = Categories(*map(put, find_categories(X, nominal)))
    if row_weights is not None:
        weights = put(padded(row_weights, "float32"))
    pixels = "uint8" if X.dtype == np.uint8 else "float32"
    return Data(share(padded(X, pixels)), share(padded(y, "int32")), categories, weights)


def plain_labels(gather: Callable[[Any, Any], Any], data: Data, rows: Any, n_classes: int) -> Any:
    """Return the one-hot labels (M, batch, K) of rows (M, batch), multiplied by their weights."""
    labels = ops.one_hot(gather(data.y, rows), n_classes)
    return labels if data.weights is None else gather(data.weights, rows)[..., None] * labels


def soft_labels(
    gather: Callable[[Any, Any], Any], data: Data, step: StackPlan, n_classes: int
) -> Any:
    """Return the labels (M, batch, K) of the blended rows of one step, arrays (M, batch).

    Where rows have weights, they are those of :func:`weighted_shares`.
    """
    share = step.label_weight[..., None]
    shares = share, 1 - share
    codes = gather(data.y, step.first), gather(data.y, step.second)
    if data.weights is not None:
        weights = gather(data.weights, step.first), gather(data.weights, step.second)
        weighted = weighted_shares(ops, step, codes[0] == codes[1], *weights)
        shares = weighted[0][..., None], weighted[1][..., None]
    labels = shares[0] * ops.one_hot(codes[0], n_classes)
    return labels + shares[1] * ops.one_hot(codes[1], n_classes)


class Inputs(NamedTuple):
    """Preprocessing (M, d) and terms of the loss (M, K) of each member.

    For images, which are only scaled, d is 0. The last three are an :class:`Encoder`'s, None
    without one: its bins (M, n, bins), and 1 for members whose rows are blended before.
    """

    fill: Any
    centre: Any
    scale: Any
    class_weight: Any
    offset: Any
    lower: Any = None
    inverse: Any = None
    blends_raw: Any = None


def find_categories(X: NDArray[np.floating], nominal: NominalFeatures) -> Categories:
    """The categories of rows (n, d) as the program takes them, which may be shifted."""
    # Of a category that all rows have, on and off are the same.
    on, off = np.fmax.reduce(X, axis=0), np.fmin.reduce(X, axis=0)
    values = np.stack([on, off, np.full(X.shape[1], np.nan)]).astype(np.float32)
    return Categories(nominal.codes, nominal.column, nominal.category, values)


def with_voted_categories(
    gather: Callable[[Any, Any], Any],
    x: Any,
    values: Any,
    categories: Categories,
    first: Any,
    neighbours: Any,
) -> Any:
    """Give each synthetic row the categories that most of its neighbours have (SMOTE-NC).

    Where several categories have the most votes, the row keeps that of ``first``.

    Args:
        gather: (array, indices) -> rows of the array.
        x: float32 (M, batch, d), blended as if all features were numeric.
        values: float32 (M, 3, d), those of ``categories`` as each member prepares them.
        categories: Of the problem's rows.
        first: int32 (M, batch), the rows from which synthetic ones were made.
        neighbours: int32 (M, batch, k), -1 for none; rows without any are left as they are.
    """
    is_neighbour = (neighbours >= 0)[..., None]
    codes = gather(categories.codes, ops.maximum(neighbours, 0))
    votes = ops.zeros_like(codes)
    for voter in range(neighbours.shape[2]):
        part = slice(voter, voter + 1)
        agrees = (codes == codes[:, :, part]) & is_neighbour[:, :, part] & is_neighbour
        votes = votes + ops.cast(agrees, "int32")
    is_most = votes == ops.max(votes, axis=2, keepdims=True)
    highest = ops.max(ops.where(is_most, codes, UNKNOWN), axis=2)
    lowest = ops.min(ops.where(is_most, codes, _LARGEST), axis=2)
    chosen = ops.where(highest == lowest, highest, gather(categories.codes, first))
    # Of each feature: (M, batch, d).
    chosen = ops.take(chosen, categories.column, axis=2)
    on, off, unknown = (values[:, number][:, None] for number in range(3))
    value = ops.where(chosen == UNKNOWN, unknown, off)
    value = ops.where(chosen == categories.category, on, value)
    is_set = (categories.category >= 0) & ops.any(is_neighbour, axis=2)
    return ops.where(is_set, value, x)
