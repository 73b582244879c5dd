"""Small networks, one a data set, trained by the package's engine and evaluated at points."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.preprocessing import Preprocessing, fit_preprocessing
from remix_study.paper.demonstration.generated_data import BATCH_SIZE, SEED, Points, Sample
from remix_study.seeds import derive_seed
from remix_study.studyfile.schema import PRESETS, Training
from remix_study.training.members import Member

# The paper's rule for widths gives 2 units on two features, which bend around no ring.
HIDDEN = (32, 32, 32)
# Fixed, not by the number of cores: the numbers are the same on every machine.
_STACK = 5


def smote_and_remix(*alphas: float) -> tuple[Strategy, ...]:
    """SMOTE, then ReMix at these alphas; alpha 0 is balance."""
    return make_strategy("smote"), *(make_strategy("remix", alpha) for alpha in alphas)


def probabilities(
    samples: Sequence[Sample],
    points: Points,
    strategies: Sequence[Strategy],
    *,
    purpose: str,
    epochs: int,
) -> list[Points]:
    """Train one network a sample with each strategy, all from the same weights.

    Preset "paper": the training loss alone lowers the rate and ends the training, so the points
    have no influence.

    Args:
        samples: data sets, each of one network.
        points: (m, d) features whose probabilities are predicted.
        strategies: how batches are drawn, mixed and weighed.
        purpose: name from which seeds of weights, batches and dropout are derived.
        epochs: most epochs of a network.

    Returns:
        Arrays (samples, m, K), one a strategy.
    """
    from remix_study.models.building import build_network
    from remix_study.training.engine import Engine

    positions = _positions([sample.X for sample in samples], points)
    X = np.concatenate([*(sample.X for sample in samples), points])
    y = np.concatenate([*(sample.y for sample in samples), np.zeros(len(points), np.int32)])
    prepared = fit_preprocessing(X, positions[:-1])
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
    test_rows = positions[-1].astype(np.int32)
    members = [
        Member(
            derive_seed(SEED, purpose, at, "member"),
            training_rows(sample, prepared, at, positions[at]),
            test_rows,
            test_rows,
        )
        for at, sample in enumerate(samples)
    ]
    training = Training(
        preset="paper", batch_size=BATCH_SIZE, **{**PRESETS["paper"], "epochs": epochs}
    )
    predictions = []
    for strategy in strategies:
        outcomes = engine.fit(members, strategy, training)
        predictions.append(np.stack([outcome.test for outcome in outcomes]).astype(np.float64))
    return predictions


def training_rows(
    sample: Sample, prepared: Preprocessing, member: int = 0, rows: NDArray[np.intp] | None = None
) -> TrainingRows:
    """A sample as samplers take it; `rows` are its positions, from 0 on when None."""
    rows = np.arange(len(sample.y)) if rows is None else rows
    features = partial(prepared.apply, member, sample.X)
    return TrainingRows(rows.astype(np.int32), sample.y, sample.n_classes, features)


def _positions(samples: Sequence[Points], points: Points) -> list[NDArray[np.intp]]:
    """Positions of each sample and, last, of the points in their concatenation."""
    ends = np.cumsum([0, *(len(rows) for rows in samples), len(points)])
    return [np.arange(low, high) for low, high in pairwise(ends)]
