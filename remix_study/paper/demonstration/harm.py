"""Figure 8: blends that land where another class lives, and whether networks suffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.metrics import score
from remix_study.paper.demonstration.networks import probabilities
from remix_study.paper.demonstration.samples import Made, made_rows, plans, visible_batch
from remix_study.paper.demonstration.scale import SEED, Scale
from remix_study.paper.demonstration.sets import (
    IN_A_ROW,
    TWO_SIDES,
    Cloud,
    Sample,
    cloud_densities,
    clouds,
    posterior,
)
from remix_study.seeds import derive_seed

ALPHAS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
TRAINED: tuple[Strategy, ...] = (
    make_strategy("smote"),
    *(make_strategy("remix", alpha) for alpha in (0.0, 0.1, 0.3, 0.5, 1.0)),
)
# A label that gives the class of a place less than this speaks against the data.
FAINT_LABEL = 0.1
TEST_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Harm:
    """What blends do on one kind of data.

    Attributes:
        title: the data in words.
        parts: its clusters.
        sample: rows of the first seed.
        shown: the rows of one batch of ReMix whose blend shows.
        contradicted: one line a strategy: share of rows whose label speaks against the data.
        scores: one line a strategy and seed: `g_mean` and `middle`, the recall of the class in
            the middle, on new rows with classes of equal size.
    """

    title: str
    parts: tuple[Cloud, ...]
    sample: Sample
    shown: Made
    contradicted: pd.DataFrame
    scores: pd.DataFrame


def harms(scale: Scale) -> tuple[Harm, ...]:
    """Both kinds of data: two clusters of one rare class, and two rare classes."""
    return (
        _harm("A rare class on both sides of the common one", TWO_SIDES, "sides", scale),
        _harm("Two rare classes on both sides of the common one", IN_A_ROW, "row", scale),
    )


def contradicts(parts: tuple[Cloud, ...], made: Made) -> NDArray[np.bool_]:
    """(n,) whether the class that is likeliest at a row's place has nearly none of its label.

    Likeliest at equal class shares, by the densities that the data were drawn from.
    """
    true = posterior(cloud_densities(parts, made.X)).argmax(axis=1)
    faint: NDArray[np.bool_] = made.labels[np.arange(len(true)), true] < FAINT_LABEL
    return faint


def _harm(title: str, parts: tuple[Cloud, ...], purpose: str, scale: Scale) -> Harm:
    samples = [clouds(parts, derive_seed(SEED, purpose, at)) for at in range(scale.seeds)]
    strategies = [
        make_strategy("smote"),
        *(make_strategy("remix", alpha) for alpha in ALPHAS),
    ]
    lines = []
    for strategy in strategies:
        shares = []
        for at, sample in enumerate(samples):
            seed = derive_seed(SEED, purpose, at, "plan")
            planned = plans(sample, strategy, seed=seed, epochs=scale.draws)
            shares.append(contradicts(parts, made_rows(sample, planned)).mean())
        lines.append(
            {
                "strategy": strategy.label,
                "alpha": strategy.alpha if strategy.sampler == "balanced" else np.nan,
                "contradicted": float(np.mean(shares)),
                "least": float(np.min(shares)),
                "most": float(np.max(shares)),
            }
        )
    planned = plans(
        samples[0],
        make_strategy("remix", 0.5),
        seed=derive_seed(SEED, purpose, 0, "plan"),
        epochs=scale.draws,
    )
    made = made_rows(samples[0], planned)
    shown = made.of_batches([visible_batch(made)])
    scores = _scores(parts, samples, purpose, scale)
    return Harm(title, parts, samples[0], shown, pd.DataFrame(lines), scores)


def _scores(
    parts: tuple[Cloud, ...], samples: list[Sample], purpose: str, scale: Scale
) -> pd.DataFrame:
    test = clouds(parts, derive_seed(SEED, purpose, "test"), TEST_ROWS)
    found = probabilities(samples, test.X, TRAINED, purpose=purpose, epochs=scale.epochs)
    lines = []
    for strategy, of_seeds in zip(TRAINED, found, strict=True):
        for seed, p in enumerate(of_seeds):
            scores = score(test.y, p, test.n_classes)
            lines.append(
                {
                    "strategy": strategy.label,
                    "seed": seed,
                    "g_mean": scores["g_mean"],
                    "middle": scores["recall_0"],
                }
            )
    return pd.DataFrame(lines)
