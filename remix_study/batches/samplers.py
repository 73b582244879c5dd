"""Samplers: how the rows of a mini-batch are drawn.

A sampler draws all batches of one epoch at once, for all members of a stack or for one member. It
receives their training rows and returns positions among them. Every sampler gives floor(n / B)
batches of B rows, so that strategies are compared at equal numbers of steps. Terms of the paper: a
*natural* batch is a slice of a random order of the training rows; a class's *quota* is its share
B/C of a batch of B rows that holds C classes.

To add a sampler, write a function of type ``Sampler`` and enter it in ``MEMBER_SAMPLERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from remix_study.batches.authors_code import balanced_repo, smote_repo
from remix_study.batches.class_groups import NEIGHBOURS
from remix_study.batches.random_bits import NUMPY
from remix_study.batches.smote_draws import draw_on_host, smote_slots
from remix_study.batches.stack_draws import (
    StackRows,
    balanced,
    balanced_dataset,
    natural,
)
from remix_study.batches.training_rows import (
    DrawnRows,
    IntArray,
    MemberStreams,
    Sampler,
    TrainingRows,
    unblended,
)


def smote(
    streams: MemberStreams,
    training: TrainingRows,
    batch_size: int,  # noqa: ARG001
) -> DrawnRows:
    """Bring each class present in the natural batch to its quota B/C, small ones by SMOTE.

    A smaller class is kept whole and filled up by SMOTE (Chawla et al. 2002): a row drawn
    uniformly, one of its k = min(5, n - 1) nearest rows of the class in the batch, and a gap
    from U(0, 1); by repetition where the batch holds one row of it. A larger class is cut down
    without replacement. Distances are those of features on the grid of :func:`grid_of`; with
    nominal features it is SMOTE-NC, with the distances of `NominalFeatures.points`.
    """
    batches = streams.batches
    codes = training.y[batches][None]
    slots = smote_slots(NUMPY, streams.keys, codes, training.n_classes, streams.target)
    return draw_on_host(slots, batches, training)


def undersample(streams: MemberStreams, training: TrainingRows, batch_size: int) -> DrawnRows:
    """Cut every class to the size of the smallest, then cut batches.

    The cut is made without replacement and anew for every pass, so that over the epochs all rows
    of a large class are used. An epoch has floor(n / B) batches as with the other samplers, made
    of as many passes as that takes; a batch may end one pass and begin the next.
    """
    rng, y = streams.generator(), training.y
    present = np.flatnonzero(np.bincount(y, minlength=training.n_classes))
    classes = [np.flatnonzero(y == code) for code in present]
    smallest = min(map(len, classes))
    n_drawn = len(y) // batch_size * batch_size
    passes = -(-n_drawn // (smallest * len(classes)))
    first = np.concatenate(
        [
            rng.permutation(
                np.concatenate([rng.choice(c, smallest, replace=False) for c in classes])
            )
            for _ in range(passes)
        ]
    )
    return unblended(first[:n_drawn].reshape(-1, batch_size))


def smote_dataset(streams: MemberStreams, training: TrainingRows, batch_size: int) -> DrawnRows:
    """Enlarge every class to the size of the largest by SMOTE, then cut batches.

    The rows of the data are kept; synthetic rows use the k = min(5, n - 1) nearest rows of their
    class in the whole training part, and a class of one row is repeated. Synthetic rows are made
    once for a member. An epoch has floor(n / B) batches as with the other samplers: a random part
    of the enlarged rows, another one in every epoch.
    """
    key = "smote-dataset", streams.seed
    if key not in training.cache:
        training.cache[key] = _enlarge(streams.member(), training)
    drawn: DrawnRows = training.cache[key]
    steps = len(training.rows) // batch_size
    places = streams.generator().permutation(len(drawn.first))
    return drawn.at(places[: steps * batch_size].reshape(steps, -1))


def _enlarge(rng: np.random.Generator, training: TrainingRows) -> DrawnRows:
    """All training rows, then SMOTE's synthetic rows, each array (m,) or (m, ``NEIGHBOURS``)."""
    counts = np.bincount(training.y, minlength=training.n_classes)
    all_rows = np.arange(len(training.y))
    first, second, weight = [all_rows], [all_rows], [np.ones(len(all_rows))]
    neighbours = [np.full((len(all_rows), NEIGHBOURS), -1)]
    for code in np.flatnonzero((counts > 0) & (counts < counts.max())):
        class_rows = np.flatnonzero(training.y == code)
        n_synthetic = int(counts.max() - len(class_rows))
        base = rng.integers(len(class_rows), size=n_synthetic)
        first.append(class_rows[base])
        neighbours.append(np.full((n_synthetic, NEIGHBOURS), -1))
        if len(class_rows) == 1:
            second.append(first[-1])
            weight.append(np.ones(n_synthetic))
            continue
        near = _nearest_in_class(training, class_rows)
        neighbours[-1][:, : near.shape[1]] = class_rows[near[base]]
        second.append(class_rows[near[base, rng.integers(near.shape[1], size=n_synthetic)]])
        weight.append(1.0 - rng.random(n_synthetic))
    return DrawnRows(
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate(weight).astype(np.float32),
        None if training.nominal is None else np.concatenate(neighbours),
    )


def _nearest_in_class(training: TrainingRows, class_rows: IntArray) -> IntArray:
    """Nearest other rows of each row of a class: (n, k) positions within ``class_rows``."""
    from sklearn.neighbors import NearestNeighbors

    features = training.features()[class_rows].reshape(len(class_rows), -1)
    if training.nominal is not None:
        group, points = class_rows[None], features[None].astype(np.float64)
        features = training.nominal.points(points, group, np.ones(group.shape, bool))[0]
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(class_rows) - 1)).fit(features)
    # Without an argument, a row does not count as its own neighbour.
    near: IntArray = search.kneighbors(return_distance=False)
    return near


StackSampler = Callable[[Any, Any, StackRows, int], Any]
"""Draws the rows of one epoch for all members of a stack: (M, S, B) positions among their training
rows, from ``xp``, keys, rows and the batch size; see :func:`natural`."""

STACK_SAMPLERS: dict[str, StackSampler] = {
    "natural": natural,
    "balanced": balanced,
    "balanced-dataset": balanced_dataset,
}
"""Samplers that draw for a whole stack at once, on the host or in a compiled program."""

SMOTE = "smote"
MEMBER_SAMPLERS: dict[str, Sampler] = {
    SMOTE: smote,
    "undersample": undersample,
    "smote-dataset": smote_dataset,
    "balanced-repo": balanced_repo,
    "smote-repo": smote_repo,
}
"""Samplers that draw for one member at a time, on the host."""

SAMPLERS: dict[str, StackSampler | Sampler] = {**STACK_SAMPLERS, **MEMBER_SAMPLERS}

DEVICE_SAMPLERS = (*STACK_SAMPLERS, SMOTE)
"""Samplers that can draw in a compiled program; see :func:`fits_device`."""

RATIO_SAMPLERS = ("balanced", "balanced-dataset", "smote")
"""Samplers that may give the rare classes another share of a batch than an equal one."""

SMOTE_SAMPLERS = ("smote", "smote-dataset", "smote-repo")
"""Samplers whose rows are blends of two rows already, so that nothing can be mixed with them."""
