"""Data sets whose true class probabilities are known, and small networks trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ive

from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.batches.training_rows import TrainingRows
from remix_study.data.preprocessing import Preprocessing, fit_preprocessing
from remix_study.seeds import derive_seed
from remix_study.studyfile.schema import PRESETS, Training
from remix_study.training.members import Member

Points = NDArray[np.float64]

SEED = 2020
BATCH_SIZE = 64
CLASS_NAMES = ("common class", "rare class")
# Colours of the reports' palette that no strategy of this page has.
CLASSES = ("#56b4e9", "#e69f00", "#cc79a7")
# Of a class that many points are drawn; further ones would hide each other.
MOST_POINTS = 200

# The rings: radius of the minority and of the majority, and the noise around both.
RADII = (0.5, 1.0)
NOISE = 0.15
MAJORITY, MINORITY = 1000, 50


@dataclass(frozen=True)
class Scale:
    """How much is drawn and trained for a demonstration.

    Attributes:
        seeds: data sets drawn of each kind, each with a network of its own.
        epochs: most epochs that a network trains.
        side: points along each side of the plane on which probabilities are predicted.
        draws: epochs of batches behind every share and density.
    """

    seeds: int = 10
    epochs: int = 500
    side: int = 121
    draws: int = 40


FULL = Scale()


@dataclass(frozen=True, eq=False)
class Sample:
    """(n, d) features and (n,) int32 class codes of one data set; 0 is the majority."""

    X: Points
    y: NDArray[np.int32]

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1


@dataclass(frozen=True)
class Cloud:
    """A round Gaussian cluster of one class."""

    centre: tuple[float, ...]
    sd: float
    code: int
    rows: int


# Two classes that nearly touch; two minority clusters with the majority between them; three
# classes in a row.
NEIGHBOURS = (Cloud((0.0, 0.0), 1.0, 0, 600), Cloud((3.2, 1.6), 0.7, 1, 30))
LINE = (Cloud((0.0,), 1.0, 0, MAJORITY), Cloud((4.0,), 1.0, 1, MINORITY))
_MIDDLE = Cloud((0.0, 0.0), 0.6, 0, 600)
TWO_SIDES = (_MIDDLE, Cloud((-2.5, 0.0), 0.5, 1, 30), Cloud((2.5, 0.0), 0.5, 1, 30))
IN_A_ROW = (_MIDDLE, Cloud((-2.5, 0.0), 0.5, 1, 60), Cloud((2.5, 0.0), 0.5, 2, 60))


def rings(seed: int) -> Sample:
    """A rare ring inside a common one, scikit-learn's `make_circles`."""
    from sklearn.datasets import make_circles

    factor, state = RADII[0] / RADII[1], _state(seed, "rings")
    X, y = make_circles((MAJORITY, MINORITY), noise=NOISE, factor=factor, random_state=state)
    return Sample(X, y.astype(np.int32))


def moons(seed: int) -> Sample:
    """A rare half-moon that reaches into a common one, scikit-learn's `make_moons`."""
    from sklearn.datasets import make_moons

    X, y = make_moons((MAJORITY, MINORITY), noise=0.12, random_state=_state(seed, "moons"))
    return Sample(X, y.astype(np.int32))


def clouds(clusters: tuple[Cloud, ...], seed: int, rows: int | None = None) -> Sample:
    """Draw rows of Gaussian clusters in random order.

    So many rows of every class, shared by its clusters; each cluster's own number when None.
    """
    rng = np.random.default_rng(_state(seed, "clouds"))
    sizes = [
        cloud.rows if rows is None else rows // _cluster_count(clusters, cloud.code)
        for cloud in clusters
    ]
    draws = [
        rng.normal(cloud.centre, cloud.sd, (size, len(cloud.centre)))
        for cloud, size in zip(clusters, sizes, strict=True)
    ]
    X = np.concatenate(draws)
    y = np.repeat([cloud.code for cloud in clusters], sizes).astype(np.int32)
    order = rng.permutation(len(X))
    return Sample(X[order], y[order])


def ring_densities(X: Points) -> Points:
    """Densities (n, 2) of the common and the rare ring, with Gaussian noise around each."""
    distance = np.linalg.norm(X, axis=1)
    densities = [
        np.exp(-((distance - radius) ** 2) / (2 * NOISE**2))
        * ive(0, distance * radius / NOISE**2)
        / (2 * np.pi * NOISE**2)
        for radius in reversed(RADII)
    ]
    return np.stack(densities, axis=1)


def cloud_densities(clusters: tuple[Cloud, ...], X: Points) -> Points:
    """Densities (n, K) of the classes; the clusters of a class have equal weight."""
    n_classes = max(cloud.code for cloud in clusters) + 1
    density = np.zeros((len(X), n_classes))
    for cloud in clusters:
        squared = ((X - np.array(cloud.centre)) ** 2).sum(axis=1) / cloud.sd**2
        gaussian = np.exp(-squared / 2) / (np.sqrt(2 * np.pi) * cloud.sd) ** len(cloud.centre)
        density[:, cloud.code] += gaussian / _cluster_count(clusters, cloud.code)
    return density


def posterior(densities: Points, shares: tuple[float, ...] | None = None) -> Points:
    """True class probabilities (n, K) at these class shares, at equal ones when None."""
    weighted = densities * (1.0 if shares is None else np.array(shares))
    total = weighted.sum(axis=1, keepdims=True)
    # Far from all rows every density is zero in float64: the probabilities are NaN.
    probabilities: Points = np.divide(
        weighted, total, out=np.full_like(weighted, np.nan), where=total > 0
    )
    return probabilities


def _cluster_count(clusters: tuple[Cloud, ...], code: int) -> int:
    return sum(part.code == code for part in clusters)


def _state(seed: int, purpose: str) -> int:
    """Seed of 32 bits, as scikit-learn takes it."""
    return derive_seed(seed, "demonstration", purpose) % 2**32


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
    have no influence. Seeds of weights, batches and dropout are derived from the purpose.
    Returns arrays (samples, m, K) of probabilities at the (m, d) points, one a strategy.
    """
    from remix_study.models.building import build_network
    from remix_study.training.engine import Engine

    positions = _positions([sample.X for sample in samples], points)
    X = np.concatenate([*(sample.X for sample in samples), points])
    y = np.concatenate([*(sample.y for sample in samples), np.zeros(len(points), np.int32)])
    prepared = fit_preprocessing(X, positions[:-1])
    n_classes = samples[0].n_classes
    network = build_network(
        "mlp",
        stack=min(_STACK, len(samples)),
        input_shape=X.shape[1:],
        n_classes=n_classes,
        options={"hidden": HIDDEN},
    )
    scaling = prepared.fill, prepared.centre, prepared.scale
    engine = Engine(network, X.astype(np.float32), y, n_classes, *scaling)
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
