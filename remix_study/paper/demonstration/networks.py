"""Small networks trained by the package's own engine, one a data set, asked at given places."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.preprocessing import Preprocessing, fit_preprocessing
from remix_study.paper.demonstration.scale import BATCH_SIZE, SEED
from remix_study.paper.demonstration.sets import Rows, Sample
from remix_study.seeds import derive_seed
from remix_study.studyfile.schema import PRESETS, Training
from remix_study.training.member import Member

# The paper's rule for widths gives 2 units on two features, which bend around no ring.
HIDDEN = (32, 32, 32)
# Fixed, where a study takes as many as the machine has cores: the numbers are the same anywhere.
_STACK = 5


def probabilities(
    samples: Sequence[Sample],
    places: Rows,
    strategies: Sequence[Strategy],
    *,
    purpose: str,
    epochs: int,
) -> list[NDArray[np.float64]]:
    """Train one network a sample under each strategy, all from the same weights.

    Preset "paper": the training loss alone lowers the rate and ends the training, so the places
    decide nothing.

    Args:
        samples: what the networks learn from, one each.
        places: (m, d) where their probabilities are wanted.
        strategies: how batches are drawn, mixed and weighed.
        purpose: seeds of weights, batches and dropout derive from it.
        epochs: most epochs of a network.

    Returns:
        One array (samples, m, K) a strategy.
    """
    from remix_study.models.building import build_network
    from remix_study.training.engine import Engine

    parts = _positions([sample.X for sample in samples], places)
    X = np.concatenate([*(sample.X for sample in samples), places])
    y = np.concatenate([*(sample.y for sample in samples), np.zeros(len(places), np.int32)])
    prepared = fit_preprocessing(X, parts[:-1])
    n_classes = samples[0].n_classes
    engine = Engine(
        build_network(
            "mlp",
            stack=min(_STACK, len(samples)),
            input_shape=X.shape[1:],
            n_classes=n_classes,
            options={"hidden": HIDDEN},
        ),
        X.astype(np.float32),
        y,
        n_classes,
        prepared.fill,
        prepared.centre,
        prepared.scale,
    )
    asked = parts[-1].astype(np.int32)
    members = [
        Member(
            derive_seed(SEED, purpose, at, "member"),
            training_rows(sample, prepared, at, parts[at]),
            asked,
            asked,
        )
        for at, sample in enumerate(samples)
    ]
    training = Training(
        preset="paper", batch_size=BATCH_SIZE, **{**PRESETS["paper"], "epochs": epochs}
    )
    found = []
    for strategy in strategies:
        outcomes = engine.fit(members, strategy, training)
        found.append(np.stack([outcome.test for outcome in outcomes]).astype(np.float64))
    return found


def training_rows(
    sample: Sample,
    prepared: Preprocessing,
    member: int = 0,
    rows: NDArray[np.intp] | None = None,
) -> TrainingRows:
    """A sample as a sampler sees it; `rows` are its positions, from 0 on when None."""
    rows = np.arange(len(sample.y)) if rows is None else rows
    features: Callable[[], NDArray[np.float32]] = lambda: prepared.apply(member, sample.X)  # noqa: E731
    return TrainingRows(rows.astype(np.int32), sample.y, sample.n_classes, features)


def _positions(samples: Sequence[Rows], places: Rows) -> list[NDArray[np.intp]]:
    """Where each sample and, last, the places stand when all are put after each other."""
    ends = np.cumsum([0, *(len(rows) for rows in samples), len(places)])
    return [np.arange(low, high) for low, high in pairwise(ends)]
