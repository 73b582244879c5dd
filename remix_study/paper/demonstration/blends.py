"""Figure 8: blends that lie where another class is likeliest, and what they cost a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from remix_study.batches.strategies import Strategy, make_strategy
from remix_study.metrics import score
from remix_study.paper.demonstration.generated_data import (
    IN_A_ROW,
    TWO_SIDES,
    Cloud,
    Sample,
    cloud_densities,
    clouds,
    posterior,
)
from remix_study.paper.demonstration.networks import probabilities
from remix_study.paper.demonstration.samples import (
    BatchRows,
    batch_rows,
    first_visible_batch,
    plan_epochs,
)
from remix_study.paper.demonstration.scale import SEED, Scale
from remix_study.seeds import derive_seed

ALPHAS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0)
TRAINED: tuple[Strategy, ...] = (
    make_strategy("smote"),
    *(make_strategy("remix", alpha) for alpha in (0.0, 0.1, 0.3, 0.5, 1.0)),
)
# A label that gives the likeliest class at a row less than this contradicts the data.
FAINT_LABEL = 0.1
TEST_ROWS = 2000


@dataclass(frozen=True, eq=False)
class BlendStudy:
    """Blends on one kind of data and the networks trained on them.

    Attributes:
        title: the data in words.
        clusters: its Gaussian clusters.
        sample: rows of the first seed.
        shown: the rows of one batch of ReMix with a visible blend.
        contradicted: one line a strategy: share of rows whose label contradicts the data.
        scores: one line a strategy and seed: `g_mean` and `middle`, the recall of the class in
            the middle, on new rows with classes of equal size.
    """

    title: str
    clusters: tuple[Cloud, ...]
    sample: Sample
    shown: BatchRows
    contradicted: pd.DataFrame
    scores: pd.DataFrame


def study_blends(scale: Scale) -> tuple[BlendStudy, ...]:
    """Study two kinds of data: two clusters of one rare class, and two rare classes."""
    return (
        _study("A rare class on both sides of the common one", TWO_SIDES, "sides", scale),
        _study("Two rare classes on both sides of the common one", IN_A_ROW, "row", scale),
    )


def is_contradicted(clusters: tuple[Cloud, ...], rows: BatchRows) -> NDArray[np.bool_]:
    """Whether (n,) the likeliest class at a row has less than `FAINT_LABEL` of its label.

    Likeliest at equal class shares, by the densities that the data were drawn from.
    """
    likeliest = posterior(cloud_densities(clusters, rows.X)).argmax(axis=1)
    is_faint: NDArray[np.bool_] = rows.labels[np.arange(len(likeliest)), likeliest] < FAINT_LABEL
    return is_faint


def _study(title: str, clusters: tuple[Cloud, ...], purpose: str, scale: Scale) -> BlendStudy:
    samples = [clouds(clusters, derive_seed(SEED, purpose, at)) for at in range(scale.seeds)]
    strategies = [
        make_strategy("smote"),
        *(make_strategy("remix", alpha) for alpha in ALPHAS),
    ]
    lines = []
    for strategy in strategies:
        shares = []
        for at, sample in enumerate(samples):
            seed = derive_seed(SEED, purpose, at, "plan")
            plans = plan_epochs(sample, strategy, seed=seed, epochs=scale.draws)
            shares.append(is_contradicted(clusters, batch_rows(sample, plans)).mean())
        lines.append(
            {
                "strategy": strategy.label,
                "alpha": strategy.alpha if strategy.sampler == "balanced" else np.nan,
                "contradicted": float(np.mean(shares)),
                "least": float(np.min(shares)),
                "most": float(np.max(shares)),
            }
        )
    plans = plan_epochs(
        samples[0],
        make_strategy("remix", 0.5),
        seed=derive_seed(SEED, purpose, 0, "plan"),
        epochs=scale.draws,
    )
    rows = batch_rows(samples[0], plans)
    shown = rows.select_batches([first_visible_batch(rows)])
    scores = _scores(clusters, samples, purpose, scale)
    return BlendStudy(title, clusters, samples[0], shown, pd.DataFrame(lines), scores)


def _scores(
    clusters: tuple[Cloud, ...], samples: list[Sample], purpose: str, scale: Scale
) -> pd.DataFrame:
    test = clouds(clusters, derive_seed(SEED, purpose, "test"), TEST_ROWS)
    predictions = probabilities(samples, test.X, TRAINED, purpose=purpose, epochs=scale.epochs)
    lines = []
    for strategy, probabilities_by_seed in zip(TRAINED, predictions, strict=True):
        for seed, p in enumerate(probabilities_by_seed):
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
